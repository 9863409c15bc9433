//! `gpu-init model`: every tensor of a model initialized in device memory by rules, fingerprinted,
//! checked and saved.

mod report;
mod run;
mod save;
mod slices;
mod target;

use std::path::PathBuf;

use anyhow::bail;
use gpu_init::{Plan, Rules};
use serde_json::json;

use crate::backend::launcher::{World, WorldArgs};
use crate::backend::{Backend, Choice};
use crate::checkpoint::{Source, parse_size};
use crate::commands::rules;
use crate::terminal::output::{complain, print, print_json, printable};
use crate::terminal::plan_table;
use crate::terminal::progress::listen_to_ctrl_c;
use report::Report;

/// Initialize every tensor of a model in device memory and print one fingerprint.
///
/// How is for the rules to say; the recipe xavier is taken unless told. Each tensor's stream is its
/// name's, so the weights depend on neither the order nor the device. Under mpirun, torchrun or
/// srun each process makes its own part.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A .safetensors file or a folder of shards, of which the headers are read, or a tensor list
    /// in the form of such a header: {"name": {"dtype": "F32", "shape": [768, 768]}, ...}.
    #[arg(value_name = "SOURCE")]
    file: PathBuf,
    #[command(flatten)]
    rules: rules::Args,
    /// Print which tensor would be initialized how, and open no device.
    #[arg(long)]
    dry_run: bool,
    /// Check every tensor on the device against its rule's distribution: mean, deviation and
    /// bounds, or exact values.
    #[arg(long)]
    verify: bool,
    /// Where: auto (a GPU, or else the CPU), gpu (an adapter of any kind), cpu, or an adapter's
    /// number in `gpu-init devices`.
    #[arg(long, default_value = "auto")]
    device: Choice,
    /// Save the model as FILE.safetensors, or as shards in a folder with --max-shard-size or
    /// several processes.
    #[arg(long, value_name = "FILE|FOLDER")]
    out: Option<PathBuf>,
    /// Save shards of at most that many bytes in the folder of --out, with their index: 5GB, 500MB,
    /// 2GiB.
    #[arg(long, value_name = "SIZE", requires = "out", value_parser = parse_size)]
    max_shard_size: Option<u64>,
    /// Replace files that exist.
    #[arg(long, requires = "out")]
    force: bool,
    #[command(flatten)]
    world: WorldArgs,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// A model and how it is to be initialized, by one process of several or all of it.
struct Work<'a> {
    args: &'a Args,
    architecture: String,
    rules: Rules,
    /// The rules as they are written.
    text: String,
    /// Names that the source has as tied.
    source_ties: Vec<String>,
    /// Of the whole model.
    whole: Plan,
    /// Of this process.
    plan: Plan,
    world: Option<World>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let work = Work::read(args)?;
    for warning in work.whole.warnings().iter().filter(|_| work.rank() == 0) {
        complain(&format!("warning: {warning}"));
    }
    if let Some(warning) =
        World::warning(|name| std::env::var(name).ok()).filter(|_| work.world.is_none())
    {
        complain(&format!("warning: {warning}"));
    }
    // Before there is anything to be removed at a signal. A dry run has no steps that would hear
    // one.
    if !args.dry_run {
        listen_to_ctrl_c()?;
    }
    let files =
        args.out.as_deref().map(|out| save::Output::plan(out, &work)).transpose()?.flatten();
    if args.dry_run {
        args.device.check()?;
        return work.dry_run();
    }
    let local_rank = work.world.as_ref().and_then(|world| world.local_rank);
    let backend = Backend::open_local(args.device, work.rules.seed(), local_rank)?;
    backend.check_memory(&work.plan, files.is_some())?;
    let outcome = match files {
        None => run::in_memory(&work, &backend)?,
        Some(files) => run::saved(&work, &backend, files)?,
    };
    let report = Report { work: &work, backend: &backend, outcome };
    if args.json {
        print_json(&report.json())?
    } else {
        print(&report.text())?
    }
    match &report.outcome.disagreements[..] {
        [] => Ok(()),
        all => bail!("{}; try --device cpu, and please report this", all.join("; ")),
    }
}

impl<'a> Work<'a> {
    fn read(args: &'a Args) -> anyhow::Result<Self> {
        let (mut rules, text) = args.rules.read()?;
        let world = World::find(&args.world, |name| std::env::var(name).ok())?;
        let source = Source::read(&args.file, args.rules.dtype())?;
        let architecture = printable(&source.architecture.unwrap_or_else(|| "model".to_owned()));
        let all_typed = source.tensors.iter().all(|entry| entry.dtype.is_some());
        let speaks = world.as_ref().is_none_or(|world| world.rank == 0);
        if let (Some(dtype), None, true) = (rules.dtype(), args.rules.dtype(), all_typed && speaks)
        {
            complain(&format!(
                "warning: the rules' dtype, {dtype}, is for tensors that have none, and all of {} have one; \
                 pass --dtype to change them",
                args.file.display()
            ));
        }
        let source_ties = source.ties.iter().map(|(_, alias)| alias.clone()).collect();
        rules = rules.with_tied(source.ties);
        let tensors =
            source.tensors.into_iter().map(|entry| (entry.name, entry.shape, entry.dtype));
        let whole = Plan::new(tensors, &rules)?;
        let plan = match &world {
            Some(World { rank, size, .. }) => whole.shard(*rank, *size)?,
            None => whole.clone(),
        };
        Ok(Work { args, architecture, rules, text, source_ties, whole, plan, world })
    }

    fn rank(&self) -> u64 {
        self.world.as_ref().map_or(0, |world| world.rank)
    }

    /// Whether other processes have parts of the tensors.
    fn is_shared(&self) -> bool {
        self.world.as_ref().is_some_and(|world| world.size > 1)
    }

    fn title(&self) -> String {
        let Work { args, architecture, rules, .. } = self;
        format!(
            "{architecture} from {} by {}, seed {}\n",
            args.file.display(),
            args.rules.source(),
            rules.seed()
        )
    }

    fn dry_run(&self) -> anyhow::Result<()> {
        let Work { args, plan, .. } = self;
        if !args.json {
            return print(
                &(plan_table::table(plan)
                    + "\n"
                    + &self.title()
                    + &plan_table::summary(plan, &self.rules)),
            );
        }
        print_json(&json!({
            "model": self.architecture,
            "rules": args.rules.source(),
            "seed": self.rules.seed(),
            "tensors": plan.entries().len(),
            "elements": plan.elements(),
            "bytes": plan.bytes(),
            "warnings": plan.warnings().iter().map(ToString::to_string).collect::<Vec<_>>(),
            "plan": plan_table::entries(plan),
        }))
    }
}
