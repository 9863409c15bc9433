//! The program as its users run it.

#[path = "../../tests/common/gpu.rs"]
mod gpu;
#[path = "common/program.rs"]
mod program;
#[cfg(unix)]
#[path = "common/signals.rs"]
mod signals;

use std::fs;
use std::path::Path;

use gpu_init::half::bf16;
use gpu_init::{Cpu, DType, Element, Fingerprint, FpGuard, Initializer, TensorSpec, WideMul};
use serde_json::Value;

use program::{command, complains, complaint, json, succeed};

/// Ctrl-C ends long work soon, and says how far it was.
#[cfg(unix)]
#[test]
fn ctrl_c_breaks_off() {
    for device in devices() {
        let args = ["fill", "--init", "orthogonal", "--shape", "9000x9000", "--device", device];
        signals::interrupted(&args, "of 81000000 elements");
    }
}

/// The devices to run on: the CPU, and an adapter of any kind unless its skip was asked for.
fn devices() -> Vec<&'static str> {
    if gpu::device().is_some() { vec!["cpu", "gpu"] } else { vec!["cpu"] }
}

#[test]
fn fill_reports_the_same_tensor_everywhere() {
    for device in devices() {
        for (dtype, size) in [("f32", 4), ("f16", 2), ("BF16", 2)] {
            let report = json(&[
                "fill",
                "--init",
                "xavier-normal",
                "--shape",
                "300x70",
                "--dtype",
                dtype,
                "--seed",
                "42",
                "--name",
                "w",
                "--device",
                device,
                "--json",
            ]);
            let parameter = TensorSpec::new([300, 70], Initializer::xavier_normal())
                .seed(42)
                .name("w")
                .dtype(dtype.parse().unwrap());
            let expected = Cpu::new().fill(&parameter).unwrap();
            assert_eq!(
                report["fingerprint"],
                expected.fingerprint().to_string(),
                "{device} {dtype}"
            );
            assert_eq!(report["elements"], 21000);
            assert_eq!(report["bytes"], 21000 * size);
            assert_eq!(report["mean"], expected.stats().mean);
            assert_eq!(report["std"], expected.stats().std);
            assert_eq!(report["agrees"], true);
            assert!(report["device"].is_string() && report["seconds"].as_f64() > Some(0.0));
            assert!(report["gb_per_s"].as_f64() > Some(0.0));
        }
    }
}

#[test]
fn fill_prints_for_people() {
    for device in devices() {
        let text = succeed(&[
            "fill",
            "--shape",
            "512x512",
            "--init",
            "xavier_uniform",
            "--device",
            device,
        ]);
        for part in [
            "xavier_uniform [512, 512] F32",
            "262,144",
            "GB/s",
            "measured",
            "expected",
            "fingerprint",
            "█",
        ] {
            assert!(text.contains(part), "{text} lacks {part}");
        }
    }
}

#[test]
fn fill_takes_every_option() {
    let with = |extra: &[&str]| {
        json(&[&["fill", "--shape", "3x3x16x32", "--device", "cpu", "--json"], extra].concat())
    };
    let keras = with(&["--layout", "keras", "--gain", "2", "--mean", "-1"]);
    let expected = 2.0 * (2.0f64 / (9.0 * 48.0)).sqrt();
    assert!((keras["expected"]["std"].as_f64().unwrap() / expected - 1.0).abs() < 1e-6);
    assert_eq!(keras["init"], "xavier_normal(gain=2, mean=-1)");
    assert_eq!(keras["expected"]["mean"], -1.0);
    assert_eq!(with(&["--init", "ones"])["mean"], 1.0);
    assert_eq!(with(&["--init", "normal(std=0.02)"])["init"], "normal(std=0.02)");
    assert_ne!(with(&["--stream", "1"])["fingerprint"], with(&["--stream", "2"])["fingerprint"]);
    assert_ne!(with(&["--seed", "1"])["fingerprint"], with(&["--seed", "2"])["fingerprint"]);
}

/// The data of a .npy file, and its header.
fn read_npy(path: &Path) -> (String, Vec<u8>) {
    let bytes = fs::read(path).unwrap();
    assert_eq!(&bytes[..6], b"\x93NUMPY");
    let header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    (String::from_utf8(bytes[10..10 + header].to_vec()).unwrap(), bytes[10 + header..].to_vec())
}

