//! Plans of whole models.

use std::ops::ControlFlow;

use gpu_init::{
    Cpu, DType, Device, ErrorKind, Fingerprint, Initializer, Plan, PlanError, Recipe, Rules,
    Tensor, stream_of,
};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::common::{Outcome, device, equal, fails};

/// Two layers of a small GPT-2, and its tied head.
fn tensors() -> Vec<(String, Vec<usize>, Option<DType>)> {
    let layer = |i: usize| {
        [
            ("ln_1.weight", vec![24]),
            ("ln_1.bias", vec![24]),
            ("attn.c_attn.weight", vec![24, 72]),
            ("attn.c_attn.bias", vec![72]),
            ("attn.c_proj.weight", vec![24, 24]),
            ("mlp.c_fc.weight", vec![24, 96]),
            ("mlp.c_proj.weight", vec![96, 24]),
        ]
        .map(|(name, shape)| (format!("transformer.h.{i}.{name}"), shape, None))
    };
    let ends = [("transformer.wte.weight", vec![101, 24]), ("lm_head.weight", vec![101, 24])];
    let ends = ends.map(|(name, shape)| (name.to_owned(), shape, Some(DType::BF16)));
    (0..2).flat_map(layer).chain(ends).collect()
}

fn plan() -> Outcome<Plan> {
    Ok(Plan::new(tensors(), &Recipe::GPT2.rules().with_seed(42))?)
}

async fn run(device: &Device, plan: &Plan) -> Outcome<Vec<(String, Tensor)>> {
    let tensors = device.run_async(plan, &mut |_, _| ControlFlow::Continue(())).await?;
    let names = plan.entries().iter().map(|entry| &entry.name);
    Ok(names.map(|name| (name.clone(), tensors[name].clone())).collect())
}

async fn fingerprint(device: &Device, plan: &Plan) -> Outcome<Fingerprint> {
    let mut sum = Fingerprint::default();
    for (name, tensor) in run(device, plan).await? {
        sum += tensor.fingerprint_async().await?.in_model(stream_of(&name));
    }
    Ok(sum)
}

/// Returns the model's tensors, as a list of the program's, and its fingerprint.
#[wasm_bindgen]
pub async fn a_plan() -> Outcome<Vec<String>> {
    let (device, plan) = (device().await?, plan()?);
    let (mut calls, total) = (Vec::new(), plan.elements());
    let mut progress = |done, total| {
        calls.push((done, total));
        ControlFlow::Continue(())
    };
    let tensors = device.run_async(&plan, &mut progress).await?;
    equal("progress", calls.last().copied(), Some((total, total)))?;
    let host = Cpu::new().run(&plan, &mut |_, _| ControlFlow::Continue(()))?;
    equal("names", tensors.len(), host.len())?;
    for (name, tensor) in &tensors {
        equal(name, tensor.read_async().await?.as_bytes(), host[name].as_bytes())?;
    }
    let [a, b] = ["transformer.wte.weight", "lm_head.weight"].map(|name| &tensors[name]);
    equal("tied", (a.buffer(), a.offset()), (b.buffer(), b.offset()))?;

    let whole = fingerprint(&device, &plan).await?;
    let mut shards = Fingerprint::default();
    for rank in 0..3 {
        shards += fingerprint(&device, &plan.shard(rank, 3)?).await?;
    }
    equal("shards", shards, whole)?;
    let list = self::tensors().into_iter().map(|(name, shape, dtype)| {
        let dtype = dtype.unwrap_or(DType::F32).to_string();
        format!("{name:?}: {{\"dtype\": {dtype:?}, \"shape\": {shape:?}}}")
    });
    Ok(vec![format!("{{{}}}", list.collect::<Vec<_>>().join(", ")), whole.to_string()])
}

/// One initializer, rules and their mistakes; a plan that is cancelled, or has no memory.
#[wasm_bindgen]
pub async fn mistakes_of_plans() -> Outcome {
    let (device, plan) = (device().await?, plan()?);
    let expected = fingerprint(&device, &plan).await?;
    let rules: Rules = "rules = [{ match = '*.weight', init = 'xavier_normal' }]".parse()?;
    let unmatched = Plan::new([("fc.bias", [4], None)], &rules);
    fails("no rule", unmatched, |error| error.to_string().contains("\"fc.bias\""))?;
    fails("no rules", "rules = []".parse::<Rules>(), |_| true)?;
    let cancelled = device.run_async(&plan, &mut |_, _| ControlFlow::Break(())).await;
    let is_kind = |error: &PlanError, is: fn(&ErrorKind) -> bool| match error {
        PlanError::Fill(error) => is(error.kind()),
        _ => false,
    };
    let interrupted = |kind: &ErrorKind| matches!(kind, ErrorKind::Interrupted { .. });
    fails("cancelled", cancelled, |error| is_kind(error, interrupted))?;

    let limit = device.wgpu_device().limits().max_buffer_size / 4;
    let normal = Rules::from(Initializer::normal(0.0, 1.0));
    for (elements, is) in [
        (limit, (|kind| matches!(kind, ErrorKind::OutOfMemory { .. })) as fn(&ErrorKind) -> bool),
        (limit + 1, |kind| matches!(kind, ErrorKind::BufferTooLarge { .. })),
    ] {
        let tensors = [("a", vec![5], None), ("large", vec![elements as usize], None)];
        let large = Plan::new(tensors, &normal)?;
        let run = device.run_async(&large, &mut |_, _| ControlFlow::Continue(())).await;
        fails("large", run, |error| is_kind(error, is))?;
    }
    equal("afterwards", fingerprint(&device, &plan).await?, expected)
}
