//! The flags of `gpu-init model`, and the plan made from them.

use std::path::PathBuf;

use gpu_init::{Plan, Rules};
use serde::Serialize;
use serde_json::{Value, json};

use crate::backend::choice::Choice;
use crate::backend::launcher::{World, WorldArgs};
use crate::checkpoint::read::shards::Checkpoint;
use crate::checkpoint::read::source;
use crate::commands::model::kept::{Kept, check_types};
use crate::commands::rules::{self, Sourced};
use crate::terminal::output::{complain, print_report, printable, row};
use crate::terminal::plan_table;
use crate::terminal::size::parse_size;

/// Initialize every tensor of a model in device memory and print one fingerprint.
///
/// Rules say how, by default the recipe xavier. Each tensor's stream is derived from its name, so
/// the weights depend on neither the order nor the device. Under mpirun, torchrun or srun each
/// process fills its own slices.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A .safetensors file or a folder of shards, of which the headers are read, or a tensor list
    /// in the form of such a header: {"name": {"dtype": "F32", "shape": [768, 768]}, ...}.
    #[arg(value_name = "SOURCE")]
    pub(super) file: PathBuf,
    /// A .safetensors file or a folder of shards with the bytes of the tensors that the rules keep,
    /// instead of SOURCE.
    #[arg(long, value_name = "FILE|FOLDER")]
    pub(super) kept: Option<PathBuf>,
    #[command(flatten)]
    pub(super) rules: rules::Args,
    /// Print how each tensor would be initialized, and open no device.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Check every tensor on the device against its rule's distribution: mean, deviation and
    /// bounds, or exact values.
    #[arg(long)]
    pub(super) verify: bool,
    /// The device: auto (a GPU, or else the CPU), gpu (an adapter of any kind), cpu, or an
    /// adapter's number in `gpu-init devices`.
    #[arg(long, default_value = "auto")]
    pub(super) device: Choice,
    /// Save the model as FILE.safetensors, or as shards in a folder with --max-shard-size or
    /// several processes.
    #[arg(long, value_name = "FILE|FOLDER")]
    pub(super) out: Option<PathBuf>,
    /// Save shards of at most this size in the folder of --out, with their index: 5GB, 500MB, 2GiB.
    #[arg(long, value_name = "SIZE", requires = "out", value_parser = parse_size)]
    pub(super) max_shard_size: Option<u64>,
    /// Replace files that exist.
    #[arg(long, requires = "out")]
    pub(super) force: bool,
    #[command(flatten)]
    pub(super) world: WorldArgs,
    /// Print one JSON object.
    #[arg(long)]
    pub(super) json: bool,
}

/// A dry run as JSON, of which the plan is written tensor by tensor.
#[derive(Serialize)]
struct DryRun<'a> {
    #[serde(flatten)]
    summary: Value,
    plan: plan_table::Entries<'a>,
}

/// A model and how this process initializes it or its slices of it.
pub(crate) struct Work<'a> {
    pub(super) args: &'a Args,
    pub(crate) architecture: String,
    pub(crate) rules: Rules,
    /// The rules as they are written, and where they are from.
    pub(super) text: String,
    pub(crate) rules_source: String,
    /// Names that the source ties.
    pub(super) source_ties: Vec<String>,
    /// The plan of the whole model.
    pub(super) whole: Plan,
    /// The plan of this process, if it has a part of the model.
    part: Option<Plan>,
    /// The tensors of the whole model that are not filled.
    pub(super) whole_kept: Vec<Kept>,
    pub(super) world: Option<World>,
    /// A warning if the rules are made for other models.
    pub(super) doubt: Option<String>,
    /// The recipes that are made for the model, where the user named no rules.
    pub(super) fitting: Option<Vec<&'static str>>,
}

impl Args {
    /// Those to measure a model by: every tensor is checked, and no file is replaced.
    pub(crate) fn to_measure(file: PathBuf, rules: rules::Args, out: Option<PathBuf>) -> Self {
        Args {
            file,
            kept: None,
            rules,
            dry_run: false,
            verify: true,
            device: Choice::Auto,
            out,
            max_shard_size: None,
            force: false,
            world: WorldArgs::default(),
            json: false,
        }
    }
}

