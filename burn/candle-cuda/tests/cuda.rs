//! Variables on the first CUDA device, if there is one, beside the CPU path.

use candle_core::cuda::cudarc::driver::CudaContext;
use candle_core::cuda::cudarc::driver::sys::CUresult::CUDA_ERROR_NO_DEVICE;
use candle_core::{DType, Device, Result, Tensor, WithDType};
use candle_nn::{Init, VarMap};
use gpu_init::half::{bf16, f16};
use gpu_init::{Cpu, Element, Initializer, TensorSpec};
use gpu_init_candle_cuda::{Staging, gpu_init};

/// A stream for each thread, as candle has it by default, and one of the device's own, for which
/// cudarc records events.
fn devices() -> Result<Vec<Device>> {
    match CudaContext::device_count() {
        Ok(1..) => Ok(vec![Device::new_cuda(0)?, Device::new_cuda_with_stream(0)?]),
        Err(error) if error.0 != CUDA_ERROR_NO_DEVICE => Err(candle_core::Error::wrap(error)),
        _ => {
            eprintln!("skipped: there is no CUDA device");
            Ok(Vec::new())
        }
    }
}

/// The bytes of a buffer in these tests: 1024 elements of F32, 2048 of F16 and BF16.
const BYTES: usize = 4096;

fn bits<T: Element>(values: &[T]) -> &[u8] {
    bytemuck::cast_slice(values)
}

fn compare<T: Element + WithDType>(staging: &Staging, device: &Device) -> Result<()> {
    let (part, dtype) = (BYTES / size_of::<T>(), <T as WithDType>::DTYPE);
    let lens = [1, 2, part - 1, part, part + 1, 2 * part, 3 * part, 7 * part + 5, 64 * part + 1];
    for initializer in [Initializer::normal(0.5, 0.02), Initializer::uniform(-1.0, 1.0)] {
        for len in lens {
            let spec = TensorSpec::new([len], initializer).name("w").seed(7);
            let var = staging.var(&spec, len.into(), dtype, device)?;
            assert!(var.is_variable() && var.device().same_device(device));
            let mut expected = vec![<T as Element>::round(0.0); len];
            Cpu::new().fill_into(&spec, &mut expected).unwrap();
            let equal = bits(&var.to_vec1::<T>()?) == bits(&expected);
            assert!(equal, "{initializer:?}, {len} elements of {dtype:?} on {device:?}");
        }
    }
    Ok(())
}

#[test]
fn parts_are_the_tensor_of_the_cpu_path() -> Result<()> {
    let staging = Staging::with_bytes(BYTES);
    for device in devices()? {
        compare::<f32>(&staging, &device)?;
        compare::<f16>(&staging, &device)?;
        compare::<bf16>(&staging, &device)?;
        compare::<f64>(&staging, &device)?;
    }
    Ok(())
}

/// The buffers' own size, and tensors one after the other.
#[test]
fn layers_are_those_of_the_cpu() -> Result<()> {
    for device in devices()? {
        let weights = |device: &Device| -> Result<Vec<Tensor>> {
            let vars = VarMap::new();
            let build = gpu_init(&vars, 42).var_builder(DType::BF16, device);
            let layers = [(5000, 2000), (3, 4), (1, 1), (1000, 999)].into_iter().enumerate();
            layers
                .flat_map(|(i, (out, inputs))| {
                    let layer = candle_nn::linear(inputs, out, build.pp(i));
                    layer.map(|layer| [layer.weight().clone(), layer.bias().unwrap().clone()])
                })
                .flatten()
                .map(|tensor| tensor.to_device(&Device::Cpu)?.flatten_all())
                .collect()
        };
        let (ours, expected) = (weights(&device)?, weights(&Device::Cpu)?);
        assert_eq!(ours.len(), 8);
        for (ours, expected) in ours.iter().zip(&expected) {
            let equal = bits(&ours.to_vec1::<bf16>()?) == bits(&expected.to_vec1::<bf16>()?);
            assert!(equal, "{:?}", ours.shape());
        }
    }
    Ok(())
}

/// Integers and mistakes: what comes without the buffers, and what is no tensor.
#[test]
fn other_types_and_mistakes() -> Result<()> {
    for device in devices()? {
        let build = gpu_init(&VarMap::new(), 7).var_builder(DType::I64, &device);
        let ids = build.get_with_hints(3, "ids", Init::Const(5.0))?;
        assert_eq!(ids.to_vec1::<i64>()?, [5; 3]);
        let build = gpu_init(&VarMap::new(), 7).var_builder(DType::F32, &device);
        let error = build.get_with_hints((4, 5), "w", Init::Randn { mean: 0.0, stdev: -1.0 });
        assert!(error.unwrap_err().to_string().contains("std"));
        assert!(build.get_with_hints(0, "none", Init::Const(1.0)).is_err());
        let value = build.get_with_hints(2, "w", Init::Const(0.25))?;
        assert_eq!(value.to_vec1::<f32>()?, [0.25; 2]);
    }
    Ok(())
}
