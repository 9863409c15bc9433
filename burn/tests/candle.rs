//! The weights that `examples/candle.rs` gives candle's layers.

#[path = "../examples/candle.rs"]
#[allow(dead_code, reason = "the example's main is not called")]
mod example;

use candle_core::{DType, Device, Result};
use candle_nn::{Init, Linear, Module, VarMap};
use example::GpuInit;
use gpu_init::{Cpu, Initializer, TensorSpec};

/// Linear asks for Kaiming normal and a uniform bias; each comes by its name.
#[test]
fn layers_get_named_weights() -> Result<()> {
    let vars = VarMap::new();
    let build = GpuInit::new(&vars, 42).var_builder(DType::F32, &Device::Cpu);
    let layer: Linear = candle_nn::linear(64, 32, build.pp("layers").pp(0))?;
    let weight = TensorSpec::new([32, 64], Initializer::kaiming_normal());
    let expected = Cpu::with_seed(42).fill(&weight.name("layers.0.weight")).unwrap().to_f32();
    assert_eq!(layer.weight().flatten_all()?.to_vec1::<f32>()?, expected);
    let bound = 1.0 / 64f64.sqrt();
    let bias = TensorSpec::new([32], Initializer::uniform(-bound, bound)).name("layers.0.bias");
    let expected = Cpu::with_seed(42).fill(&bias).unwrap().to_f32();
    assert_eq!(layer.bias().unwrap().to_vec1::<f32>()?, expected);

    // They are variables, to be trained.
    assert_eq!(vars.all_vars().len(), 2);
    let loss =
        layer.forward(&candle_core::Tensor::ones((3, 64), DType::F32, &Device::Cpu)?)?.sum_all()?;
    assert!(loss.backward()?.get(layer.weight()).is_some());
    Ok(())
}

#[test]
fn order_and_types_do_not_matter() -> Result<()> {
    let tensors = |names: [&str; 2], dtype: DType| -> Result<Vec<Vec<f32>>> {
        let build = GpuInit::new(&VarMap::new(), 7).var_builder(dtype, &Device::Cpu);
        let hint = Init::Randn { mean: 0.5, stdev: 0.02 };
        let get = |name: &str| build.get_with_hints((16, 8), name, hint)?.to_dtype(DType::F32);
        let mut all: Vec<_> = names.map(|name| (name, get(name))).into();
        all.sort_by_key(|(name, _)| name.to_string());
        all.into_iter().map(|(_, tensor)| tensor?.flatten_all()?.to_vec1::<f32>()).collect()
    };
    let whole = tensors(["a", "b"], DType::F32)?;
    assert_eq!(whole, tensors(["b", "a"], DType::F32)?);
    assert_ne!(whole[0], whole[1]);
    let halves = tensors(["a", "b"], DType::BF16)?;
    let rounded = |v: &f32| gpu_init::half::bf16::from_f32(*v).to_f32();
    assert_eq!(halves[0], whole[0].iter().map(rounded).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn mistakes_are_errors() -> Result<()> {
    let vars = VarMap::new();
    let build = GpuInit::new(&vars, 7).var_builder(DType::F32, &Device::Cpu);
    build.get_with_hints((4, 4), "w", Init::Const(0.25))?;
    let error = build.get_with_hints((4, 5), "w", Init::Const(0.25)).unwrap_err().to_string();
    assert!(error.contains("\"w\"") && error.contains("[4, 4]"), "{error}");
    let error = build.get_with_hints((4, 5), "v", Init::Randn { mean: 0.0, stdev: -1.0 });
    assert!(error.unwrap_err().to_string().contains("std"));
    let ids = GpuInit::new(&vars, 7).var_builder(DType::U8, &Device::Cpu);
    assert!(ids.get_with_hints((4, 5), "ids", Init::Const(1.0)).is_ok(), "a constant of integers");
    assert!(ids.get_with_hints((4, 5), "more", Init::Randn { mean: 0.0, stdev: 1.0 }).is_err());
    Ok(())
}
