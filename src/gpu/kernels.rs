//! The compiled shaders of a device: modules and layouts made when it opens, pipelines when first
//! used.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::gpu::context::Context;
use crate::gpu::orthogonal::OrthogonalEntry;
use crate::gpu::shader;
use crate::gpu::shader::{FpGuard, WideMul};
use crate::gpu::window::{FillEntry, FillKernel, Transform, WORKGROUP_SIZE};
use crate::{DType, Result};

/// The text of the shaders.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sources {
    pub(crate) fill: String,
    pub(crate) fingerprint: String,
    pub(crate) stats: String,
    pub(crate) gather: String,
    pub(crate) clear: String,
    pub(crate) diagonal: String,
    pub(crate) sparse: String,
    pub(crate) orthogonal: String,
}

impl Sources {
    pub(crate) fn new(multiply: WideMul, mul_add: FpGuard) -> Self {
        // Where one fma adds to another, Mesa takes their common factor out, `one`: a reordering
        // that is to be guarded against.
        let running =
            if mul_add == FpGuard::NoContraction { FpGuard::NoReassociation } else { mul_add };
        Sources {
            fill: shader::fill_with(multiply, mul_add),
            fingerprint: shader::fingerprint(multiply),
            stats: shader::stats_with(running),
            gather: shader::gather(multiply),
            clear: shader::clear(multiply),
            diagonal: shader::diagonal(),
            sparse: shader::sparse(multiply),
            orthogonal: shader::orthogonal(multiply, running),
        }
    }
}

/// What can be dispatched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kernel {
    Fill(FillKernel),
    FillMany(DType, Transform),
    Fingerprint(DType),
    Stats(DType),
    Gather(DType),
    Clear(DType),
    Diagonal(DType),
    Sparse(DType),
    Orthogonal(OrthogonalEntry),
}

/// A shader by its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum File {
    Fill,
    FillMany,
    Fingerprint,
    Stats,
    Gather,
    Clear,
    Diagonal,
    Sparse,
    Orthogonal,
}

/// A shader module and the layout of its bindings.
#[derive(Debug, Clone)]
struct Shader {
    module: wgpu::ShaderModule,
    bindings: wgpu::BindGroupLayout,
    layout: wgpu::PipelineLayout,
}

pub(crate) struct Kernels {
    compiled: Mutex<Compiled>,
    /// How guarded shaders multiply that take the place of these if a probe shows that they must.
    guarded: Option<WideMul>,
    /// What fills without a table bind in its place: the shader names one, whatever it computes.
    pub(super) no_table: wgpu::Buffer,
}

/// What there is of one text of the shaders.
struct Compiled {
    mul_add: FpGuard,
    sources: Sources,
    shaders: HashMap<File, Shader>,
    pipelines: HashMap<Kernel, (wgpu::ComputePipeline, wgpu::BindGroupLayout)>,
}

impl Compiled {
    fn new(mul_add: FpGuard, sources: Sources) -> Self {
        Compiled { mul_add, sources, shaders: HashMap::new(), pipelines: HashMap::new() }
    }

    /// The shader of a file, parsed the first time.
    fn shader(&mut self, context: &Context, file: File) -> Result<Shader> {
        if let Some(shader) = self.shaders.get(&file) {
            return Ok(shader.clone());
        }
        let Sources { fill, fingerprint, stats, gather, clear, diagonal, sparse, orthogonal } =
            &self.sources;
        let (source, bindings): (_, &[_]) = match file {
            File::Fill => (fill, &[PARAMS, storage(false), storage(true)]),
            File::FillMany => (fill, &[PARAMS, storage(false), storage(true), storage(true)]),
            File::Fingerprint => (fingerprint, &[PARAMS, storage(true), storage(false)]),
            File::Stats => (stats, &[PARAMS, storage(true), storage(false)]),
            File::Gather => (gather, &[PARAMS, storage(false), storage(true)]),
            File::Clear => (clear, &[PARAMS, storage(false)]),
            File::Diagonal => (diagonal, &[PARAMS, storage(false)]),
            File::Sparse => (sparse, &[PARAMS, storage(false), storage(false)]),
            File::Orthogonal => {
                (orthogonal, &[PARAMS, storage(false), storage(false), storage(false)])
            }
        };
        let shader = Shader::new(context, source, bindings)?;
        self.shaders.insert(file, shader.clone());
        Ok(shader)
    }
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
    /// Of `sources`, which are so much guarded, and of others if [`fall_back`](Self::fall_back)
    /// goes over to them.
    pub(crate) fn new(
        context: &Context,
        mul_add: FpGuard,
        sources: Sources,
        guarded: Option<WideMul>,
    ) -> Result<Self> {
        Ok(Kernels {
            compiled: Mutex::new(Compiled::new(mul_add, sources)),
            guarded,
            no_table: context.buffer("compile a shader", 16, wgpu::BufferUsages::STORAGE)?,
        })
    }

