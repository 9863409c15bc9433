//! What to fill, from JavaScript objects.

use gpu_init::{Initializer, Layout, Shard, TensorSpec};
use js_sys::Object;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast, JsValue};

use crate::errors::{of_argument, of_library};

/// `FillOptions` of `index.ts`, as far as it says what to fill.
#[derive(Deserialize)]
struct Spec {
    init: String,
    shape: Vec<usize>,
    gain: Option<f64>,
    name: Option<String>,
    stream: Option<u64>,
    seed: Option<u64>,
    dtype: Option<String>,
    layout: Option<String>,
    fans: Option<(u64, u64)>,
    scale: Option<f64>,
    slices: Option<Vec<Slice>>,
    shard: Option<ShardOf>,
    elements: Option<(u64, u64)>,
}

/// Its properties, to find those that are misspelt.
const PROPERTIES: [&str; 13] = [
    "init", "shape", "gain", "name", "stream", "seed", "dtype", "layout", "fans", "scale",
    "slices", "shard", "elements",
];

#[derive(Deserialize)]
struct Slice {
    dim: usize,
    start: u64,
    end: u64,
}

#[derive(Deserialize)]
struct ShardOf {
    dim: usize,
    rank: u64,
    world: u64,
}

/// Reads a specification.
///
/// # Errors
/// An `Error` that names the property.
pub(crate) fn parse(value: &JsValue) -> Result<TensorSpec, JsValue> {
    if let Some(object) = value.dyn_ref::<Object>() {
        let keys = Object::keys(object);
        let mut keys = keys.iter().filter_map(|key| key.as_string());
        if let Some(unknown) = keys.find(|key| !PROPERTIES.contains(&key.as_str())) {
            let known = PROPERTIES.join(", ");
            return Err(of_argument(&format!("fill: unknown property {unknown:?}; use {known}")));
        }
    }
    let spec: Spec = read(value)?;
    let mut initializer: Initializer = parsed("init", &spec.init)?;
    if let Some(gain) = spec.gain {
        initializer = initializer.gain(gain).map_err(of_library)?;
    }
    let mut tensor = TensorSpec::new(spec.shape, initializer);
    if let Some(stream) = spec.stream {
        tensor = tensor.stream(stream);
    }
    if let Some(name) = &spec.name {
        tensor = tensor.name(name);
    }
    if let Some(seed) = spec.seed {
        tensor = tensor.seed(seed);
    }
    if let Some(dtype) = &spec.dtype {
        tensor = tensor.dtype(parsed("dtype", dtype)?);
    }
    if let Some(layout) = &spec.layout {
        tensor = tensor.layout(parsed::<Layout>("layout", layout)?);
    }
    if let Some((fan_in, fan_out)) = spec.fans {
        tensor = tensor.fans(fan_in, fan_out);
    }
    if let Some(scale) = spec.scale {
        tensor = tensor.scale(scale);
    }
    for Slice { dim, start, end } in spec.slices.unwrap_or_default() {
        tensor = tensor.slice(dim, start..end);
    }
    if let Some(ShardOf { dim, rank, world }) = spec.shard {
        tensor = tensor.shard(Shard { dim, rank, world });
    }
    if let Some((start, end)) = spec.elements {
        tensor = tensor.elements(start..end);
    }
    Ok(tensor)
}

fn read<T: DeserializeOwned>(value: &JsValue) -> Result<T, JsValue> {
    serde_wasm_bindgen::from_value(value.clone()).map_err(|error| {
        of_argument(&format!("fill: {}", error.to_string().trim_start_matches("Error: ")))
    })
}

fn parsed<T: std::str::FromStr<Err: ToString>>(what: &str, text: &str) -> Result<T, JsValue> {
    text.parse()
        .map_err(|error: T::Err| of_argument(&format!("fill: {what}: {}", error.to_string())))
}
