//! Whole models in files, as the program's users save, read and verify them.

#[path = "../../tests/common/gpu.rs"]
mod gpu;
#[path = "common/program.rs"]
mod program;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use gpu_init::{Cpu, DType, Fingerprint, Initializer, TensorSpec};
use program::{command, complains, complaint, json, run, succeed};
use safetensors::SafeTensors;
use serde_json::{Value, json as object};

/// What each file of `tests/corpus` is refused with: of the file, the list or the folder that its
/// name says.
const CORPUS: [(&str, &str); 60] = [
    ("data-after-the-last.safetensors", "4 bytes after the last tensor belong to no tensor"),
    ("data-cut-off.safetensors", "tensor \"w\": its data at 0..8 is not in the file, which has 7"),
    ("dtype-ends-within-byte.safetensors", "shape [1] of F4 ends within a byte"),
    ("dtype-complex.safetensors", "tensor \"bn1.num_batches_tracked\": C64 cannot be filled"),
    ("dtype-lower-case.safetensors", "tensor \"w\": unknown dtype \"f32\"; use F32"),
    ("dtype-unknown.safetensors", "tensor \"w\": unknown dtype \"Q7\"; use F32"),
    ("duplicate-metadata.safetensors", "__metadata__: the name \"seed\" comes twice"),
    ("duplicate-name.safetensors", "the name \"w\" comes twice"),
    ("empty.safetensors", "it has 0 bytes"),
    ("header-beyond-file.safetensors", "4096 bytes, and the file has 56"),
    ("header-beyond-limit.safetensors", "100000001 bytes, and safetensors allows 100000000"),
    ("header-cut-off.safetensors", "tensor \"w\": EOF"),
    ("header-empty.safetensors", "not a safetensors header: EOF"),
    ("header-length-maximal.safetensors", "18446744073709551615 bytes, and safetensors allows"),
    ("header-nested.safetensors", "tensor \"w\": invalid type: sequence"),
    ("header-no-json.safetensors", "not a safetensors header: expected value"),
    ("header-no-object.safetensors", "expected an object of tensors"),
    ("header-no-text.safetensors", "not UTF-8 text"),
    ("index-empty", "lists no tensors"),
    ("index-no-json", "not an index {\"weight_map\""),
    ("index-no-map", "missing field `weight_map`"),
    ("index-shard-absolute", "the name \"/shard.safetensors\" of a shard has a path separator"),
    ("index-shard-backslash", "of a shard has a path separator"),
    ("index-shard-broken", "names \"model-00002-of-00002.safetensors\": cannot read"),
    ("index-shard-folder", "the name \"..\" of a shard means a folder"),
    ("index-shard-missing", "names \"model-00002-of-00002.safetensors\": cannot read"),
    ("index-shard-parents", "of a shard has a path separator"),
    ("index-tensor-elsewhere", "tensor \"a\" is not in model-00002-of-00002.safetensors"),
    (
        "index-tensor-in-two-shards",
        "tensor \"b\" is in model-00001-of-00002.safetensors and in model-00002",
    ),
    ("index-tensor-missing", "tensor \"c\" is not in model-00002-of-00002.safetensors"),
    ("index-tensor-twice", "the name \"a\" comes twice"),
    (
        "index-tensor-unnamed",
        "tensor \"c\" in model-00002-of-00002.safetensors is not in the index",
    ),
    ("list-dtype-integers.json", "tensor \"mask\" is to be kept, and a tensor list has no bytes"),
    ("list-dtype-unknown.json", "tensor \"w\": unknown dtype \"Q7\""),
    ("list-duplicate-name.json", "the name \"w\" comes twice"),
    ("list-metadata-number.json", "__metadata__: invalid type: integer `12`, expected a string"),
    ("list-name-empty.json", "the name \"\" of a tensor is empty"),
    ("list-nested.json", "expected an object of tensors"),
    ("list-shape-overflow.json", "overflows 64 bits"),
    ("metadata-number.safetensors", "__metadata__: invalid type: integer `1`, expected a string"),
    ("name-control.safetensors", "of a tensor has a control character"),
    ("name-empty.safetensors", "the name \"\" of a tensor is empty"),
    ("no-tensors.safetensors", "lists no tensors"),
    ("offsets-beyond-file.safetensors", "its data at 0..4096 is not in the file"),
    ("offsets-hole.safetensors", "4 bytes before tensor \"b\" belong to no tensor"),
    (
        "offsets-maximal.safetensors",
        "its data at 18446744073709551608..18446744073709551615 is not in the file",
    ),
    ("offsets-missing.safetensors", "missing field `data_offsets`"),
    ("offsets-not-the-shapes.safetensors", "F32 of shape [2] has 8 bytes, and its data 12"),
    ("offsets-overlap.safetensors", "tensor \"b\" overlaps"),
    ("offsets-reversed.safetensors", "its data at 8..0 is not in the file"),
    ("offsets-start-late.safetensors", "4 bytes before tensor \"a\" belong to no tensor"),
    ("offsets-the-same.safetensors", "tensor \"b\" overlaps"),
    ("shape-fraction.safetensors", "tensor \"w\": invalid type: floating point `2.5`"),
    ("shape-missing.safetensors", "missing field `shape`"),
    ("shape-negative.safetensors", "tensor \"w\": invalid value: integer `-2`"),
    ("shape-overflow-in-bytes.safetensors", "overflows 64 bits"),
    ("shape-overflow-with-zero.safetensors", "overflows 64 bits"),
    ("shape-overflow.safetensors", "overflows 64 bits"),
    ("shape-too-large.safetensors", "tensor \"w\": invalid type: floating point"),
    ("short.safetensors", "it has 5 bytes"),
];

