//! The rank of this process and the number of processes, from flags or from the launcher that
//! started it.

use anyhow::{Context, bail, ensure};

/// The flags, for `#[command(flatten)]`.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct WorldArgs {
    /// The slice of every tensor to fill, from 0: this process' rank. Under torchrun, mpirun and
    /// srun it is known.
    #[arg(long, requires = "world_size")]
    rank: Option<u64>,
    /// The number of slices: the number of processes, at most 100000.
    #[arg(long, requires = "rank")]
    world_size: Option<u64>,
    /// The rank among the processes of this machine, which picks one of its GPUs with --device auto
    /// or gpu.
    #[arg(long)]
    local_rank: Option<u64>,
}

/// This process among those that share the work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct World {
    /// Below `size`.
    pub(crate) rank: u64,
    pub(crate) size: u64,
    /// The rank on this machine, if it is known.
    pub(crate) local_rank: Option<u64>,
    /// The launcher's name, or the flag.
    pub(crate) launcher: &'static str,
}

/// A launcher's name, the variables of rank and size that it sets, and those of the local rank, of
/// which the first that is set counts.
type Launcher = (&'static str, [&'static str; 2], &'static [&'static str]);

/// The first launcher whose rank and size are both set counts. Slurm is last: it starts other
/// launchers, one on each machine, and those start more processes.
const LAUNCHERS: [Launcher; 5] = [
    ("torchrun", ["RANK", "WORLD_SIZE"], &["LOCAL_RANK"]),
    ("Open MPI", ["OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"], &["OMPI_COMM_WORLD_LOCAL_RANK"]),
    // Hydra (MPICH, Intel MPI) sets the first local rank, Cray's launchers the second one, `srun
    // --mpi=pmi2` neither.
    ("MPICH", ["PMI_RANK", "PMI_SIZE"], &["MPI_LOCALRANKID", "PMI_LOCAL_RANK", "SLURM_LOCALID"]),
    // Only srun sets this size, and it is the step's; SLURM_NTASKS may be the whole job's, as in
    // the shell that salloc opens, a step of one task. https://slurm.schedmd.com/srun.html, "output
    // environment variables"; src/common/env.c of Slurm, env_array_for_step.
    (SLURM, ["SLURM_PROCID", "SLURM_STEP_NUM_TASKS"], &["SLURM_LOCALID"]),
    (SLURM, ["SLURM_PROCID", SLURM_JOB], &["SLURM_LOCALID"]),
];

const SLURM: &str = "Slurm";
const SLURM_JOB: &str = "SLURM_NTASKS";

/// The largest number of processes: their ranks, from 0 on, have five digits in the files' names.
pub(crate) const LARGEST: u64 = 100_000;

