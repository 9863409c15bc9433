//! `gpu-init model`: every tensor of a model initialized in device memory by rules, fingerprinted,
//! checked and saved.

mod kept;
mod report;
mod run;
mod save;
mod slices;
mod target;
mod work;

use anyhow::bail;

use crate::backend::device::Backend;
use crate::backend::launcher::World;
use crate::commands::model::report::Report;
pub(crate) use crate::commands::model::run::{Outcome, in_memory, saved};
pub(crate) use crate::commands::model::save::Output;
pub(crate) use crate::commands::model::work::{Args, Work};
use crate::terminal::output::{complain, print_report};
use crate::terminal::progress::listen_to_ctrl_c;

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let work = Work::read(args)?;
    work.warn();
    if let (None, Some(warning)) = (&work.world, World::warning(|name| std::env::var(name).ok())) {
        complain(&format!("warning: {warning}"));
    }
    // Before there are files that a signal has to remove. A dry run has no steps to interrupt.
    if !args.dry_run {
        listen_to_ctrl_c()?;
    }
    let files = args.out.as_deref().map(|out| Output::plan(out, &work)).transpose()?.flatten();
    if args.dry_run {
        args.device.check()?;
        return work.dry_run();
    }
    let local_rank = work.world.as_ref().and_then(|world| world.local_rank);
    let backend = Backend::open(args.device, work.rules.seed(), local_rank)?;
    backend.check_memory(work.plan(), files.is_some())?;
    let outcome = match files {
        None => in_memory(&work, &backend)?,
        Some(files) => saved(&work, &backend, files)?,
    };
    let report = Report { work: &work, backend: &backend, outcome };
    print_report(args.json, || report.json(), || report.text())?;
    match &report.outcome.disagreements[..] {
        [] => Ok(()),
        all => bail!("{}; try --device cpu, and please report this", all.join("; ")),
    }
}
