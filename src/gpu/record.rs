//! Dispatches on their way into a command encoder: the caller's, or those of submissions of bounded
//! work.

use std::collections::VecDeque;

use bytemuck::Pod;

use crate::error::During;
use crate::gpu::context::Context;
use crate::gpu::kernels::{Kernel, Kernels};
use crate::gpu::orthogonal::Examination;
use crate::progress::Progress;
use crate::{ErrorKind, Result};

/// One dispatch of a kernel: its params, the buffers bound after them, its workgroups.
#[derive(Debug, Clone)]
pub(crate) struct Dispatch {
    pub(crate) kernel: Kernel,
    pub(crate) params: Params,
    pub(crate) buffers: Vec<Bound>,
    pub(crate) grid: [u32; 2],
    /// Most iterations of all loops of one invocation.
    pub(crate) iterations: u32,
}

/// Most iterations that the loops of one invocation may make. llvmpipe ends loops without a word
/// after 65,535 in all, and other drivers reset a device that takes long: planners make more
/// dispatches instead.
pub(crate) const MOST_ITERATIONS: u32 = 1 << 14;

/// A shader's `Params`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Params {
    words: [u32; WORDS],
    size: usize,
}

/// Words of the largest one.
const WORDS: usize = 48;

impl Params {
    pub(crate) fn new<P: Pod>(params: &P) -> Self {
        const { assert!(size_of::<P>() <= size_of::<[u32; WORDS]>()) };
        let (bytes, mut words) = (bytemuck::bytes_of(params), [0; WORDS]);
        bytemuck::bytes_of_mut(&mut words)[..bytes.len()].copy_from_slice(bytes);
        Params { words, size: bytes.len() }
    }

    fn as_bytes(&self) -> &[u8] {
        &bytemuck::bytes_of(&self.words)[..self.size]
    }
}

/// A range of a buffer, to be bound.
#[derive(Debug, Clone)]
pub(crate) struct Bound {
    pub(crate) buffer: wgpu::Buffer,
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

impl Bound {
    pub(crate) fn new(buffer: &wgpu::Buffer, offset: u64, size: u64) -> Self {
        Bound { buffer: buffer.clone(), offset, size }
    }

    pub(crate) fn whole(buffer: &wgpu::Buffer) -> Self {
        Self::new(buffer, 0, buffer.size())
    }
}

/// A range of a buffer as a binding.
pub(crate) fn binding(buffer: &wgpu::Buffer, offset: u64, size: u64) -> wgpu::BufferBinding<'_> {
    wgpu::BufferBinding { buffer, offset, size: std::num::NonZeroU64::new(size) }
}

/// Records `dispatches` in their order, in one compute pass with one buffer of params. Nothing is
/// recorded if there is an error.
pub(crate) fn record(
    context: &Context,
    kernels: &Kernels,
    operation: &'static str,
    encoder: &mut wgpu::CommandEncoder,
    dispatches: &[Dispatch],
) -> Result<()> {
    let alignment = context.device.limits().min_uniform_buffer_offset_alignment as usize;
    let (mut contents, mut offsets) = (Vec::new(), Vec::with_capacity(dispatches.len()));
    for dispatch in dispatches {
        offsets.push(contents.len() as u32);
        contents.extend_from_slice(dispatch.params.as_bytes());
        contents.resize(contents.len().next_multiple_of(alignment), 0);
    }
    let params = context.buffer_with(operation, &contents, wgpu::BufferUsages::UNIFORM)?;
    let make = || {
        let group = |dispatch: &Dispatch| {
            let (pipeline, layout) = kernels.pipeline(context, dispatch.kernel)?;
            let params = std::iter::once(binding(&params, 0, dispatch.params.size as u64));
            let bound = dispatch
                .buffers
                .iter()
                .map(|bound| binding(&bound.buffer, bound.offset, bound.size));
            let entries: Vec<_> = params
                .chain(bound)
                .zip(0..)
                .map(|(buffer, binding)| wgpu::BindGroupEntry {
                    binding,
                    resource: wgpu::BindingResource::Buffer(buffer),
                })
                .collect();
            let descriptor = wgpu::BindGroupDescriptor {
                label: Some(operation),
                layout: &layout,
                entries: &entries,
            };
            Ok((pipeline, context.device.create_bind_group(&descriptor), dispatch.grid))
        };
        dispatches.iter().map(group).collect::<Result<Vec<_>>>()
    };
    // Error scopes cost more than a bind group does.
    let commands = context.checked(operation, 0, make)??;
    context.checked(operation, 0, || {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some(operation),
            timestamp_writes: None,
        });
        for ((pipeline, group, grid), offset) in commands.iter().zip(offsets) {
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, group, &[offset]);
            pass.dispatch_workgroups(grid[0], grid[1], 1);
        }
    })
}

/// Elements filled for the cost of one that takes a few dozen operations to make, and is read and
/// written again.
pub(crate) const CHEAP: u64 = 16;

/// Submissions that may be on their way before the first of them is waited for.
const IN_FLIGHT: usize = 2;
/// Dispatches of a submission, however little they do.
const DISPATCHES: usize = 4096;

/// Where a recorder's dispatches go.
#[derive(Debug)]
enum Destination<'a> {
    /// All at once, when they are complete.
    Encoder(&'a mut wgpu::CommandEncoder),
    /// In submissions that do no more than so much each, of which few are on their way.
    Queue { most: u64 },
}