#[test]
fn fill_saves_npy() {
    let folder = tempfile::tempdir().unwrap();
    for device in devices() {
        for (dtype, descr) in [("f32", "<f4"), ("f16", "<f2"), ("bf16", "<u2")] {
            let path = folder.path().join(format!("{device}-{dtype}.npy"));
            let file = path.to_str().unwrap();
            let args =
                ["fill", "--shape", "33x65", "--dtype", dtype, "--device", device, "--out", file];
            let text = succeed(&args);
            assert_eq!(text.contains("uint16"), dtype == "bf16", "{text}");
            let (header, data) = read_npy(&path);
            assert!(
                header.contains(descr) && header.contains("(33, 65") && header.contains("False"),
                "{header}"
            );
            let parameter = TensorSpec::new([33, 65], Initializer::xavier_normal())
                .dtype(dtype.parse().unwrap());
            assert_eq!(data, Cpu::new().fill(&parameter).unwrap().as_bytes());
            // An existing file is kept without --force.
            complains(&args, &["--force"]);
            succeed(&[&args[..], &["--force", "--seed", "1"]].concat());
            assert_ne!(read_npy(&path).1, data);
        }
    }
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        3 * devices().len(),
        "no temporary file is left"
    );
}

/// Links, pipes and devices are not replaced by a file, and names need not be text.
#[test]
#[cfg(unix)]
fn fill_writes_only_regular_files() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let (link, target) = (folder.path().join("link.npy"), folder.path().join("target.npy"));
    fs::write(&target, "kept").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    for (path, reason) in
        [(link.to_str().unwrap(), "it is a link"), ("/dev/null", "not a regular file")]
    {
        let complaint =
            complaint(&["fill", "--shape", "3x3", "--device", "cpu", "--out", path, "--force"]);
        assert!(complaint.contains(reason), "{complaint}");
    }
    assert_eq!(fs::read(&target).unwrap(), b"kept");
    let odd = folder.path().join(std::ffi::OsStr::from_bytes(b"\xff.npy"));
    let output = command(&["fill", "--shape", "3x3", "--device", "cpu", "--json", "--out"])
        .arg(&odd)
        .output()
        .unwrap();
    assert!(output.status.success() && odd.exists(), "{output:?}");
}

/// Where the element type is coarse beside the spread, the rounded tensor is still what was asked
/// for.
#[test]
fn coarse_types_agree_with_theory() {
    for (init, dtype) in [
        ("normal(mean=1,std=0.02)", "bf16"),
        ("normal(mean=1000.3,std=0.01)", "f16"),
        ("normal(mean=0.5,std=0.001)", "bf16"),
        ("constant(val=0.3)", "bf16"),
    ] {
        let report = json(&[
            "fill",
            "--shape",
            "1024x1024",
            "--init",
            init,
            "--dtype",
            dtype,
            "--device",
            "cpu",
            "--json",
        ]);
        assert_eq!(report["agrees"], true, "{report}");
    }
}

#[test]
fn fill_refuses_bad_input() {
    for (args, part) in [
        (&["fill", "--shape", "7"][..], "at least two"),
        (&["fill", "--shape", "0x7"], "size 0"),
        (&["fill", "--shape", "99999999999x99999999999"], "overflows 64 bits"),
        (&["fill", "--shape", "3x3", "--gain", "NaN"], "gain"),
        (&["fill", "--shape", "3x3", "--gain=-1"], "not below 0"),
        (&["fill", "--shape", "3x3", "--gain", "1e-40"], "subnormal"),
        (&["fill", "--shape", "3x3", "--init", "zeros", "--gain", "2"], "gain"),
        (&["fill", "--shape", "3x3", "--device", "999"], "gpu-init devices"),
        (&["fill", "--shape", "3x3", "--out", "/nowhere/x.npy"], "/nowhere"),
        (&["fill", "--shape", "3x3", "--out", "/"], "folder"),
        (&["fill", "--shape", "2000000000x2000000000", "--device", "cpu"], "bytes of host memory"),
    ] {
        if args.contains(&"999") && devices().len() == 1 {
            continue;
        }
        assert!(complaint(args).contains(part), "{args:?}: {}", complaint(args));
    }
    for (args, part) in [
        (&["fill", "--shape", "3x3", "--gain", "-1"][..], "not below 0"),
        (&["fill"], "--shape"),
        (&["fill", "--shape", "3y3"], "4096x11008"),
        (&["fill", "--shape", "3x99999999999999999999"], "too large"),
        (&["fill", "--shape", "3x3", "--dtype", "c64"], "use f32, f16, bf16, f64"),
        (&["fill", "--shape", "3x3", "--init", "glorot"], "xavier_normal"),
        (&["fill", "--shape", "3x3", "--device", "tpu"], "use auto, gpu, cpu or the number"),
        (&["fill", "--shape", "3x3", "--force"], "--out"),
        (&["nothing"], "nothing"),
    ] {
        assert!(complaint(args).contains(part), "{args:?}: {}", complaint(args));
    }
}

