//! The bits of every initializer and of parts, their statistics and fingerprints, read back in
//! every way.

use gpu_init::{
    AdapterChoice, Bool, Cpu, DType, Device, DeviceOptions, ErrorKind, FpGuard, HostTensor,
    Initializer, Shard, TensorSpec, WideMul,
};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::common::{Outcome, assert_kind, device, equal, mistake, own};

const SHAPES: [&[usize]; 3] = [&[64, 36], &[12, 6, 3, 3], &[48]];

/// Every initializer in the first shape that it fills.
fn every() -> Outcome<Vec<(String, TensorSpec)>> {
    let specs = Initializer::named().map(|(name, initializer)| {
        // Those without a default for an option.
        let initializer = match name {
            "constant" => Initializer::constant(0.1),
            "sparse" => Initializer::sparse(0.4),
            _ => initializer,
        };
        let specs = SHAPES.map(|shape| TensorSpec::new(shape, initializer).name(name));
        let spec = specs.into_iter().find(|spec| spec.resolve(0, 0).is_ok());
        Ok((name.to_owned(), spec.ok_or_else(|| mistake(format!("{name} fills no shape")))?))
    });
    specs.collect()
}

async fn compare(device: &Device, named: Vec<(String, TensorSpec)>) -> Outcome<usize> {
    let specs: Vec<_> = named.iter().map(|(_, spec)| spec.clone()).collect();
    let tensors = device.fill_all_async(&specs).await?;
    let tensors: Vec<_> = tensors.iter().collect();
    let fingerprints = device.fingerprints_async(&tensors).await?;
    let summaries = device.summaries_async(&tensors).await?;
    for (i, (name, spec)) in named.iter().enumerate() {
        let expected = Cpu::new().fill(spec)?;
        let name = format!("{name} {:?}", expected.dtype());
        equal(&name, tensors[i].read_async().await?.as_bytes(), expected.as_bytes())?;
        equal(&name, fingerprints[i], expected.fingerprint())?;
        equal(&name, summaries[i], expected.summary())?;
    }
    Ok(named.len())
}

#[wasm_bindgen]
pub async fn every_initializer() -> Outcome<String> {
    let device = device().await?;
    let mut count = 0;
    for dtype in DType::SAMPLED {
        let specs = every()?.into_iter().map(|(name, spec)| (name, spec.dtype(dtype)));
        // An arange is beyond the range of an 8-bit float.
        count += compare(&device, specs.filter(|(_, s)| s.resolve(0, 0).is_ok()).collect()).await?;
    }
    Ok(format!("{count} tensors"))
}

#[wasm_bindgen]
pub async fn parts_of_tensors() -> Outcome<String> {
    let device = device().await?;
    let parts: [fn(TensorSpec) -> TensorSpec; 6] = [
        |spec| spec.slice(0, 3..17),
        |spec| spec.slice(1, 1..2),
        |spec| spec.slice(0, 9..60).slice(1, 5..6),
        |spec| spec.shard(Shard { dim: 0, rank: 1, world: 3 }),
        |spec| spec.shard(Shard { dim: 1, rank: 4, world: 5 }),
        |spec| spec.elements(7..1001),
    ];
    let mut named = Vec::new();
    for (name, spec) in every()? {
        let parts = parts.iter().map(|part| part(spec.clone()));
        let parts = parts.filter(|part| part.resolve(0, 0).is_ok());
        named.extend(parts.map(|part| (name.clone(), part)));
    }
    Ok(format!("{} parts", compare(&device, named).await?))
}

/// Each way of reading, of one type of each size.
#[wasm_bindgen]
pub async fn reading_back() -> Outcome {
    let device = device().await?;
    for dtype in [DType::F64, DType::F32, DType::BF16, DType::F8E4M3] {
        let spec = TensorSpec::new([50, 31], Initializer::xavier_uniform()).dtype(dtype).name("w");
        let expected = Cpu::new().fill(&spec)?;
        let tensor = device.fill_async(&spec).await?;
        let what = dtype.to_string();
        let range = |part: HostTensor| part.as_bytes().to_vec();
        equal(&what, range(tensor.read_async().await?), range(expected.clone()))?;
        for part in [0..1, 1..4, 7..1550, 1549..1550] {
            let actual = tensor.read_range_async(part.clone()).await?;
            equal(&what, range(actual), range(expected.slice(part)?))?;
        }
        equal(&what, tensor.fingerprint_async().await?, expected.fingerprint())?;
        equal(&what, tensor.stats_async().await?, expected.stats())?;
        let beyond = tensor.read_range_async(1..1551).await;
        assert_kind!("a range beyond the end", beyond, ErrorKind::Range { .. });
    }
    let ones = TensorSpec::new([5], Initializer::ones());
    let flags = device.fill_async(&ones.clone().dtype(DType::Bool)).await?;
    equal("flags", flags.to_vec_async::<Bool>().await?, vec![Bool::from(true); 5])?;
    let integers = device.fill_async(&ones.dtype(DType::I16)).await?;
    equal("integers", integers.to_vec_async::<i16>().await?, vec![1; 5])?;
    let wrong = integers.to_vec_async::<f32>().await;
    assert_kind!("another type", wrong, ErrorKind::DTypeMismatch { .. });
    Ok(())
}

/// The ways to open, with the bits of the first.
#[wasm_bindgen]
pub async fn opening() -> Outcome {
    let spec = TensorSpec::new([60, 41], Initializer::xavier_normal());
    let expected = Cpu::with_seed(7).fill(&spec)?.fingerprint();
    let options = DeviceOptions::new().seed(7);
    let (device, queue) = own().await?;
    for (what, device) in [
        (
            "the first",
            Device::open_async(&options.clone().adapter(AdapterChoice::Number(0))).await?,
        ),
        ("limbs", Device::open_async(&options.clone().wide_mul(WideMul::Limbs)).await?),
        ("guarded", Device::open_async(&options.clone().fp_guard(FpGuard::NoReassociation)).await?),
        ("wgpu's", Device::from_wgpu_async(device, queue, &options).await?),
    ] {
        let tensor = device.fill_async(&spec).await?;
        device.wait_async().await?;
        equal(what, tensor.fingerprint_async().await?, expected)?;
        equal(what, device.wgpu_adapter().is_some(), what != "wgpu's")?;
        equal("unknown", device.memory(), None)?;
    }
    let none = Device::open_async(&options.clone().adapter(AdapterChoice::Number(99))).await;
    assert_kind!("adapter 99", none, ErrorKind::NoSuchAdapter { index: 99, .. });
    let int64 = Device::open_async(&options.wide_mul(WideMul::Int64)).await;
    assert_kind!("64-bit integers", int64, ErrorKind::UnsupportedAdapter { .. });
    Ok(())
}