impl World {
    /// Finds the rank in the flags, or else in the environment; none for a process on its own.
    pub(crate) fn find(
        args: &WorldArgs,
        env: impl Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Option<World>> {
        let found = match (args.rank, args.world_size) {
            (Some(rank), Some(size)) => {
                check(["--rank", "--world-size"], [rank, size])?;
                Some(World { rank, size, local_rank: None, launcher: "--rank" })
            }
            (None, None) => from_environment(env)?,
            _ => bail!("--rank and --world-size are a pair; pass both or neither"),
        };
        ensure!(
            found.is_some() || args.local_rank.is_none(),
            "--local-rank needs --rank and --world-size, or a launcher"
        );
        Ok(found.map(|world| World { local_rank: args.local_rank.or(world.local_rank), ..world }))
    }

    /// A warning that a process may not be on its own after all: only one variable of a launcher's
    /// pair is set.
    pub(crate) fn warning(env: impl Fn(&str) -> Option<String>) -> Option<String> {
        let is_set = |name: &str| env(name).is_some_and(|value| !value.trim().is_empty());
        // A shell or a script of a job rightly has some of Slurm's variables.
        let mut pairs = LAUNCHERS.iter().filter(|(name, ..)| *name != SLURM);
        let (set, other) =
            pairs.find_map(|(_, [rank, size], _)| match [rank, size].map(|name| is_set(name)) {
                [true, false] => Some((rank, size)),
                [false, true] => Some((size, rank)),
                _ => None,
            })?;
        Some(format!(
            "{set} is set and {other} is not, so this process makes the whole model; set both, pass --rank and \
             --world-size, or unset {set}"
        ))
    }
}

fn from_environment(env: impl Fn(&str) -> Option<String>) -> anyhow::Result<Option<World>> {
    // An empty variable is how some shells unset one.
    let env = |name: &str| env(name).filter(|value| !value.trim().is_empty());
    for (launcher, names, local_ranks) in LAUNCHERS {
        // The script given to sbatch has rank 0 in a job of many tasks, but is run once. Its step's
        // number does not give it away: Slurm 26.05 sets SLURM_STEP_ID there too, to -5. (env.c,
        // env_array_for_batch_job, setup_env)
        if names[1] == SLURM_JOB && env("ENVIRONMENT").as_deref() == Some("BATCH") {
            continue;
        }
        let [Some(rank), Some(size)] = names.map(&env) else { continue };
        let (rank, size) = (number(names[0], &rank)?, number(names[1], &size)?);
        check(names, [rank, size])?;
        let local_rank = local_ranks.iter().find_map(|name| Some((name, env(name)?)));
        let local_rank = local_rank.map(|(name, text)| number(name, &text)).transpose()?;
        return Ok(Some(World { rank, size, local_rank, launcher }));
    }
    Ok(None)
}

fn number(variable: &str, text: &str) -> anyhow::Result<u64> {
    // The parser's own error adds nothing.
    text.trim().parse().ok().with_context(|| {
        format!("{variable} is {text:?}, which is not a rank or size; unset it, or pass --rank and --world-size")
    })
}

fn check([rank_name, size_name]: [&str; 2], [rank, size]: [u64; 2]) -> anyhow::Result<()> {
    ensure!(
        rank < size,
        "{rank_name} is {rank} and {size_name} is {size}; ranks count from 0, so it has to be below the size"
    );
    ensure!(
        size <= LARGEST,
        "{size_name} is {size}; a model is made by at most {LARGEST} processes"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALONE: [Option<u64>; 3] = [None; 3];

    /// Rank, size, local rank and launcher.
    type Found = Option<(u64, u64, Option<u64>, &'static str)>;

    /// An environment from variables as `env` prints them.
    fn environment(variables: &str) -> impl Fn(&str) -> Option<String> {
        move |name| {
            let mut pairs = variables.split_whitespace().filter_map(|pair| pair.split_once('='));
            pairs.find(|(variable, _)| *variable == name).map(|(_, value)| value.to_owned())
        }
    }

    /// The world by the flags --rank, --world-size and --local-rank, and by variables.
    fn find(flags: [Option<u64>; 3], variables: &str) -> anyhow::Result<Found> {
        let [rank, world_size, local_rank] = flags;
        let args = WorldArgs { rank, world_size, local_rank };
        let world = World::find(&args, environment(variables))?;
        Ok(world
            .map(|World { rank, size, local_rank, launcher }| (rank, size, local_rank, launcher)))
    }

    fn check_found(cases: &[(&str, Found)]) {
        for (variables, expected) in cases {
            assert_eq!(find(ALONE, variables).unwrap(), *expected, "{variables}");
        }
    }

    const TORCHRUN: &str = "RANK=5 WORLD_SIZE=8 LOCAL_RANK=1 ";
    const OPEN_MPI: &str =
        "OMPI_COMM_WORLD_RANK=2 OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_LOCAL_RANK=2 ";
    const HYDRA: &str = "PMI_RANK=1 PMI_SIZE=3 MPI_LOCALRANKID=0 ";
    const SRUN: &str = "SLURM_PROCID=6 SLURM_NTASKS=7 SLURM_STEP_NUM_TASKS=7 SLURM_LOCALID=3 ";
    /// The script of a job of four tasks, before and since Slurm 26.05.
    const SBATCH: &str =
        "ENVIRONMENT=BATCH SLURM_JOB_ID=9 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NTASKS=4 ";
    const SBATCH_26: &str = "ENVIRONMENT=BATCH SLURM_JOB_ID=9 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NTASKS=4 SLURM_STEP_ID=-5 ";

    #[test]
    fn every_launcher_is_found() {
        check_found(&[
            ("", None),
            (TORCHRUN, Some((5, 8, Some(1), "torchrun"))),
            ("RANK=0 WORLD_SIZE=1", Some((0, 1, None, "torchrun"))),
            (OPEN_MPI, Some((2, 4, Some(2), "Open MPI"))),
            (HYDRA, Some((1, 3, Some(0), "MPICH"))),
            ("PMI_RANK=1 PMI_SIZE=3 PMI_LOCAL_RANK=1", Some((1, 3, Some(1), "MPICH"))),
            ("PMI_RANK=1 PMI_SIZE=3", Some((1, 3, None, "MPICH"))),
            (SRUN, Some((6, 7, Some(3), "Slurm"))),
            ("SLURM_PROCID=2 SLURM_NTASKS=4 SLURM_LOCALID=1", Some((2, 4, Some(1), "Slurm"))),
        ]);
    }

    #[test]
    fn slurm_is_last_and_a_step_is_not_its_job() {
        for (outer, inner, expected) in [
            (SBATCH, "", None),
            (SBATCH_26, "", None),
            // srun in that script, of all tasks and of some, with and without --preserve-env.
            (SBATCH, "SLURM_STEP_NUM_TASKS=4", Some((0, 4, Some(0), "Slurm"))),
            (SBATCH_26, "SLURM_STEP_NUM_TASKS=2", Some((0, 2, Some(0), "Slurm"))),
            // The shell of salloc, by itself and as an interactive step.
            ("SLURM_JOB_ID=9 SLURM_NTASKS=4 ", "", None),
            (
                "SLURM_NTASKS=8 SLURM_PROCID=0 ",
                "SLURM_STEP_NUM_TASKS=1",
                Some((0, 1, None, "Slurm")),
            ),
            // Other launchers in a job.
            (SBATCH, OPEN_MPI, Some((2, 4, Some(2), "Open MPI"))),
            (SRUN, TORCHRUN, Some((5, 8, Some(1), "torchrun"))),
            (SRUN, HYDRA, Some((1, 3, Some(0), "MPICH"))),
            // srun --mpi=pmi2.
            (SRUN, "PMI_RANK=6 PMI_SIZE=7", Some((6, 7, Some(3), "MPICH"))),
        ] {
            check_found(&[(&[outer, inner].concat(), expected)]);
        }
    }

    #[test]
    fn only_complete_pairs_count() {
        check_found(&[
            ("RANK=3", None),
            ("WORLD_SIZE=3 LOCAL_RANK=1", None),
            ("RANK=x", None),
            ("RANK= WORLD_SIZE=4", None),
            ("OMPI_COMM_WORLD_RANK=1 PMI_SIZE=4 SLURM_NTASKS=4", None),
            ("RANK=3 PMI_RANK=1 PMI_SIZE=2", Some((1, 2, None, "MPICH"))),
        ]);
    }

    #[test]
    fn half_a_pair_is_a_warning() {
        let warning = |variables: &str| World::warning(environment(variables));
        for (variables, parts) in [
            ("RANK=3", ["RANK is set", "WORLD_SIZE is not"]),
            ("WORLD_SIZE=3 LOCAL_RANK=1", ["WORLD_SIZE is set", "RANK is not"]),
            ("RANK= WORLD_SIZE=4", ["WORLD_SIZE is set", "RANK is not"]),
            (
                "OMPI_COMM_WORLD_RANK=1",
                ["OMPI_COMM_WORLD_RANK is set", "OMPI_COMM_WORLD_SIZE is not"],
            ),
            ("PMI_SIZE=4", ["PMI_SIZE is set", "PMI_RANK is not"]),
        ] {
            let text = warning(variables).unwrap();
            let has_all = parts.iter().all(|part| text.contains(part));
            assert!(has_all && text.contains("--world-size"), "{text}");
        }
        // salloc's shell and sbatch's script are complete with half of Slurm's.
        for variables in ["", "LOCAL_RANK=1", "RANK=0 WORLD_SIZE=1", "SLURM_NTASKS=4", SBATCH] {
            assert_eq!(warning(variables), None, "{variables}");
        }
    }

    #[test]
    fn flags_win() {
        for variables in ["", TORCHRUN, "RANK=x WORLD_SIZE=y"] {
            let found = find([Some(1), Some(2), None], variables).unwrap();
            assert_eq!(found, Some((1, 2, None, "--rank")), "{variables}");
        }
        let local_rank = Some(7);
        for (flags, variables, expected) in [
            ([Some(1), Some(2), local_rank], "", (1, 2, local_rank, "--rank")),
            ([None, None, local_rank], OPEN_MPI, (2, 4, local_rank, "Open MPI")),
        ] {
            assert_eq!(find(flags, variables).unwrap(), Some(expected));
        }
    }

    #[test]
    fn errors_name_the_variable_and_the_remedy() {
        for (flags, variables, expected) in [
            (ALONE, "RANK=one WORLD_SIZE=4", "RANK is \"one\""),
            (ALONE, "RANK=-1 WORLD_SIZE=4", "RANK is \"-1\""),
            (ALONE, "RANK=1 WORLD_SIZE=4.0", "WORLD_SIZE is \"4.0\""),
            (ALONE, "RANK=1 WORLD_SIZE=4 LOCAL_RANK=gpu", "LOCAL_RANK is \"gpu\""),
            (ALONE, "RANK=4 WORLD_SIZE=4", "RANK is 4 and WORLD_SIZE is 4; ranks count from 0"),
            (ALONE, "PMI_RANK=0 PMI_SIZE=0", "PMI_RANK is 0 and PMI_SIZE is 0"),
            (
                ALONE,
                "SLURM_PROCID=2 SLURM_STEP_NUM_TASKS=2",
                "SLURM_PROCID is 2 and SLURM_STEP_NUM_TASKS is 2",
            ),
            ([Some(2), Some(2), None], "", "--rank is 2 and --world-size is 2"),
            (
                [Some(0), Some(1_000_000_000), None],
                "",
                "--world-size is 1000000000; a model is made by at most",
            ),
            (
                ALONE,
                "RANK=1 WORLD_SIZE=18446744073709551615",
                "WORLD_SIZE is 18446744073709551615; a model",
            ),
            ([Some(2), None, None], TORCHRUN, "pass both or neither"),
            (
                [None, None, Some(2)],
                "RANK=1",
                "--local-rank needs --rank and --world-size, or a launcher",
            ),
        ] {
            let error = format!("{:#}", find(flags, variables).unwrap_err());
            assert!(error.contains(expected) && !error.contains('\n'), "{variables}: {error}");
        }
    }

    #[test]
    fn flags_are_a_pair_on_the_command_line() {
        let command = <WorldArgs as clap::Args>::augment_args(clap::Command::new("model"));
        for (line, reads) in [
            ("model", true),
            ("model --rank 1 --world-size 2", true),
            ("model --rank 1", false),
            ("model --world-size 2", false),
            ("model --rank -1 --world-size 2", false),
        ] {
            let matches = command.clone().try_get_matches_from(line.split(' '));
            assert_eq!(matches.is_ok(), reads, "{line}");
        }
    }
}
