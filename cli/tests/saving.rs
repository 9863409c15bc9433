//! Where `--out` writes: one process at a time, nothing lost by a kill, and refused early where it
//! cannot.

#[path = "common/program.rs"]
mod program;
#[cfg(unix)]
#[path = "common/signals.rs"]
mod signals;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use program::{command, complains, json, run, succeed};
use serde_json::Value;
#[cfg(unix)]
use signals::signal;

/// A folder with lists of a small model and of one that takes a second to write, and the path of
/// anything in it.
struct Setup(tempfile::TempDir);

impl Setup {
    fn new() -> Self {
        let setup = Setup(tempfile::tempdir().unwrap());
        let tensor = |i: usize| format!(r#""w{i}": {{"dtype": "F32", "shape": [100, 100]}}"#);
        let small: Vec<_> = (0..6).map(tensor).collect();
        fs::write(setup.path("small.json"), format!("{{{}}}", small.join(","))).unwrap();
        fs::write(setup.path("large.json"), r#"{"w": {"dtype": "F32", "shape": [150000000]}}"#)
            .unwrap();
        setup
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Arguments that save one of the models.
    fn model(&self, list: &str, out: &str, extra: &str) -> Vec<String> {
        let all =
            format!("model {} --device cpu --out {} {extra}", self.path(list), self.path(out));
        all.split_whitespace().map(str::to_owned).collect()
    }

    fn save(&self, out: &str, extra: &str) -> Value {
        json(&strs(&self.model("small.json", out, &format!("{extra} --json"))))
    }

    /// A process that has begun to write the large model, and is stopped in that.
    #[cfg(unix)]
    fn begun(&self, folder: &str, out: &str) -> std::process::Child {
        let args = self.model("large.json", out, "--force");
        let mut child =
            command(&strs(&args)).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let grows = || {
            // The folder may not be there yet.
            let mut entries = fs::read_dir(self.path(folder)).into_iter().flatten().flatten();
            entries.any(|entry| {
                let name = entry.file_name().into_string().unwrap();
                name.ends_with(".incomplete")
                    && entry.metadata().is_ok_and(|metadata| metadata.len() > 0)
            })
        };
        while !grows() {
            assert!(child.try_wait().unwrap().is_none(), "it ended before it wrote");
            sleep(Duration::from_millis(1));
        }
        signal(&child, "-STOP");
        assert!(grows(), "it ended before it was stopped");
        child
    }
}

fn strs(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

/// Seed and fingerprint of the one model that a reader finds who looks for the file `first`, then
/// for the other one, and knows of shards what the index says. Panics if that is not one whole
/// model.
fn loaded(folder: &Path, first: &str) -> (String, String) {
    const FILES: [&str; 2] = ["model.safetensors", "model.safetensors.index.json"];
    let order = [first, if first == FILES[0] { FILES[1] } else { FILES[0] }];
    let name = order
        .into_iter()
        .find(|name| folder.join(name).exists())
        .expect("there is neither file nor index");
    let mut shards = BTreeSet::from([name.to_owned()]);
    if name == FILES[1] {
        let index: Value = serde_json::from_slice(&fs::read(folder.join(name)).unwrap()).unwrap();
        let map = index["weight_map"].as_object().unwrap();
        shards = map.values().map(|file| file.as_str().unwrap().to_owned()).collect();
    }
    let (mut models, mut tensors) = (BTreeSet::new(), 0);
    for shard in shards {
        let bytes =
            fs::read(folder.join(&shard)).unwrap_or_else(|error| panic!("{shard}: {error}"));
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = header.metadata().as_ref().unwrap();
        models.insert((metadata["seed"].clone(), metadata["fingerprint"].clone()));
        tensors += safetensors::SafeTensors::deserialize(&bytes).unwrap().len();
    }
    assert_eq!(
        (models.len(), tensors),
        (1, 6),
        "shards are of several models, or some are missing: {models:?}"
    );
    models.into_iter().next().unwrap()
}

/// Processes that replace a model at the same time: one does, the others are refused, and nothing
/// is mixed. Whether they meet depends on the machine; in the tests below they do.
#[test]
fn one_process_at_a_time_writes_a_model() {
    let setup = Setup::new();
    let folder = setup.0.path().join("out");
    for round in 0..8 {
        let start = |i: usize| {
            let size = ["50KB", "100KB", "1GB"][(round + i) % 3];
            let extra = format!("--force --max-shard-size {size} --seed {}", 10 * round + i);
            let args = setup.model("small.json", "out", &extra);
            command(&strs(&args)).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let children: Vec<_> = (0..3).map(start).collect();
        let outputs: Vec<_> =
            children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
        assert!(outputs.iter().any(|output| output.status.success()), "{outputs:?}");
        for output in outputs.iter().filter(|output| !output.status.success()) {
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(
                errors.contains("another process writes") && errors.contains("wait until"),
                "{errors}"
            );
        }
        let models = ["model.safetensors", "model.safetensors.index.json"]
            .map(|first| loaded(&folder, first));
        assert_eq!(models[0], models[1]);
        assert_eq!(json(&["verify", folder.to_str().unwrap(), "--json"])["matches_rules"], true);
        assert!(
            !setup
                .names("out")
                .iter()
                .any(|name| name.contains("incomplete") || name.contains("-v"))
        );
    }
}

/// Ranks of one model are no strangers to one another, even if they run at the same time.
#[test]
fn ranks_of_one_model_write_together() {
    let setup = Setup::new();
    let start = |rank: usize| {
        let args = setup.model("small.json", "ranks", &format!("--rank {rank} --world-size 4"));
        command(&strs(&args)).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = (0..4).map(start).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    assert_eq!(json(&["verify", &setup.path("ranks"), "--json"])["files"], 4);
    // Every rank sees that another number of ranks wrote there, and rank 0 replaces their files.
    for rank in 0..3 {
        let args = setup.model("small.json", "ranks", &format!("--rank {rank} --world-size 3"));
        complains(
            &strs(&args),
            &["of-00004.safetensors exists, and this is a model of 3 processes"],
        );
    }
    for rank in [1, 2, 0] {
        setup.save("ranks", &format!("--rank {rank} --world-size 3 --force"));
    }
    assert_eq!(json(&["verify", &setup.path("ranks"), "--json"])["files"], 3);
    assert_eq!(setup.names("ranks").len(), 4, "three files and the list");
}

/// While a process writes, others are refused the destination that it claims, and only that one.
#[test]
#[cfg(unix)]
fn a_claim_is_held_until_its_process_ends() {
    let setup = Setup::new();
    fs::create_dir(setup.path("out")).unwrap();
    let mut child = setup.begun("out", "out/model.safetensors");
    for out in
        ["out/model.safetensors", "out/../out/./model.safetensors", "out --max-shard-size 1GB"]
    {
        complains(
            &strs(&setup.model("small.json", out, "--force")),
            &["another process writes", "model.safetensors."],
        );
    }
    setup.save("out/other.safetensors", "");
    succeed(&["fill", "--shape", "3x3", "--device", "cpu", "--out", &setup.path("out/w.npy")]);
    // A kill leaves a temporary file, which only the next process with the same destination
    // removes.
    child.kill().unwrap();
    child.wait().unwrap();
    let left = |names: &[String]| names.iter().filter(|name| name.ends_with(".incomplete")).count();
    assert_eq!(left(&setup.names("out")), 2, "the claim and what was written");
    setup.save("out/third.safetensors", "");
    assert_eq!(left(&setup.names("out")), 2);
    fs::write(setup.path("out/model.safetensors.notours.incomplete"), "").unwrap();
    setup.save("out/model.safetensors", "");
    let names = setup.names("out");
    assert_eq!(
        names.iter().map(String::as_str).collect::<Vec<_>>(),
        [
            "model.safetensors",
            "model.safetensors.notours.incomplete",
            "other.safetensors",
            "third.safetensors",
            "w.npy"
        ]
    );
}

/// Ranks of two models do not come to lie beside each other, for one of them is refused while the
/// other is written.
#[test]
#[cfg(unix)]
fn ranks_of_two_models_do_not_write_together() {
    let setup = Setup::new();
    let mut child = setup.begun("ranks", "ranks --rank 0 --world-size 2 --seed 1");
    let rank = |extra: &str| {
        let args =
            setup.model("large.json", "ranks", &format!("--rank 1 --world-size 2 --force {extra}"));
        run(&strs(&args))
    };
    let list = setup.model("small.json", "ranks", "--rank 1 --world-size 2 --force --seed 1");
    fs::write(setup.path("r.toml"), "default = 'normal'").unwrap();
    let rules = format!("--seed 1 --rules {}", setup.path("r.toml"));
    for refused in [rank("--seed 2"), rank(&rules), rank("--seed 1 --dtype f16"), run(&strs(&list))]
    {
        let errors = String::from_utf8_lossy(&refused.stderr);
        let part = "a rank of a model of another seed, rules or shapes; wait until it has ended";
        assert!(
            !refused.status.success() && errors.contains(part) && errors.lines().count() == 1,
            "{errors}"
        );
    }
    let together = rank("--seed 1");
    assert!(together.status.success(), "{together:?}");
    signal(&child, "-CONT");
    assert!(child.wait().unwrap().success());
    assert_eq!(setup.names("ranks").len(), 3, "two files and the list");
    assert_eq!(json(&["verify", &setup.path("ranks"), "--json"])["agrees"], true);
}

/// A signal leaves neither files nor the folder that was made for them.
#[test]
#[cfg(unix)]
fn a_signal_leaves_no_folder() {
    let setup = Setup::new();
    for (name, code) in [("-TERM", 143), ("-INT", 130)] {
        for out in ["new --max-shard-size 1GB", "new --rank 0 --world-size 2"] {
            let mut child = setup.begun("new", out);
            signal(&child, name);
            signal(&child, "-CONT");
            assert_eq!(child.wait().unwrap().code(), Some(code));
            assert!(!Path::new(&setup.path("new")).exists(), "{out}");
        }
    }
    // Of kills before: beside the folder, and rank 0's list in it.
    let left = setup.path("new.aB3xYz.incomplete");
    fs::write(&left, "").unwrap();
    setup.save("new", "--rank 1 --world-size 2");
    let list = setup.path("new/model.slices.json.aB3xYz.incomplete");
    fs::write(&list, "").unwrap();
    setup.save("new", "--rank 0 --world-size 2");
    assert!(!fs::exists(left).unwrap() && !fs::exists(list).unwrap());
}

/// Killed at any moment, a process that replaces a model leaves the old one or the new one.
#[test]
#[cfg(unix)]
fn a_kill_leaves_the_old_model_or_the_new_one() {
    let setup = Setup::new();
    let folder = setup.0.path().join("out");
    setup.save("out", "--max-shard-size 50KB --seed 0");
    let start = Instant::now();
    let mut seed = 0;
    while start.elapsed() < Duration::from_secs(10) {
        seed += 1;
        let size = ["50KB", "50KB", "100KB", "1GB"][seed % 4];
        let args = setup.model(
            "small.json",
            "out",
            &format!("--force --max-shard-size {size} --seed {seed}"),
        );
        let mut child =
            command(&strs(&args)).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        sleep(Duration::from_micros(500 * (seed as u64 * 37 % 101)));
        child.kill().unwrap();
        child.wait().unwrap();
        for first in ["model.safetensors", "model.safetensors.index.json"] {
            loaded(&folder, first);
        }
    }
    assert!(seed > 20, "{seed} kills are few");
    setup.save("out", "--force --max-shard-size 50KB --seed 1");
    let shards = (1..=6).map(|i| format!("model-{i:05}-of-00006.safetensors"));
    assert_eq!(
        setup.names("out"),
        shards.chain(["model.safetensors.index.json".to_owned()]).collect::<Vec<_>>()
    );
    assert_eq!(loaded(&folder, "model.safetensors").0, "1");
}

#[test]
#[cfg(unix)]
fn a_file_that_is_replaced_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt;
    let setup = Setup::new();
    let mode = |name: &str| fs::metadata(setup.path(name)).unwrap().permissions().mode() & 0o7777;
    let set = |name: &str, mode| {
        fs::set_permissions(setup.path(name), PermissionsExt::from_mode(mode)).unwrap()
    };
    let npy = setup.path("w.npy");
    let fill = ["fill", "--shape", "3x3", "--device", "cpu", "--out", &npy, "--force"];
    for expected in [0o600, 0o640, 0o444] {
        succeed(&fill);
        set("w.npy", expected);
        succeed(&fill);
        setup.save("m.safetensors", "--force");
        set("m.safetensors", expected);
        setup.save("m.safetensors", "--force --seed 1");
        assert_eq!((mode("w.npy"), mode("m.safetensors")), (expected, expected));
        setup.save("shards", "--force --max-shard-size 100KB");
        let names = setup.names("shards");
        names.iter().for_each(|name| set(&format!("shards/{name}"), expected));
        setup.save("shards", "--force --max-shard-size 100KB --seed 1");
        assert_eq!(setup.names("shards"), names);
        assert!(
            names.iter().all(|name| mode(&format!("shards/{name}")) == expected),
            "{expected:o}"
        );
    }
}

/// The last folder of a path is made, its parents are not, and a path that can only be a folder is
/// no file.
#[test]
fn folders_are_made_or_refused_before_anything_is_computed() {
    let setup = Setup::new();
    let refuse = |out: &str, extra: &str, part: &str| {
        complains(&strs(&setup.model("small.json", out, extra)), &[part]);
    };
    setup.save("one", "--max-shard-size 1GB");
    setup.save("two/", "--max-shard-size 50KB");
    setup.save("ranks/", "--rank 0 --world-size 2");
    assert_eq!(
        [setup.names("one").len(), setup.names("two").len(), setup.names("ranks").len()],
        [1, 7, 2]
    );
    for extra in ["--max-shard-size 1GB", "--rank 0 --world-size 2"] {
        refuse("no/such", extra, "there is no folder");
        refuse("small.json", extra, "it is not a folder");
        refuse("new.safetensors", extra, "there is no such folder; make it first, or name one");
    }
    for out in ["new/", "new/.", "new/..", "one/new/"] {
        refuse(out, "", "a folder; name a file");
    }
    refuse("new/", "", "new/model.safetensors, or pass --max-shard-size");
    for out in ["new/", "one/", "new/."] {
        complains(
            &["fill", "--shape", "3x3", "--device", "cpu", "--out", &setup.path(out)],
            &["folder; name a file, such as", "weights.npy"],
        );
    }
    // What fails after the folder was made does not leave it.
    fs::write(
        setup.path("huge.json"),
        r#"{"w": {"dtype": "F32", "shape": [1000000000, 1000000]}}"#,
    )
    .unwrap();
    complains(
        &strs(&setup.model("huge.json", "new", "--max-shard-size 1GB")),
        &["are free; free some space"],
    );
    assert!(!Path::new(&setup.path("new")).exists() && !Path::new(&setup.path("no")).exists());
}

#[test]
fn files_of_another_format_are_refused_with_what_to_type() {
    let setup = Setup::new();
    for (out, part) in [
        ("foo.npy", "foo.safetensors, or `gpu-init fill` for one tensor"),
        ("foo.bin", "`gpu-init model` writes .safetensors; pass --out"),
        ("foo.GGUF", "foo.safetensors"),
    ] {
        complains(&strs(&setup.model("small.json", out, "")), &[part]);
    }
    for out in ["foo.safetensors", "foo.pt"] {
        complains(
            &["fill", "--shape", "3x3", "--device", "cpu", "--out", &setup.path(out)],
            &["`gpu-init fill` writes .npy; pass --out", "foo.npy"],
        );
    }
    setup.save("llama-3.2", "");
}

/// A dry run says what the run would say of `--out` and `--device`, and leaves nothing.
#[test]
fn a_dry_run_checks_where_it_would_go() {
    let setup = Setup::new();
    let before = setup.names("");
    let dry = |out: &str, extra: &str| {
        let args = setup.model("small.json", out, &format!("--dry-run {extra}"));
        run(&strs(&args))
    };
    for (out, extra, part) in [
        ("no/m.safetensors", "", "there is no folder"),
        ("new/", "", "it names a folder"),
        ("m.npy", "", "`gpu-init model` writes .safetensors"),
        ("small.json", "", "exists; name another file"),
        ("no/such", "--max-shard-size 1GB", "there is no folder"),
        (
            "out",
            "--max-shard-size 1GB --rank 0 --world-size 2",
            "--max-shard-size is for one process",
        ),
    ] {
        let output = dry(out, extra);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && errors.contains(part) && errors.lines().count() == 1,
            "{out}: {errors}"
        );
        assert!(output.stdout.is_empty(), "{out}");
    }
    for (out, extra) in
        [("m.safetensors", ""), ("new", "--max-shard-size 1GB"), ("new", "--rank 0 --world-size 2")]
    {
        assert!(dry(out, extra).status.success(), "{out} {extra}");
    }
    // On a machine without adapters any number may be one of the machine that the work is for.
    if !json(&["devices", "--json"])["adapters"].as_array().unwrap().is_empty() {
        complains(
            &["model", &setup.path("small.json"), "--dry-run", "--device", "12345"],
            &["there is no adapter 12345", "gpu-init devices"],
        );
    }
    assert_eq!(setup.names(""), before);
}

/// Each of several processes writes one file.
#[test]
fn shards_of_ranks_are_refused() {
    let setup = Setup::new();
    let args = setup.model("small.json", "out", "--max-shard-size 1GB");
    complains(
        &[&strs(&args)[..], &["--rank", "0", "--world-size", "2"]].concat(),
        &["--rank says 2", "leave it out"],
    );
    let output = command(&strs(&args)).envs([("RANK", "0"), ("WORLD_SIZE", "2")]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("torchrun says 2"), "{output:?}");
    // One of one is no part.
    succeed(&[&strs(&args)[..], &["--rank", "0", "--world-size", "1"]].concat());
}
