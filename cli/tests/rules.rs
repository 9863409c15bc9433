//! Rules and recipes on the command line.

#[path = "common/program.rs"]
mod program;

use std::fs;

use gpu_init::{Cpu, Initializer, Recipe, TensorSpec};
use program::{command, complains, json, run, succeed};

/// The cells of a table's row, which two spaces or more part.
fn cells(line: &str) -> Vec<&str> {
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

#[test]
fn recipes_are_listed_and_printed() {
    let list = succeed(&["recipe"]);
    assert_eq!(list.lines().count(), Recipe::ALL.len());
    for (line, recipe) in list.lines().zip(Recipe::ALL) {
        assert!(line.starts_with(recipe.name()) && line.ends_with(recipe.summary()), "{line}");
        assert_eq!(succeed(&["recipe", recipe.name()]), recipe.text());
    }
    complains(
        &["recipe", "resnext"],
        &["use one of xavier, huggingface, gpt2, llama, mixtral, qwen3"],
    );
}

#[test]
fn a_dry_run_is_a_table() {
    let text = succeed(&["model", "../tests/models/gpt2.json", "--recipe", "gpt2", "--dry-run"]);
    let rows: Vec<_> = text.lines().map(cells).collect();
    assert_eq!(
        rows[0],
        ["tensor", "shape", "dtype", "rule", "distribution", "fan_in", "fan_out", "std", "bytes"]
    );
    for row in [
        [
            "transformer.wte.weight",
            "[50257, 768]",
            "F32",
            "4",
            "normal(std=0.02)",
            "768",
            "50257",
            "0.02",
            "154,389,504",
        ],
        ["transformer.h.0.ln_1.weight", "[768]", "F32", "2", "ones", "-", "-", "0", "3,072"],
        [
            "transformer.h.3.attn.c_proj.weight",
            "[768, 768]",
            "F32",
            "1",
            "normal(std=0.02) * 0.20412415",
            "768",
            "768",
            "0.004082483",
            "2,359,296",
        ],
    ] {
        assert!(rows.iter().any(|cells| cells == &row), "{text} lacks {row:?}");
    }
    for part in [
        "GPT2LMHeadModel from ../tests/models/gpt2.json by recipe gpt2, seed 0",
        "24 normal(std=0.02)     35,389,440  1. residual projections",
        "124,439,808",
        "497,759,232 (474.70 MiB)",
    ] {
        assert!(text.contains(part), "{text} lacks {part}");
    }
}

/// No driver is there, so nothing can be said of the device, and a dry run needs none.
#[test]
fn a_dry_run_opens_no_device() {
    let args = [
        "model",
        "../tests/models/llama-3.2-1b.json",
        "--recipe",
        "llama",
        "--dry-run",
        "--json",
        "--device",
        "99",
    ];
    let output = command(&args).env("VK_DRIVER_FILES", "/nowhere.json").output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["rules"], "recipe llama");
    assert_eq!((&report["tensors"], &report["bytes"]), (&146.into(), &2_471_628_800u64.into()));
    let entries = report["plan"].as_array().unwrap();
    let entry = entries
        .iter()
        .find(|entry| entry["name"] == "model.layers.15.mlp.down_proj.weight")
        .unwrap();
    assert_eq!(entry["shape"], serde_json::json!([2048, 8192]));
    assert_eq!((&entry["dtype"], &entry["rule"]), (&"BF16".into(), &1.into()));
    assert_eq!(entry["init"], "truncated_normal_sigma(std=0.02, lower=-3, upper=3)");
    assert_eq!(entry["scale"], 1.0 / 32f64.sqrt());
    assert_eq!(entry["stream"], gpu_init::stream_of("model.layers.15.mlp.down_proj.weight"));
    let std = entry["std"].as_f64().unwrap();
    assert!((std / (0.02 * 0.986_578_36 / 32f64.sqrt()) - 1.0).abs() < 1e-7);
}