    fn compiled(&self) -> MutexGuard<'_, Compiled> {
        self.compiled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much they are guarded.
    pub(crate) fn mul_add(&self) -> FpGuard {
        self.compiled().mul_add
    }

    /// Goes over to the guarded shaders, unless that was done. Says no if there are none to go to
    /// from `mul_add`.
    pub(crate) fn fall_back(&self, mul_add: FpGuard) -> bool {
        let (Some(multiply), false) = (self.guarded, mul_add == FpGuard::NoReassociation) else {
            return false;
        };
        let mut compiled = self.compiled();
        if compiled.mul_add == mul_add {
            *compiled = Compiled::new(
                FpGuard::NoReassociation,
                Sources::new(multiply, FpGuard::NoReassociation),
            );
        }
        true
    }

    /// The pipeline of a kernel, compiled the first time, and the layout of its bind group.
    pub(crate) fn pipeline(
        &self,
        context: &Context,
        kernel: Kernel,
    ) -> Result<(wgpu::ComputePipeline, wgpu::BindGroupLayout)> {
        let mut compiled = self.compiled();
        if let Some(pipeline) = compiled.pipelines.get(&kernel) {
            return Ok(pipeline.clone());
        }
        let (file, entry_point, dtype) = match kernel {
            Kernel::Fill(FillKernel { entry: FillEntry::Entries, dtype, .. }) => {
                (File::Fill, "fill", dtype)
            }
            Kernel::Fill(FillKernel { entry: FillEntry::Words, dtype, .. }) => {
                (File::Fill, "fill_words", dtype)
            }
            Kernel::Fill(FillKernel { entry: FillEntry::Slice, dtype, .. }) => {
                (File::Fill, "fill_slice", dtype)
            }
            Kernel::FillMany(dtype, _) => (File::FillMany, "fill_many", dtype),
            Kernel::Fingerprint(dtype) => (File::Fingerprint, "fingerprint", dtype),
            Kernel::Stats(dtype) => (File::Stats, "stats", dtype),
            Kernel::Gather(dtype) => (File::Gather, "gather", dtype),
            Kernel::Clear(dtype) => (File::Clear, "clear", dtype),
            Kernel::Diagonal(dtype) => (File::Diagonal, "diagonal", dtype),
            Kernel::Sparse(dtype) => (File::Sparse, "sparse", dtype),
            Kernel::Orthogonal(OrthogonalEntry::Reflect) => {
                (File::Orthogonal, "reflect", DType::F32)
            }
            Kernel::Orthogonal(OrthogonalEntry::Scale) => (File::Orthogonal, "scale", DType::F32),
            Kernel::Orthogonal(OrthogonalEntry::Gram) => (File::Orthogonal, "gram", DType::F32),
            Kernel::Orthogonal(OrthogonalEntry::Apply) => (File::Orthogonal, "apply", DType::F32),
            Kernel::Orthogonal(OrthogonalEntry::Project) => {
                (File::Orthogonal, "project", DType::F32)
            }
            Kernel::Orthogonal(OrthogonalEntry::Update) => (File::Orthogonal, "update", DType::F32),
            Kernel::Orthogonal(OrthogonalEntry::Examine) => {
                (File::Orthogonal, "examine", DType::F32)
            }
            Kernel::Orthogonal(OrthogonalEntry::Finish(dtype)) => {
                (File::Orthogonal, "finish", dtype)
            }
        };
        let shader = compiled.shader(context, file)?;
        let mut constants = vec![("DTYPE", f64::from(dtype as u32))];
        if let Kernel::Fill(FillKernel { transform, .. }) | Kernel::FillMany(_, transform) = kernel
        {
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
        let pipeline = context.checked("compile a shader", 0, || {
            context.device.create_compute_pipeline(&descriptor)
        })?;
        let pipeline = (pipeline, shader.bindings);
        compiled.pipelines.insert(kernel, pipeline.clone());
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
            let bindings = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: None,
                entries: &entries,
            });
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
