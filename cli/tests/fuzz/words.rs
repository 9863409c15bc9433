//! Initializers and layouts as text. Names and options are those that the library's own complaints
//! list, so that a new one is drawn without a word here.

use std::sync::LazyLock;

use gpu_init::Initializer;

use crate::draw::Draw;

/// An initializer's options, each with the words that it takes; numbers have none.
type Options = Vec<(String, Vec<String>)>;

static INITIALIZERS: LazyLock<Vec<(String, Options)>> = LazyLock::new(|| {
    let names = list(&complaint("no such name"), "use one of ");
    names.into_iter().map(|name| (name.clone(), options(&name))).collect()
});

fn complaint(text: &str) -> String {
    text.parse::<Initializer>().unwrap_err().to_string()
}

/// What a complaint lists after some words.
fn list(complaint: &str, after: &str) -> Vec<String> {
    let (_, rest) =
        complaint.split_once(after).unwrap_or_else(|| panic!("{complaint:?} lacks {after:?}"));
    rest.split(", ").map(str::to_owned).collect()
}

fn options(name: &str) -> Options {
    let names = list(&complaint(&format!("{name}(nothing=1)")), "; it has ");
    let words = |option: &String| {
        let words = list(&complaint(&format!("{name}({option}=?)")), "\"?\" is not ");
        if words.len() > 1 { words } else { Vec::new() }
    };
    names
        .into_iter()
        .filter(|option| option != "none")
        .map(|option| (option.clone(), words(&option)))
        .collect()
}

/// One that can be read, most of the time.
pub fn initializer(draw: &mut Draw) -> String {
    let (name, options) = &INITIALIZERS[draw.below(INITIALIZERS.len())];
    let mut text = Vec::new();
    for (option, words) in options {
        let must = (name == "sparse" && option == "sparsity") || option == "val";
        if !must && draw.percent(50) {
            continue;
        }
        let value = match option.as_str() {
            "groups" => draw.below(5).to_string(),
            "sparsity" if draw.percent(80) => draw.unit().to_string(),
            "lower" | "a" if draw.percent(40) => (-draw.unit()).to_string(),
            "std" | "gain" | "scale" if draw.percent(70) => {
                10f64.powf(draw.unit() * 6.0 - 4.0).to_string()
            }
            _ if words.is_empty() => draw.number().to_string(),
            _ => words[draw.below(words.len())].clone(),
        };
        text.push(format!("{option}={value}"));
    }
    let text = format!("{name}({})", text.join(", "));
    if draw.percent(2) { mangled(draw, text) } else { text }
}

pub fn layout(draw: &mut Draw) -> String {
    match draw.below(10) {
        0..6 => draw.pick(&["pytorch", "pytorch", "jax", "keras", "transposed"]).to_owned(),
        6 | 7 => format!("grouped(groups={})", draw.below(5)),
        _ => {
            let mut axis = || draw.below(9) as isize - 4;
            let (input, output, other, batch) = (axis(), axis(), axis(), axis());
            match draw.below(3) {
                0 => format!("axes(input={input}, output={output})"),
                1 => format!("axes(input=[{input}, {other}], output={output}, batch={batch})"),
                _ => format!("axes(input={input}, output=[{output}, {other}])"),
            }
        }
    }
}

/// With a character lost or doubled.
fn mangled(draw: &mut Draw, text: String) -> String {
    let at = draw.below(text.len());
    let (head, tail) = text.split_at(at);
    if draw.percent(50) {
        format!("{head}{}", &tail[1..])
    } else {
        format!("{head}{}{tail}", &tail[..1])
    }
}
