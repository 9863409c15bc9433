//! `gpu-init signal` as its users run it.

#[path = "../../tests/common/gpu.rs"]
mod gpu;
#[path = "common/program.rs"]
mod program;

use std::fs;

use program::{complains, json, succeed};
use serde_json::Value;

fn numbers(value: &Value) -> Vec<f64> {
    value["std"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

/// The standard deviations of activations and of gradients, of the only line.
fn signal(args: &[&str]) -> (Vec<f64>, Vec<f64>) {
    let report = json(&[&["signal", "--json", "--device", "cpu"], args].concat());
    assert_eq!(report["lines"].as_array().unwrap().len(), 1, "{report}");
    let line = &report["lines"][0];
    (numbers(&line["activations"]), numbers(&line["gradients"]))
}

/// The claim of the README's picture.
#[test]
fn xavier_keeps_the_spread_where_a_small_normal_vanishes() {
    let size = ["--depth", "50", "--width", "256", "--activation", "tanh"];
    let (activations, gradients) = signal(&[&size[..], &["--init", "xavier_normal"]].concat());
    assert_eq!((activations.len(), gradients.len()), (51, 51), "the inputs' layer and 50 others");
    let layers = &activations[1..];
    let (least, most) = layers.iter().fold((f64::MAX, 0.0f64), |(a, b), &x| (a.min(x), b.max(x)));
    assert!(most / least < 3.0, "{activations:?}");
    let (activations, gradients) = signal(&[&size[..], &["--init", "normal(std=0.01)"]].concat());
    assert!(activations[50] < 1e-10 && gradients[0] < 1e-10, "{activations:?}");
    assert!((activations[0] - 1.0).abs() < 0.05 && (gradients[50] - 1.0).abs() < 0.05);
}

/// What theory says of each step: a matrix of N(0, s^2) multiplies the spread by s sqrt(width).
#[test]
fn spreads_are_those_of_theory() {
    for (init, factor) in [("normal(std=0.01)", 0.16), ("lecun_uniform", 1.0), ("eye", 1.0)] {
        let args = ["--activation", "linear", "--depth", "3", "--width", "256", "--init", init];
        let (activations, gradients) = signal(&args);
        for layer in 0..3 {
            let forward = activations[layer + 1] / activations[layer];
            let backward = gradients[layer] / gradients[layer + 1];
            for measured in [forward, backward] {
                assert!((measured / factor - 1.0).abs() < 0.05, "{init}: {measured}");
            }
        }
    }
    // An orthogonal matrix keeps the length of every signal exactly.
    let (activations, _) = signal(&["--activation", "linear", "--init", "orthogonal"]);
    assert!((activations[50] / activations[0] - 1.0).abs() < 0.01, "{activations:?}");
    // ReLU halves the mean square, and He's weights double it.
    let (_, gradients) = signal(&["--activation", "relu", "--init", "kaiming_normal"]);
    assert!((0.3..3.0).contains(&gradients[0]), "{gradients:?}");
    // sigmoid' is at most 1/4.
    let (_, gradients) = signal(&["--activation", "sigmoid", "--init", "xavier_normal"]);
    assert!(gradients[0] < 0.26f64.powi(50), "{gradients:?}");
}

#[test]
fn the_gain_is_the_activations_unless_one_is_given() {
    let init = |args: &[&str]| {
        let small = ["signal", "--json", "--device", "cpu", "--depth", "1", "--width", "16"];
        let report = json(&[&small[..], args].concat());
        let lines = report["lines"].as_array().unwrap().clone();
        lines.iter().map(|line| line["init"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let xavier = ["--init", "xavier_uniform"];
    assert_eq!(init(&xavier), ["xavier_uniform(gain=1.6666666666666667)"]);
    let with = |args: &[&'static str]| [&xavier[..], args].concat();
    assert_eq!(init(&with(&["--activation", "relu"])), ["xavier_uniform(gain=1.4142135623730951)"]);
    assert_eq!(init(&with(&["--activation", "linear"])), ["xavier_uniform"]);
    assert_eq!(init(&with(&["--gain", "0.5"])), ["xavier_uniform(gain=0.5)"]);
    assert_eq!(init(&["--init", "xavier_uniform(gain=1)"]), ["xavier_uniform"]);
    assert_eq!(
        init(&with(&["--init", "ones", "--gain", "3", "--init", "ones"])),
        ["xavier_uniform(gain=3)", "ones"]
    );
    assert_eq!(init(&[]).len(), 6);
}

#[test]
fn lines_are_the_same_on_every_device() {
    let on = |device: &str| {
        let args =
            ["--depth", "3", "--width", "48", "--batch", "5", "--seed", "9", "--device", device];
        json(&[&["signal", "--json"], &args[..]].concat())["lines"].clone()
    };
    if gpu::device().is_some() {
        assert_eq!(on("cpu"), on("gpu"));
    }
    // The fingerprint is that of a model with these names.
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list.json");
    let layer = |n| format!(r#""layers.{n}.weight": {{"dtype": "F32", "shape": [48, 48]}}"#);
    fs::write(&list, format!("{{{}, {}, {}}}", layer(0), layer(1), layer(2))).unwrap();
    let rules = folder.path().join("rules.toml");
    fs::write(&rules, "seed = 9\ndefault = 'kaiming_normal'").unwrap();
    let [list, rules] = [&list, &rules].map(|path| path.to_str().unwrap());
    let model = json(&["model", list, "--rules", rules, "--device", "cpu", "--json"]);
    assert_eq!(on("cpu")[1]["fingerprint"], model["fingerprint"]);
}

#[test]
fn people_see_curves_and_figures() {
    let text = succeed(&[
        "signal",
        "--init",
        "xavier_normal",
        "--init",
        "normal(std=0.01)",
        "--width",
        "64",
        "--device",
        "cpu",
    ]);
    for part in
        ["tanh, depth 50", "xavier_normal, gain 1.67", "█", "▁", "vanishes", "stays", "fingerprint"]
    {
        assert!(text.contains(part), "{text} lacks {part}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
}

#[test]
fn what_has_no_logarithm_is_drawn_too() {
    let folder = tempfile::tempdir().unwrap();
    let plot = folder.path().join("signal.svg");
    let plot = plot.to_str().unwrap();
    for init in ["zeros", "ones", "constant(val=1e30)", "normal(std=1e-20)"] {
        let args = ["signal", "--init", init, "--activation", "linear", "--width", "32"];
        let text = succeed(&[&args[..], &["--device", "cpu", "--plot", plot, "--force"]].concat());
        assert!(text.contains("fingerprint"), "{text}");
        assert!(fs::read_to_string(plot).unwrap().ends_with("</svg>\n"), "{init}");
    }
    // Infinity is null in JSON.
    let args = ["--init", "constant(val=1e30)", "--activation", "linear", "--width", "32"];
    let report = json(&[&["signal", "--json", "--device", "cpu"], &args[..]].concat());
    assert!(report["lines"][0]["activations"]["std"][50].is_null(), "{report}");
}

#[test]
fn a_plot_has_a_line_for_each_initializer() {
    let folder = tempfile::tempdir().unwrap();
    let plot = folder.path().join("signal.svg");
    let plot = plot.to_str().unwrap();
    let args = ["signal", "--width", "32", "--device", "cpu", "--plot", plot];
    succeed(&args);
    let svg = fs::read_to_string(plot).unwrap();
    assert_eq!(svg.matches(r#"stroke-width="3""#).count(), 3 * 6, "curves twice, legend");
    for part in
        ["xavier_normal, gain 1.67", "normal(std=0.01)", "10⁻³⁰", "50 layers of width 32, tanh"]
    {
        assert!(svg.contains(part), "{part} is missing");
    }
    complains(&args, &["signal.svg", "--force"]);
}

#[test]
fn mistakes_are_explained() {
    complains(&["signal", "--init", "xaver"], &["xaver", "xavier_normal"]);
    complains(&["signal", "--activation", "step"], &["step", "sigmoid"]);
    complains(&["signal", "--depth", "0"], &["depth", "1..=1000"]);
    complains(&["signal", "--init", "ones", "--gain", "2"], &["gain"]);
    complains(
        &["signal", "--init", "dirac", "--device", "cpu"],
        &["signal: dirac", "shape [512, 512]"],
    );
    complains(
        &["signal", "--depth", "1000", "--width", "16384", "--batch", "65536"],
        &["signal: ", "bytes of host memory", "smaller --depth"],
    );
}