#[test]
fn models_are_the_same_everywhere() {
    for (model, tensors, parameters) in
        [("gpt2", 148, 124_439_808u64), ("resnet-50", 161, 25_557_032)]
    {
        let (path, verified) = (format!("../tests/models/{model}.json"), model == "resnet-50");
        for dtype in ["f32", "f16", "bf16"] {
            let reports: Vec<Value> = devices()
                .iter()
                .map(|device| {
                    let mut args =
                        vec!["model", &path, "--dtype", dtype, "--device", device, "--json"];
                    // A software driver takes its time over statistics.
                    args.extend(verified.then_some("--verify"));
                    json(&args)
                })
                .collect();
            for report in &reports {
                assert_eq!(report["tensors"], tensors);
                assert_eq!(report["elements"], parameters);
                assert_eq!(
                    report["agrees"],
                    if verified { Value::from(true) } else { Value::Null },
                    "{report}"
                );
                for key in ["fingerprint", "mean", "std"] {
                    assert_eq!(report[key], reports[0][key], "{key} of {model} {dtype}");
                }
                for key in ["device", "bytes", "seconds", "gb_per_s"] {
                    assert!(!report[key].is_null(), "{key}");
                }
            }
        }
    }
}

/// A model's fingerprint is made of its tensors', each by its name.
#[test]
fn a_models_fingerprint_can_be_computed_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.json");
    fs::write(
        &path,
        r#"{"__metadata__": {"architecture": "Tiny"}, "fc.weight": {"dtype": "BF16", "shape": [30, 20], "data_offsets": [0, 1200]},
            "ln.weight": {"dtype": "F32", "shape": [20]}, "fc.bias": {"dtype": "F16", "shape": [30]}, "t": {"dtype": "F32", "shape": []}}"#,
    )
    .unwrap();
    let weight = Cpu::new()
        .fill(
            &TensorSpec::new([30, 20], Initializer::xavier_normal())
                .seed(7)
                .name("fc.weight")
                .dtype(DType::BF16),
        )
        .unwrap();
    assert_eq!(weight.as_slice::<bf16>().unwrap().len(), 600);
    let zero = gpu_init::half::f16::round(0.0);
    let parts = [
        ("fc.weight", weight.fingerprint()),
        ("ln.weight", Fingerprint::of(0, &[1f32; 20])),
        ("fc.bias", Fingerprint::of(0, &[zero; 30])),
        ("t", Fingerprint::of(0, &[0f32])),
    ];
    let expected: Fingerprint =
        parts.into_iter().map(|(name, part)| part.in_model(gpu_init::stream_of(name))).sum();
    for device in devices() {
        let report =
            json(&["model", path.to_str().unwrap(), "--seed", "7", "--device", device, "--json"]);
        assert_eq!(report["fingerprint"], expected.to_string());
        assert_eq!(report["model"], "Tiny");
        let text = succeed(&[
            "model",
            path.to_str().unwrap(),
            "--seed",
            "7",
            "--device",
            device,
            "--verify",
        ]);
        for part in
            ["Tiny", "xavier_normal", "ones", "zeros", "agree with theory", &expected.to_string()]
        {
            assert!(text.contains(part), "{text} lacks {part}");
        }
    }
}

