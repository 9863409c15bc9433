//! The compiled shaders of a device: modules and layouts made when it opens, pipelines when first used.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use super::context::Context;
use super::orthogonal::OrthogonalEntry;
use super::shader::{self, Multiply};
use super::window::{FillEntry, FillKernel, WORKGROUP_SIZE};
use crate::{DType, Result};

/// The text of the shaders.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sources {
    pub(crate) fill: String,
    pub(crate) fingerprint: String,
    pub(crate) stats: String,
    pub(crate) orthogonal: String,
}

impl Sources {
    pub(crate) fn new(multiply: Multiply) -> Self {
        Sources {
            fill: shader::fill(multiply),
            fingerprint: shader::fingerprint(multiply),
            stats: shader::stats(),
            orthogonal: shader::orthogonal(multiply),
        }
    }
}

/// What can be dispatched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kernel {
    Fill(FillKernel),
    Fingerprint(DType),
    Stats(DType),
    Orthogonal(OrthogonalEntry),
}

/// A shader module and the layout of its bindings.
#[derive(Debug)]
struct Shader {
    module: wgpu::ShaderModule,
    bindings: wgpu::BindGroupLayout,
    layout: wgpu::PipelineLayout,
}

pub(crate) struct Kernels {
    fill: Shader,
    fingerprint: Shader,
    stats: Shader,
    orthogonal: Shader,
    pipelines: Mutex<HashMap<Kernel, wgpu::ComputePipeline>>,
    /// What fills without a table bind in its place: the shader names one, whatever it computes.
    pub(super) no_table: wgpu::Buffer,
}

impl fmt::Debug for Kernels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernels").finish_non_exhaustive()
    }
}

/// The params at binding 0, at a dynamic offset, so that many dispatches share a buffer of them.
const PARAMS: wgpu::BindingType = wgpu::BindingType::Buffer {
    ty: wgpu::BufferBindingType::Uniform,
    has_dynamic_offset: true,
    min_binding_size: None,
};

const fn storage(read_only: bool) -> wgpu::BindingType {
    wgpu::BindingType::Buffer {
        ty: wgpu::BufferBindingType::Storage { read_only },
        has_dynamic_offset: false,
        min_binding_size: None,
    }
}

impl Kernels {
    pub(crate) fn new(context: &Context, sources: &Sources) -> Result<Self> {
        let fill = [PARAMS, storage(false), storage(true)];
        let reduce = [PARAMS, storage(true), storage(false)];
        let orthogonal = [PARAMS, storage(false), storage(false)];
        Ok(Kernels {
            fill: Shader::new(context, &sources.fill, &fill)?,
            fingerprint: Shader::new(context, &sources.fingerprint, &reduce)?,
            stats: Shader::new(context, &sources.stats, &reduce)?,
            orthogonal: Shader::new(context, &sources.orthogonal, &orthogonal)?,
            pipelines: Mutex::default(),
            no_table: context.buffer("compile a shader", 16, wgpu::BufferUsages::STORAGE)?,
        })
    }

    fn shader(&self, kernel: Kernel) -> &Shader {
        match kernel {
            Kernel::Fill(_) => &self.fill,
            Kernel::Fingerprint(_) => &self.fingerprint,
            Kernel::Stats(_) => &self.stats,
            Kernel::Orthogonal(_) => &self.orthogonal,
        }
    }

    /// The layout of a kernel's bind group.
    pub(crate) fn bindings(&self, kernel: Kernel) -> &wgpu::BindGroupLayout {
        &self.shader(kernel).bindings
    }

    /// The pipeline of a kernel, compiled the first time.
    pub(crate) fn pipeline(&self, context: &Context, kernel: Kernel) -> Result<wgpu::ComputePipeline> {
        let mut pipelines = self.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipeline) = pipelines.get(&kernel) {
            return Ok(pipeline.clone());
        }
        let shader = self.shader(kernel);
        let (entry_point, dtype) = match kernel {
            Kernel::Fill(FillKernel { entry: FillEntry::Entries, dtype, .. }) => ("fill", dtype),
            Kernel::Fill(FillKernel { entry: FillEntry::Words, dtype, .. }) => ("fill_words", dtype),
            Kernel::Fingerprint(dtype) => ("fingerprint", dtype),
            Kernel::Stats(dtype) => ("stats", dtype),
            Kernel::Orthogonal(OrthogonalEntry::Reflect) => ("reflect", DType::F32),
            Kernel::Orthogonal(OrthogonalEntry::Gram) => ("gram", DType::F32),
            Kernel::Orthogonal(OrthogonalEntry::Apply) => ("apply", DType::F32),
            Kernel::Orthogonal(OrthogonalEntry::Finish(dtype)) => ("finish", dtype),
        };
        let mut constants = vec![("DTYPE", f64::from(dtype as u32))];
        if let Kernel::Fill(FillKernel { transform, .. }) = kernel {
            constants.push(("DISTRIBUTION", f64::from(transform as u32)));
            constants.push(("WORKGROUP_SIZE", f64::from(WORKGROUP_SIZE)));
        }
        let descriptor = wgpu::ComputePipelineDescriptor {
            label: Some(entry_point),
            layout: Some(&shader.layout),
            module: &shader.module,
            entry_point: Some(entry_point),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &constants,
                // Every lane writes its entry before another one reads it.
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        };
        let pipeline =
            context.checked("compile a shader", 0, || context.device.create_compute_pipeline(&descriptor))?;
        pipelines.insert(kernel, pipeline.clone());
        Ok(pipeline)
    }
}

impl Shader {
    fn new(context: &Context, source: &str, bindings: &[wgpu::BindingType]) -> Result<Self> {
        let device = &context.device;
        let entries: Vec<_> = bindings
            .iter()
            .zip(0..)
            .map(|(&ty, binding)| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty,
                count: None,
            })
            .collect();
        context.checked("compile a shader", 0, || {
            let bindings =
                device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries });
            Shader {
                module: device.create_shader_module(wgpu::ShaderModuleDescriptor {
                    label: None,
                    source: wgpu::ShaderSource::Wgsl(source.into()),
                }),
                layout: device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                    label: None,
                    bind_group_layouts: &[Some(&bindings)],
                    immediate_size: 0,
                }),
                bindings,
            }
        })
    }
}
