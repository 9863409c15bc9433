//! How long a fuzzer runs, and how a case that fails is found again.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use crate::draw::Draw;

/// A default run on a machine that is slower than CI's ends early.
const PATIENCE: Duration = Duration::from_secs(60);

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|error| panic!("{name} is {text:?}: {error}; make it a whole number")),
    )
}

/// Runs cases 0, 1, 2...: `count` of them, or as many as `GPU_INIT_FUZZ_SECONDS` are enough for, or
/// the one that `GPU_INIT_FUZZ_CASE` names. Each draws from a stream of its own. Gives how many
/// were tried.
pub fn campaign(test: &str, count: u64, mut case: impl FnMut(&mut Draw)) -> u64 {
    let seed = variable("GPU_INIT_FUZZ_SEED").unwrap_or(1);
    let seconds = variable("GPU_INIT_FUZZ_SECONDS").map(Duration::from_secs);
    let one = variable("GPU_INIT_FUZZ_CASE");
    let cases = match (one, seconds) {
        (Some(one), _) => one..one + 1,
        (None, Some(_)) => 0..u64::MAX,
        (None, None) => 0..count,
    };
    let (start, mut done) = (Instant::now(), 0);
    for number in cases {
        if start.elapsed() > seconds.unwrap_or(PATIENCE) {
            break;
        }
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| case(&mut Draw::new(seed, number)))) {
            eprintln!(
                "again: GPU_INIT_FUZZ_SEED={seed} GPU_INIT_FUZZ_CASE={number} cargo test --release -p gpu-init-cli --test fuzz {test}"
            );
            resume_unwind(panic);
        }
        done += 1;
    }
    println!("{test}: {done} cases of seed {seed} in {:.1} s", start.elapsed().as_secs_f64());
    assert!(done > 0, "no case was tried");
    done
}
