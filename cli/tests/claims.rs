//! What a saved model says of itself: that `verify` says yes only to what it has compared, and that
//! ties stay ties.

#[path = "common/header.rs"]
mod header;
#[path = "common/program.rs"]
mod program;

use std::fs;

use header::{edit_header, edit_metadata, edit_whole};
use program::{complains, complaint, json, run, succeed};
use serde_json::{Value, json as object};

/// A folder with a list of tensors and their rules.
struct Setup(tempfile::TempDir);

impl Setup {
    fn new(list: Value, rules: &str) -> Self {
        let setup = Setup(tempfile::tempdir().unwrap());
        fs::write(setup.path("list.json"), list.to_string()).unwrap();
        fs::write(setup.path("rules.toml"), rules).unwrap();
        setup
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).into_os_string().into_string().unwrap()
    }

    fn args(&self, out: &str, args: &[&str]) -> Vec<String> {
        let (list, rules, out) = (self.path("list.json"), self.path("rules.toml"), self.path(out));
        let model = ["model", &list, "--rules", &rules, "--device", "cpu", "--out", &out];
        [&model[..], args].concat().into_iter().map(str::to_owned).collect()
    }

    fn save(&self, out: &str, args: &[&str]) -> String {
        succeed(&self.args(out, args).iter().map(String::as_str).collect::<Vec<_>>());
        self.path(out)
    }

    fn refused(&self, out: &str, args: &[&str]) -> String {
        complaint(&self.args(out, args).iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn save_ranks(&self, out: &str, world: u64, args: &[&str]) -> String {
        for rank in 0..world {
            self.save(
                out,
                &[&["--rank", &rank.to_string(), "--world-size", &world.to_string()], args]
                    .concat(),
            );
        }
        self.path(out)
    }
}

fn tensor(shape: &[usize]) -> Value {
    object!({ "dtype": "F16", "shape": shape })
}

/// The JSON of a verification whose exit code is 1.
fn refused(args: &[&str]) -> Value {
    let output = run(&[&["verify", "--json"], args].concat());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

const CHANGED: &str = "names, dtypes and shapes are not those recorded";

/// Of distributions that do not depend on the shape, in which the same bytes are the same elements.
#[test]
fn changed_shapes_are_found() {
    for init in ["normal(std=0.02)", "ones", "zeros", "uniform", "truncated_normal"] {
        let setup = Setup::new(
            object!({ "w": tensor(&[64, 192]), "v": tensor(&[3]) }),
            &format!("default = '{init}'"),
        );
        let file = setup.save("model.safetensors", &[]);
        let good = fs::read(&file).unwrap();
        assert_eq!(json(&["verify", &file, "--json"])["agrees"], true);
        for rules in [true, false] {
            for shape in [&[192, 64][..], &[12288], &[64, 1, 192], &[1, 12288]] {
                fs::write(&file, &good).unwrap();
                edit_header(&file, |header| header["w"]["shape"] = object!(shape));
                if !rules {
                    edit_metadata(&file, "rules", None);
                }
                complains(&["verify", &file], &[CHANGED, "write the model again"]);
                let report = refused(&[&file]);
                assert_eq!(report["agrees"], false);
                assert_ne!(report["shapes_fingerprint"], report["recorded_shapes_fingerprint"]);
                assert_eq!(
                    report["fingerprint"], report["recorded_fingerprint"],
                    "no element is another one"
                );
            }
        }
        // Zeros are zeros in each type of two bytes.
        if init == "zeros" {
            fs::write(&file, &good).unwrap();
            edit_header(&file, |header| header["w"]["dtype"] = "BF16".into());
            complains(&["verify", &file], &[CHANGED]);
        }
    }
}

/// Its shapes come from its own header then, and the rules that it records give any shape its
/// elements.
#[test]
fn a_file_without_recorded_shapes_has_them_unchecked() {
    let setup = Setup::new(object!({ "w": tensor(&[64, 192]) }), "default = 'normal'");
    let file = setup.save("model.safetensors", &[]);
    let rules = setup.path("rules.toml");
    edit_metadata(&file, "shapes_fingerprint", None);
    for changed in [false, true] {
        if changed {
            edit_header(&file, |header| header["w"]["shape"] = object!([192, 64]));
        }
        let report = refused(&[&file]);
        assert_eq!(
            (&report["agrees"], &report["recorded_shapes_fingerprint"]),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(report["matches_rules"], true);
        let line = complaint(&["verify", &file]);
        assert!(
            line.contains("no shapes are recorded") && line.contains("pass --rules or --recipe"),
            "{line}"
        );
        assert_eq!(
            refused(&[&file, "--seed", "0"])["agrees"],
            Value::Null,
            "a seed says nothing of shapes"
        );
        let text = succeed(&["verify", &file, "--allow-unchecked"]);
        assert!(
            text.lines().any(|line| line.contains("shapes") && line.ends_with("not recorded")),
            "{text}"
        );
        // Whoever passes rules says what the model is.
        assert_eq!(json(&["verify", &file, "--rules", &rules, "--json"])["agrees"], true);
    }
    edit_metadata(&file, "rules", None);
    let report = refused(&[&file]);
    assert_eq!(
        (&report["agrees"], &report["fingerprint"]),
        (&Value::Null, &report["recorded_fingerprint"])
    );
    complains(&["verify", &file], &["no shapes are recorded"]);
}

#[test]
fn changed_shapes_are_found_in_shards() {
    let setup = divided();
    let shards = setup.save("shards", &["--max-shard-size", "20KB"]);
    let shard = format!("{shards}/model-00002-of-00003.safetensors");
    edit_header(&shard, |header| {
        let name = header
            .as_object()
            .unwrap()
            .keys()
            .find(|name| *name != "__metadata__")
            .unwrap()
            .clone();
        header[&name]["shape"] = object!([header[&name]["shape"][1], header[&name]["shape"][0]]);
    });
    complains(&["verify", &shards], &[CHANGED]);
}

/// A model whose tensors are divided along different dimensions.
fn divided() -> Setup {
    let list = object!({ "w": tensor(&[64, 192]), "v": tensor(&[64, 192]), "bias": tensor(&[64]) });
    let rules = "default = 'ones'\nrules = [{ match = 'v', init = 'zeros', shard = { dim = 1 } }]";
    Setup::new(list, rules)
}

#[test]
fn changed_shapes_are_found_in_ranks() {
    let setup = divided();
    let shards = setup.save("shards", &["--max-shard-size", "20KB"]);
    let ranks = setup.save_ranks("ranks", 2, &[]);
    let recorded =
        |path: &str| json(&["verify", path, "--json"])["recorded_shapes_fingerprint"].clone();
    assert_eq!(recorded(&ranks), recorded(&shards), "it is the whole model's");
    let file = format!("{ranks}/model-rank-00001-of-00002.safetensors");
    let good = fs::read(&file).unwrap();
    let shape = |name: &str, shape: &[usize]| {
        edit_header(&file, |header| header[name]["shape"] = object!(shape))
    };
    for (name, other, part) in [
        ("w", &[192, 32][..], "is not what rank 1 of 2 has of"),
        ("w", &[6144], "is not what rank 1 of 2 has of"),
        ("v", &[96, 64], "is not what rank 1 of 2 has of"),
        ("bias", &[1, 32], "is not what rank 1 of 2 has of"),
    ] {
        shape(name, other);
        complains(&["verify", &file], &[part]);
        complains(&["verify", &ranks], &[part]);
        fs::write(&file, &good).unwrap();
    }
    edit_header(&file, |header| header["v"]["dtype"] = "BF16".into());
    complains(&["verify", &file], &["it is BF16, and F16 in the whole model that it records"]);
    fs::write(&file, &good).unwrap();
    // The whole changed with its slices: [64, 192] divided along rows as [128, 96].
    edit_whole(&file, |whole| whole["w"]["shape"] = object!([128, 96]));
    edit_header(&file, |header| header["w"]["shape"] = object!([64, 96]));
    for rules in [true, false] {
        if !rules {
            edit_metadata(&file, "rules", None);
        }
        complains(&["verify", &file], &[CHANGED]);
        complains(&["verify", &ranks], &[CHANGED, "its whole is not rank 0's"]);
    }
}

#[test]
fn nothing_compared_is_not_success() {
    let setup = Setup::new(object!({ "w": tensor(&[4, 4]) }), "default = 'normal'");
    let file = setup.save("model.safetensors", &[]);
    edit_metadata(&file, "rules", None);
    assert_eq!(json(&["verify", &file, "--json"])["agrees"], true, "the fingerprint is compared");
    edit_metadata(&file, "fingerprint", None);
    let (index, no_tensors) =
        (setup.path("model.safetensors.index.json"), setup.path("none.safetensors"));
    fs::write(&index, r#"{"weight_map": {}}"#).unwrap();
    fs::write(&no_tensors, [&10u64.to_le_bytes()[..], b"{}        "].concat()).unwrap();
    let complex = "tests/corpus/dtype-complex.safetensors";
    let integers = setup.path("integers.safetensors");
    // Llama's rule for matrices has no integers.
    let ids = r#"{"ids.weight":{"dtype":"I64","shape":[2,2],"data_offsets":[0,32]}}"#;
    fs::write(
        &integers,
        [&(ids.len() as u64).to_le_bytes()[..], ids.as_bytes(), &[0; 32]].concat(),
    )
    .unwrap();
    for (model, args, part) in [
        (&*file, &[][..], "neither rules nor a fingerprint are recorded"),
        (&index, &[], "there are no tensors to compare"),
        (&no_tensors, &[], "there are no tensors to compare"),
        (&no_tensors, &["--recipe", "xavier"], "there are no tensors to compare"),
        (
            complex,
            &["--recipe", "xavier"],
            "1 of 1 tensors, \"bn1.num_batches_tracked\" of C64 first, are of types",
        ),
        (
            &integers,
            &["--recipe", "llama"],
            "1 of 1 tensors, \"ids.weight\" of I64 first, are of types that no rules fill",
        ),
        (
            &integers,
            &["--recipe", "xavier"],
            "1 of 1 tensors, \"ids.weight\" first, are kept by the rules, and no fingerprint is recorded",
        ),
    ] {
        let args = [&[model], args].concat();
        let report = refused(&args);
        assert_eq!(
            (&report["agrees"], &report["problems"]),
            (&Value::Null, &object!([])),
            "{model}: {report}"
        );
        assert!(
            report["unchecked"].to_string().contains(&part.replace('"', "\\\"")),
            "{part}: {report}"
        );
        complains(&[&["verify"], &args[..]].concat(), &[part, "--allow-unchecked"]);
        let allowed = [&["verify", "--allow-unchecked"], &args[..]].concat();
        assert!(succeed(&allowed).contains(part));
        assert_eq!(json(&[&allowed[..], &["--json"]].concat())["agrees"], Value::Null);
    }
    // What is wrong is not allowed with it.
    edit_metadata(&file, "shapes_fingerprint", Some("0123456789abcdef"));
    complains(&["verify", &file, "--allow-unchecked"], &[CHANGED]);
    let output =
        run(&["verify", &setup.save("other.safetensors", &[]), "--seed", "1", "--allow-unchecked"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_rank_without_anything_to_compare_with_is_named() {
    let setup = Setup::new(object!({ "w": tensor(&[4, 4]) }), "default = 'normal'");
    let ranks = setup.save_ranks("ranks", 2, &[]);
    for key in ["rules", "fingerprint"] {
        edit_metadata(&format!("{ranks}/model-rank-00001-of-00002.safetensors"), key, None);
    }
    complains(&["verify", &ranks], &["its rules is not rank 0's"]);
    let report = refused(&[&ranks]);
    assert!(
        report["unchecked"][0].as_str().unwrap().starts_with("rank 1: neither rules nor"),
        "{report}"
    );
}

/// One kind of model in a folder, whichever was there first.
#[test]
fn ranks_do_not_come_to_lie_beside_another_model() {
    let setup =
        Setup::new(object!({ "w": tensor(&[8, 4]), "v": tensor(&[8, 4]) }), "default = 'normal'");
    let names = |folder: &str| {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let of_ranks = [
        "model-rank-00000-of-00002.safetensors",
        "model-rank-00001-of-00002.safetensors",
        "model.slices.json",
    ];
    let two = |rank: &str| ["--rank", rank, "--world-size", "2"].map(str::to_owned);
    for older in ["200KB", "64B"] {
        let folder = setup.path(older);
        fs::create_dir(&folder).unwrap();
        setup.save(older, &["--max-shard-size", older]);
        let before = names(&folder);
        for rank in ["0", "1"] {
            let rank = two(rank);
            let line = setup.refused(older, &rank.each_ref().map(String::as_str));
            assert!(line.contains("exists; name another folder, or pass --force"), "{line}");
        }
        assert_eq!(names(&folder), before, "nothing is written");
        // The other way round as well, with --force each time.
        setup.save_ranks(older, 2, &["--force"]);
        assert_eq!(names(&folder), of_ranks);
        assert_eq!(json(&["verify", &folder, "--json"])["world_size"], 2);
        let line = setup.refused(older, &["--max-shard-size", older]);
        assert!(line.contains("exists; name another folder, or pass --force"), "{line}");
        setup.save(older, &["--max-shard-size", older, "--force"]);
        assert_eq!(names(&folder), before);
        setup.save_ranks(older, 2, &["--force"]);
    }
}

#[test]
fn a_folder_of_two_models_is_said() {
    let setup = Setup::new(object!({ "w": tensor(&[8, 4]) }), "default = 'normal'");
    let folder = setup.save_ranks("ranks", 2, &[]);
    // The program itself does not write one beside the other.
    let single = format!("{folder}/model.safetensors");
    fs::rename(setup.save("model.safetensors", &[]), &single).unwrap();
    let list = format!("{folder}/model.slices.json");
    let line = complaint(&["verify", &folder]);
    for part in ["model.safetensors", "model.slices.json", "two models", "name one of the two"] {
        assert!(line.contains(part), "{line}");
    }
    assert_eq!(json(&["verify", &single, "--json"])["agrees"], true);
    assert_eq!(json(&["verify", &list, "--json"])["agrees"], true);
    fs::remove_file(&list).unwrap();
    complains(&["verify", &folder], &["model-rank-0000", "two models"]);
    for rank in 0..2 {
        fs::remove_file(format!("{folder}/model-rank-0000{rank}-of-00002.safetensors")).unwrap();
    }
    succeed(&["verify", &folder]);
    fs::write(format!("{folder}/model.safetensors.index.json"), r#"{"weight_map": {}}"#).unwrap();
    complains(
        &["verify", &folder],
        &["model.safetensors.index.json and model.safetensors, which are two models"],
    );
}

/// Each key of the metadata, as the name of a tied tensor.
#[test]
fn ties_do_not_overwrite_metadata() {
    let setup = Setup::new(object!({ "w": tensor(&[4, 4]) }), "default = 'normal'");
    let single = setup.save("model.safetensors", &[]);
    let ranks = setup.save_ranks("ranks", 2, &[]);
    let mut keys = std::collections::BTreeSet::from(["source_ties".to_owned()]);
    for file in [single, format!("{ranks}/model-rank-00000-of-00002.safetensors")] {
        edit_header(&file, |header| {
            keys.extend(header["__metadata__"].as_object().unwrap().keys().cloned())
        });
    }
    assert!(keys.contains("seed") && keys.contains("whole"));
    for key in &keys {
        let list = object!({ "embed": tensor(&[9, 8]), key: tensor(&[9, 8]) });
        fs::write(setup.path("list.json"), list.to_string()).unwrap();
        let tie = |first: &str, second: &str| {
            let rules =
                format!("seed = 5\ndefault = 'xavier_normal'\ntied = [['{first}', '{second}']]");
            fs::write(setup.path("rules.toml"), rules).unwrap();
        };
        tie("embed", key);
        let line = setup.refused("tied.safetensors", &[]);
        assert!(
            line.contains(&format!("{key:?} is tied to \"embed\""))
                && line.contains("first in `tied`"),
            "{line}"
        );
        assert!(!fs::exists(setup.path("tied.safetensors")).unwrap());
        // What the line advises.
        tie(key, "embed");
        let file = setup.save("tied.safetensors", &["--force"]);
        let report = json(&["verify", &file, "--json"]);
        assert_eq!(
            (&report["agrees"], &report["seed"], &report["tensors"]),
            (&true.into(), &5.into(), &1.into())
        );
        assert_eq!(report["metadata"]["embed"], *key);
        fs::remove_file(file).unwrap();
    }
}

/// Whatever the rules say of them, in a file, in shards and by ranks.
#[test]
fn a_saved_model_keeps_its_ties_as_a_source() {
    let list = object!({
        "embed": tensor(&[40, 24]),
        "layers.7.weight": tensor(&[40, 24]),
        "layers.7.bias": tensor(&[40]),
        "layers.0.proj": tensor(&[24, 10]),
    });
    let tied = "default = 'zeros'\ntied = [['embed', 'layers.7.weight']]\n";
    let rules = "rules = [
        { match = '*.bias', init = 'pytorch_bias' },
        { match = '*.proj', init = 'normal(std=0.02)', scale = '1 / sqrt(2 * layers)' },
        { match = '*', init = 'xavier_normal' },
    ]";
    let setup = Setup::new(list, &format!("{tied}{rules}"));
    let single = setup.save("model.safetensors", &[]);
    let first = json(&["verify", &single, "--json"]);
    assert_eq!(first["metadata"]["layers.7.weight"], "embed");
    // The same rules, and some that say nothing of ties.
    fs::write(setup.path("untied.toml"), format!("default = 'zeros'\n{rules}")).unwrap();
    fs::create_dir(setup.path("shards")).unwrap();
    let mut source = single.clone();
    for (out, rules, more) in [
        ("a.safetensors", "rules.toml", &[][..]),
        ("b.safetensors", "untied.toml", &[]),
        ("shards", "untied.toml", &["--max-shard-size", "1KB"]),
        ("c.safetensors", "untied.toml", &["--dtype", "f16"]),
    ] {
        let (out, rules) = (setup.path(out), setup.path(rules));
        succeed(
            &[&["model", &source, "--rules", &rules, "--device", "cpu", "--out", &out], more]
                .concat(),
        );
        for args in [&[][..], &["--rules", &rules]] {
            let report = json(&[&["verify", &out, "--json"], args].concat());
            for key in ["fingerprint", "shapes_fingerprint", "matches_rules", "agrees"] {
                assert_eq!(report[key], first[key], "{out}: {key}");
            }
            assert_eq!(report["metadata"]["layers.7.weight"], "embed");
        }
        source = out;
    }
    for rank in ["0", "1"] {
        let (out, rules) = (setup.path("ranks"), setup.path("untied.toml"));
        let args = ["model", &source, "--rules", &rules, "--device", "cpu", "--out", &out];
        succeed(&[&args[..], &["--rank", rank, "--world-size", "2"]].concat());
    }
    let report = json(&["verify", &setup.path("ranks"), "--json"]);
    for key in ["fingerprint", "shapes_fingerprint", "matches_rules", "agrees"] {
        assert_eq!(report[key], first[key], "{key}");
    }
    // A tie of the rules is none of the source.
    complains(
        &["verify", &single, "--rules", &setup.path("untied.toml")],
        &["the file ties it to embed, and by the rules it is a tensor of its own"],
    );
}