/// Names of tensors that are no names of files, and need not be.
const NAMES: [(&str, &str); 7] = [
    ("index-tensor-slash", "h0/w"),
    ("list-name-parents.json", "../../w"),
    ("list-name-slash.json", "h0/ln_1/g"),
    ("name-backslash.safetensors", "a\\b"),
    ("name-dots.safetensors", ".."),
    ("name-parents.safetensors", "../../w"),
    ("name-slash.safetensors", "h0/ln_1/g"),
];

#[test]
fn names_of_tensors_may_be_paths() {
    for (file, name) in NAMES {
        let path = format!("tests/corpus/{file}");
        let plan =
            json(&["model", &path, "--device", "cpu", "--dry-run", "--json"])["plan"].clone();
        assert_eq!(plan[0]["name"], name, "{file}");
        // Written as one file and in shards it is read and verified again, and nothing is written
        // beside them.
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        fs::create_dir(&out).unwrap();
        let (single, shards) = (out.join("x.safetensors"), out.join("shards"));
        fs::create_dir(&shards).unwrap();
        let (single, shards) = (single.to_str().unwrap(), shards.to_str().unwrap());
        succeed(&["model", &path, "--device", "cpu", "--out", single]);
        succeed(&["model", single, "--device", "cpu", "--out", shards, "--max-shard-size", "5B"]);
        for saved in [single, shards] {
            let report = json(&["verify", saved, "--json", "--verbose"]);
            assert_eq!(
                (&report["agrees"], &report["each"][0]["name"]),
                (&true.into(), &name.into()),
                "{file}"
            );
        }
        assert_eq!(names(folder.path()), ["out"]);
        assert_eq!(names(&out), ["shards", "x.safetensors"]);
    }
}

#[test]
fn every_tricky_file_is_refused_for_what_is_wrong() {
    for (name, part) in CORPUS {
        let path = format!("tests/corpus/{name}");
        complains(&["model", &path, "--device", "cpu"], &[part]);
        // What only `model` has to refuse: types that it cannot fill, and having nothing to do.
        let readable = name.ends_with(".json")
            || matches!(name, "dtype-complex.safetensors" | "no-tensors.safetensors");
        if !readable && name != "index-empty" {
            assert!(complaint(&["verify", &path]).contains(part), "{name}");
        }
    }
    let listed: BTreeSet<_> =
        CORPUS.iter().chain(&NAMES).map(|(name, _)| (*name).to_owned()).collect();
    let there = fs::read_dir("tests/corpus")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(listed, there.collect(), "every file of the corpus is here");
}

/// Two layers in mixed types, an embedding, and a vector that makes the next type unaligned if it
/// came first.
fn model() -> Value {
    object!({
        "__metadata__": { "architecture": "Tiny" },
        "embed.weight": { "dtype": "BF16", "shape": [50, 33] },
        "0.bias": { "dtype": "F16", "shape": [33] },
        "0.weight": { "dtype": "F32", "shape": [33, 33] },
        "norm.weight": { "dtype": "F32", "shape": [33] },
        "größe \"1\"": { "dtype": "F16", "shape": [2, 3, 5] },
        "scalar": { "dtype": "F32", "shape": [] },
    })
}

