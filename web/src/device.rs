//! An open device.

use std::ops::ControlFlow;

use gpu_init::wgpu::BufferUsages;
use gpu_init::{Device, DeviceOptions, FillOptions, TensorSpec};
use js_sys::Function;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::errors::{of_argument, of_library};
use crate::navigator::with_gpu;
use crate::spec;
use crate::tensor::TensorHandle;

/// `Device` of `index.ts`, without the GPUDevice.
#[wasm_bindgen]
pub struct DeviceHandle(Device);

/// Opens what `gpu.requestAdapter` hands out.
#[wasm_bindgen(js_name = openDevice)]
pub async fn open_device(gpu: JsValue, seed: u64) -> Result<DeviceHandle, JsValue> {
    let options = DeviceOptions::new().seed(seed);
    let device = with_gpu(&gpu, Device::open_async(&options)).await?.map_err(of_library)?;
    Ok(DeviceHandle(device))
}

#[wasm_bindgen]
impl DeviceHandle {
    /// The same device with a seed of its own.
    #[wasm_bindgen(js_name = withSeed)]
    pub fn with_seed(&self, seed: u64) -> DeviceHandle {
        DeviceHandle(self.0.clone().with_seed(seed))
    }

    /// Fills tensors. With `progress`, waits until they are done, and calls it with the elements
    /// done and their total; what it throws ends the work, as does `false`.
    pub async fn fill(
        &self,
        specs: Vec<JsValue>,
        usage: u32,
        progress: Option<Function>,
    ) -> Result<Vec<TensorHandle>, JsValue> {
        // Not the handle's memory, which JavaScript may free meanwhile.
        let device = self.0.clone();
        let specs = specs.iter().map(spec::parse).collect::<Result<Vec<TensorSpec>, _>>()?;
        let Some(usages) = BufferUsages::from_bits(usage) else {
            return Err(of_argument(&format!("fill: {usage} are no usages of a GPUBuffer")));
        };
        let mut thrown = None;
        let mut call = |done: u64, total: u64| {
            let Some(function) = &progress else { return ControlFlow::Continue(()) };
            match function.call2(&JsValue::NULL, &(done as f64).into(), &(total as f64).into()) {
                Ok(answer) if answer == JsValue::FALSE => ControlFlow::Break(()),
                Ok(_) => ControlFlow::Continue(()),
                Err(error) => {
                    thrown = Some(error);
                    ControlFlow::Break(())
                }
            }
        };
        let options = FillOptions::new().usages(usages);
        let options = if progress.is_some() { options.progress(&mut call) } else { options };
        let filled = device.fill_all_with_async(&specs, options).await;
        match (filled, thrown) {
            (_, Some(error)) => Err(error),
            (filled, None) => {
                Ok(filled.map_err(of_library)?.into_iter().map(TensorHandle).collect())
            }
        }
    }

    /// Waits until all submitted work is done.
    pub async fn wait(&self) -> Result<(), JsValue> {
        let device = self.0.clone();
        device.wait_async().await.map_err(of_library)
    }
}
