//! `gpu-init bench --model`: what the user of a whole model waits for, each step beside its limit,
//! which is measured in turns with it.

mod limits;
mod report;
mod steps;

use std::path::Path;

use anyhow::{anyhow, bail, ensure};

use crate::backend::choice::Choice;
use crate::backend::device::Backend;
use crate::checkpoint::output::destination::Destination;
use crate::commands::bench::measure::spread;
use crate::commands::bench::model::report::{Measured, Report};
use crate::commands::bench::model::steps::{Seconds, Steps};
use crate::commands::bench::wanted::{Args, unique};
use crate::commands::model::{self, Work};
use crate::commands::rules;
use crate::terminal::output::print_report;
use crate::terminal::progress::{go_on, listen_to_ctrl_c};

/// Samples, unless a number is requested: one of a large model takes a minute.
const SAMPLES: u32 = 3;

pub(super) fn run(args: &Args, source: &Path) -> anyhow::Result<()> {
    let dtype = match args.dtype[..] {
        [] => None,
        [dtype] => Some(dtype),
        _ => bail!("bench: a model has one --dtype for all its tensors; leave the others out"),
    };
    let rules = rules::Args { named: args.rules.clone(), dtype };
    let args_of_model = model::Args::to_measure(source.to_owned(), rules, args.out.clone());
    let work = Work::read(&args_of_model)?;
    if let Some(world) = work.shared() {
        bail!(
            "bench: a model is measured in one process, and {} says {}; run it on its own",
            world.launcher,
            world.size
        );
    }
    work.warn();
    let to_stdout = args.json.as_deref() == Some(Path::new("-"));
    let json = args.json.as_deref().filter(|_| !to_stdout);
    let json = json.map(|path| Destination::claim(path, args.force)).transpose()?;
    listen_to_ctrl_c()?;
    if let Some(out) = &args.out {
        let shown = out.display();
        ensure!(
            out.symlink_metadata().is_err() || out.is_dir(),
            "bench: {shown} exists, and what is measured there is removed afterwards; name another file"
        );
        // All that can be known to fail fails now.
        drop(model::Output::plan(out, &work)?);
    }

    let samples = args.repeat.unwrap_or(SAMPLES);
    let mut report = Report { work: &work, samples, fingerprint: None, devices: Vec::new() };
    for choice in unique(&args.device, &[Choice::Auto]) {
        let backend = Backend::open(choice, work.rules.seed(), None)?;
        backend.check_memory(work.plan(), false)?;
        let mut steps =
            Steps { work: &work, backend: &backend, out: args.out.as_deref(), fingerprint: None };
        let seconds = sampled(&mut steps, samples).map_err(|error| match go_on().is_break() {
            true => anyhow!("bench was interrupted; nothing is reported"),
            false => error,
        })?;
        ensure!(
            report.fingerprint.is_none_or(|known| Some(known) == steps.fingerprint),
            "bench: {} gives the model another fingerprint; please report this",
            backend.name()
        );
        report.fingerprint = steps.fingerprint;
        report.devices.push(Measured::new(&backend, seconds));
    }
    print_report(to_stdout, || report.json(), || report.text())?;
    if let Some((destination, _)) = &json {
        destination.write(format!("{}\n", report.json()).as_bytes())?;
    }
    Ok(())
}

/// Runs all steps and limits in turns, so that a disturbance falls into one sample of each.
fn sampled(steps: &mut Steps<'_>, samples: u32) -> anyhow::Result<Seconds> {
    let mut all: Vec<(_, Vec<f64>)> = Vec::new();
    for _ in 0..samples {
        for (i, (name, seconds)) in steps.run()?.into_iter().enumerate() {
            match all.get_mut(i) {
                Some((_, all)) => all.push(seconds),
                None => all.push((name, vec![seconds])),
            }
        }
    }
    Ok(all.into_iter().map(|(name, seconds)| (name, spread(seconds))).collect())
}
