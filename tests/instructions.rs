//! Counts instructions per element, which do not depend on other work on the machine: on the CPU
//! with valgrind's callgrind, for the shader in the SPIR-V that wgpu gives a Vulkan driver. A rise
//! of over 3% against `tests/instructions.txt` fails. To accept it, or a fall, rewrite the file:
//!
//! ```sh
//! GPU_INIT_REWRITE_INSTRUCTIONS=1 cargo test --release --workspace --test instructions
//! ```
#![cfg(all(feature = "gpu", feature = "rules"))]

#[path = "common/compiled.rs"]
mod compiled;
#[path = "common/instructions.rs"]
mod instructions;
#[path = "common/spirv_count.rs"]
mod spirv_count;

use std::env;
use std::process::{Command, Output};

use gpu_init::half::{bf16, f16};
use gpu_init::{Cpu, DType, Element, Fingerprint, Initializer, Plan, Recipe, Summary, TensorSpec};
use instructions::Counted;
use spirv_count::Count;

const INITIALIZERS: [(&str, Initializer); 3] = [
    ("normal", Initializer::normal(0.0, 0.02)),
    ("uniform", Initializer::uniform(-0.05, 0.05)),
    ("truncated", Initializer::truncated_normal(0.0, 0.02, -0.04, 0.04)),
];
/// The difference of two lengths cancels the costs that do not grow with the length.
const LENGTHS: [usize; 2] = [1 << 17, 1 << 19];
/// What is counted of elements that are there.
const REDUCTIONS: [&str; 2] = ["fingerprint", "summary"];
/// The variable that `counted_work` reads: a distribution or a reduction, an element type and a
/// length.
const WORK: &str = "GPU_INIT_COUNTED_WORK";
/// The variable that `counted_plan` reads: a number of tensors.
const PLAN: &str = "GPU_INIT_COUNTED_PLAN";

/// Valgrind runs this test, in this program.
#[test]
fn counted_work() {
    let Ok(text) = env::var(WORK) else { return };
    let words: Vec<&str> = text.split(' ').collect();
    let &[what, dtype, len] = &words[..] else { panic!("{WORK}={text:?}") };
    let len = len.parse().unwrap();
    match dtype.parse().unwrap() {
        DType::F32 => work::<f32>(what, len),
        DType::F16 => work::<f16>(what, len),
        DType::BF16 => work::<bf16>(what, len),
        other => panic!("{other}"),
    }
}

fn work<T: Element>(what: &str, len: usize) {
    let mut elements = vec![T::zeroed(); LENGTHS[1]];
    let elements = &mut elements[..len];
    let spec = |initializer| TensorSpec::new([len], initializer).dtype(T::DTYPE).stream(0);
    match what {
        "fingerprint" => assert_ne!(Fingerprint::of(0, elements), Fingerprint(0)),
        "summary" => {
            let fill = spec(Initializer::zeros()).resolve(0, 0).unwrap();
            assert_eq!(Summary::of_fill(&fill, elements).stats.disagreement(&fill), None);
        }
        distribution => {
            let (_, initializer) =
                INITIALIZERS.into_iter().find(|(name, _)| *name == distribution).unwrap();
            Cpu::new().fill_into(&spec(initializer), elements).unwrap();
        }
    }
}

/// Valgrind runs this test, too: a mixture of experts by single experts, and a rank's part of it.
#[test]
fn counted_plan() {
    let Ok(text) = env::var(PLAN) else { return };
    let tensors = (0..text.parse().unwrap()).map(|i| {
        let (layer, expert, name) = (i / 768, i / 3 % 256, ["gate", "up", "down"][i % 3]);
        let name = format!("model.layers.{layer}.mlp.experts.{expert}.{name}_proj.weight");
        (name, [2048usize, 7168], Some(DType::BF16))
    });
    let plan = Plan::new(tensors, &Recipe::DEEPSEEK_V3.rules()).unwrap();
    assert_eq!(plan.shard(3, 256).unwrap().entries().len(), plan.entries().len());
}

/// Twice as many tensors cost twice as much, and each one little.
#[test]
fn of_plans() {
    if !instructions::can_count() {
        return;
    }
    let counted =
        [1000, 2000, 4000].map(|tensors| callgrind("counted_plan", PLAN, &tensors.to_string()));
    let of_one = [(counted[1] - counted[0]) / 1000.0, (counted[2] - counted[1]) / 2000.0];
    assert!(of_one[1] < 1.05 * of_one[0] && of_one[1] < 40_000.0, "{of_one:?} for each tensor");
}

/// Counts the instructions of a whole run of `counted_work`.
fn count_work(what: &str, dtype: DType, len: usize) -> f64 {
    callgrind("counted_work", WORK, &format!("{what} {dtype} {len}"))
}

/// Counts the instructions of a whole run of a test, which reads a variable.
fn callgrind(test: &str, variable: &str, value: &str) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let Output { status, stderr, .. } = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=out"])
        .arg(env::current_exe().unwrap())
        .args([test, "--exact", "--test-threads=1"])
        .env(variable, value)
        .env("RAYON_NUM_THREADS", "1")
        .env_remove("GPU_INIT_VECTORS")
        .current_dir(&folder)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{text}");
    // "==1234== Collected : 123456"
    let count = text.lines().find_map(|line| line.split_once("Collected :"));
    count
        .and_then(|(_, count)| count.trim().parse().ok())
        .unwrap_or_else(|| panic!("no count in {text}"))
}

#[test]
fn of_the_cpu_path() {
    if !instructions::can_count() {
        return;
    }
    let mut counted = Vec::new();
    for what in INITIALIZERS.map(|(name, _)| name).into_iter().chain(REDUCTIONS) {
        for dtype in DType::SAMPLED {
            let [short, long] = LENGTHS.map(|len| count_work(what, dtype, len));
            let per_element = (long - short) / (LENGTHS[1] - LENGTHS[0]) as f64;
            counted.push(Counted { name: format!("cpu {what} {dtype}"), per_element });
        }
    }
    instructions::check("cpu", &counted);
}

#[test]
fn of_the_shader() {
    let mut counted = Vec::new();
    for (wide_mul, wgsl) in compiled::sources() {
        for (name, distribution) in compiled::DISTRIBUTIONS {
            for dtype in DType::SAMPLED {
                let Count { instructions, stores } =
                    spirv_count::count(&compiled::spirv(&wgsl, distribution, dtype));
                // A store writes 16 bytes.
                let per_element = instructions as f64 / (stores * 16 / dtype.size()) as f64;
                counted.push(Counted {
                    name: format!("spirv {wide_mul} {name} {dtype}"),
                    per_element,
                });
            }
        }
    }
    instructions::check("spirv", &counted);
}
