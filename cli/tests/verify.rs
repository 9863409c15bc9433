//! `gpu-init verify` against seed and rules: what it passes, what it finds, and what it makes of
//! files that lie.

#[path = "common/header.rs"]
mod header;
#[path = "common/program.rs"]
mod program;
#[cfg(unix)]
#[path = "common/signals.rs"]
mod signals;

use std::fs;
use std::path::Path;

use header::{edit_metadata, edit_whole};
use program::{command, complains, complaint, json, run, succeed};
use serde_json::{Value, json as object};

/// Every kind of distribution: made chunk by chunk, and made as a whole. `head` is tied to `embed`,
/// counts as the eighth layer and says what a bias has.
const RULES: &str = r#"
    seed = 3
    default = "xavier_uniform"
    tied = [["embed", "layers.7.weight"]]
    rules = [
        { match = "embed", init = "truncated_normal(std=0.02)", dtype = "bf16", zero_row = 15 },
        { match = "layers.7.bias", init = "pytorch_bias" },
        { match = "*.bias", init = "zeros" },
        { match = "*.recurrent", init = "orthogonal", shard = { dim = 1 } },
        { match = "*.sparse", init = "sparse(sparsity=0.3, std=0.1)" },
        { match = "*.eye", init = "eye" },
        { match = "*.proj", init = "normal(std=0.02)", scale = "1 / sqrt(2 * layers)", shard = { dim = 1 }, dtype = "f16" },
        { match = "scale", init = "ones" },
    ]
"#;

/// A folder with a list of tensors, their rules, and models.
struct Setup {
    folder: tempfile::TempDir,
}

impl Setup {
    fn new() -> Self {
        let setup = Setup { folder: tempfile::tempdir().unwrap() };
        let tensor = |shape: &[usize]| object!({ "dtype": "F32", "shape": shape });
        let list = object!({
            "__metadata__": { "architecture": "scale" },
            "embed": tensor(&[40, 24]),
            "layers.7.weight": tensor(&[40, 24]),
            "layers.7.bias": tensor(&[40]),
            "layers.0.proj": tensor(&[24, 10]),
            "layers.0.bias": tensor(&[5]),
            "layers.0.recurrent": tensor(&[24, 24]),
            "layers.0.sparse": tensor(&[24, 9]),
            "layers.0.eye": tensor(&[6, 6]),
            "layers.0.other": tensor(&[7, 3]),
            "scale": tensor(&[]),
        });
        fs::write(setup.path("list.json"), list.to_string()).unwrap();
        fs::write(setup.path("rules.toml"), RULES).unwrap();
        setup
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).into_os_string().into_string().unwrap()
    }

    fn save(&self, out: &str, args: &[&str]) -> String {
        let (list, rules, out) = (self.path("list.json"), self.path("rules.toml"), self.path(out));
        let model = ["model", &list, "--rules", &rules, "--device", "cpu", "--out", &out];
        succeed(&[&model[..], args].concat());
        out
    }

    /// Saves the files of `world` ranks.
    fn save_ranks(&self, out: &str, world: u64) -> String {
        for rank in 0..world {
            self.save(out, &["--rank", &rank.to_string(), "--world-size", &world.to_string()]);
        }
        self.path(out)
    }
}

/// Changes the lowest bit of element `n` of a tensor.
fn flip(path: &str, tensor: &str, n: usize) {
    let mut file = fs::read(path).unwrap();
    let start = 8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&file[8..start]).unwrap();
    let size = if header[tensor]["dtype"] == "F32" { 4 } else { 2 };
    let offset = header[tensor]["data_offsets"][0].as_u64().unwrap() as usize;
    file[start + offset + size * n] ^= 1;
    fs::write(path, file).unwrap();
}

