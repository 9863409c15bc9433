//! Runs the fill kernel that has WGSL's built-in functions, by the library's public parameters.

use std::cell::RefCell;
use std::collections::HashMap;

use anyhow::Context;
use gpu_init::wgpu::util::{BufferInitDescriptor, DeviceExt};
use gpu_init::wgpu::{self, BufferUsages};
use gpu_init::{Device, FpGuard, TensorSpec, shader};

use crate::commands::bench::builtins;

/// `fill.wgsl` with another `normal4`, on the device that it is compared with.
pub(super) struct BuiltIns {
    device: wgpu::Device,
    module: wgpu::ShaderModule,
    /// By entry point and overrides.
    pipelines: RefCell<HashMap<(&'static str, [u64; 2]), wgpu::ComputePipeline>>,
    /// Bound, but not read: normals need no table.
    table: wgpu::Buffer,
}

impl BuiltIns {
    pub(super) fn new(device: &Device) -> anyhow::Result<Self> {
        let text = builtins::shader(&shader::fill(device.wide_mul(), FpGuard::NoReassociation));
        let text = text.context("bench: sample.wgsl has no normal4 to replace")?;
        let device = device.wgpu_device().clone();
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("built-ins"),
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        let table = buffer(&device, 16, BufferUsages::STORAGE);
        Ok(BuiltIns { device, module, pipelines: RefCell::default(), table })
    }

    /// Records a fill of the start of a buffer.
    pub(super) fn encode(
        &self,
        spec: &TensorSpec,
        buffer: &wgpu::Buffer,
        encoder: &mut wgpu::CommandEncoder,
    ) -> anyhow::Result<()> {
        let fill = spec.resolve(0, 0)?;
        let dispatches = shader::dispatches(&fill, 0, &self.device.limits());
        for dispatch in dispatches.context("bench: the built-ins only make normals")? {
            let params = self.device.create_buffer_init(&BufferInitDescriptor {
                label: None,
                contents: bytemuck::bytes_of(&dispatch.params),
                usage: BufferUsages::UNIFORM,
            });
            let mut pipelines = self.pipelines.borrow_mut();
            let key = (dispatch.entry_point, dispatch.constants.map(|(_, value)| value.to_bits()));
            let pipeline = pipelines.entry(key).or_insert_with(|| self.pipeline(&dispatch));
            let size = wgpu::BufferSize::new(dispatch.size);
            let out = wgpu::BufferBinding { buffer, offset: dispatch.offset, size };
            let resources = [
                params.as_entire_binding(),
                wgpu::BindingResource::Buffer(out),
                self.table.as_entire_binding(),
            ];
            let entries = resources
                .into_iter()
                .zip(0..)
                .map(|(resource, binding)| wgpu::BindGroupEntry { binding, resource });
            let bindings = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &pipeline.get_bind_group_layout(0),
                entries: &entries.collect::<Vec<_>>(),
            });
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, &bindings, &[]);
            let [x, y] = dispatch.workgroups;
            pass.dispatch_workgroups(x, y, 1);
        }
        Ok(())
    }

    fn pipeline(&self, dispatch: &shader::FillDispatch) -> wgpu::ComputePipeline {
        self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(dispatch.entry_point),
            layout: None,
            module: &self.module,
            entry_point: Some(dispatch.entry_point),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &dispatch.constants,
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        })
    }
}

pub(super) fn buffer(device: &wgpu::Device, size: u64, usage: BufferUsages) -> wgpu::Buffer {
    device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size,
        usage,
        mapped_at_creation: false,
    })
}