/// What the library fills the model's tensors with, as bytes.
fn expected(seed: u64) -> BTreeMap<String, Vec<u8>> {
    let cpu = Cpu::with_seed(seed);
    let weights = |name: &str, shape: &[usize], dtype| {
        cpu.fill(&TensorSpec::new(shape, Initializer::xavier_normal()).name(name).dtype(dtype))
            .unwrap()
            .as_bytes()
            .to_vec()
    };
    [
        ("embed.weight", weights("embed.weight", &[50, 33], DType::BF16)),
        ("0.bias", vec![0; 66]),
        ("0.weight", weights("0.weight", &[33, 33], DType::F32)),
        ("norm.weight", 1f32.to_le_bytes().repeat(33)),
        ("größe \"1\"", weights("größe \"1\"", &[2, 3, 5], DType::F16)),
        ("scalar", vec![0; 4]),
    ]
    .map(|(name, bytes)| (name.to_owned(), bytes))
    .into()
}

/// The tensors of a file, by the crate safetensors, and its metadata.
fn load(path: &Path) -> (BTreeMap<String, Vec<u8>>, BTreeMap<String, String>) {
    let file = fs::read(path).unwrap();
    let (_, header) = SafeTensors::read_metadata(&file).unwrap();
    let metadata = header.metadata().clone().unwrap().into_iter().collect();
    let tensors = SafeTensors::deserialize(&file).unwrap();
    for (name, tensor) in tensors.iter() {
        let start = tensor.data().as_ptr() as usize - file.as_ptr() as usize;
        assert!(start.is_multiple_of(tensor.dtype().bitsize() / 8), "{name} is not aligned");
    }
    (
        tensors.iter().map(|(name, tensor)| (name.to_owned(), tensor.data().to_vec())).collect(),
        metadata,
    )
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A folder with `model()` in `list.json`, a folder `out` in it, and both as text.
fn setup() -> (tempfile::TempDir, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let (list, out) = (folder.path().join("list.json"), folder.path().join("out"));
    fs::write(&list, model().to_string()).unwrap();
    fs::create_dir(&out).unwrap();
    let text = |path: PathBuf| path.into_os_string().into_string().unwrap();
    (folder, text(list), text(out))
}

#[test]
fn a_saved_model_is_read_by_others() {
    let (_folder, list, out) = setup();
    let file = format!("{out}/model.safetensors");
    let save =
        ["model", &list, "--seed", "7", "--device", "cpu", "--verify", "--json", "--out", &file];
    let report = json(&save);
    assert_eq!(report["out"], file);
    let (tensors, metadata) = load(Path::new(&file));
    assert_eq!(tensors, expected(7));
    assert_eq!((metadata["format"].as_str(), metadata["seed"].as_str()), ("pt", "7"));
    assert_eq!(metadata["fingerprint"], report["fingerprint"].as_str().unwrap());
    assert_eq!(names(Path::new(&out)), ["model.safetensors"], "no temporary file is left");

    // It is a source and a model to verify by itself.
    let again = json(&["model", &file, "--seed", "7", "--device", "cpu", "--json"]);
    let of_folder = json(&["model", &out, "--seed", "7", "--device", "cpu", "--json"]);
    assert_eq!(
        (&again["fingerprint"], &of_folder["fingerprint"]),
        (&report["fingerprint"], &report["fingerprint"])
    );
    let verified = json(&["verify", &file, "--json", "--verbose"]);
    for key in ["fingerprint", "tensors", "elements", "bytes", "min", "max"] {
        assert_eq!(verified[key], report[key], "{key}");
    }
    assert_eq!(
        (&verified["agrees"], &verified["recorded_fingerprint"]),
        (&Value::from(true), &report["fingerprint"])
    );
    assert_eq!(verified["each"].as_array().unwrap().len(), 6);
    let text = succeed(&["verify", &out, "--verbose"]);
    for part in ["as recorded", "embed.weight", "BF16", "[33, 33]", "größe"] {
        assert!(text.contains(part), "{text} lacks {part}");
    }

    // Without --force an existing file is kept, and nothing is computed.
    let before = fs::read(&file).unwrap();
    complains(&save, &["exists; name another file, or pass --force"]);
    assert_eq!(fs::read(&file).unwrap(), before);
    succeed(&[&save[..], &["--force", "--dtype", "f32"]].concat());
    assert_ne!(fs::read(&file).unwrap(), before);
}

#[test]
fn shards_are_those_of_hugging_face() {
    let (_folder, list, out) = setup();
    let save = |size: &str, more: &[&str]| {
        run(&[
            &["model", &list, "--device", "cpu", "--json", "--out", &out, "--max-shard-size", size],
            more,
        ]
        .concat())
    };
    let saved = save("3400", &[]);
    assert!(saved.status.success(), "{saved:?}");
    let report: Value = serde_json::from_slice(&saved.stdout).unwrap();
    let [a, b, c] = [1, 2, 3].map(|i| format!("model-{i:05}-of-00003.safetensors"));
    assert_eq!(names(Path::new(&out)), [&a, &b, &c, "model.safetensors.index.json"]);
    let index: Value =
        serde_json::from_slice(&fs::read(format!("{out}/model.safetensors.index.json")).unwrap())
            .unwrap();
    // "0.weight" is beyond the limit and has a shard of its own, before the one that was open.
    assert_eq!(index["weight_map"]["0.weight"], *a);
    let mut all = BTreeMap::new();
    for file in [&a, &b, &c] {
        let (tensors, metadata) = load(&Path::new(&out).join(file));
        assert_eq!(metadata["fingerprint"], report["fingerprint"].as_str().unwrap());
        for name in tensors.keys() {
            assert_eq!(index["weight_map"][name], **file, "{name}");
        }
        all.extend(tensors);
    }
    assert_eq!(all, expected(0));
    assert_eq!(index["metadata"]["total_size"], report["bytes"]);
    assert_eq!(index["weight_map"].as_object().unwrap().len(), 6);
    for path in [out.clone(), format!("{out}/model.safetensors.index.json")] {
        assert_eq!(json(&["verify", &path, "--json"])["fingerprint"], report["fingerprint"]);
        assert_eq!(
            json(&["model", &path, "--device", "cpu", "--json"])["fingerprint"],
            report["fingerprint"]
        );
    }
    // Another model is never written beside this one: it is refused, or replaces it.
    let refused = String::from_utf8(save("1GB", &[]).stderr).unwrap();
    assert!(refused.contains("exists; name another folder, or pass --force"), "{refused}");
    assert!(save("1GB", &["--force"]).status.success());
    assert_eq!(names(Path::new(&out)), ["model.safetensors"]);
    assert!(save("5KB", &["--force"]).status.success());
    assert_eq!(names(Path::new(&out)).len(), 3, "two shards and their index");
    assert!(save("3400", &["--force"]).status.success());
    assert_eq!(names(Path::new(&out)), [&a, &b, &c, "model.safetensors.index.json"]);
}

#[test]
fn what_cannot_be_saved_is_said_before_anything_is_computed() {
    let (_folder, list, out) = setup();
    let huge = format!("{out}/huge.json");
    fs::write(&huge, r#"{"w": {"dtype": "F32", "shape": [1000000000, 1000000]}}"#).unwrap();
    let file = format!("{out}/x.safetensors");
    for (args, part) in [
        (&[&list, "--out", &out][..], "out/model.safetensors, or pass --max-shard-size"),
        (&[&list, "--out", &list], "exists; name another file"),
        (&[&list, "--out", "/nowhere/x.safetensors"], "there is no folder /nowhere"),
        (
            &[&list, "--out", &file, "--max-shard-size", "1GB"],
            "there is no such folder; make it first",
        ),
        (
            &[&list, "--out", &file, "--max-shard-size", "1 potato"],
            "write a whole number with a unit",
        ),
        (&[&list, "--max-shard-size", "1GB"], "--out"),
        (&[&list, "--force"], "--out"),
        (&[&huge, "--out", &file], "are free; free some space"),
    ] {
        let args = [&["model", "--device", "cpu"], args].concat();
        assert!(complaint(&args).contains(part), "{args:?}: {}", complaint(&args));
    }
    assert_eq!(names(Path::new(&out)), ["huge.json"]);
}

#[test]
fn verify_names_what_is_wrong() {
    let (_folder, list, out) = setup();
    let file = format!("{out}/model.safetensors");
    succeed(&["model", &list, "--device", "cpu", "--out", &file]);
    let good = fs::read(&file).unwrap();
    let data = 8 + u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
    let with = |at: usize, bytes: &[u8]| {
        let mut bad = good.clone();
        bad[at..at + bytes.len()].copy_from_slice(bytes);
        fs::write(&file, bad).unwrap();
        complaint(&["verify", &file])
    };
    assert!(with(data + 100, &[good[data + 100] ^ 1]).contains("the fingerprint recorded is"));
    // The first tensor in the file is the first F32 of the list.
    let line = with(data, &f32::NAN.to_le_bytes());
    assert!(
        line.contains("0.weight: 1 NaN, 0 infinite")
            && line.contains("the fingerprint recorded is"),
        "{line}"
    );
    fs::write(&file, &good[..good.len() - 1]).unwrap();
    complains(&["verify", &file], &["is not in the file"]);
    fs::write(&file, &good).unwrap();
    succeed(&["verify", &file]);

    // A model of somebody else has no fingerprint to compare with, and may have types that are not
    // ours.
    let text = succeed(&["verify", "tests/corpus/dtype-complex.safetensors", "--allow-unchecked"]);
    assert!(
        text.contains("1 of other types not checked") && text.contains("none recorded"),
        "{text}"
    );
    complains(&["verify", &list], &["safetensors"]);
}

/// A process that is killed leaves nothing under the final name, and says what the rest is.
#[test]
#[cfg(unix)]
fn a_killed_process_leaves_no_file_of_that_name() {
    let (_folder, list, out) = setup();
    fs::write(&list, r#"{"w": {"dtype": "F32", "shape": [150000000]}}"#).unwrap();
    let file = format!("{out}/model.safetensors");
    let mut child = command(&["model", &list, "--device", "cpu", "--out", &file]).spawn().unwrap();
    let begun = || {
        let mut entries = fs::read_dir(&out).unwrap().flatten();
        entries.any(|entry| entry.metadata().is_ok_and(|metadata| metadata.len() > 0))
    };
    while !begun() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it wrote");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None, "it ended before it was killed");
    let left = names(Path::new(&out));
    assert_eq!(left.len(), 2, "the claim and what was written: {left:?}");
    let is_temporary =
        |name: &String| name.starts_with("model.safetensors.") && name.ends_with(".incomplete");
    assert!(left.iter().all(is_temporary), "{left:?}");
}

/// An error that includes its cause is printed once: of a file that came to be there in the
/// meantime.
#[test]
fn no_cause_is_said_twice() {
    let (_folder, list, out) = setup();
    fs::write(&list, r#"{"w": {"dtype": "F32", "shape": [50000000]}}"#).unwrap();
    let file = format!("{out}/model.safetensors");
    let child = command(&["model", &list, "--device", "cpu", "--out", &file])
        .stderr(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // Its own test of the folder goes at once; what it writes stays.
    let begun = || {
        fs::read_dir(&out)
            .unwrap()
            .flatten()
            .any(|entry| entry.metadata().is_ok_and(|it| it.len() > 0))
    };
    while !begun() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    fs::write(&file, "another's").unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), errors.matches("File exists").count()),
        (Some(1), 1),
        "{errors}"
    );
    assert_eq!(fs::read(&file).unwrap(), b"another's");
    assert_eq!(names(Path::new(&out)), ["model.safetensors"]);
}

/// A disk that takes no more, here by a limit of 1 MiB a file, is said and leaves nothing.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_leaves_nothing() {
    let (_folder, list, out) = setup();
    fs::write(
        &list,
        r#"{"a": {"dtype": "F32", "shape": [1000]}, "w": {"dtype": "F32", "shape": [1000000]}}"#,
    )
    .unwrap();
    let single = format!("{out}/model.safetensors");
    for target in [&["--out", &single][..], &["--out", &out, "--max-shard-size", "100KB"]] {
        let program = command(&[&["model", &list, "--device", "cpu"], target].concat());
        let output = std::process::Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f 2048; exec \"$0\" \"$@\""])
            .arg(program.get_program())
            .args(program.get_args())
            .output()
            .unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{errors}");
        for part in ["cannot write", ".safetensors, and nothing of it is kept", "File too large"] {
            assert!(errors.contains(part), "{errors}");
        }
        assert!(names(Path::new(&out)).is_empty());
    }
}

