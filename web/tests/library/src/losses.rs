//! A device that is lost: every call on it is an error, and none hangs.

use std::ops::ControlFlow;

use gpu_init::{Device, FillOptions, Initializer, Plan, PlanError, Rules};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::common::{Outcome, WHOLE, buffer, fails, is_lost, own, spec};

#[wasm_bindgen]
pub async fn a_lost_device() -> Outcome {
    let (wgpu, queue) = own().await?;
    let device = Device::from_wgpu_async(wgpu, queue, &Default::default()).await?;
    let memory = buffer(&device, 16_384, WHOLE);
    let a = spec("a");
    let tensor = device.fill_async(&a).await?;
    let plan = Plan::new([("w", [5, 5], None)], &Rules::from(Initializer::xavier_normal()))?;
    let mut encoder = device.wgpu_device().create_command_encoder(&Default::default());
    device.wgpu_device().destroy();

    fails("fill", device.fill_async(&a).await, is_lost)?;
    fails("fill_all", device.fill_all_async(&[a.clone(), spec("b")]).await, is_lost)?;
    let mut progress = |_, _| ControlFlow::Continue(());
    let options = FillOptions::new().progress(&mut progress);
    fails("fill_with", device.fill_with_async(&a, options).await, is_lost)?;
    fails("fill_into", device.fill_into_async(&a, &memory, 0).await, is_lost)?;
    fails("fill_all_into", device.fill_all_into_async(&[(&a, &memory, 0)]).await, is_lost)?;
    fails("encode", device.encode_async(&[(&a, &memory, 0)], &mut encoder).await, is_lost)?;
    let run = device.run_async(&plan, &mut |_, _| ControlFlow::Continue(())).await;
    fails("run", run, |error| matches!(error, PlanError::Fill(error) if is_lost(error)))?;
    fails("read", tensor.read_async().await, is_lost)?;
    fails("read_range", tensor.read_range_async(0..4).await, is_lost)?;
    fails("to_vec", tensor.to_vec_async::<f32>().await, is_lost)?;
    fails("stats", tensor.stats_async().await, is_lost)?;
    fails("summary", tensor.summary_async().await, is_lost)?;
    fails("summaries", device.summaries_async(&[&tensor, &tensor]).await, is_lost)?;
    fails("fingerprint", tensor.fingerprint_async().await, is_lost)?;
    fails("fingerprints", device.fingerprints_async(&[&tensor, &tensor]).await, is_lost)?;
    fails("wait", device.wait_async().await, is_lost)?;
    let (wgpu, queue) = (device.wgpu_device().clone(), device.wgpu_queue().clone());
    fails("open", Device::from_wgpu_async(wgpu, queue, &Default::default()).await, is_lost)
}
