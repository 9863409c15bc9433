//! `gpu-init bench`: how fast tensors are filled, beside the write bandwidth of the same memory.

mod builtin_kernel;
mod builtins;
mod by;
mod device;
mod gpu;
mod host;
mod measure;
mod model;
mod plain;
mod plot;
mod report;
mod summary;
mod table;
mod target;
mod wanted;

use std::path::Path;

use anyhow::{Context, bail, ensure};

use crate::backend::choice::{Choice, no_such_adapter};
use crate::checkpoint::output::claim::Claim;
use crate::checkpoint::output::destination::Destination;
use crate::terminal::output::{complain, print_report};
use crate::terminal::progress::{listen_to_ctrl_c, styled};
use measure::measure;
use report::{Measured, Report};
use target::Target;
pub(crate) use wanted::Args;
use wanted::{Wanted, unique};

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if let Some(source) = &args.model {
        return model::run(args, source);
    }
    if let Some(flag) = args.rules.flag() {
        bail!("bench: {flag} is for a whole model; pass --model, or leave it out");
    }
    let wanted = Wanted::new(args)?;
    let to_stdout = args.json.as_deref() == Some(Path::new("-"));
    let json = args.json.as_deref().filter(|_| !to_stdout);
    let [json, plot] = destinations(json, args.plot.as_deref(), args.force)?;
    listen_to_ctrl_c()?;

    let mut targets = targets(&args.device, &wanted)?;
    let jobs =
        targets.iter().map(|target| target.jobs(&wanted)).collect::<anyhow::Result<Vec<_>>>()?;
    ensure!(
        !jobs.iter().any(Vec::is_empty),
        "bench: no size that was asked for fits on every device; lower --size, or leave a device out by --device"
    );
    let samples: u64 = jobs.iter().map(|jobs| jobs.len() as u64 * u64::from(wanted.samples)).sum();
    let bar = styled("measuring [{bar:30}] {pos}/{len} {eta} left, {msg}", samples);
    let mut report = Report { samples: wanted.samples, devices: Vec::new() };
    for (target, jobs) in targets.iter_mut().zip(jobs) {
        let about = target.about();
        bar.set_message(about.name.clone());
        let run = &mut |i: usize| target.run(&jobs[i]);
        let seconds = measure(wanted.samples, jobs.len(), run, &mut || bar.inc(1))?;
        report.devices.push(Measured::new(about, &jobs, seconds));
    }
    bar.finish_and_clear();

    print_report(to_stdout, || report.json(), || table::table(&report))?;
    if let Some((destination, _)) = &json {
        destination.write(format!("{}\n", report.json()).as_bytes())?;
    }
    if let Some((destination, _)) = &plot {
        destination.write(plot::svg(&report).context("cannot draw the plot")?.as_bytes())?;
    }
    Ok(())
}

/// Claims the destinations, which must differ.
fn destinations(
    json: Option<&Path>,
    plot: Option<&Path>,
    force: bool,
) -> anyhow::Result<[Option<(Destination, Claim)>; 2]> {
    if let (Some(json), Some(plot)) = (json, plot)
        && Destination::check(json, force)?.is_same(&Destination::check(plot, force)?)
    {
        let (json, plot) = (json.display(), plot.display());
        bail!("bench: --json {json} and --plot {plot} are one file; name two");
    }
    let claim = |path: Option<&Path>| path.map(|path| Destination::claim(path, force)).transpose();
    Ok([claim(json)?, claim(plot)?])
}

/// Opens the devices, each only once.
fn targets(asked: &[Choice], wanted: &Wanted) -> anyhow::Result<Vec<Target>> {
    let choices = unique(asked, &[Choice::Gpu, Choice::Cpu]);
    let needs_adapter = choices.iter().any(|&choice| choice != Choice::Cpu);
    let adapters =
        if needs_adapter { pollster::block_on(gpu_init::adapters()) } else { Vec::new() };
    let best = gpu_init::best_adapter(&adapters);
    let mut indices = Vec::new();
    for choice in choices {
        let index = match choice {
            Choice::Cpu => None,
            Choice::Adapter(index) if index >= adapters.len() => {
                return Err(no_such_adapter(index, adapters.len()).context("bench"));
            }
            Choice::Adapter(index) => Some(index),
            Choice::Auto => gpu_init::best_gpu(&adapters),
            Choice::Gpu if best.is_none() && asked.is_empty() => {
                complain("no GPU adapter was found, so this measures the CPU alone");
                None
            }
            Choice::Gpu if best.is_none() => {
                bail!("bench: there is no adapter; install a driver, or pass --device cpu")
            }
            Choice::Gpu => best,
        };
        indices.push(index);
    }
    let open = |index: Option<usize>| match index {
        None => Target::cpu(wanted),
        Some(index) => Target::gpu(&adapters[index], wanted),
    };
    unique(&indices, &[]).into_iter().map(open).collect()
}