/// What Python's safetensors reads: every tensor's bytes, and the same again by numpy where it has
/// the type.
const PYTHON: &str = r#"
import hashlib, json, sys
import safetensors, safetensors.numpy
report = {}
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        tensors = dict(safetensors.deserialize(file.read()))
    with safetensors.safe_open(path, framework="np") as file:
        metadata = file.metadata()
        assert set(file.keys()) == set(tensors), path
        for name, tensor in tensors.items():
            if tensor["dtype"] not in ("BF16", "F8_E4M3", "F8_E5M2"):
                array = file.get_tensor(name)
                assert list(array.shape) == tensor["shape"] and array.tobytes() == bytes(tensor["data"]), name
    for name, tensor in tensors.items():
        report[name] = [metadata["fingerprint"], tensor["dtype"], hashlib.sha256(bytes(tensor["data"])).hexdigest()]
print(json.dumps(report))
"#;

/// What Python reads in files; none if the test is skipped.
fn read_by_python(shards: impl Iterator<Item = String>) -> Option<Value> {
    if std::env::var("GPU_INIT_SKIP_PYTHON_SAFETENSORS").is_ok_and(|value| value == "1") {
        eprintln!("skipped because GPU_INIT_SKIP_PYTHON_SAFETENSORS=1");
        return None;
    }
    let python = std::env::var("GPU_INIT_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let output = std::process::Command::new(&python).args(["-c", PYTHON]).args(shards).output();
    let output = output
        .unwrap_or_else(|error| panic!("{python}: {error}; name a Python in GPU_INIT_PYTHON"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{python} needs numpy and safetensors; GPU_INIT_PYTHON names another, \
         GPU_INIT_SKIP_PYTHON_SAFETENSORS=1 skips this: {errors}"
    );
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn python_reads_it() {
    use sha2::Digest;
    let (_folder, list, out) = setup();
    succeed(&["model", &list, "--device", "cpu", "--out", &out, "--max-shard-size", "3400"]);
    let report = json(&["verify", &out, "--json"]);
    let shards = (1..=3).map(|i| format!("{out}/model-{i:05}-of-00003.safetensors"));
    let Some(read) = read_by_python(shards) else { return };
    let expected = expected(0);
    assert_eq!(read.as_object().unwrap().len(), expected.len());
    for (name, bytes) in expected {
        let digest: String =
            sha2::Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let dtype = &model()[&name]["dtype"];
        assert_eq!(read[&name], object!([report["fingerprint"], dtype, digest]), "{name}");
    }
}

/// A checkpoint initialized anew in part: all other bytes stay, and verify knows them.
#[test]
fn only_some_tensors_of_a_checkpoint_are_initialized() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let list = r#"{"body.w": {"dtype": "F32", "shape": [300, 7]}, "body.h": {"dtype": "BF16", "shape": [33]},
                   "head.weight": {"dtype": "F32", "shape": [4, 7]}, "head.bias": {"dtype": "F32", "shape": [4]}}"#;
    fs::write(path("list.json"), list).unwrap();
    let model = ["--device", "cpu", "--json"];
    let run = |args: &[&str]| json(&[&["model"], args, &model[..]].concat());
    run(&[&path("list.json"), "--seed", "1", "--out", &path("a.safetensors")]);
    let report = run(&[
        &path("a.safetensors"),
        "--only",
        "head.*",
        "--seed",
        "2",
        "--out",
        &path("b.safetensors"),
    ]);
    assert_eq!((&report["tensors"], &report["kept"]), (&object!(2), &object!(2)));
    let [a, b] = ["a.safetensors", "b.safetensors"].map(|name| fs::read(path(name)).unwrap());
    let [a, b] = [&a, &b].map(|file| SafeTensors::deserialize(file).unwrap());
    for (name, same) in [("body.w", true), ("body.h", true), ("head.weight", false)] {
        assert_eq!(
            a.tensor(name).unwrap().data() == b.tensor(name).unwrap().data(),
            same,
            "{name}"
        );
    }
    let verified = json(&["verify", &path("b.safetensors"), "--json"]);
    assert_eq!(
        (&verified["agrees"], &verified["fingerprint"]),
        (&object!(true), &report["fingerprint"])
    );
    // In its own place, and by the same fingerprint without a file.
    let args = ["--only", "head.*", "--seed", "2"];
    assert_eq!(
        run(&[&[&*path("a.safetensors")], &args[..]].concat())["fingerprint"],
        report["fingerprint"]
    );
    let there = path("a.safetensors");
    run(&[&[&*there], &args[..], &["--out", &there, "--force"]].concat());
    assert_eq!(fs::read(&there).unwrap(), fs::read(path("b.safetensors")).unwrap());
    // A kept byte that changes is found.
    let mut bytes = fs::read(&there).unwrap();
    let end = bytes.len();
    bytes[end - 70] ^= 1;
    fs::write(&there, bytes).unwrap();
    complains(&["verify", &there], &["the fingerprint recorded is"]);
    complains(
        &["model", &path("list.json"), "--only", "head.*", "--device", "cpu"],
        &["\"body.w\" is to be kept, and a tensor list has no bytes"],
    );
}

/// The bytes of another file for the kept tensors of a list.
#[test]
fn kept_tensors_may_come_from_a_file_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let kept = path("kept.safetensors");
    let body =
        |dtype: &str, shape: &str| format!(r#""body.w": {{"dtype": "{dtype}", "shape": {shape}}}"#);
    let head = r#""head.weight": {"dtype": "F32", "shape": [4, 7]}"#;
    let write =
        |name: &str, tensors: &str| fs::write(path(name), format!("{{{tensors}}}")).unwrap();
    write("body.json", &body("F32", "[300, 7]"));
    write("list.json", &format!("{}, {head}", body("F32", "[300, 7]")));
    succeed(&["model", &path("body.json"), "--seed", "1", "--device", "cpu", "--out", &kept]);
    let args = ["--only", "head.*", "--seed", "2", "--device", "cpu"];
    let list = path("list.json");
    let other = path("other.json");
    let of = |list| [&["model", list, "--kept", &kept][..], &args].concat();
    let out = path("model.safetensors");
    succeed(&[of(&list), vec!["--out", &out]].concat());
    let [made, kept_file] = [&out, &kept].map(|name| fs::read(name).unwrap());
    let [made, kept_file] = [&made, &kept_file].map(|file| SafeTensors::deserialize(file).unwrap());
    assert_eq!(made.tensor("body.w").unwrap().data(), kept_file.tensor("body.w").unwrap().data());
    assert_eq!(json(&["verify", &out, "--json"])["agrees"], object!(true));
    for (dtype, shape) in [("F32", "[7, 300]"), ("BF16", "[300, 7]")] {
        write("other.json", &format!("{}, {head}", body(dtype, shape)));
        complains(&of(&other), &["has another shape or type of it"]);
    }
    write("other.json", &format!(r#""body.v": {{"dtype": "F32", "shape": [1]}}, {head}"#));
    complains(
        &of(&other),
        &["\"body.v\" is to be kept, and the checkpoint of --kept does not have it"],
    );
}

/// Several processes initialize a checkpoint anew in part: rank 0's file has what is kept, also of a
/// type that cannot be filled.
#[test]
fn kept_tensors_are_rank_0s() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let bytes: Vec<u8> = (0..=255).collect();
    let tensor = |dtype, shape: &[usize], size| {
        safetensors::tensor::TensorView::new(dtype, shape.to_vec(), &bytes[..size]).unwrap()
    };
    let tensors = [
        ("body.phases", tensor(safetensors::Dtype::C64, &[5, 2], 80)),
        ("body.steps", tensor(safetensors::Dtype::I64, &[], 8)),
        ("head.weight", tensor(safetensors::Dtype::F32, &[4, 7], 112)),
    ];
    let source = path("source.safetensors");
    fs::write(&source, safetensors::serialize(tensors, None).unwrap()).unwrap();
    let model = ["model", &source, "--only", "head.*", "--seed", "2", "--device", "cpu", "--json"];
    let whole = json(&[&model[..], &["--out", &path("whole.safetensors")]].concat());
    let out = path("ranks");
    let (mut sum, mut kept) = (Fingerprint::default(), Vec::new());
    for rank in ["0", "1", "2"] {
        let args = ["--rank", rank, "--world-size", "3", "--out", &out];
        let report = json(&[&model[..], &args].concat());
        let part = u64::from_str_radix(report["fingerprint"].as_str().unwrap(), 16).unwrap();
        sum += Fingerprint(part);
        kept.push(report["kept"].clone());
    }
    assert_eq!(
        (object!(sum.to_string()), kept),
        (whole["fingerprint"].clone(), vec![object!(2), object!(0), object!(0)])
    );
    let verified = json(&["verify", &out, "--json"]);
    assert_eq!(
        (&verified["agrees"], &verified["fingerprint"]),
        (&object!(true), &whole["fingerprint"]),
        "{verified}"
    );
    let first = folder.path().join("ranks/model-rank-00000-of-00003.safetensors");
    let mut file = fs::read(&first).unwrap();
    let read = SafeTensors::deserialize(&file).unwrap();
    assert_eq!(read.tensor("body.phases").unwrap().data(), &bytes[..80]);
    let at = file.windows(8).rposition(|window| *window == bytes[..8]).unwrap();
    file[at] ^= 1;
    fs::write(&first, file).unwrap();
    complains(&["verify", &out], &["the fingerprint recorded is"]);
}

#[test]
fn recipes_are_found_for_a_model() {
    let text = succeed(&["recipe", "--for", "../tests/models/gpt2.json"]);
    assert!(text.starts_with("gpt2 ") && text.lines().count() == 1, "{text}");
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list.json").display().to_string();
    fs::write(&list, r#"{"w": {"dtype": "F32", "shape": [3, 4]}}"#).unwrap();
    complains(&["recipe", "--for", &list], &["no recipe is made for the names in"]);
    let report = json(&["model", &list, "--dry-run", "--json"]);
    assert_eq!((&report["fitting_recipes"], &report["warnings"]), (&object!([]), &object!([])));
    assert_eq!(
        (&report["plan"][0]["fan_in"], &report["plan"][0]["fan_out"]),
        (&object!(4), &object!(3))
    );
    let report = json(&["model", "../tests/models/gpt2.json", "--dry-run", "--json"]);
    assert_eq!(report["fitting_recipes"], object!(["gpt2"]));
    let args =
        ["model", "../tests/models/llama-3.2-1b.json", "--recipe", "xavier", "--dry-run", "--json"];
    assert_eq!(json(&args)["fitting_recipes"], Value::Null);
}

/// A tensor of each element type: written, verified against the rules, read by Python, and its
/// difference found.
#[test]
fn every_type_is_written_verified_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).into_os_string().into_string().unwrap();
    let (list, rules, file) = (path("list.json"), path("rules.toml"), path("model.safetensors"));
    let mut model = serde_json::Map::new();
    for dtype in DType::ALL {
        let columns = if dtype == DType::Bool { 2 } else { 5 };
        model.insert(
            format!("{dtype}.range"),
            object!({ "dtype": dtype.to_string(), "shape": [3, columns] }),
        );
    }
    for dtype in DType::FLOATS {
        model.insert(
            format!("{dtype}.weight"),
            object!({ "dtype": dtype.to_string(), "shape": [7, 33] }),
        );
    }
    fs::write(&list, Value::Object(model.clone()).to_string()).unwrap();
    let text = "rules = [{ match = '*.range', init = 'arange' }, { match = '*', init = 'normal' }]";
    fs::write(&rules, text).unwrap();
    for device in ["cpu"].into_iter().chain(gpu::device().map(|_| "gpu")) {
        let save = ["model", &list, "--rules", &rules, "--device", device, "--json", "--out"];
        let report = json(&[&save[..], &[&file, "--verify", "--force"]].concat());
        let verified = json(&["verify", &file, "--json"]);
        assert_eq!(
            (&verified["agrees"], &verified["fingerprint"]),
            (&Value::Bool(true), &report["fingerprint"]),
            "{verified}"
        );
        if let Some(read) = read_by_python([file.clone()].into_iter()) {
            for (name, tensor) in &model {
                assert_eq!(read[name][1], tensor["dtype"], "{name}");
            }
        }
    }
    // The last byte of the first tensor, which the order by size makes one of F64.
    let mut bytes = fs::read(&file).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    bytes[8 + header] ^= 1;
    fs::write(&file, bytes).unwrap();
    complains(&["verify", &file], &["1 of", "differ from the rules'"]);
}
