//! Texts that a user writes: initializers, layouts, rules files.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use gpu_init::{
    Cpu, DType, Initializer, Layout, Number, ParseRulesError, Rules, Shape, TensorSpec,
};

use crate::{check_message, plan};

/// What a text says; its own text says the same.
fn parsed<T: FromStr<Err: Display> + Display + Debug + PartialEq>(text: &str) -> Option<T> {
    match text.parse::<T>() {
        Ok(value) => {
            let again = value.to_string();
            assert_eq!(again.parse::<T>().ok().as_ref(), Some(&value), "{again:?}");
            Some(value)
        }
        Err(error) => {
            check_message(error);
            None
        }
    }
}

/// An initializer: its text says the same, and what it resolves to has finite numbers and values
/// within its bounds.
pub fn initializer(text: &[u8]) {
    let Ok(text) = str::from_utf8(text) else { return };
    let Some(initializer) = parsed::<Initializer>(text) else { return };
    let json = serde_json::to_string(&initializer).unwrap();
    assert_eq!(serde_json::from_str::<Initializer>(&json).unwrap(), initializer);
    for (option, value) in initializer.options() {
        if let Ok(number) = value.parse::<Number>() {
            assert_eq!(number.to_string(), value, "{option}");
        }
    }
    let shapes: [&[usize]; 6] =
        [&[], &[7], &[12, 20], &[20, 12], &[8, 4, 3, 3], &[1 << 40, 1 << 20]];
    for shape in shapes {
        for dtype in DType::ALL {
            check_resolved(initializer, shape, dtype);
        }
    }
}

fn check_resolved(initializer: Initializer, shape: &[usize], dtype: DType) {
    let spec = TensorSpec::new(shape, initializer).dtype(dtype).stream(2);
    let fill = match spec.resolve(1, 0) {
        Ok(fill) => fill,
        Err(error) => return check_message(error),
    };
    assert_eq!(u128::from(fill.len), shape.iter().map(|&dim| dim as u128).product());
    let (low, high) = fill.distribution.bounds();
    assert!(low <= high, "{low} to {high}");
    assert!(fill.distribution.std() >= 0.0, "{:?}", fill.distribution);
    // An element of each kind of type is enough, and one shape.
    let is_filled = matches!(dtype, DType::F32 | DType::F16 | DType::F8E4M3 | DType::I64);
    if is_filled && shape == [12, 20] {
        let tensor = Cpu::with_seed(1).fill(&spec).unwrap();
        assert_eq!(tensor.stats().disagreement(&fill), None);
    }
}

/// Layouts and element types: their texts say the same, and fans are counted of any shape.
pub fn layout(text: &[u8]) {
    let Ok(text) = str::from_utf8(text) else { return };
    parsed::<DType>(text);
    let Some(layout) = parsed::<Layout>(text) else { return };
    for shape in [
        &[][..],
        &[5],
        &[0, 0],
        &[6, 1],
        &[6, 4, 3],
        &[8, 2, 3, 3],
        &[usize::MAX; 4],
        &[2, 3, 4, 5, 6],
    ] {
        let fans = layout.fans(&Shape::from(shape));
        for initializer in [Initializer::xavier_normal(), Initializer::orthogonal()] {
            let spec = TensorSpec::new(shape, initializer).layout(layout.clone());
            assert_eq!(spec.fan_in_and_out(), fans);
            if let Err(error) = spec.resolve(1, 0) {
                check_message(error);
            }
        }
    }
}

/// Tensors such as models have, of every rank, with layers and without.
fn tensors() -> Vec<plan::Tensor> {
    let tensor = |name: &str, shape: &[usize], dtype| (name.to_owned(), shape.to_vec(), dtype);
    vec![
        tensor("a.weight", &[6, 4], Some(DType::F32)),
        tensor("head.weight", &[6, 4], None),
        tensor("h.0.fc.weight", &[12, 6], Some(DType::BF16)),
        tensor("h.0.fc.bias", &[12], None),
        tensor("h.1.fc.weight", &[3, 2, 3, 3], Some(DType::F16)),
        tensor("params/h/2/kernel", &[usize::MAX, 1], None),
        tensor("ln.weight", &[7], Some(DType::F8E4M3)),
        tensor("steps", &[], Some(DType::I64)),
        tensor("mask\n", &[0, 3], Some(DType::Bool)),
    ]
}

/// A rules file: an error names the line of the mistake wherever it is, and plans of a model.
pub fn rules(text: &[u8]) {
    let Ok(text) = str::from_utf8(text) else { return };
    let later = format!("\n{text}").parse::<Rules>();
    let rules = match text.parse::<Rules>() {
        Ok(rules) => rules,
        Err(error) => {
            check_line(text, &error);
            // A byte order mark can only be the first character.
            if !text.starts_with('\u{feff}') {
                assert_eq!(later.unwrap_err().line(), error.line().map(|line| line + 1));
            }
            return check_message(error);
        }
    };
    for rule in rules.rules() {
        assert!(!rule.to_string().is_empty() || text.contains("name"));
        if !matches!(rule.init().as_str(), "keep" | "pytorch_bias") {
            assert!(parsed::<Initializer>(&rule.init()).is_some());
        }
    }
    let tensors = tensors();
    let _ = rules.fit(tensors.iter().map(|(name, ..)| name.as_str()));
    plan::check(&tensors, &rules);
    // Some of these have no plan for reasons that only some rules have.
    plan::check(&tensors[..5], &rules.clone().with_dtype(DType::F32));
    plan::check(&tensors[1..4], &rules.with_listed_dtypes());
}

fn check_line(text: &str, error: &ParseRulesError) {
    let lines = 1 + text.matches('\n').count();
    assert!(error.line().is_none_or(|line| (1..=lines).contains(&line)), "{error}");
}
