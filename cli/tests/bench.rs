//! `gpu-init bench`: what it measures and how it says so. How fast anything is, is no test's
//! business.

#[path = "../../tests/common/gpu.rs"]
mod gpu;
#[path = "common/program.rs"]
mod program;
#[cfg(unix)]
#[path = "common/signals.rs"]
mod signals;

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use program::{complains, complaint, json, succeed};

const TINY: [&str; 7] = ["bench", "--max-size", "14", "--repeat", "2", "--device", "cpu"];

fn with<'a>(extra: &[&'a str]) -> Vec<&'a str> {
    [&TINY[..], extra].concat()
}

fn positive(value: &Value) -> f64 {
    let number = value.as_f64().unwrap_or_else(|| panic!("{value} is no number"));
    assert!(number > 0.0 && number.is_finite(), "{number}");
    number
}

/// Median, least and most, in order.
fn check_spread(spread: &Value) {
    let [min, median, max] = ["min", "median", "max"].map(|key| positive(&spread[key]));
    assert!(min <= median && median <= max, "{spread}");
}

/// What each row is of. Its figures are checked on the way.
fn rows(device: &Value) -> BTreeSet<(String, String, String, u64)> {
    let rows = device["rows"].as_array().unwrap();
    let ids: BTreeSet<_> = rows
        .iter()
        .map(|row| {
            let text = |key: &str| row[key].as_str().unwrap().to_owned();
            check_spread(&row["ns_per_element"]);
            let [speed, write, share] =
                ["gb_per_s", "write_gb_per_s", "share_of_write"].map(|key| positive(&row[key]));
            assert!((speed / write / share - 1.0).abs() < 1e-9);
            let elements = row["elements"].as_u64().unwrap();
            let bytes = row["bytes"].as_u64().unwrap();
            assert_eq!(bytes, elements * if row["dtype"] == "F32" { 4 } else { 2 });
            let ns = positive(&row["ns_per_element"]["median"]);
            assert!((bytes as f64 / elements as f64 / ns / speed - 1.0).abs() < 1e-9, "{row}");
            (text("by"), text("dtype"), text("init"), elements)
        })
        .collect();
    assert_eq!(ids.len(), rows.len(), "a row is there twice");
    for write in device["writes"].as_array().unwrap() {
        check_spread(&write["seconds"]);
        positive(&write["gb_per_s"]);
    }
    ids
}

#[test]
fn everything_is_measured_once() {
    let report = json(&with(&["--json", "-"]));
    assert_eq!(report["samples"], 2);
    let devices = report["devices"].as_array().unwrap();
    assert_eq!(devices.len(), 1);
    assert_eq!(devices[0]["name"], "cpu");
    assert_eq!(devices[0]["timing"], "wall time");
    let (normal, uniform) = ("normal(std=0.02)", "uniform(a=-0.05, b=0.05)");
    let truncated = "truncated_normal(std=0.02, a=-0.04, b=0.04)";
    let mut expected = BTreeSet::new();
    for elements in [1 << 12, 1 << 14] {
        let mut expect = |by: &str, dtype: &str, init: &str| {
            expected.insert((by.to_owned(), dtype.to_owned(), init.to_owned(), elements));
        };
        for dtype in ["F32", "F16", "BF16"] {
            for init in [normal, uniform, truncated] {
                expect("gpu-init", dtype, init);
            }
        }
        for init in [normal, uniform, truncated] {
            expect("gpu-init, 1 thread", "F32", init);
        }
        expect("rand_distr, SmallRng, 1 thread", "F32", normal);
        expect("rand_distr, SmallRng, 1 thread", "F32", uniform);
        expect("rand_distr, Philox4x32, 1 thread", "F32", normal);
        expect("plain Philox, 1 thread", "F32", normal);
    }
    assert_eq!(rows(&devices[0]), expected);
}

