//! Errors as JavaScript has them.

use js_sys::{Error, Reflect};
use wasm_bindgen::JsValue;

/// An `Error` with the library's message, its kind as `kind`.
pub(crate) fn of_library(error: gpu_init::Error) -> JsValue {
    // A variant's name starts its debug text.
    let text = format!("{:?}", error.kind());
    let kind = text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    with_kind(&error.to_string(), kind)
}

/// An `Error` about what a caller passed.
pub(crate) fn of_argument(message: &str) -> JsValue {
    with_kind(message, "Argument")
}

fn with_kind(message: &str, kind: &str) -> JsValue {
    let error = Error::new(message);
    error.set_name("GpuInitError");
    // An `Error` takes new properties.
    let _ = Reflect::set(&error, &"kind".into(), &kind.into());
    error.into()
}
