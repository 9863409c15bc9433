//! Compiled kernels: modules, layouts and pipelines, each made when it is first used.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::gpu::engine::context::Context;
use crate::gpu::engine::kernel::{Access, Entry, Kernel, Row};
use crate::gpu::wgsl::{Arithmetic, FpGuard, HalfRounding, Module, WideMul};
use crate::{ErrorKind, Result};

/// The text of the shaders.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    pub(crate) wide_mul: WideMul,
    pub(crate) arithmetic: Arithmetic,
    /// Text to replace, and by what: tests break shaders so.
    pub(crate) patches: Vec<(String, String)>,
}

impl Sources {
    pub(crate) fn new(wide_mul: WideMul, arithmetic: Arithmetic) -> Self {
        Sources { wide_mul, arithmetic, patches: Vec::new() }
    }

    fn text(&self, module: &Module) -> String {
        let text = module.text(self.wide_mul, self.arithmetic);
        self.patches.iter().fold(text, |text, (from, to)| text.replace(from, to))
    }
}

/// A pipeline and the layout of its bind group.
#[derive(Debug, Clone)]
pub(crate) struct Pipeline {
    pub(crate) pipeline: wgpu::ComputePipeline,
    pub(crate) bindings: wgpu::BindGroupLayout,
}

/// The pipelines of a device.
#[derive(Debug)]
pub(crate) struct Pipelines {
    compiled: Mutex<Compiled>,
    /// Whether guarded shaders may replace these, when a self-test shows that they must.
    may_guard: bool,
    /// Bound by fills without a table.
    pub(crate) no_table: wgpu::Buffer,
}

/// What was compiled of one text of the shaders.
#[derive(Debug)]
struct Compiled {
    sources: Sources,
    modules: HashMap<&'static str, wgpu::ShaderModule>,
    layouts: HashMap<Entry, (wgpu::BindGroupLayout, wgpu::PipelineLayout)>,
    pipelines: HashMap<Kernel, Pipeline>,
}

impl Compiled {
    fn new(sources: Sources) -> Self {
        Compiled {
            sources,
            modules: HashMap::new(),
            layouts: HashMap::new(),
            pipelines: HashMap::new(),
        }
    }

    /// Compiles a kernel, from a module that is parsed once.
    fn compile(&mut self, device: &wgpu::Device, kernel: Kernel) -> Pipeline {
        let row = kernel.entry.row();
        let Compiled { sources, modules, layouts, .. } = self;
        let module = modules.entry(row.module.name).or_insert_with(|| {
            device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(row.module.name),
                source: wgpu::ShaderSource::Wgsl(sources.text(row.module).into()),
            })
        });
        let (bindings, layout) =
            layouts.entry(kernel.entry).or_insert_with(|| layouts_of(device, &row));
        let mut constants = vec![("DTYPE", f64::from(kernel.dtype as u32))];
        if row.has_distribution {
            constants.push(("DISTRIBUTION", f64::from(kernel.transform as u32)));
            constants.push(("WORKGROUP_SIZE", f64::from(row.workgroup_size)));
        }
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(kernel.entry.name()),
            layout: Some(layout),
            module,
            entry_point: Some(kernel.entry.name()),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &constants,
                // Every lane writes its entry before another one reads it.
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        });
        Pipeline { pipeline, bindings: bindings.clone() }
    }
}

impl Pipelines {
    pub(crate) async fn new(
        context: &Context,
        sources: Sources,
        may_guard: bool,
    ) -> Result<Self, ErrorKind> {
        let no_table = context.create_buffer(16, wgpu::BufferUsages::STORAGE).await?;
        Ok(Pipelines { compiled: Mutex::new(Compiled::new(sources)), may_guard, no_table })
    }

    fn compiled(&self) -> MutexGuard<'_, Compiled> {
        self.compiled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn wide_mul(&self) -> WideMul {
        self.compiled().sources.wide_mul
    }

    pub(crate) fn arithmetic(&self) -> Arithmetic {
        self.compiled().sources.arithmetic
    }

    /// Replaces shaders of this arithmetic by others that ask less of a driver, unless that was
    /// done. Returns `false` if there are none.
    pub(crate) fn fall_back(&self, arithmetic: Arithmetic) -> bool {
        let may_round = arithmetic.half_rounding == HalfRounding::Floats;
        if !may_round && (!self.may_guard || arithmetic.fp_guard == FpGuard::NoReassociation) {
            return false;
        }
        let mut compiled = self.compiled();
        if compiled.sources.arithmetic == arithmetic {
            let sources = if may_round {
                let arithmetic = Arithmetic::portable(arithmetic.fp_guard);
                Sources { arithmetic, ..compiled.sources.clone() }
            } else {
                let guarded = Arithmetic::portable(FpGuard::NoReassociation);
                Sources::new(compiled.sources.wide_mul, guarded)
            };
            *compiled = Compiled::new(sources);
        }
        true
    }

    /// Rounds in integers from now on.
    pub(crate) fn round_in_integers(&self) {
        let arithmetic = self.arithmetic();
        if arithmetic.half_rounding == HalfRounding::Floats {
            self.fall_back(arithmetic);
        }
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
        let compile = || {
            let mut compiled = self.compiled();
            (compiled.compile(&context.device, kernel), compiled.sources.arithmetic)
        };
        let (pipeline, arithmetic) = context.checked(0, compile).await?;
        let mut compiled = self.compiled();
        // Another thread may have had them fall back meanwhile.
        if compiled.sources.arithmetic == arithmetic {
            compiled.pipelines.insert(kernel, pipeline.clone());
        }
        Ok(pipeline)
    }
}

fn layouts_of(device: &wgpu::Device, row: &Row) -> (wgpu::BindGroupLayout, wgpu::PipelineLayout) {
    let storage = row.bindings.iter().map(|&access| {
        (wgpu::BufferBindingType::Storage { read_only: access == Access::Read }, false)
    });
    // The uniform is at a dynamic offset, so that many dispatches share a buffer of parameters.
    let entries: Vec<_> = std::iter::once((wgpu::BufferBindingType::Uniform, true))
        .chain(storage)
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