/// The JSON of a verification that finds something, whose exit code is 1.
fn refused(args: &[&str]) -> Value {
    let output = run(&[&["verify", "--json"], args].concat());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn what_is_written_is_what_seed_and_rules_give() {
    let setup = Setup::new();
    for (i, args) in
        [&[][..], &["--seed", "11"], &["--dtype", "bf16"], &["--dtype", "f16"], &["--dtype", "f32"]]
            .into_iter()
            .enumerate()
    {
        let file = setup.save(&format!("{i}.safetensors"), args);
        let report = json(&["verify", &file, "--json", "--verbose"]);
        assert_eq!(report["matches_rules"], true, "{report}");
        assert_eq!(report["seed"], if i == 1 { 11 } else { 3 });
        let each = report["each"].as_array().unwrap();
        assert_eq!(each.len(), 9, "the tied tensor is there once");
        assert!(
            each.iter()
                .all(|tensor| tensor["matches_rules"] == true && tensor["difference"].is_null())
        );
        // Given rules are as good as recorded ones.
        edit_metadata(&file, "rules", None);
        let (rules, seed) = (setup.path("rules.toml"), report["seed"].to_string());
        for args in [&["--rules", &rules][..], &["--rules", &rules, "--seed", &seed]] {
            let report = json(&[&["verify", &file, "--json"], args].concat());
            assert_eq!(
                (&report["matches_rules"], &report["rules"]),
                (&true.into(), &rules.clone().into())
            );
        }
        // Neither: the fingerprint alone, as the report says.
        let report = json(&["verify", &file, "--json"]);
        assert_eq!((&report["matches_rules"], &report["agrees"]), (&Value::Null, &true.into()));
        assert!(
            succeed(&["verify", &file])
                .contains("only the fingerprint is checked; pass --rules or --recipe")
        );
        complains(
            &["verify", &file, "--seed", "3"],
            &["records no rules for seed 3; pass --rules"],
        );
    }
    fs::create_dir(setup.path("shards")).unwrap();
    let shards = setup.save("shards", &["--max-shard-size", "2KB"]);
    assert!(fs::read_dir(&shards).unwrap().count() > 3);
    assert!(
        succeed(&["verify", &shards])
            .contains("every element is what the file's own rules and seed 3 give")
    );
}

/// Two with a head that is tied to the embedding.
#[test]
fn recipes_verify() {
    let setup = Setup::new();
    for (list, recipe, tied) in [
        (
            "bert-base",
            "bert",
            Some(("cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight")),
        ),
        ("gpt2", "gpt2", Some(("lm_head.weight", "transformer.wte.weight"))),
        ("resnet-50", "resnet", None),
    ] {
        let (file, list) =
            (setup.path("model.safetensors"), format!("../tests/models/{list}.json"));
        let mut tensors: Value = serde_json::from_slice(&fs::read(list).unwrap()).unwrap();
        let alone = tensors.as_object().unwrap().len() - 1;
        if let Some((alias, owner)) = tied {
            tensors[alias] = tensors[owner].clone();
        }
        fs::write(setup.path("list.json"), tensors.to_string()).unwrap();
        let list = setup.path("list.json");
        succeed(&[
            "model", &list, "--recipe", recipe, "--seed", "5", "--device", "cpu", "--out", &file,
            "--force",
        ]);
        let report = json(&["verify", &file, "--json"]);
        assert_eq!(
            (&report["matches_rules"], &report["seed"]),
            (&true.into(), &5.into()),
            "{recipe}"
        );
        assert_eq!(report["tensors"], alone, "{recipe}");
        assert!(tied.is_none_or(|(alias, owner)| report["metadata"][alias] == owner), "{recipe}");
        assert_eq!(json(&["verify", &file, "--json", "--recipe", recipe])["matches_rules"], true);
    }
}

#[test]
fn one_bit_is_found() {
    let setup = Setup::new();
    for (tensor, n, place) in [
        ("embed", 24 * 17 + 5, "[17, 5]"),
        ("layers.0.proj", 239, "[23, 9]"),
        ("layers.0.recurrent", 30, "[1, 6]"),
        ("layers.0.sparse", 0, "[0, 0]"),
        ("layers.0.eye", 7, "[1, 1]"),
        ("layers.0.bias", 4, "[4]"),
        ("scale", 0, "[]"),
    ] {
        let file = setup.save("model.safetensors", &["--force"]);
        flip(&file, tensor, n);
        let line = complaint(&["verify", &file]);
        assert!(
            line.contains(&format!("{tensor}: 1 of "))
                && line.contains(&format!("first {place}: ")),
            "{line}"
        );
        assert!(line.contains("the fingerprint recorded is"), "{line}");
        let report = refused(&[&file, "--verbose"]);
        assert_eq!(report["matches_rules"], false);
        let wrong: Vec<_> = report["each"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|each| each["matches_rules"] != true)
            .collect();
        assert_eq!(wrong.len(), 1);
        assert_eq!(
            (&wrong[0]["name"], &wrong[0]["difference"]["elements"]),
            (&tensor.into(), &1.into())
        );
        assert_ne!(wrong[0]["difference"]["bits"], wrong[0]["difference"]["expected_bits"]);
    }
}

/// Chunks have 64 MiB: an element in the last one.
#[test]
fn one_bit_is_found_in_a_large_tensor() {
    let setup = Setup::new();
    fs::write(setup.path("list.json"), r#"{"w": {"dtype": "F32", "shape": [20000001]}}"#).unwrap();
    fs::write(setup.path("rules.toml"), "default = 'normal'").unwrap();
    let file = setup.save("model.safetensors", &[]);
    assert_eq!(json(&["verify", &file, "--json"])["matches_rules"], true);
    flip(&file, "w", 20_000_000);
    flip(&file, "w", 19_000_000);
    complains(&["verify", &file], &["w: 2 of 20000001 elements", "first [19000000]: "]);
}

#[test]
fn another_seed_or_other_rules_are_refused() {
    let setup = Setup::new();
    let file = setup.save("model.safetensors", &[]);
    let other = setup.path("other.toml");
    fs::write(&other, RULES.replace("normal(std=0.02)", "normal(std=0.03)")).unwrap();
    let untied = setup.path("untied.toml");
    fs::write(&untied, RULES.replace("tied", "# tied")).unwrap();
    for (args, part) in [
        (&["--seed", "4"][..], "embed: 936 of 960 elements differ"),
        (&["--rules", &other], "layers.0.proj: 240 of 240 elements differ"),
        (&["--rules", &other], "layers.0.proj: std 0.0045"),
        (
            &["--rules", &untied],
            "layers.7.weight: the file ties it to embed, and by the rules it is a tensor of its own",
        ),
        (&["--recipe", "xavier"], "layers.0.recurrent: 576 of 576 elements differ"),
        (&["--recipe", "gpt2"], "no rule matches"),
        (&["--rules", "tests/nothing.toml"], "cannot open tests/nothing.toml"),
        (&["--rules", &setup.path("list.json")], "list.json: cannot read rules"),
    ] {
        let args = [&["verify", &file], args].concat();
        let line = complaint(&args);
        assert_eq!(run(&args).status.code(), Some(1));
        let report = run(&[&args[..], &["--json"]].concat());
        let all = line.clone() + &String::from_utf8(report.stdout).unwrap();
        assert!(all.contains(part), "{args:?}: {line}");
        // The fingerprint is as recorded all the same.
        assert!(!line.contains("the fingerprint recorded"), "{line}");
    }
    complains(&["verify", &file, "--seed", "4"], &["pass the seed and rules that made it"]);
    complains(&["verify", &file, "--rules", &other, "--recipe", "bert"], &["cannot be used with"]);
    assert_eq!(
        refused(&[&file, "--seed", "4"])["problems"].as_array().unwrap().len(),
        6,
        "not eye, ones and zeros"
    );
}

/// Each `(key, value, part)` is a lie in the metadata of a file, and what the complaint says.
fn lies(file: &str, cases: &[(&str, &str, &str)]) {
    let good = fs::read(file).unwrap();
    for (key, value, part) in cases {
        edit_metadata(file, key, Some(value));
        let line = complaint(&["verify", file]);
        assert!(line.contains(part) && line.len() < 2000, "{key}: {line}");
        fs::write(file, &good).unwrap();
    }
}

#[test]
fn false_metadata_is_one_line() {
    let setup = Setup::new();
    let file = setup.save("model.safetensors", &[]);
    let deep = "[".repeat(100_000);
    let cases = [
        ("rules", "seed = ", "the rules that it records cannot be read"),
        ("rules", &deep, "the rules that it records cannot be read"),
        ("rules", &"#".repeat((1 << 20) + 1), "have over 1048576 bytes"),
        ("rules", "rules = [{ match = 'x', init = 'ones' }]", "no rule matches"),
        (
            "rules",
            "default = 'normal'\nrules = [{ match = '*', init = 'orthogonal' }]",
            "orthogonal: shape",
        ),
        ("seed", "-1", "the seed that it records is \"-1\""),
        ("seed", "seven", "the seed that it records is \"seven\""),
        ("seed", "4", "elements differ from the rules'"),
        ("stream_version", "2", "its stream version is 2 and this program's 1"),
        ("fingerprint", "0123456789abcdef", "the fingerprint recorded is 0123456789abcdef"),
        ("layers.7.weight", "nothing", "layers.7.bias"),
        ("layers.7.weight", "scale", "are tied, but are [40, 24] BF16 and [] F32"),
        ("embed.alias", "embed", "names, dtypes and shapes are not those recorded"),
        ("source_ties", "{}", "the source_ties that it records are not a list of names"),
        (
            "shapes_fingerprint",
            "0123456789abcdef",
            "shapes_fingerprint is 0123456789abcdef, theirs ",
        ),
        ("whole", "{}", "only some of rank, world_size and whole"),
        ("world_size", "2", "only some of rank, world_size and whole"),
    ];
    lies(&file, &cases);
    edit_metadata(&file, "stream_version", Some("2"));
    let report = refused(&[&file]);
    assert_eq!(
        (&report["matches_rules"], &report["fingerprint"]),
        (&Value::Null, &report["recorded_fingerprint"])
    );
}

#[test]
fn false_metadata_of_a_rank_is_one_line() {
    let setup = Setup::new();
    let ranks = setup.save_ranks("ranks", 2);
    let rank = format!("{ranks}/model-rank-00000-of-00002.safetensors");
    let huge =
        r#"{"embed": {"dtype": "F32", "shape": [18446744073709551615, 18446744073709551615]}}"#;
    let large = r#"{"embed": {"dtype": "BF16", "shape": [1152921504606846976]}}"#;
    let deep = "[".repeat(100_000);
    let cases = [
        ("whole", "[", "the whole model that it records: "),
        ("whole", &deep, "the whole model that it records: "),
        ("whole", "{}", "is not in the whole model that it records"),
        ("whole", huge, "overflows 64 bits"),
        ("whole", large, "is not in the whole model that it records"),
        ("rank", "2", "it records rank 2 of 2"),
        ("rank", "1", "is not what rank 1 of 2 has of"),
        ("rank", "-1", "the rank that it records is \"-1\""),
        ("world_size", "0", "it records rank 0 of 0"),
        ("world_size", "18446744073709551615", "is not what rank 0 of 18446744073709551615 has of"),
        (
            "rules",
            "default = 'ones'",
            "layers.0.proj: it is F16 [24, 5], and by the rules F16 [12, 10]",
        ),
        ("seed", "", "the seed that it records is \"\""),
    ];
    lies(&rank, &cases);
    // Shapes that no file can have, for tensors that the file has.
    for dims in [[1u64 << 62, 24], [u64::MAX, 24], [u64::MAX, u64::MAX], [0, 24], [40, 0]] {
        edit_whole(&rank, |whole| whole["embed"]["shape"] = object!(dims));
        let line = complaint(&["verify", &rank]);
        assert!(line.contains("embed") || line.contains("overflows"), "{line}");
    }
}

#[test]
fn ranks_are_one_model() {
    let setup = Setup::new();
    let single = json(&["verify", &setup.save("model.safetensors", &[]), "--json"]);
    // Of 41 ranks the last one has nothing of the embedding, whose tied name is the weight of a
    // bias.
    for world in [2, 3, 7, 41] {
        let folder = setup.save_ranks(&format!("of-{world}"), world);
        let report = json(&["verify", &folder, "--json", "--verbose"]);
        for key in [
            "fingerprint",
            "recorded_fingerprint",
            "tensors",
            "elements",
            "bytes",
            "matches_rules",
            "min",
            "max",
        ] {
            assert_eq!(report[key], single[key], "{world}: {key}");
        }
        assert_eq!((&report["files"], &report["world_size"]), (&world.into(), &world.into()));
        assert_eq!(
            json(&["verify", &format!("{folder}/model.slices.json"), "--json"])["fingerprint"],
            single["fingerprint"]
        );
        // Each file by itself, and without its rules.
        for rank in 0..world {
            let file = format!("{folder}/model-rank-{rank:05}-of-{world:05}.safetensors");
            assert_eq!(json(&["verify", &file, "--json"])["matches_rules"], true);
            edit_metadata(&file, "rules", None);
            let report = json(&["verify", &file, "--json"]);
            assert_eq!((&report["matches_rules"], &report["agrees"]), (&Value::Null, &true.into()));
        }
        let report = json(&["verify", &folder, "--json"]);
        assert_eq!(
            (&report["matches_rules"], &report["fingerprint"]),
            (&Value::Null, &single["fingerprint"])
        );
        let given = json(&["verify", &folder, "--json", "--rules", &setup.path("rules.toml")]);
        assert_eq!(given["matches_rules"], true);
    }
    assert!(succeed(&["verify", &setup.path("of-3")]).contains("9 in 3 files, one of each rank"));
}

/// The files of three ranks, their list, and good copies of them.
struct Ranks {
    _setup: Setup,
    folder: String,
    list: String,
    good: Vec<Vec<u8>>,
    good_list: String,
}

impl Ranks {
    fn new() -> Self {
        let setup = Setup::new();
        let folder = setup.save_ranks("ranks", 3);
        let list = format!("{folder}/model.slices.json");
        let good_list = fs::read_to_string(&list).unwrap();
        let mut ranks = Ranks { _setup: setup, folder, list, good: vec![], good_list };
        ranks.good = (0..3).map(|rank| fs::read(ranks.file(rank)).unwrap()).collect();
        ranks
    }

    fn file(&self, rank: usize) -> String {
        format!("{}/model-rank-{rank:05}-of-00003.safetensors", self.folder)
    }

    fn edit(&self, edit: impl FnOnce(&mut Value)) {
        let mut value: Value = serde_json::from_str(&self.good_list).unwrap();
        edit(&mut value);
        fs::write(&self.list, value.to_string()).unwrap();
    }

    /// Expects a complaint, and restores the files.
    fn says(&self, part: &str) {
        let line = complaint(&["verify", &self.folder]);
        assert!(line.contains(part) && line.len() < 3000, "{part}: {line}");
        self.good.iter().enumerate().for_each(|(i, good)| fs::write(self.file(i), good).unwrap());
        fs::write(&self.list, &self.good_list).unwrap();
    }
}

#[test]
fn what_is_wrong_with_files_of_ranks_is_named() {
    let ranks = Ranks::new();
    fs::remove_file(ranks.file(1)).unwrap();
    ranks.says("model-rank-00001-of-00003.safetensors is missing");
    fs::remove_file(&ranks.list).unwrap();
    ranks.says("model.slices.json is missing");
    flip(&ranks.file(1), "layers.0.recurrent", 8);
    // Columns 8 to 16 are rank 1's.
    ranks.says(
        "rank 1: layers.0.recurrent: 1 of 192 elements differ from the rules', first [1, 8]: ",
    );
    edit_metadata(&ranks.file(2), "seed", Some("4"));
    ranks.says("model-rank-00002-of-00003.safetensors: its seed is not rank 0's");
    edit_metadata(&ranks.file(2), "rank", Some("1"));
    ranks.says("it records rank 1 of 3");
    edit_metadata(&ranks.file(2), "whole", None);
    ranks.says("only some of rank, world_size and whole");
    for key in ["rank", "world_size", "whole"] {
        edit_metadata(&ranks.file(2), key, None);
    }
    ranks.says("it records no rank");
    fs::copy(ranks.file(0), ranks.file(2)).unwrap();
    ranks.says("it records rank 0 of 3");
    fs::write(ranks.file(0), &ranks.good[0][..ranks.good[0].len() - 1]).unwrap();
    ranks.says("model-rank-00000-of-00003.safetensors");
}

#[test]
fn what_is_wrong_with_a_list_of_slices_is_named() {
    let ranks = Ranks::new();
    let embed = |key, number: u64| {
        ranks.edit(|value| value["tensors"]["embed"][key] = number.into());
    };
    embed("slice_len", 13);
    ranks.says("tensor \"embed\": 3 ranks with 13 indices each do not cover the 40 of dimension 0");
    embed("slice_len", 0);
    ranks.says("3 ranks with 0 indices each do not cover");
    embed("slice_len", 15);
    ranks.says("\"embed\" is BF16 [14, 24], and in model.slices.json BF16 [15, 24]");
    embed("slice_len", 40);
    ranks.says("model-rank-00001-of-00003.safetensors: \"embed\" is not in model.slices.json");
    embed("dim", 5);
    ranks.says("has no dimension 5");
    ranks.edit(|value| value["tensors"]["embed"]["dtype"] = "F32".into());
    ranks.says("\"embed\" is BF16 [14, 24], and in model.slices.json F32 [14, 24]");
    ranks.edit(|value| value["tensors"]["more"] = value["tensors"]["embed"].clone());
    ranks.says("tensor \"more\" is missing");
    ranks.edit(|value| _ = value["tensors"].as_object_mut().unwrap().remove("embed"));
    ranks.says("\"embed\" is not in model.slices.json");
    ranks.edit(|value| value["world_size"] = u64::MAX.into());
    ranks.says("is missing");
    ranks.edit(|value| value["world_size"] = 0.into());
    ranks.says("0 ranks with 14 indices each do not cover the 40 of dimension 0");
    ranks.edit(|value| value["tensors"] = object!({}));
    ranks.says("is not in model.slices.json");
    fs::write(&ranks.list, "[").unwrap();
    ranks.says("it is not a list");
    fs::write(&ranks.list, r#"{"world_size": 0, "tensors": {}}"#).unwrap();
    ranks.says("is of no ranks");
    assert!(succeed(&["verify", &ranks.folder]).contains("every element"));
}

/// A rank that has nothing of any tensor writes its file all the same, so that the set is complete.
#[test]
fn a_rank_without_tensors_has_a_file() {
    let setup = Setup::new();
    fs::write(setup.path("list.json"), r#"{"pair": {"dtype": "F32", "shape": [2]}}"#).unwrap();
    fs::write(setup.path("rules.toml"), "default = 'normal'").unwrap();
    let folder = setup.save_ranks("ranks", 4);
    let path = format!("{folder}/model-rank-00003-of-00004.safetensors");
    let file = fs::read(&path).unwrap();
    assert!(safetensors::SafeTensors::deserialize(&file).unwrap().is_empty());
    let report = json(&["verify", &path, "--json"]);
    assert_eq!((&report["matches_rules"], &report["tensors"]), (&true.into(), &0.into()));
    assert_eq!(report["fingerprint"], "0000000000000000");
    let report = json(&["verify", &folder, "--json"]);
    let single = json(&["verify", &setup.save("model.safetensors", &[]), "--json"]);
    assert_eq!(
        (&report["fingerprint"], &report["matches_rules"]),
        (&single["fingerprint"], &true.into())
    );
    assert_eq!(fs::read_dir(Path::new(&folder)).unwrap().count(), 5);
    // One process has no such excuse.
    fs::write(setup.path("list.json"), "{}").unwrap();
    complains(
        &["model", &setup.path("list.json"), "--out", &setup.path("none.safetensors")],
        &["lists no tensors"],
    );
}

/// Between two chunks.
#[test]
#[cfg(unix)]
fn ctrl_c_ends_it() {
    let setup = Setup::new();
    fs::write(setup.path("list.json"), r#"{"w": {"dtype": "F16", "shape": [9000, 9000]}}"#)
        .unwrap();
    fs::write(setup.path("rules.toml"), "default = 'normal'").unwrap();
    let file = setup.save("model.safetensors", &[]);
    fs::write(setup.path("rules.toml"), "default = 'orthogonal'").unwrap();
    let rules = setup.path("rules.toml");
    let args = ["verify", &file, "--rules", &rules];
    let errors = signals::interrupted(&args, "of 81000000 elements");
    assert!(errors.contains("verify again") && !errors.contains("fill again"), "{errors}");
}

/// Whenever it comes, also after the last element.
#[test]
#[cfg(unix)]
fn ctrl_c_has_no_report_of_a_part() {
    let setup = Setup::new();
    fs::write(setup.path("list.json"), r#"{"w": {"dtype": "F32", "shape": [2048, 2048]}}"#)
        .unwrap();
    fs::write(setup.path("rules.toml"), "default = 'orthogonal'").unwrap();
    let file = setup.save("model.safetensors", &[]);
    let start = std::time::Instant::now();
    succeed(&["verify", &file]);
    let whole = start.elapsed();
    let mut interrupted = 0;
    for step in (2..20).step_by(2) {
        let child = command(&["verify", &file])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(whole * step / 16);
        signals::signal(&child, "-INT");
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        match output.status.code() {
            Some(130) => {
                assert!(
                    errors.contains("verify again") && !errors.contains("fill again"),
                    "{errors}"
                );
                assert!(
                    !errors.contains("4194304 of 4194304") && output.stdout.is_empty(),
                    "{errors}"
                );
                interrupted += 1;
            }
            // Before it listens, or when all is done.
            code => assert!(
                code.is_none_or(|code| code == 0) && errors.is_empty(),
                "{code:?}: {errors}"
            ),
        }
    }
    assert!(interrupted > 0);
}
