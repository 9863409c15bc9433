//! Which GPU wgpu finds. wgpu 30 opens devices by `navigator.gpu` alone, takes none that a page has
//! opened, and does not tell which one it opened. So it finds an object of ours there that hands out
//! the page's device, and only while wgpu runs: JavaScript never sees it.

use std::pin::pin;

use js_sys::{Object, Reflect};
use wasm_bindgen::{JsCast, JsValue};

/// Runs a future with `gpu` in the place of `navigator.gpu`.
///
/// # Errors
/// What JavaScript throws if there is no `navigator`, or its `gpu` cannot be replaced.
pub(crate) async fn with_gpu<F: Future>(gpu: &JsValue, future: F) -> Result<F::Output, JsValue> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| match Replaced::new(gpu) {
        // Until this poll returns: nothing else runs meanwhile.
        Ok(_replaced) => future.as_mut().poll(context).map(Ok),
        Err(error) => std::task::Poll::Ready(Err(error)),
    })
    .await
}

const GPU: &str = "gpu";

/// Puts `navigator.gpu` back when it is dropped.
struct Replaced {
    navigator: Object,
    before: JsValue,
}

impl Replaced {
    fn new(gpu: &JsValue) -> Result<Self, JsValue> {
        let navigator: Object = Reflect::get(&js_sys::global(), &"navigator".into())?.into();
        let before = Reflect::get_own_property_descriptor(&navigator, &GPU.into())?;
        let descriptor = Object::new();
        Reflect::set(&descriptor, &"value".into(), gpu)?;
        Reflect::set(&descriptor, &"configurable".into(), &true.into())?;
        Reflect::define_property(&navigator, &GPU.into(), &descriptor)?;
        Ok(Replaced { navigator, before })
    }
}

impl Drop for Replaced {
    fn drop(&mut self) {
        // The browser's own is a getter of the prototype.
        let _ = match self.before.dyn_ref::<Object>() {
            Some(before) => Reflect::define_property(&self.navigator, &GPU.into(), before),
            None => Reflect::delete_property(&self.navigator, &GPU.into()),
        };
    }
}