/// Takes dispatches in their order.
pub(crate) struct Recorder<'a> {
    context: &'a Context,
    kernels: &'a Kernels,
    operation: &'static str,
    destination: Destination<'a>,
    dispatches: Vec<Dispatch>,
    cost: u64,
    /// Elements that are done once the dispatches are.
    elements: u64,
    is_muted: bool,
    in_flight: VecDeque<(wgpu::SubmissionIndex, u64)>,
    progress: Progress<'a>,
    examinations: Vec<Examination>,
}

impl<'a> Recorder<'a> {
    /// Into the caller's encoder.
    pub(crate) fn into_encoder(
        context: &'a Context,
        kernels: &'a Kernels,
        operation: &'static str,
        encoder: &'a mut wgpu::CommandEncoder,
    ) -> Self {
        Self::new(context, kernels, operation, Destination::Encoder(encoder), Progress::silent())
    }

    /// To the device's queue. With a listener all is waited for; it hears of what is done.
    pub(crate) fn into_queue(
        context: &'a Context,
        kernels: &'a Kernels,
        operation: &'static str,
        progress: Progress<'a>,
    ) -> Self {
        let most = 4 * context.step();
        Self::new(context, kernels, operation, Destination::Queue { most }, progress)
    }

    fn new(
        context: &'a Context,
        kernels: &'a Kernels,
        operation: &'static str,
        destination: Destination<'a>,
        progress: Progress<'a>,
    ) -> Self {
        let (dispatches, in_flight) = (Vec::new(), VecDeque::new());
        Recorder {
            context,
            kernels,
            operation,
            destination,
            dispatches,
            cost: 0,
            elements: 0,
            is_muted: false,
            in_flight,
            progress,
            examinations: Vec::new(),
        }
    }

    /// Whether what is recorded is also submitted, so that results can be read at the end.
    pub(crate) fn reaches_queue(&self) -> bool {
        matches!(self.destination, Destination::Queue { .. })
    }

    /// Has what was made judged when all is done, which waits for it.
    pub(crate) fn examine_at_end(&mut self, examination: Examination) {
        self.examinations.push(examination);
    }

    /// Adds a dispatch that costs so much and completes so many elements.
    ///
    /// # Errors
    /// [`ErrorKind::Gpu`] for loops that are too long, instead of what a driver would make of them.
    pub(crate) fn add(&mut self, dispatch: Dispatch, cost: u64, elements: u64) -> Result<()> {
        let Dispatch { kernel, iterations, .. } = dispatch;
        if iterations > MOST_ITERATIONS {
            let message = format!(
                "{kernel:?} would loop {iterations} times, over {MOST_ITERATIONS}; please report this"
            );
            return Err(ErrorKind::Gpu { message }.during(self.operation));
        }
        self.dispatches.push(dispatch);
        self.cost += cost;
        self.elements += if self.is_muted { 0 } else { elements };
        match self.destination {
            Destination::Queue { most }
                if self.cost >= most || self.dispatches.len() >= DISPATCHES =>
            {
                self.submit()
            }
            _ => Ok(()),
        }
    }

    /// So many elements are done once the dispatches are that were added last.
    pub(crate) fn done(&mut self, elements: u64) {
        self.elements += if self.is_muted { 0 } else { elements };
    }

    /// Adds what `work` adds, but no element is done by it.
    pub(crate) fn muted(&mut self, work: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let before = std::mem::replace(&mut self.is_muted, true);
        let result = work(self);
        self.is_muted = before;
        result
    }

    /// Hands over what is left, and waits for all of it if someone listens.
    pub(crate) fn finish(mut self) -> Result<()> {
        if let Destination::Encoder(encoder) = &mut self.destination {
            return record(self.context, self.kernels, self.operation, encoder, &self.dispatches);
        }
        if !self.dispatches.is_empty() {
            self.submit()?;
        }
        while !self.progress.is_silent() && !self.in_flight.is_empty() {
            self.wait()?;
        }
        for examination in &self.examinations {
            pollster::block_on(examination.judge(self.context))?;
        }
        // Those that were told of after the last submission.
        if self.elements > 0 {
            self.progress.add(self.elements).during(self.operation)
        } else {
            Ok(())
        }
    }

    fn submit(&mut self) -> Result<()> {
        let (context, operation) = (self.context, self.operation);
        let mut encoder = context.device.create_command_encoder(&Default::default());
        record(
            context,
            self.kernels,
            operation,
            &mut encoder,
            &std::mem::take(&mut self.dispatches),
        )?;
        let index = context.checked(operation, 0, || context.queue.submit([encoder.finish()]))?;
        self.in_flight.push_back((index, self.elements));
        (self.cost, self.elements) = (0, 0);
        if self.in_flight.len() > IN_FLIGHT { self.wait() } else { Ok(()) }
    }

    /// Waits for the oldest submission.
    fn wait(&mut self) -> Result<()> {
        let Some((index, elements)) = self.in_flight.pop_front() else { return Ok(()) };
        let polled = self
            .context
            .device
            .poll(wgpu::PollType::Wait { submission_index: Some(index), timeout: None });
        if polled.is_err() || self.context.is_lost() {
            return Err(self.context.lost(self.operation));
        }
        self.progress.add(elements).during(self.operation)
    }
}
