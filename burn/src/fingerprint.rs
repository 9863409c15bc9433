//! 64 bits over all parameters of a module.

use std::collections::HashSet;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{DType, Tensor, TensorData};
use gpu_init::half::{bf16, f16};
use gpu_init::{Fingerprint, stream_of};

use crate::error::{Error, Result};
use crate::parameters::stored;
use crate::path::{Path, follow_path};

/// The fingerprint of a module's initialized float parameters, read back from wherever they are:
/// the one that gpu-init prints for a model with the same names and values.
///
/// Tied parameters count once. A parameter that is still lazy has no values and does not count.
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use gpu_init::Initializer;
///
/// let linear = |device| LinearConfig::new(8, 4).init(&device);
/// let init = |linear| gpu_init_burn::init_with(linear, Initializer::xavier_normal(), 42);
/// let a = gpu_init_burn::fingerprint(&init(linear(Device::flex()))?)?;
/// let b = gpu_init_burn::fingerprint(&init(linear(Device::flex()))?)?;
/// assert_eq!(a, b);
/// # Ok::<(), gpu_init_burn::Error>(())
/// ```
///
/// # Errors
/// [`Error::Device`] if a tensor cannot be read.
pub fn fingerprint<M: Module>(module: &M) -> Result<Fingerprint> {
    let (path, seen, sum) = (Path::default(), HashSet::new(), Ok(Fingerprint::default()));
    let mut visitor = Sum { path, seen, sum };
    module.visit(&mut visitor);
    visitor.sum
}

struct Sum {
    path: Path,
    seen: HashSet<ParamId>,
    sum: Result<Fingerprint>,
}

impl ModuleVisitor for Sum {
    follow_path!();

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !param.is_initialized() || !self.seen.insert(param.id) {
            return;
        }
        let Ok(sum) = &mut self.sum else { return };
        let stream = stream_of(&self.path.name());
        match stored(param).try_into_data() {
            Ok(data) => *sum += of_data(&data).in_model(stream),
            Err(error) => self.sum = Err(Error::Device { message: error.to_string() }),
        }
    }
}

fn of_data(data: &TensorData) -> Fingerprint {
    let read = "the elements of a tensor are of its type";
    match data.dtype() {
        DType::F16 => Fingerprint::of(0, data.as_slice::<f16>().expect(read)),
        DType::BF16 => Fingerprint::of(0, data.as_slice::<bf16>().expect(read)),
        DType::F64 => Fingerprint::of(0, data.as_slice::<f64>().expect(read)),
        DType::F32 | DType::Flex32 => Fingerprint::of(0, data.as_slice::<f32>().expect(read)),
        _ => Fingerprint::of(0, data.as_bytes()),
    }
}