#[test]
fn files_and_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (json, plot) = (path("bench.json"), path("bench.svg"));
    let args = with(&["--dtype", "f32", "--json", &json, "--plot", &plot]);
    let table = succeed(&args);
    for part in [
        "cpu: ",
        "F32 gpu-init",
        "truncated_normal",
        "2^14",
        "ns/element",
        "GB/s",
        "share",
        "one thread",
        "%",
    ] {
        assert!(table.contains(part), "{table} lacks {part}");
    }
    let report: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    assert_eq!(
        rows(&report["devices"][0]).len(),
        2 * (3 + 3 + 4),
        "three distributions, again on one thread, and four by others"
    );
    let svg = fs::read_to_string(&plot).unwrap();
    check_xml(&svg);
    for part in [
        "tensor size (elements)",
        "fill speed (GB/s)",
        "2¹²",
        "truncated_normal",
        "write bandwidth",
        "SmallRng",
    ] {
        assert!(svg.contains(part), "the plot lacks {part}");
    }
    // An existing file is kept without --force.
    complains(&args, &["--force"]);
    succeed(&[&args[..], &["--force"]].concat());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary file is left");
}

/// One element that holds all the others, each of them closed.
fn check_xml(text: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut closed = 0;
    for piece in text.split('<').skip(1) {
        let (tag, content) = piece.split_once('>').unwrap_or_else(|| panic!("<{piece} has no end"));
        assert!(!content.contains('>') && tag.matches('"').count() % 2 == 0, "<{piece}");
        let name =
            tag.trim_start_matches('/').split_whitespace().next().unwrap().trim_end_matches('/');
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "</{name}>");
            closed += usize::from(open.is_empty());
        } else if !tag.ends_with('/') && !tag.starts_with(['?', '!']) {
            assert_eq!(closed, 0, "<{name}> is outside");
            open.push(name);
        }
        for entity in content.split('&').skip(1) {
            assert!(entity.split_once(';').is_some_and(|(name, _)| name.len() < 6), "&{entity}");
        }
    }
    assert!(open.is_empty() && closed == 1 && text.starts_with("<svg"), "{open:?}");
}

#[test]
fn a_gpu_is_beside_the_cpu() {
    if gpu::device().is_none() {
        return;
    }
    // Each device once, the sizes asked for, odd ones too.
    let args = "bench --device gpu --device cpu --device cpu --dtype bf16 --init uniform --init xavier-normal --size 13 \
                --size 5 --size 13 --repeat 1 --json -";
    let report = json(&args.split_whitespace().collect::<Vec<_>>());
    let devices = report["devices"].as_array().unwrap();
    assert_eq!(devices.len(), 2);
    assert_eq!(devices[0]["write"], "buffer clear");
    assert_eq!(devices[1]["write"], "constant fill");
    assert!(positive(&devices[0]["window_bytes"]) >= 1e6 && devices[1]["window_bytes"].is_null());
    let elements: BTreeSet<_> = rows(&devices[0]).iter().map(|row| row.3).collect();
    assert_eq!(elements, BTreeSet::from([32, 8192]));
    // What portable bits cost shows beside the built-in transform, of normals alone.
    let (built_ins, ours): (BTreeSet<_>, _) =
        rows(&devices[0]).into_iter().partition(|row| row.0 == "WGSL built-ins");
    assert_eq!(built_ins.iter().filter(|row| row.2.starts_with("xavier_normal")).count(), 2);
    assert_eq!((built_ins.len(), ours), (2, rows(&devices[1])));
}

#[test]
fn errors_say_what_to_do() {
    for (extra, part) in [
        (&["--repeat", "0"][..], "0 is not in 1.."),
        (&["--max-size", "11"], "12..=40"),
        (&["--max-size", "x"], "invalid"),
        (&["--size", "12", "--max-size", "12"], "cannot be used with"),
        (&["--device", "x"], "adapter"),
        (&["--device", "999"], "gpu-init devices"),
        (&["--dtype", "i8"], "bf16"),
        (&["--init", "nothing"], "use one of"),
        (&["--init", "orthogonal"], "gpu-init fill"),
        (&["--json", "/nowhere/bench.json"], "no folder /nowhere"),
        (&["--plot", "/nowhere/bench.svg"], "no folder /nowhere"),
        (&["--plot", "/"], "folder"),
    ] {
        let complaint = complaint(&[&["bench", "--quick"], extra].concat());
        assert!(complaint.contains(part), "{complaint} lacks {part}");
    }
}

