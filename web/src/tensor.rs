//! A tensor in GPU memory.

use gpu_init::{Fingerprint, Tensor, stream_of};
use js_sys::Uint8Array;
use serde::Serialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::errors::{of_argument, of_library};

/// `Tensor` of `index.ts`.
#[wasm_bindgen]
pub struct TensorHandle(pub(crate) Tensor);

#[derive(Serialize)]
struct Stats {
    count: f64,
    nan: f64,
    infinite: f64,
    mean: f64,
    std: f64,
    min: f64,
    max: f64,
}

#[wasm_bindgen]
impl TensorHandle {
    /// The GPUBuffer; JavaScript's garbage collector counts who has it, too.
    #[wasm_bindgen(getter)]
    pub fn buffer(&self) -> JsValue {
        self.0.buffer().as_webgpu().map_or(JsValue::NULL, |buffer| JsValue::from(buffer.clone()))
    }

    #[wasm_bindgen(getter)]
    pub fn offset(&self) -> f64 {
        self.0.offset() as f64
    }

    #[wasm_bindgen(getter)]
    pub fn bytes(&self) -> f64 {
        self.0.bytes() as f64
    }

    #[wasm_bindgen(getter)]
    pub fn length(&self) -> f64 {
        self.0.len() as f64
    }

    #[wasm_bindgen(getter)]
    pub fn first(&self) -> f64 {
        self.0.first() as f64
    }

    #[wasm_bindgen(getter)]
    pub fn shape(&self) -> Vec<f64> {
        self.0.shape().dims().iter().map(|&dim| dim as f64).collect()
    }

    #[wasm_bindgen(getter)]
    pub fn dtype(&self) -> String {
        self.0.dtype().to_string().to_lowercase()
    }

    #[wasm_bindgen(getter)]
    pub fn seed(&self) -> u64 {
        self.0.spec().seed
    }

    #[wasm_bindgen(getter)]
    pub fn stream(&self) -> u64 {
        self.0.spec().stream
    }

    /// Reads a range of elements back, as bytes.
    pub async fn read(&self, start: f64, end: f64) -> Result<Uint8Array, JsValue> {
        let index = |value: f64| value >= 0.0 && value.fract() == 0.0;
        if !index(start) || !index(end) {
            return Err(of_argument(&format!("read: {start}..{end} are no indices of elements")));
        }
        let tensor = self.0.clone();
        let range = start as u64..end as u64;
        let read = tensor.read_range_async(range).await.map_err(of_library)?;
        Ok(Uint8Array::from(read.as_bytes()))
    }

    /// The fingerprint's 16 hex digits.
    pub async fn fingerprint(&self) -> Result<String, JsValue> {
        let tensor = self.0.clone();
        Ok(tensor.fingerprint_async().await.map_err(of_library)?.to_string())
    }

    pub async fn stats(&self) -> Result<JsValue, JsValue> {
        let tensor = self.0.clone();
        let stats = tensor.stats_async().await.map_err(of_library)?;
        let gpu_init::Stats { count, nan, infinite, mean, std, min, max, .. } = stats;
        let [count, nan, infinite] = [count, nan, infinite].map(|count| count as f64);
        let stats = Stats { count, nan, infinite, mean, std, min, max };
        Ok(serde_wasm_bindgen::to_value(&stats)?)
    }
}

/// The fingerprint of a model by those of its tensors.
#[wasm_bindgen(js_name = modelFingerprintOf)]
pub fn model_fingerprint(names: Vec<String>, fingerprints: Vec<u64>) -> String {
    let mut sum = Fingerprint::default();
    for (name, fingerprint) in names.iter().zip(fingerprints) {
        sum += Fingerprint(fingerprint).in_model(stream_of(name));
    }
    sum.to_string()
}
