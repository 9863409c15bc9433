//! What files may ask for: no waiting, no memory and no time beyond what they are worth.

#[path = "common/program.rs"]
mod program;

use std::fs;
use std::path::Path;

use program::{complains, json, succeed};
use serde_json::{Value, json as object};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Each would be waited for without an end: nobody writes into them.
#[test]
#[cfg(unix)]
fn pipes_are_refused_before_they_are_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| text(&folder.path().join(name)).to_owned();
    for name in ["index", "slices", "single", "shard"] {
        fs::create_dir(path(name)).unwrap();
    }
    let pipe = |name: &str| {
        assert!(std::process::Command::new("mkfifo").arg(path(name)).status().unwrap().success());
        path(name)
    };
    let (plain, list, safetensors) = (pipe("pipe"), pipe("list.json"), pipe("x.safetensors"));
    let index = pipe("index/model.safetensors.index.json");
    let slices = pipe("slices/model.slices.json");
    pipe("single/model.safetensors");
    pipe("shard/a.safetensors");
    fs::write(
        path("shard/model.safetensors.index.json"),
        r#"{"weight_map": {"w": "a.safetensors"}}"#,
    )
    .unwrap();
    let model = "../tests/models/gpt2.json";
    for args in [
        &["model", &plain, "--dry-run"][..],
        &["model", &list, "--dry-run"],
        &["model", &safetensors, "--dry-run"],
        &["model", &index, "--dry-run"],
        &["model", &path("index"), "--dry-run"],
        &["model", &path("single"), "--dry-run"],
        &["model", &path("shard"), "--dry-run"],
        &["model", "/dev/zero", "--dry-run"],
        &["model", model, "--dry-run", "--rules", &plain],
        &["verify", &plain],
        &["verify", &safetensors],
        &["verify", &index],
        &["verify", &path("index")],
        &["verify", &slices],
        &["verify", &path("slices")],
        &["verify", &path("single")],
        &["verify", &path("shard")],
        &["verify", "tests/corpus/no-tensors.safetensors", "--rules", &plain],
    ] {
        complains(args, &["it is a pipe or a device, not a regular file; save what it gives"]);
    }
}

/// One row of a tensor that a rank of very many says to have.
fn row(init: &str, shape: [u64; 2]) -> Vec<u8> {
    let data = vec![0; 4 * shape[1] as usize];
    let whole = object!({ "w": { "dtype": "F32", "shape": shape } });
    let header = object!({
        "__metadata__": {
            "rank": "0",
            "world_size": shape[0].to_string(),
            "whole": whole.to_string(),
            "rules": format!("default = '{init}'"),
            "seed": "0",
        },
        "w": { "dtype": "F32", "shape": [1, shape[1]], "data_offsets": [0, data.len()] },
    })
    .to_string();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat()
}

#[test]
fn a_small_file_is_not_worth_a_large_matrix() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rank.safetensors");
    for (init, shape) in [
        ("orthogonal", [8192, 8192]),
        ("orthogonal", [1 << 20, 4096]),
        ("orthogonal", [1 << 30, 1]),
        ("sparse(sparsity=0.5)", [1 << 30, 8192]),
    ] {
        fs::write(&file, row(init, shape)).unwrap();
        complains(
            &["verify", text(&file)],
            &["much more work than the file justifies; pass --allow-costly"],
        );
    }
    // What is little work, or asked for, is done: all zeros are found to be wrong.
    for (init, shape, args) in [
        ("orthogonal", [512, 512], &[][..]),
        ("sparse(sparsity=0.5)", [4096, 512], &[]),
        ("normal", [1 << 40, 512], &[]),
        ("orthogonal", [1 << 19, 64], &["--allow-costly"]),
    ] {
        fs::write(&file, row(init, shape)).unwrap();
        complains(&[&["verify", text(&file)], args].concat(), &["elements differ from the rules'"]);
    }
}

/// Thousands of patterns are few bytes of text and many compiled.
#[test]
fn patterns_are_bounded_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.toml");
    let rules = |count: usize, pattern: &str| {
        let rule =
            |i| format!("[[rules]]\n{}\ninit = 'ones'\n", pattern.replace('#', &format!("{i}")));
        fs::write(
            &path,
            "default = 'zeros'\n".to_owned() + &(0..count).map(rule).collect::<String>(),
        )
        .unwrap();
    };
    let model =
        ["model", "../tests/models/gpt2.json", "--dry-run", "--json", "--rules", text(&path)];
    rules(1000, r"regex = '\w{20}#'");
    complains(&model, &["are the most; use fewer or simpler ones", "bytes compiled"]);
    // In a file that is verified, too.
    let rules_text = fs::read_to_string(&path).unwrap();
    let file = folder.path().join("x.safetensors");
    let header = object!({ "__metadata__": { "rules": rules_text } }).to_string();
    fs::write(&file, [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat()).unwrap();
    complains(&["verify", text(&file)], &["use fewer or simpler ones"]);
    for pattern in [
        r"regex = '(^|\.)ln_\w+\.weight#$'",
        r"match = '*.#.{attn,mlp}.*.weight'",
        r"regex = '^h\.#\.'",
    ] {
        rules(1000, pattern);
        assert_eq!(json(&model)["tensors"], 148, "{pattern}");
    }
}

/// Flax' and TensorFlow's names: by rules that know layers, in every form of a model.
#[test]
fn names_may_have_slashes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| text(&folder.path().join(name)).to_owned();
    let tensor = |shape: &[usize]| object!({ "dtype": "F32", "shape": shape });
    let list: Value = object!({
        "params/h/0/c_proj/kernel": tensor(&[8, 12]),
        "params/h/1/c_proj/kernel": tensor(&[8, 12]),
        "params/h/1/c_proj/bias": tensor(&[12]),
        "model/ln_f/g:0": tensor(&[8]),
        "../../tmp/w": tensor(&[8]),
    });
    fs::write(path("list.json"), list.to_string()).unwrap();
    let rules = "default = 'zeros'
        rules = [{ match = '*/kernel', init = 'normal', scale = '1 / sqrt(2 * layers) / (1 + layer)' }]";
    fs::write(path("rules.toml"), rules).unwrap();
    let (list, rules) = (path("list.json"), path("rules.toml"));
    let plan = json(&["model", &list, "--rules", &rules, "--dry-run", "--json"])["plan"].clone();
    assert_eq!((&plan[0]["scale"], &plan[1]["scale"]), (&0.5.into(), &0.25.into()));
    fs::create_dir(path("shards")).unwrap();
    let save = |source: &str, out: &str, args: &[&str]| {
        let args =
            [&["model", source, "--rules", &rules, "--device", "cpu", "--out", out], args].concat();
        succeed(&args);
        out.to_owned()
    };
    let single = save(&list, &path("model.safetensors"), &[]);
    save(&single, &path("shards"), &["--max-shard-size", "200B"]);
    for rank in ["0", "1"] {
        save(&path("shards"), &path("ranks"), &["--rank", rank, "--world-size", "2"]);
    }
    let first = json(&["verify", &single, "--json"]);
    for model in ["model.safetensors", "shards", "ranks"] {
        let report = json(&["verify", &path(model), "--json", "--verbose"]);
        assert_eq!(
            (&report["agrees"], &report["matches_rules"]),
            (&true.into(), &true.into()),
            "{model}"
        );
        assert_eq!(report["fingerprint"], first["fingerprint"], "{model}");
    }
}