const LIST: &str = r#"{
    "__metadata__": { "architecture": "tiny" },
    "embed.weight": { "dtype": "F32", "shape": [1000, 64] },
    "fc.weight": { "dtype": "F32", "shape": [300, 200] },
    "fc.bias": { "dtype": "F32", "shape": [300] }
}"#;

/// A folder with a tensor list, and the paths of that and of others in it.
fn listed() -> (tempfile::TempDir, impl Fn(&str) -> String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("list.json"), LIST).unwrap();
    let path = folder.path().to_owned();
    (folder, move |name: &str| path.join(name).to_str().unwrap().to_owned())
}

/// The steps of a model, each with its limits. Figures are checked on the way.
fn steps(report: &Value, bytes: u64) -> Vec<(String, usize)> {
    let device = &report["devices"][0];
    let check = |of: &Value| {
        check_spread(&of["seconds"]);
        let seconds = positive(&of["seconds"]["median"]);
        let speed = bytes as f64 / seconds / 1e9;
        assert!((positive(&of["gb_per_s"]) / speed - 1.0).abs() < 1e-9, "{of}");
        seconds
    };
    let step = |step: &Value| {
        let seconds = check(step);
        let limits = step["limits"].as_array().unwrap();
        for limit in limits {
            assert!((positive(&limit["times"]) / (seconds / check(limit)) - 1.0).abs() < 1e-9);
            assert!(limit["limit"].as_str().unwrap().len() > 3);
        }
        (step["step"].as_str().unwrap().to_owned(), limits.len())
    };
    device["steps"].as_array().unwrap().iter().map(step).collect()
}

#[test]
fn a_model_is_measured_step_by_step() {
    let (folder, path) = listed();
    let (list, out) = (path("list.json"), path("out.safetensors"));
    let args = ["bench", "--model", &list, "--device", "cpu", "--repeat", "2", "--json", "-"];
    let report = json(&args);
    let elements = 1000 * 64 + 300 * 200 + 300;
    assert_eq!((&report["samples"], &report["elements"]), (&2.into(), &elements.into()));
    assert_eq!(steps(&report, 4 * elements), [("fill".to_owned(), 3), ("check".to_owned(), 2)]);
    let fingerprint = &json(&["model", &list, "--device", "cpu", "--json"])["fingerprint"];
    assert_eq!(&report["fingerprint"], fingerprint);

    // With its rules, its type and files; nothing is left.
    let all = ["--recipe", "huggingface", "--dtype", "bf16", "--seed", "3", "--out", &out];
    let report = json(&[&args[..], &all].concat());
    let names = steps(&report, 2 * elements);
    assert_eq!(names.iter().map(|(_, limits)| limits).sum::<usize>(), 3 + 2 + 1 + 2);
    assert_eq!(names[2..].iter().map(|(name, _)| &**name).collect::<Vec<_>>(), ["save", "verify"]);
    assert_eq!((&report["seed"], &report["rules"]), (&3.into(), &"recipe huggingface".into()));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "the list alone is left");

    // What `gpu-init model` takes, takes this, too: its own files. A file of JSON beside the table.
    succeed(&["model", &list, "--device", "cpu", "--out", &out]);
    let (json, other) = (path("bench.json"), path("other.safetensors"));
    let table = succeed(&[
        "bench", "--model", &out, "--device", "cpu", "--repeat", "1", "--out", &other, "--json",
        &json,
    ]);
    for part in
        ["tiny from ", "124,300 elements", "fill ", "check ", "save ", "verify ", "times", "disk"]
    {
        assert!(table.contains(part), "{table} lacks {part}");
    }
    let report: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    assert_eq!((&report["fingerprint"], steps(&report, 4 * elements).len()), (fingerprint, 4));
    assert!(!fs::exists(&other).unwrap() && fs::exists(&out).unwrap());
}

