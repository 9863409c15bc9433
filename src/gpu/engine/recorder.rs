//! Commands on their way to the device: into the caller's encoder, or to the queue in submissions
//! of bounded work.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::gpu::engine::Engine;
use crate::gpu::engine::encode::{Command, encode, prepare};
use crate::gpu::engine::pipelines::Kernels;
use crate::gpu::engine::plan::dispatch::{Dispatch, Slot, Step};
use crate::gpu::engine::plan::orthogonal::sums::Examination;
use crate::gpu::engine::plan::types::Plan;
use crate::gpu::engine::readback;
use crate::{ErrorKind, Result};

/// Submissions in flight before the first of them is waited for.
const IN_FLIGHT: usize = 2;
/// Most dispatches of a submission, however little they do.
const DISPATCHES: usize = 4096;
/// Most cost of a submission, in that of the largest dispatch.
const STEPS: u64 = 4;

/// Where commands go.
enum Destination<'a, P> {
    /// All at once, when they are complete.
    Encoder(&'a mut wgpu::CommandEncoder),
    Queue,
    /// The same, with all of it waited for, and elements reported as they are complete.
    Followed(P),
}

/// Reports that elements are complete; an error ends the work.
pub(crate) trait Report: FnMut(u64) -> Result<(), ErrorKind> {}
impl<P: FnMut(u64) -> Result<(), ErrorKind>> Report for P {}

/// Where there is no progress to report.
pub(crate) type NoReport = fn(u64) -> Result<(), ErrorKind>;

/// Takes dispatches of these kernels in their order.
pub(crate) struct Recorder<'a, P = NoReport> {
    engine: &'a Engine,
    kernels: &'a Kernels,
    destination: Destination<'a, P>,
    commands: Vec<Command>,
    cost: u64,
    /// Elements that are complete when the commands are done.
    elements: u64,
    in_flight: VecDeque<(wgpu::SubmissionIndex, u64)>,
    examinations: Vec<(Examination, wgpu::Buffer)>,
}

impl<'a> Recorder<'a> {
    /// Records into the caller's encoder.
    pub(crate) fn into_encoder(
        engine: &'a Engine,
        kernels: &'a Kernels,
        encoder: &'a mut wgpu::CommandEncoder,
    ) -> Self {
        Self::new(engine, kernels, Destination::Encoder(encoder))
    }

    /// Submits to the device's queue.
    pub(crate) fn into_queue(engine: &'a Engine, kernels: &'a Kernels) -> Self {
        Self::followed(engine, kernels, None)
    }
}

impl<'a, P: Report> Recorder<'a, P> {
    /// Submits to the device's queue. With a report, waits for all of it and reports the elements.
    pub(crate) fn followed(engine: &'a Engine, kernels: &'a Kernels, report: Option<P>) -> Self {
        Self::new(engine, kernels, report.map_or(Destination::Queue, Destination::Followed))
    }

    fn new(engine: &'a Engine, kernels: &'a Kernels, destination: Destination<'a, P>) -> Self {
        Recorder {
            engine,
            kernels,
            destination,
            commands: Vec::new(),
            cost: 0,
            elements: 0,
            in_flight: VecDeque::new(),
            examinations: Vec::new(),
        }
    }

    /// Whether the commands are also submitted, so that results can be read at the end.
    pub(crate) fn reaches_queue(&self) -> bool {
        !matches!(self.destination, Destination::Encoder(_))
    }

    /// Adds a plan, with scratch memory of its own. If it has an examination, the fill is waited
    /// for and examined at the end.
    pub(crate) async fn add_plan(
        &mut self,
        plan: Plan,
        tensor: &wgpu::Buffer,
        tables: &wgpu::Buffer,
    ) -> Result<(), ErrorKind> {
        let mut buffers = vec![tensor.clone(), tables.clone()];
        for bytes in plan.scratch {
            buffers.push(self.engine.scratch(bytes).await?);
        }
        let buffers: Arc<[wgpu::Buffer]> = buffers.into();
        for step in plan.steps {
            match step {
                Step::Run(dispatch) => self.add(dispatch, &buffers).await?,
                Step::Complete(elements) => self.elements += elements,
            }
        }
        if let Some(examination) = plan.examination {
            let Slot(slot) = examination.slot;
            self.examinations.push((examination, buffers[slot].clone()));
        }
        Ok(())
    }

    /// Adds a dispatch.
    pub(crate) async fn add(
        &mut self,
        dispatch: Dispatch,
        buffers: &Arc<[wgpu::Buffer]>,
    ) -> Result<(), ErrorKind> {
        self.cost += dispatch.cost;
        self.elements += dispatch.elements;
        self.commands.push(Command { dispatch, buffers: buffers.clone() });
        let is_full =
            self.cost >= STEPS * self.engine.limits.step || self.commands.len() >= DISPATCHES;
        if is_full && self.reaches_queue() { self.submit().await } else { Ok(()) }
    }

    /// Hands over the rest, and waits for all of it where progress is reported.
    pub(crate) async fn finish(mut self) -> Result<(), ErrorKind> {
        let context = &self.engine.context;
        if let Destination::Encoder(encoder) = self.destination {
            let prepared = prepare(context, self.kernels, &self.commands).await?;
            return context.checked(0, || encode(encoder, &prepared)).await;
        }
        if !self.commands.is_empty() {
            self.submit().await?;
        }
        while matches!(self.destination, Destination::Followed(_)) && !self.in_flight.is_empty() {
            self.wait().await?;
        }
        for (examination, sums) in &self.examinations {
            examine(self.engine, examination, sums).await?;
        }
        // Elements that were complete with nothing left to submit.
        let elements = std::mem::take(&mut self.elements);
        if elements > 0 { self.report(elements) } else { Ok(()) }
    }

    async fn submit(&mut self) -> Result<(), ErrorKind> {
        let context = &self.engine.context;
        let prepared = prepare(context, self.kernels, &std::mem::take(&mut self.commands)).await?;
        let submit = || {
            let mut encoder = context.device.create_command_encoder(&Default::default());
            encode(&mut encoder, &prepared);
            context.queue.submit([encoder.finish()])
        };
        let index = context.checked(0, submit).await?;
        self.in_flight.push_back((index, self.elements));
        (self.cost, self.elements) = (0, 0);
        if self.in_flight.len() > IN_FLIGHT { self.wait().await } else { Ok(()) }
    }

    /// Waits for the oldest submission.
    async fn wait(&mut self) -> Result<(), ErrorKind> {
        let Some((index, elements)) = self.in_flight.pop_front() else { return Ok(()) };
        self.engine.context.wait(Some(index)).await?;
        self.report(elements)
    }

    fn report(&mut self, elements: u64) -> Result<(), ErrorKind> {
        match &mut self.destination {
            Destination::Followed(report) => report(elements),
            _ => Ok(()),
        }
    }
}

/// Reads the sums of a fill's matrices and checks them.
async fn examine(
    engine: &Engine,
    examination: &Examination,
    sums: &wgpu::Buffer,
) -> Result<(), ErrorKind> {
    let bytes = readback::read_all(&engine.context, sums).await?;
    let sums: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
    match examination.defect(&sums) {
        None => Ok(()),
        Some(defect) => Err(engine.wrong_bits(
            defect.what,
            defect.expected.to_string(),
            defect.actual.to_string(),
        )),
    }
}
