//! Compiled kernels: modules, layouts and pipelines, each made when it is first used.
//!
//! Kernels of one text are one object, which whoever verifies them passes on to whoever dispatches
//! them. Those that a fallback puts in their place meanwhile are another one, and not verified by it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::gpu::engine::context::Context;
use crate::gpu::engine::kernel::{Access, Entry, Kernel, Row, TABLE_USAGES};
use crate::gpu::wgsl::{AddressSpace, Arithmetic, FpGuard, HalfRounding, Module, Variant, WideMul};
use crate::stream::truncated::Table;
use crate::{ErrorKind, Result};

/// The text of the shaders.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    pub(crate) variant: Variant,
    /// Text to replace, and by what: tests break shaders so.
    pub(crate) patches: Vec<(String, String)>,
    /// The same for the shaders that are guarded when these have proved wrong.
    pub(crate) guarded_patches: Vec<(String, String)>,
}

impl Sources {
    pub(crate) fn new(variant: Variant) -> Self {
        Sources { variant, patches: Vec::new(), guarded_patches: Vec::new() }
    }

    fn text(&self, module: &Module) -> String {
        let text = module.text(self.variant);
        self.patches.iter().fold(text, |text, (from, to)| text.replace(from, to))
    }

    /// Shaders that ask less of a driver: first they round in integers, then they are guarded.
    fn fallback(&self, may_guard: bool) -> Option<Self> {
        let Arithmetic { fp_guard, half_rounding } = self.variant.arithmetic;
        let with =
            |fp_guard| Variant { arithmetic: Arithmetic::portable(fp_guard), ..self.variant };
        if half_rounding == HalfRounding::Floats {
            return Some(Sources { variant: with(fp_guard), ..self.clone() });
        }
        (may_guard && fp_guard != FpGuard::NoReassociation).then(|| Sources {
            patches: self.guarded_patches.clone(),
            ..Sources::new(with(FpGuard::NoReassociation))
        })
    }
}

/// A pipeline and the layout of its bind group.
#[derive(Debug, Clone)]
pub(crate) struct Pipeline {
    pub(crate) pipeline: wgpu::ComputePipeline,
    pub(crate) bindings: wgpu::BindGroupLayout,
}

/// The kernels of one text of the shaders.
#[derive(Debug)]
pub(crate) struct Kernels {
    sources: Sources,
    compiled: Mutex<Compiled>,
}

/// What was compiled so far.
#[derive(Debug, Default)]
struct Compiled {
    modules: HashMap<&'static str, wgpu::ShaderModule>,
    layouts: HashMap<Entry, (wgpu::BindGroupLayout, wgpu::PipelineLayout)>,
    pipelines: HashMap<Kernel, Pipeline>,
}

impl Compiled {
    /// Compiles a kernel, from a module that is parsed once.
    fn compile(&mut self, device: &wgpu::Device, sources: &Sources, kernel: Kernel) -> Pipeline {
        let row = kernel.entry.row();
        let Compiled { modules, layouts, .. } = self;
        let module = modules.entry(row.module.name).or_insert_with(|| {
            device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(row.module.name),
                source: wgpu::ShaderSource::Wgsl(sources.text(row.module).into()),
            })
        });
        let (bindings, layout) = layouts
            .entry(kernel.entry)
            .or_insert_with(|| layouts_of(device, &row, sources.variant.tables));
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(kernel.entry.name()),
            layout: Some(layout),
            module,
            entry_point: Some(kernel.entry.name()),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &kernel.constants(),
                // Every lane writes its entry before another one reads it.
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        });
        Pipeline { pipeline, bindings: bindings.clone() }
    }
}

impl Kernels {
    fn new(sources: Sources) -> Arc<Self> {
        Arc::new(Kernels { sources, compiled: Mutex::default() })
    }

    pub(crate) fn arithmetic(&self) -> Arithmetic {
        self.sources.variant.arithmetic
    }

    fn compiled(&self) -> MutexGuard<'_, Compiled> {
        self.compiled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the pipeline of a kernel, compiled the first time.
    pub(crate) async fn get(
        &self,
        context: &Context,
        kernel: Kernel,
    ) -> Result<Pipeline, ErrorKind> {
        if let Some(pipeline) = self.compiled().pipelines.get(&kernel) {
            return Ok(pipeline.clone());
        }
        let compile = || self.compiled().compile(&context.device, &self.sources, kernel);
        let pipeline = context.checked(0, compile).await?;
        self.compiled().pipelines.insert(kernel, pipeline.clone());
        Ok(pipeline)
    }
}

/// The kernels of a device: those in force, which others may replace.
#[derive(Debug)]
pub(crate) struct Pipelines {
    kernels: Mutex<Arc<Kernels>>,
    /// Whether guarded shaders may replace these, when a self-test shows that they must.
    may_guard: bool,
    /// Bound by fills without a table.
    pub(crate) no_table: wgpu::Buffer,
}

impl Pipelines {
    pub(crate) async fn new(
        context: &Context,
        sources: Sources,
        may_guard: bool,
    ) -> Result<Self, ErrorKind> {
        let no_table = context.create_buffer(size_of::<Table>() as u64, TABLE_USAGES).await?;
        Ok(Pipelines { kernels: Mutex::new(Kernels::new(sources)), may_guard, no_table })
    }

    /// The kernels in force.
    pub(crate) fn kernels(&self) -> Arc<Kernels> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Kernels>> {
        self.kernels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn wide_mul(&self) -> WideMul {
        self.lock().sources.variant.wide_mul
    }

    pub(crate) fn arithmetic(&self) -> Arithmetic {
        self.lock().arithmetic()
    }

    /// Where shaders read tables; a fallback does not change it.
    pub(crate) fn tables(&self) -> AddressSpace {
        self.lock().sources.variant.tables
    }

    /// Replaces these kernels by others that ask less of a driver, unless that was done. Returns
    /// `false` if there are none.
    pub(crate) fn fall_back(&self, from: &Arc<Kernels>) -> bool {
        let Some(sources) = from.sources.fallback(self.may_guard) else { return false };
        let mut kernels = self.lock();
        if Arc::ptr_eq(&kernels, from) {
            *kernels = Kernels::new(sources);
        }
        true
    }

    /// Rounds in integers from now on.
    pub(crate) fn round_in_integers(&self) {
        let kernels = self.kernels();
        if kernels.arithmetic().half_rounding == HalfRounding::Floats {
            self.fall_back(&kernels);
        }
    }
}

fn layouts_of(
    device: &wgpu::Device,
    row: &Row,
    tables: AddressSpace,
) -> (wgpu::BindGroupLayout, wgpu::PipelineLayout) {
    use wgpu::BufferBindingType::{Storage, Uniform};
    let bound = row.bindings.iter().map(|access| match (access, tables) {
        (Access::Table, AddressSpace::Uniform) => (Uniform, false),
        (access, _) => (Storage { read_only: *access != Access::Write }, false),
    });
    // The uniform is at a dynamic offset, so that many dispatches share a buffer of parameters.
    let entries: Vec<_> = std::iter::once((Uniform, true))
        .chain(bound)
        .zip(0..)
        .map(|((ty, has_dynamic_offset), binding)| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: None },
            count: None,
        })
        .collect();
    let bindings = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: None,
        entries: &entries,
    });
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: None,
        bind_group_layouts: &[Some(&bindings)],
        immediate_size: 0,
    });
    (bindings, layout)
}
