//! The file of instruction counts, and the comparison with it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::{env, fs};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/instructions.txt");
const REWRITE: &str = "GPU_INIT_REWRITE_INSTRUCTIONS";
const HEADER: &str = "\
# Instructions an element: of the CPU path with AVX2 by valgrind's callgrind, of the shader in SPIR-V.
# tests/instructions.rs compares with them, and writes this file anew where GPU_INIT_REWRITE_INSTRUCTIONS=1.
";
/// A larger rise fails.
const MOST: f64 = 1.03;

/// Instructions per element, by a name that starts with the kind: `cpu`, `spirv`.
pub struct Counted {
    pub name: String,
    pub per_element: f64,
}

/// Whether callgrind is available and counts the file's instructions; if not, says why.
pub fn can_count() -> bool {
    let missing = if !cfg!(target_arch = "x86_64") || cfg!(debug_assertions) {
        "they are of x86-64 and the release profile"
    } else if !has_avx2() {
        "they are of AVX2, which this CPU does not have"
    } else if !Command::new("valgrind")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
    {
        "there is no valgrind (Debian, Ubuntu: valgrind)"
    } else {
        return true;
    };
    say(&format!("skipped: instructions of the CPU path are not counted, as {missing}"));
    false
}

/// Writes to stderr even if the output of passing tests is captured.
fn say(text: &str) {
    std::io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
}

fn has_avx2() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// The compiler's version, which the counts depend on.
fn compiler() -> String {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The figures of the file, and the compiler that they were made with.
fn read() -> (BTreeMap<String, f64>, String) {
    let text = fs::read_to_string(FILE).unwrap_or_default();
    let mut figures = BTreeMap::new();
    let mut made_with = String::new();
    for line in text.lines() {
        match line.rsplit_once(' ') {
            _ if line.starts_with("# rustc") => made_with = line[2..].to_owned(),
            Some((name, figure)) if !line.starts_with('#') => {
                figures.insert(
                    name.trim().to_owned(),
                    figure.parse().unwrap_or_else(|_| panic!("{FILE}: {line}")),
                );
            }
            _ => (),
        }
    }
    (figures, made_with)
}

/// Compares all figures of a `kind` with the file, or writes them there.
pub fn check(kind: &str, counted: &[Counted]) {
    static FILE_LOCK: Mutex<()> = Mutex::new(());
    let _guard = FILE_LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut figures, made_with) = read();
    if env::var(REWRITE).is_ok_and(|value| value == "1") {
        figures.retain(|name, _| !name.starts_with(kind));
        figures.extend(
            counted.iter().map(|Counted { name, per_element }| (name.clone(), *per_element)),
        );
        let mut text = format!("{HEADER}# {}\n", compiler());
        for (name, figure) in figures {
            writeln!(text, "{name:<31} {figure:.2}").unwrap();
        }
        return fs::write(FILE, text).unwrap();
    }
    let (mut risen, mut fallen) = (Vec::new(), Vec::new());
    for Counted { name, per_element } in counted {
        match figures.get(name) {
            None => risen.push(format!("{name}: {per_element:.2}, and none in the file")),
            Some(was) if *per_element > was * MOST => {
                risen.push(format!("{name}: {per_element:.2}, was {was}"))
            }
            Some(was) if *per_element * MOST < *was => {
                fallen.push(format!("{name}: {per_element:.2}, was {was}"))
            }
            Some(_) => (),
        }
    }
    let remedy = format!("{REWRITE}=1 cargo test --release --workspace --test instructions");
    if !fallen.is_empty() {
        let fallen = fallen.join("\n");
        say(&format!(
            "fewer instructions an element, so that a rise back would not be seen: `{remedy}`\n{fallen}"
        ));
    }
    assert!(
        risen.is_empty(),
        "more instructions an element; if that is worth it, `{remedy}`. The file was made with {made_with}, this with {}.\n{}",
        compiler(),
        risen.join("\n")
    );
}