#[test]
fn a_model_on_a_device_has_the_same_steps() {
    if gpu::device().is_none() {
        return;
    }
    let (_folder, path) = listed();
    let (list, out) = (path("list.json"), path("out.safetensors"));
    let all = ["--device", "gpu", "--device", "cpu", "--repeat", "1", "--out", &out, "--json", "-"];
    let report = json(&[&["bench", "--model", &list][..], &all].concat());
    let devices = report["devices"].as_array().unwrap();
    assert_eq!((devices.len(), &devices[1]["name"]), (2, &"cpu".into()));
    assert_eq!(steps(&report, 4 * 124_300).len(), 4);
}

#[test]
fn a_model_is_not_measured_over_files_or_with_flags_of_others() {
    let (_folder, path) = listed();
    let (list, there) = (path("list.json"), path("there.safetensors"));
    fs::write(&there, "mine").unwrap();
    let model = |extra: &[&str]| complaint(&[&["bench", "--model", &list], extra].concat());
    for (extra, part) in [
        (&["--out", &there][..], "exists, and what is measured there is removed afterwards"),
        (&["--out", &there, "--force"], "exists, and what is measured there is removed afterwards"),
        (&["--out", &path("")], "folder"),
        (&["--out", &path("x.npy")], ".safetensors"),
        (&["--json", "/nowhere/bench.json"], "no folder /nowhere"),
        (&["--dtype", "f32", "--dtype", "bf16"], "one --dtype"),
        (&["--rules", &path("none.toml")], "none.toml"),
        (&["--recipe", "x"], "there is no recipe"),
        (&["--size", "12"], "cannot be used with"),
        (&["--init", "zeros"], "cannot be used with"),
        (&["--quick"], "cannot be used with"),
        (&["--plot", "x.svg"], "cannot be used with"),
        (&["--device", "999"], "gpu-init devices"),
    ] {
        let complaint = model(extra);
        assert!(complaint.contains(part), "{complaint} lacks {part}");
    }
    assert_eq!(fs::read_to_string(&there).unwrap(), "mine");
    for (flags, part) in [
        (["--recipe", "gpt2"], "--recipe is for a whole model; pass --model"),
        (["--seed", "1"], "--seed is for a whole model"),
        (["--only", "a"], "--only is for a whole model"),
        (["--out", "x.safetensors"], "--model"),
        (["--model", "none.json"], "none.json"),
    ] {
        let complaint = complaint(&[&["bench"][..], &flags].concat());
        assert!(complaint.contains(part), "{complaint} lacks {part}");
    }
}

/// Two files by one name would be one of them, after minutes.
#[test]
fn two_files_are_two() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::create_dir(path("folder")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path(), path("link")).unwrap();
    let others = ["x", "./x", "folder/../x", if cfg!(unix) { "link/x" } else { "x" }];
    for other in others {
        for force in [&[][..], &["--force"]] {
            let (json, plot) = (path("x"), path(other));
            complains(
                &[&with(&["--json", &json, "--plot", &plot]), force].concat(),
                &["are one file; name two"],
            );
        }
    }
    complains(
        &with(&["--json", "same", "--plot", "./same"]),
        &["--json same and --plot ./same are one file"],
    );
}

/// Ctrl-C ends it soon, with nothing on standard output.
#[cfg(unix)]
#[test]
fn ctrl_c_breaks_off() {
    let args = ["bench", "--device", "cpu", "--max-size", "22", "--repeat", "1000"];
    signals::interrupted(&args, "bench was interrupted");
}

/// Ctrl-C leaves nothing of the files that a model is measured with.
#[cfg(unix)]
#[test]
fn ctrl_c_leaves_no_files() {
    use std::process::Stdio;
    let (folder, path) = listed();
    let large = r#"{"w": {"dtype": "F32", "shape": [20000000]}}"#;
    fs::write(path("list.json"), large).unwrap();
    let (list, out) = (path("list.json"), path("out.safetensors"));
    let args = ["bench", "--model", &list, "--device", "cpu", "--out", &out, "--repeat", "1000"];
    let child =
        program::command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    // Files of its own are there, besides the list.
    while fs::read_dir(&folder).unwrap().count() < 2 && std::time::Instant::now() < deadline {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    signals::signal(&child, "-INT");
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(130) && output.stdout.is_empty(), "{errors}");
    assert!(errors.contains("interrupted"), "{errors}");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "the list alone is left");
}