impl<'a> Work<'a> {
    pub(crate) fn read(args: &'a Args) -> anyhow::Result<Self> {
        let sourced = args.rules.read()?;
        let world = World::find(&args.world, |name| std::env::var(name).ok())?;
        let source = source::read(&args.file)?;
        let speaks = world.as_ref().is_none_or(|world| world.rank == 0);
        let names: Vec<_> = source.tensors.iter().map(|entry| &entry.name[..]).collect();
        let doubt = rules::doubt(&sourced.rules, &sourced.source, &names);
        let fitting = (!args.rules.are_named()).then(|| rules::recipes_for(&names));
        let Sourced { mut rules, text, source: rules_source } = sourced;
        let architecture = printable(&source.architecture.unwrap_or_else(|| "model".to_owned()));
        let all_typed = source.tensors.iter().all(|entry| entry.fillable().is_some());
        if let (Some(dtype), None, true) = (rules.dtype(), args.rules.dtype, all_typed && speaks) {
            complain(&format!(
                "warning: the rules' dtype, {dtype}, is for tensors that have none, and all of {} have one; \
                 pass --dtype to change them",
                args.file.display()
            ));
        }
        let source_ties = source.ties.iter().map(|(_, alias)| alias.clone()).collect();
        rules = rules.with_tied(source.ties);
        let listed = source.tensors.iter();
        let tensors = listed.map(|entry| (&entry.name[..], &entry.shape[..], entry.fillable()));
        let whole = Plan::new(tensors, &rules)?;
        if args.rules.dtype.is_none() {
            check_types(&whole, &source.tensors)?;
        }
        let kept = args.kept.as_deref().map(Checkpoint::open).transpose()?;
        let whole_kept = Kept::all(&whole, kept.as_ref().or(source.checkpoint.as_ref()))?;
        let part = world.as_ref().map(|World { rank, size, .. }| whole.shard(*rank, *size));
        let part = part.transpose()?;
        Ok(Work {
            args,
            architecture,
            rules,
            text,
            rules_source,
            source_ties,
            whole,
            part,
            whole_kept,
            world,
            doubt,
            fitting,
        })
    }

    /// Says on rank 0 what may be wrong with the rules.
    pub(crate) fn warn(&self) {
        for warning in self.warnings().filter(|_| self.rank() == 0) {
            complain(&format!("warning: {warning}"));
        }
    }

    /// What may be wrong with the rules.
    fn warnings(&self) -> impl Iterator<Item = String> {
        self.doubt.iter().cloned().chain(self.whole.warnings().iter().map(ToString::to_string))
    }

    /// The plan of this process.
    pub(crate) fn plan(&self) -> &Plan {
        self.part.as_ref().unwrap_or(&self.whole)
    }

    pub(super) fn rank(&self) -> u64 {
        self.world.as_ref().map_or(0, |world| world.rank)
    }

    /// All processes, if others have slices of the tensors too.
    pub(crate) fn shared(&self) -> Option<&World> {
        self.world.as_ref().filter(|world| world.size > 1)
    }

    /// The tensors that this process keeps: rank 0 all of them, the others none.
    pub(super) fn kept(&self) -> &[Kept] {
        if self.rank() == 0 { &self.whole_kept } else { &[] }
    }

    /// Bytes of this process' tensors, filled and kept.
    pub(crate) fn bytes(&self) -> u64 {
        let kept = self.kept().iter().map(|kept| kept.stored.size());
        kept.fold(self.plan().bytes(), u64::saturating_add)
    }

    /// Pairs of an alias and the tensor whose bytes it shares.
    pub(super) fn ties(&self) -> impl Iterator<Item = (&str, &str)> {
        let filled = self.whole.entries().iter().map(|entry| (&entry.name, &entry.aliases));
        let kept = self.whole.kept().iter().map(|kept| (&kept.name, &kept.aliases));
        filled.chain(kept).flat_map(|(name, aliases)| {
            aliases.iter().map(move |alias| (alias.as_str(), name.as_str()))
        })
    }

    pub(crate) fn title(&self) -> String {
        let Work { args, architecture, rules, rules_source, .. } = self;
        let (file, seed) = (args.file.display(), rules.seed());
        let title = format!("{architecture} from {file} by {rules_source}, seed {seed}\n");
        let recipes = self.fitting.as_deref().map(|recipes| match recipes {
            [] => "none is made for these names; xavier goes by shapes".to_owned(),
            recipes => format!("for these names there is --recipe {}", recipes.join(" or ")),
        });
        title + &recipes.map(|text| row("recipes", text)).unwrap_or_default()
    }

    pub(super) fn dry_run(&self) -> anyhow::Result<()> {
        let (plan, rules) = (self.plan(), &self.rules);
        let text = || {
            format!(
                "{}\n{}{}",
                plan_table::table(plan),
                self.title(),
                plan_table::summary(plan, rules)
            )
        };
        let json = || DryRun {
            summary: json!({
                "model": self.architecture,
                "rules": self.rules_source,
                "seed": rules.seed(),
                "tensors": plan.entries().len(),
                "elements": plan.elements(),
                "bytes": plan.bytes(),
                "kept": plan_table::kept(plan),
                "fitting_recipes": self.fitting,
                "warnings": self.warnings().collect::<Vec<_>>(),
            }),
            plan: plan_table::Entries(plan),
        };
        print_report(self.args.json, json, text)
    }
}