#[test]
fn model_refuses_bad_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.json");
    let file = path.to_str().unwrap();
    for (content, part) in [
        ("", "EOF"),
        ("{", "EOF"),
        ("[1]", "object of tensors"),
        ("{}", "no tensors"),
        (r#"{"a": {"dtype": "F32"}}"#, "missing field `shape`"),
        (r#"{"a": {"dtype": "F32", "shape": "x"}}"#, "tensor \"a\""),
        (r#"{"a": {"dtype": "F32", "shape": [-1]}}"#, "tensor \"a\""),
        (
            r#"{"a": {"dtype": "I64", "shape": [2, 2]}}"#,
            "\"a\" is to be kept, and a tensor list has no bytes; name a checkpoint as SOURCE",
        ),
        (
            r#"{"a": {"dtype": "C64", "shape": [1]}}"#,
            "C64 cannot be filled; give it a rule with init = \"keep\"",
        ),
        (r#"{"a\n": {"dtype": "F32", "shape": [1]}}"#, "control character"),
        (r#"{"a": {"dtype": "F32", "shape": [3, 0]}}"#, "size 0"),
        (r#"{"a": {"dtype": "F32", "shape": [4294967296, 4294967296, 4]}}"#, "overflows"),
        (
            r#"{"a": {"dtype": "F32", "shape": [4611686018427387]}, "b": {"dtype": "F32", "shape": [2, 2]}}"#,
            "bytes",
        ),
        (
            r#"{"a": {"dtype": "F32", "shape": [2]}, "a": {"dtype": "F32", "shape": [2]}}"#,
            "comes twice",
        ),
        ("\u{0}\u{1}", "expected value"),
    ] {
        fs::write(&path, content).unwrap();
        complains(&["model", file, "--device", "cpu"], &[part]);
    }
    fs::write(&path, [0xff, 0xfe, 0x00]).unwrap();
    complains(&["model", file], &["model.json"]);
    complains(&["model", "tests/nothing.json"], &["tests/nothing.json"]);
    complains(&["model", folder.path().to_str().unwrap()], &["cannot read"]);
}

#[test]
fn a_closed_pipe_is_no_panic() {
    // Without a count a reader that stops is no error; a report that is cut short is one.
    for (args, success) in [
        (&["bits"][..], true),
        (&["bits", "--values", "normal", "--names", "9"], true),
        (&["bits", "--count", "100000000"], false),
        (&["shader"], false),
        (&["fill", "--shape", "64x64", "--device", "cpu"], false),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command(args).stdout(writer).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(if success { 0 } else { 1 }), "{args:?}: {errors}");
        assert_eq!(errors.contains("standard output"), !success, "{args:?}: {errors}");
        assert!(!errors.contains("panicked"), "{errors}");
    }
}

/// Software adapters are listed as such, and taken by name alone: the CPU path has the same bits
/// sooner.
#[test]
fn auto_takes_a_gpu_or_the_cpu() {
    let listed = json(&["devices", "--json"]);
    let adapters = listed["adapters"].as_array().unwrap();
    assert_eq!(adapters.is_empty(), devices().len() == 1);
    let text = succeed(&["devices"]);
    let because = listed["auto_because"].as_str().unwrap();
    assert_eq!(text.matches("<- auto: ").count(), 1, "{text}");
    assert!(text.contains(&format!("<- auto: {because}")), "{text} lacks {because}");
    for (i, adapter) in adapters.iter().enumerate() {
        let name = adapter["name"].as_str().unwrap();
        assert!(adapter["max_buffer_size"].as_u64() > Some(0) && text.contains(name), "{text}");
        assert_eq!(adapter["software"], adapter["type"] == "Cpu");
        assert_eq!(
            text.contains(&format!("software: taken by --device {i}")),
            adapter["software"] == true,
            "{text}"
        );
        let report = json(&["fill", "--shape", "8x8", "--device", &i.to_string(), "--json"]);
        assert!(report["device"].as_str().unwrap().contains(name));
    }
    let name = match listed["auto"].as_u64() {
        Some(auto) => {
            assert_eq!(adapters[auto as usize]["software"], false);
            adapters[auto as usize]["name"].as_str().unwrap()
        }
        None => {
            assert!(
                listed["auto"] == "cpu"
                    && adapters.iter().all(|adapter| adapter["software"] == true),
                "{listed}"
            );
            "cpu"
        }
    };
    // By default, by name, and as one of several processes.
    for launcher in [&[][..], &[("RANK", "0"), ("WORLD_SIZE", "2"), ("LOCAL_RANK", "0")]] {
        for device in [&[][..], &["--device", "auto"]] {
            let model =
                command(&[&["model", "../tests/models/resnet-50.json", "--json"], device].concat())
                    .envs(launcher.iter().copied())
                    .output()
                    .unwrap();
            assert!(model.status.success() && model.stderr.is_empty(), "{model:?}");
            let report: Value = serde_json::from_slice(&model.stdout).unwrap();
            assert!(report["device"].as_str().unwrap().contains(name), "{report}");
        }
    }
    let text = succeed(&["fill", "--shape", "8x8"]);
    assert_eq!(text.contains("cpu, for there is no GPU"), name == "cpu", "{text}");
}

/// `gpu` is an adapter of any kind, for each of several processes, too.
#[test]
fn gpu_takes_any_adapter() {
    if devices().len() == 1 {
        return;
    }
    for launcher in [&[][..], &[("RANK", "1"), ("WORLD_SIZE", "2"), ("LOCAL_RANK", "1")]] {
        let args = ["model", "../tests/models/resnet-50.json", "--device", "gpu", "--json"];
        let model = command(&args).envs(launcher.iter().copied()).output().unwrap();
        assert!(model.status.success(), "{model:?}");
        let report: Value = serde_json::from_slice(&model.stdout).unwrap();
        assert_ne!(report["device"], "cpu");
    }
    assert!(!succeed(&["fill", "--shape", "8x8", "--device", "gpu"]).contains("there is no GPU"));
}

/// A machine without adapters: `auto` is the CPU and gives the same weights, `gpu` is an error.
#[test]
#[cfg(target_os = "linux")]
fn without_an_adapter_auto_is_the_cpu() {
    let without = |args: &[&str]| {
        command(args)
            .env("VK_DRIVER_FILES", "/nowhere.json")
            .env("VK_ICD_FILENAMES", "/nowhere.json")
            .output()
            .unwrap()
    };
    let output = without(&["fill", "--shape", "8x8", "--json"]);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["device"], "cpu");
    assert_eq!(
        report["fingerprint"],
        json(&["fill", "--shape", "8x8", "--device", "cpu", "--json"])["fingerprint"]
    );
    for device in ["0", "gpu"] {
        let output = without(&["fill", "--shape", "8x8", "--device", device]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(1) && errors.contains("no GPU adapter was found"),
            "{device}: {errors}"
        );
    }
    let output = without(&["devices"]);
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("<- auto: there is no adapter"),
        "{output:?}"
    );
}

/// Containers have no XDG_RUNTIME_DIR, and Mesa's layer that looks for a desktop there says so on
/// standard error.
#[test]
#[cfg(target_os = "linux")]
fn drivers_are_quiet_without_a_desktop() {
    for device in devices() {
        for args in [&["devices"][..], &["fill", "--shape", "8x8", "--device", device]] {
            for folder in [None, Some(""), Some("relative")] {
                let mut command = command(args);
                command
                    .env_remove("XDG_RUNTIME_DIR")
                    .envs(folder.map(|folder| ("XDG_RUNTIME_DIR", folder)));
                let output = command.output().unwrap();
                let errors = String::from_utf8_lossy(&output.stderr);
                assert!(
                    output.status.success() && errors.is_empty(),
                    "{args:?}, {folder:?}: {errors}"
                );
            }
        }
    }
}

#[test]
fn shaders_are_printed_whole() {
    let fill = succeed(&["shader"]);
    assert_eq!(fill, gpu_init::shader::fill(WideMul::Limbs, FpGuard::NoReassociation));
    assert!(succeed(&["shader", "fill", "--wide-mul", "int64"]).contains("u64"));
    let reduce = succeed(&["shader", "reduce", "--fp-guard", "none"]);
    assert!(reduce.contains("fn fingerprint(") && reduce.contains("fn summary("));
}

#[test]
fn help_and_version() {
    assert!(succeed(&["--version"]).contains(env!("CARGO_PKG_VERSION")));
    for name in ["devices", "fill", "model", "recipe", "verify", "bits", "shader"] {
        assert!(succeed(&["--help"]).contains(name));
        assert!(succeed(&[name, "--help"]).contains("Usage"));
    }
}
