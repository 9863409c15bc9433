//! Signals, memory, threads and numbers beyond what there is: ended cleanly, or refused in one
//! line.

#[path = "common/program.rs"]
mod program;

use std::fs;

use program::{command, complains, complaint, json, succeed};

/// The program in a shell that limits it first.
#[cfg(target_os = "linux")]
fn limited(limits: &str, args: &[&str]) -> std::process::Output {
    let program = command(args);
    let mut shell = std::process::Command::new("sh");
    shell
        .args(["-c", &format!("{limits}; exec \"$0\" \"$@\"")])
        .arg(program.get_program())
        .args(program.get_args());
    shell.output().unwrap()
}

#[cfg(target_os = "linux")]
fn one_line(output: &std::process::Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{:?}: {errors}", output.status);
    assert!(errors.lines().count() == 1 && errors.starts_with("gpu-init: error: "), "{errors}");
    errors
}

/// A fill under way, seen from outside.
#[cfg(unix)]
struct Running<'a> {
    child: std::process::Child,
    folder: &'a std::path::Path,
}

#[cfg(unix)]
impl Running<'_> {
    const BYTES: u64 = 4 * 4000 * 20_000;

    /// How many temporary files there are, the claim being the first, and how many bytes they have.
    fn written(&self) -> (usize, u64) {
        let entries = fs::read_dir(self.folder).unwrap().flatten();
        let temporaries =
            entries.filter(|entry| entry.file_name().to_str().unwrap().ends_with(".incomplete"));
        let sizes: Vec<u64> =
            temporaries.filter_map(|entry| Some(entry.metadata().ok()?.len())).collect();
        (sizes.len(), sizes.iter().sum())
    }

    /// Bytes of memory that it has touched; Linux tells.
    fn resident(&self) -> u64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10)
    }

    fn is(&self, phase: &str) -> bool {
        let (files, bytes) = self.written();
        match phase {
            "claimed" => files > 0,
            "filling" => {
                files == 1 && (Self::BYTES / 10..Self::BYTES / 2).contains(&self.resident())
            }
            // All of the tensor is there, and its file not yet.
            "statistics" => files == 1 && self.resident() >= Self::BYTES,
            "saving" => files == 2 && bytes > 0,
            _ => panic!("{phase}"),
        }
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        std::process::Command::new("kill")
            .args([signal, &id])
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap();
    }
}

/// Whatever a fill does when a signal comes, from its claim on, it ends, says so once and leaves no
/// file.
#[test]
#[cfg(unix)]
fn signals_end_a_fill_in_every_phase() {
    use std::process::Stdio;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("w.npy").to_str().unwrap().to_owned();
    let args = ["fill", "--shape", "4000x20000", "--device", "cpu", "--out", &out];
    // Whether it was in that phase when the signal came, and interrupted.
    let hit = |phase: &str, signal: &str, code: i32| {
        let child = command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut running = Running { child, folder: folder.path() };
        while !running.is(phase) && running.child.try_wait().unwrap().is_none() {}
        // While it is stopped the phase does not end.
        running.signal("-STOP");
        let hit = running.is(phase);
        running.signal(signal);
        running.signal("-CONT");
        let output = running.child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            fs::remove_file(&out).unwrap();
            return false;
        }
        assert_eq!(output.status.code(), Some(code), "{signal} while {phase}: {errors}");
        assert!(
            errors.contains("interrupted")
                && errors.lines().count() == 1
                && output.stdout.is_empty(),
            "{errors}"
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{signal} while {phase}");
        hit
    };
    let phases: &[&str] = if cfg!(target_os = "linux") {
        &["claimed", "filling", "statistics", "saving"]
    } else {
        &["claimed", "saving"]
    };
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        for phase in phases {
            assert!((0..50).any(|_| hit(phase, signal, code)), "{signal} never came while {phase}");
        }
    }
}