#[test]
fn a_printed_recipe_is_that_recipe() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.toml");
    fs::write(&path, succeed(&["recipe", "bert"])).unwrap();
    let plan = |args: &[&str]| {
        let args =
            [&["model", "../tests/models/bert-base.json", "--dry-run", "--json"], args].concat();
        json(&args)["plan"].clone()
    };
    assert_eq!(plan(&["--rules", path.to_str().unwrap()]), plan(&["--recipe", "bert"]));
}

const LISTED: &str = r#"{"wte": {"dtype": "F32", "shape": [9, 8]}, "head": {"dtype": "F32", "shape": [9, 8]},
    "h.1.w": {"dtype": "F32", "shape": [8, 8]}, "b": {"dtype": "F32", "shape": [8]}}"#;

#[test]
fn rules_files_are_obeyed() {
    let folder = tempfile::tempdir().unwrap();
    let (model, rules) = (folder.path().join("model.json"), folder.path().join("rules.toml"));
    fs::write(&model, LISTED).unwrap();
    fs::write(
        &rules,
        "seed = 5
        default = 'zeros'
        tied = [['wte', 'head']]
        rules = [
            { match = 'wte', init = 'xavier_normal' },
            { match = 'h.*', init = 'normal(std=0.5)', scale = '1 / sqrt(2 * (layer + 1))', dtype = 'bf16' },
            { match = 'gone', init = 'ones', name = 'what is gone' },
        ]",
    )
    .unwrap();
    let args =
        ["model", model.to_str().unwrap(), "--rules", rules.to_str().unwrap(), "--device", "cpu"];
    let expected = |seed: u64| {
        let parameters = [
            ("wte", TensorSpec::new([9, 8], Initializer::xavier_normal())),
            (
                "h.1.w",
                TensorSpec::new([8, 8], Initializer::normal(0.0, 0.25))
                    .dtype(gpu_init::DType::BF16),
            ),
            ("b", TensorSpec::new([8], Initializer::zeros())),
        ];
        let fingerprint = |(name, parameter): (&str, TensorSpec)| {
            let tensor = Cpu::with_seed(seed).fill(&parameter.name(name)).unwrap();
            tensor.fingerprint().in_model(gpu_init::stream_of(name))
        };
        parameters.into_iter().map(fingerprint).sum::<gpu_init::Fingerprint>().to_string()
    };
    let report = json(&[&args[..], &["--json"]].concat());
    assert_eq!((&report["fingerprint"], &report["seed"]), (&expected(5).into(), &5.into()));
    assert_eq!((&report["tensors"], &report["elements"]), (&3.into(), &144.into()));
    let report = json(&[&args[..], &["--json", "--seed", "6"]].concat());
    assert_eq!((&report["fingerprint"], &report["seed"]), (&expected(6).into(), &6.into()));
    let output = run(&[&args[..], &["--dry-run"]].concat());
    let [warning, text] = [output.stderr, output.stdout].map(|it| String::from_utf8(it).unwrap());
    let expected = "rule 3 (what is gone) matches no tensor; correct or remove it\n";
    assert_eq!(warning, format!("gpu-init: warning: {expected}"));
    let rows: Vec<_> = text.lines().map(cells).collect();
    let rows: Vec<_> = rows[1..5].iter().map(|row| row.join(" ")).collect();
    assert_eq!(
        rows,
        [
            "wte [9, 8] F32 1 xavier_normal 8 9 0.34299716 288",
            "head tied to wte",
            "h.1.w [8, 8] BF16 2 normal(std=0.5) * 0.5 8 8 0.25 128",
            "b [8] F32 - zeros - - 0 32",
        ]
    );
    assert!(text.contains("1 zeros                        8  default"), "{text}");
    assert!(
        succeed(&[&args[..], &["--dry-run", "--dtype", "f16"]].concat()).contains("[8, 8]  F16")
    );
}

