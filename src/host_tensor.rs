//! A tensor in host memory.

use std::ops::Range;

use half::{bf16, f16};

use crate::by_dtype;
use crate::error::During;
use crate::memory::zeroed;
use crate::{
    Bool, DType, Element, ErrorKind, F8E4M3, F8E5M2, Fill, Fingerprint, Result, Stats, Summary,
};

/// A tensor, or a range of one, in host memory: filled by [`Cpu::fill`](crate::Cpu::fill) or read
/// back from a GPU. On Linux large ones ask for huge pages, which are faster to touch first.
///
/// ```
/// use gpu_init::{Cpu, DType, Initializer, TensorSpec, half::f16};
///
/// let spec = TensorSpec::new([9, 9], Initializer::xavier_uniform()).dtype(DType::F16);
/// let tensor = Cpu::with_seed(42).fill(&spec.elements(20..35))?;
/// assert_eq!((tensor.dtype(), tensor.len(), tensor.as_bytes().len()), (DType::F16, 15, 30));
/// assert_eq!((tensor.spec().seed, tensor.spec().stream, tensor.first()), (42, 0, 20));
/// assert_eq!(tensor.slice(9..15)?.as_slice::<f16>()?, &tensor.as_slice::<f16>()?[9..15]);
/// assert!(tensor.to_f32().iter().all(|value| value.abs() <= 1.0));
/// let weights: Vec<f16> = tensor.into_vec()?;
/// assert_eq!(weights.len(), 15);
/// # Ok::<(), gpu_init::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct HostTensor {
    pub(crate) data: Data,
    fill: Fill,
}

/// Tensors are equal if their elements are and have the same indices in the whole tensor.
impl PartialEq for HostTensor {
    fn eq(&self, other: &Self) -> bool {
        self.data == other.data && self.fill.elements() == other.fill.elements()
    }
}

/// Defines the vectors of all element types.
macro_rules! data {
    ($($dtype:ident $type:ty,)*) => {
        #[derive(Debug, Clone, PartialEq)]
        pub(crate) enum Data {
            $($dtype(Vec<$type>),)*
        }

        $(impl From<Vec<$type>> for Data {
            fn from(values: Vec<$type>) -> Self {
                Data::$dtype(values)
            }
        })*
    };
}

data! {
    F32 f32,
    F16 f16,
    BF16 bf16,
    F64 f64,
    F8E4M3 F8E4M3,
    F8E5M2 F8E5M2,
    I8 i8,
    U8 u8,
    I16 i16,
    U16 u16,
    I32 i32,
    U32 u32,
    I64 i64,
    U64 u64,
    Bool Bool,
}

/// Runs `$body` with `$values` as the vector, whatever its type.
macro_rules! with_values {
    ($data:expr, $values:ident => $body:expr) => {
        match $data {
            $crate::host_tensor::Data::F32($values) => $body,
            $crate::host_tensor::Data::F16($values) => $body,
            $crate::host_tensor::Data::BF16($values) => $body,
            $crate::host_tensor::Data::F64($values) => $body,
            $crate::host_tensor::Data::F8E4M3($values) => $body,
            $crate::host_tensor::Data::F8E5M2($values) => $body,
            $crate::host_tensor::Data::I8($values) => $body,
            $crate::host_tensor::Data::U8($values) => $body,
            $crate::host_tensor::Data::I16($values) => $body,
            $crate::host_tensor::Data::U16($values) => $body,
            $crate::host_tensor::Data::I32($values) => $body,
            $crate::host_tensor::Data::U32($values) => $body,
            $crate::host_tensor::Data::I64($values) => $body,
            $crate::host_tensor::Data::U64($values) => $body,
            $crate::host_tensor::Data::Bool($values) => $body,
        }
    };
}
pub(crate) use with_values;

impl HostTensor {
    /// Allocates memory for the elements of a fill.
    pub(crate) fn zeroed(fill: &Fill) -> Result<Self, ErrorKind> {
        let data = by_dtype!(fill.dtype, T => zeroed::<T>(fill.len)?.into());
        Ok(HostTensor { data, fill: *fill })
    }

    /// The resolved request: the distribution, the seed, the stream and the elements.
    pub fn spec(&self) -> &Fill {
        &self.fill
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.fill.dtype
    }

    /// Number of elements, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a tensor is never empty")]
    pub fn len(&self) -> u64 {
        self.fill.len
    }

    /// Bytes of the elements.
    pub fn bytes(&self) -> u64 {
        self.fill.bytes()
    }

    /// Index of the first element in the whole row-major tensor.
    pub fn first(&self) -> u64 {
        self.fill.first
    }

    /// The elements.
    ///
    /// # Errors
    /// [`ErrorKind::DTypeMismatch`] if `T` is not their type.
    pub fn as_slice<T: Element>(&self) -> Result<&[T]> {
        self.check_type::<T>("as_slice").map(|()| bytemuck::cast_slice(self.as_bytes()))
    }

    /// The elements as a vector, without a copy.
    ///
    /// # Errors
    /// [`ErrorKind::DTypeMismatch`] if `T` is not their type.
    pub fn into_vec<T: Element>(self) -> Result<Vec<T>> {
        self.check_type::<T>("into_vec")?;
        Ok(with_values!(self.data, values => bytemuck::cast_vec(values)))
    }

    fn check_type<T: Element>(&self, operation: &'static str) -> Result<()> {
        let (expected, actual) = (self.dtype(), T::DTYPE);
        if expected == actual {
            return Ok(());
        }
        Err(ErrorKind::DTypeMismatch { expected, actual }.during(operation))
    }

    /// The elements' bytes in the machine's order (little-endian wherever wgpu runs).
    pub fn as_bytes(&self) -> &[u8] {
        with_values!(&self.data, values => bytemuck::cast_slice(values))
    }

    pub(crate) fn as_bytes_mut(&mut self) -> &mut [u8] {
        with_values!(&mut self.data, values => bytemuck::cast_slice_mut(values))
    }

    /// The elements as f32: exactly, but for F64 and integers of 32 and 64 bits, which are rounded.
    pub fn to_f32(&self) -> Vec<f32> {
        with_values!(&self.data, values => values.iter().map(|&value| Element::widen(value)).collect())
    }

    /// Copies a range of the elements, counted from the first one, into a tensor of its own.
    ///
    /// # Errors
    /// [`ErrorKind::Range`] if the range is empty or not inside the tensor, and
    /// [`ErrorKind::HostOutOfMemory`].
    pub fn slice(&self, range: Range<u64>) -> Result<HostTensor> {
        let (Range { start, end }, elements) = (range, self.len());
        if start >= end || end > elements {
            let shape = [elements as usize].into();
            return Err(ErrorKind::Range { start, end, shape, elements }.during("slice"));
        }
        let fill = self.fill.of(self.fill.elements().part(start, end - start));
        let mut part = HostTensor::zeroed(&fill).during("slice")?;
        let [start, end] = [start, end].map(|index| (index * self.dtype().size()) as usize);
        part.as_bytes_mut().copy_from_slice(&self.as_bytes()[start..end]);
        Ok(part)
    }

    /// Statistics, on all cores.
    pub fn stats(&self) -> Stats {
        with_values!(&self.data, values => Stats::of(values))
    }

    /// Statistics and fingerprint in one pass, on all cores.
    pub fn summary(&self) -> Summary {
        with_values!(&self.data, values => Summary::of_fill(&self.fill, values))
    }

    /// The fingerprint, on all cores.
    pub fn fingerprint(&self) -> Fingerprint {
        with_values!(&self.data, values => Fingerprint::of_fill(&self.fill, values))
    }
}