/// Memory that cannot be had is an error on every way, and nothing is left. Under 32 MiB the program
/// itself hardly fits, which has 16.
#[test]
#[cfg(target_os = "linux")]
fn too_little_memory_is_no_abort() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (list, orthogonal, model, npy) =
        (path("l.json"), path("o.toml"), path("m.safetensors"), path("w.npy"));
    fs::write(&list, r#"{"w": {"dtype": "F32", "shape": [2000, 20000]}}"#).unwrap();
    fs::write(&orthogonal, "default = 'orthogonal'").unwrap();
    let save = ["model", &list, "--device", "cpu", "--out", &model];
    let whole = [&save[..], &["--rules", &orthogonal]].concat();
    let fill = ["fill", "--shape", "2000x20000", "--device", "cpu", "--out", &npy];
    let mut refused = 0;
    for args in [&save[..], &whole, &fill] {
        for megabytes in (32..240).step_by(8) {
            let output = limited(&format!("ulimit -v {}", megabytes << 10), args);
            // Where not even the program fits, the system says so.
            if output.status.code() == Some(127) || output.status.code() == Some(126) {
                continue;
            }
            if !output.status.success() {
                let line = one_line(&output);
                assert!(
                    line.contains("of host memory") || line.contains("ulimit -u"),
                    "{megabytes} MiB: {line}"
                );
                refused += 1;
            }
            let left = |name: &str| {
                name.ends_with(".incomplete") || !output.status.success() && name.ends_with(".npy")
            };
            for entry in fs::read_dir(folder.path()).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                assert!(!left(&name), "{megabytes} MiB leave {name}");
            }
            let _ = (fs::remove_file(&model), fs::remove_file(&npy));
        }
    }
    assert!(refused > 3, "{refused}");
}

/// What the machine has not is refused before work begins, with both sizes and what to do.
#[test]
fn memory_is_checked_before_work() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("l.json").to_str().unwrap().to_owned();
    fs::write(&list, r#"{"w": {"dtype": "F32", "shape": [100000000, 100000]}}"#).unwrap();
    for (args, part) in [
        (&["model", &list, "--device", "cpu"][..], "pass --out, which streams tensor by tensor"),
        (&["fill", "--shape", "100000000x100000", "--device", "cpu"], "`gpu-init model --out`"),
    ] {
        let line = complaint(args);
        for part in
            ["40000000000000 bytes of host memory are needed (36.38 TiB), and ", "are there", part]
        {
            assert!(line.contains(part), "{line} lacks {part}");
        }
    }
}

/// Threads that cannot be had are fewer threads, and the same weights.
#[test]
#[cfg(target_os = "linux")]
fn fewer_threads_make_the_same_weights() {
    let fill = ["fill", "--shape", "700x700", "--device", "cpu", "--json"];
    let expected = json(&fill)["fingerprint"].clone();
    for threads in ["0", "1", "2", "100000", "-1", "many", "", "99999999999999999999"] {
        let output = command(&fill).env("RAYON_NUM_THREADS", threads).output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&report["fingerprint"], output.stderr.len()), (&expected, 0), "{threads}");
    }
    // Root has no such limit, so somebody else runs a copy that is his to read.
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("gpu-init");
    fs::copy(env!("CARGO_BIN_EXE_gpu-init"), &program).unwrap();
    let public = |path: &std::path::Path| {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    };
    [folder.path(), &program].into_iter().for_each(public);
    let list = folder.path().join("l.json").to_str().unwrap().to_owned();
    let out = folder.path().join("m.safetensors").to_str().unwrap().to_owned();
    fs::write(&list, r#"{"w": {"dtype": "F32", "shape": [300, 300]}}"#).unwrap();
    let alone = |args: &[&str]| {
        let script = "if [ $(id -u) = 0 ]; then set -- setpriv --reuid 65534 --clear-groups prlimit --nproc=1:1 \"$@\"; \
                      else set -- prlimit --nproc=1:1 \"$@\"; fi; exec \"$@\"";
        std::process::Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(&program)
            .args(args)
            .output()
            .unwrap()
    };
    let output = alone(&fill);
    let report: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!((&report["fingerprint"], output.stderr.len()), (&expected, 0));
    let line = one_line(&alone(&["model", &list, "--device", "cpu", "--out", &out]));
    assert!(
        line.contains("cannot start the thread that writes; allow more threads (ulimit -u)"),
        "{line}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no file is left");
}