#[test]
fn bad_rules_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.toml");
    let file = path.to_str().unwrap();
    for (content, part) in [
        ("", "rules.toml: cannot read rules: there are no [[rules]]"),
        ("seed = 1\nsede = 1", "rules.toml: cannot read rules, line 2: unknown field `sede`"),
        (
            "rules = [{ match = 'h.*', init = 'ones' }]",
            "no rule matches \"transformer.wte.weight\"",
        ),
        (
            "default = 'xavier_normal'",
            "tensor \"transformer.h.0.ln_1.weight\", the default: xavier_normal: shape [768]",
        ),
        (
            "default = 'ones'\nlayers = 1\nrules = [{ match = '*', init = 'ones', scale = 'layer' }]",
            "no layer",
        ),
    ] {
        fs::write(&path, content).unwrap();
        complains(&["model", "../tests/models/gpt2.json", "--rules", file, "--dry-run"], &[part]);
    }
    fs::write(&path, [0xff, 0xfe]).unwrap();
    complains(&["model", "../tests/models/gpt2.json", "--rules", file], &["rules.toml as text"]);
    fs::write(&path, vec![b'\n'; (1 << 20) + 1]).unwrap();
    complains(&["model", "../tests/models/gpt2.json", "--rules", file], &["over 1048576 bytes"]);
    for (args, part) in [
        (&["--rules", "tests/nothing.toml"][..], "cannot open tests/nothing.toml"),
        (&["--rules", "x", "--recipe", "gpt2"], "cannot be used with"),
        (&["--recipe", "nothing"], "there is no recipe \"nothing\"; use one of xavier"),
    ] {
        complains(&[&["model", "../tests/models/gpt2.json"], args].concat(), &[part]);
    }
}

/// `--dtype`, else the rule's, else the list's, else the rules' for all, else F32.
#[test]
fn dtypes_come_from_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let (model, rules) = (folder.path().join("model.json"), folder.path().join("rules.toml"));
    let (model, rules) = (model.to_str().unwrap(), rules.to_str().unwrap());
    fs::write(
        model,
        r#"{"a": {"shape": [4, 4]}, "b": {"shape": [4, 4]}, "c": {"dtype": "F16", "shape": [4]}}"#,
    )
    .unwrap();
    let text = "rules = [{ match = 'a', init = 'normal', dtype = 'f16' }, { match = '*', init = 'normal' }]";
    for (top, args, expected) in [
        ("dtype = 'bf16'\n", &[][..], ["F16", "BF16", "F16"]),
        ("", &[], ["F16", "F32", "F16"]),
        ("", &["--dtype", "bf16"], ["BF16", "BF16", "BF16"]),
        ("dtype = 'bf16'\n", &["--dtype", "f32"], ["F32", "F32", "F32"]),
    ] {
        fs::write(rules, format!("{top}{text}")).unwrap();
        let args =
            [&["model", model, "--rules", rules, "--json", "--device", "cpu"], args].concat();
        let output = run(&[&args[..], &["--dry-run"]].concat());
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let dtypes: Vec<_> = (0..3).map(|i| plan["plan"][i]["dtype"].as_str().unwrap()).collect();
        assert_eq!(dtypes, expected, "{top}{args:?}");
        let out = folder.path().join("model.safetensors");
        let out = out.to_str().unwrap();
        succeed(&[&args[..], &["--out", out, "--force"]].concat());
        assert_eq!(json(&["verify", out, "--json"])["matches_rules"], true);
    }
    // One that says nothing of any tensor is said.
    fs::write(rules, format!("dtype = 'bf16'\n{text}")).unwrap();
    fs::write(
        model,
        r#"{"a": {"dtype": "F32", "shape": [4, 4]}, "b": {"dtype": "F32", "shape": [4, 4]}}"#,
    )
    .unwrap();
    let output = run(&["model", model, "--rules", rules, "--dry-run"]);
    let warning = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success()
            && warning.contains("warning: the rules' dtype, BF16, is for tensors"),
        "{warning}"
    );
    assert!(warning.contains("pass --dtype"), "{warning}");
    let file = folder.path().join("untyped.safetensors");
    let header = r#"{"w":{"shape":[1],"data_offsets":[0,4]}}"#;
    fs::write(&file, [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &[0; 4]].concat())
        .unwrap();
    complains(
        &["model", file.to_str().unwrap(), "--dtype", "f32", "--device", "cpu"],
        &["tensor \"w\": missing field `dtype`"],
    );
}