/// Tables show a beginning and an end of what is too long for them; JSON has all of it.
#[test]
fn long_names_and_shapes_are_shortened() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (list, rules, model) = (path("l.json"), path("r.toml"), path("m.safetensors"));
    let name = format!("first.{}.last", "x".repeat(70_000));
    let (other, dims) = ("ö".repeat(66_000), vec![1; 30_000]);
    let tensors = serde_json::json!({
        (&name): { "dtype": "F32", "shape": [3] }, "t": { "dtype": "F32", "shape": dims }, (&other): { "dtype": "F32", "shape": [3] },
    });
    fs::write(&list, tensors.to_string()).unwrap();
    fs::write(&rules, format!("default = 'normal'\ntied = [['{name}', '{other}']]")).unwrap();
    let args = ["model", &list, "--rules", &rules, "--device", "cpu"];
    let check = |table: &str| {
        assert!(table.lines().all(|line| line.chars().count() < 600), "a line is too long");
        for part in ["first.xxx", "…", "xxx.last", "[1, 1, 1"] {
            assert!(table.contains(part), "{table} lacks {part}");
        }
    };
    let table = succeed(&[&args[..], &["--dry-run"]].concat());
    check(&table);
    assert!(table.contains("tied to first.xxx"));
    let report = json(&[&args[..], &["--dry-run", "--json"]].concat());
    assert_eq!(
        (&report["plan"][0]["name"], &report["plan"][0]["aliases"][0]),
        (&name.into(), &other.into())
    );
    assert_eq!(report["plan"][1]["shape"].as_array().unwrap().len(), 30_000);
    succeed(&[&args[..], &["--out", &model]].concat());
    check(&succeed(&["verify", &model, "--verbose"]));
}

/// Far more processes than there are anywhere are refused at once; the most that are allowed are no
/// work for rank 0.
#[test]
fn the_number_of_processes_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out").to_str().unwrap().to_owned();
    let args = |rank, size| {
        [
            "model",
            "../tests/models/gpt2.json",
            "--device",
            "cpu",
            "--rank",
            rank,
            "--world-size",
            size,
        ]
    };
    for size in ["100001", "1000000000", "18446744073709551615"] {
        for rank in ["0", "99"] {
            complains(
                &args(rank, size),
                &[&format!("--world-size is {size}; a model is made by at most 100000")],
            );
        }
    }
    succeed(&[&args("0", "100000")[..], &["--out", &out]].concat());
    let list: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.path().join("out/model.slices.json")).unwrap())
            .unwrap();
    let tensor =
        serde_json::json!({ "dtype": "F32", "shape": [50257, 768], "dim": 0, "slice_len": 1 });
    assert_eq!(list["tensors"]["transformer.wte.weight"], tensor);
}

/// A launcher that set half of what says which process this is.
#[test]
fn half_a_launcher_is_a_warning() {
    let args = ["model", "../tests/models/resnet-50.json", "--dry-run", "--json"];
    for (set, missing) in [("RANK", "WORLD_SIZE"), ("PMI_SIZE", "PMI_RANK")] {
        let output = command(&args).env(set, "1").env_remove(missing).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        let expected = format!(
            "gpu-init: warning: {set} is set and {missing} is not, so this process makes the whole model"
        );
        assert!(
            output.status.success() && errors.starts_with(&expected) && errors.lines().count() == 1,
            "{errors}"
        );
    }
    let output = command(&args).envs([("RANK", "1"), ("WORLD_SIZE", "2")]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
