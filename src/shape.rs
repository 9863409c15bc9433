//! Shapes, whose sizes are counted in 64 bits.

use std::fmt;

use crate::error::During;
use crate::{ErrorKind, Result};

/// The dimensions of a row-major tensor, outermost first.
///
/// ```
/// use gpu_init::Shape;
///
/// let shape = Shape::from([4096, 11008]);
/// assert_eq!(shape.to_string(), "[4096, 11008]");
/// assert_eq!(shape.elements()?, 45_088_768);
/// # Ok::<(), gpu_init::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shape(Vec<usize>);

impl Shape {
    /// The dimensions, outermost first.
    pub fn dims(&self) -> &[usize] {
        &self.0
    }

    /// The number of elements.
    ///
    /// # Errors
    /// [`ErrorKind::ZeroSized`] if a dimension is 0, [`ErrorKind::SizeOverflow`] if the elements or
    /// their bytes at four bytes each do not fit in 64 bits.
    pub fn elements(&self) -> Result<u64> {
        self.count().during("elements")
    }

    /// The number of elements, for a call that names its own operation.
    pub(crate) fn count(&self) -> Result<u64, ErrorKind> {
        if self.0.contains(&0) {
            return Err(ErrorKind::ZeroSized { shape: self.clone() });
        }
        self.0
            .iter()
            .try_fold(1u64, |product, &dim| product.checked_mul(dim as u64))
            .filter(|&product| product <= u64::MAX / 4)
            .ok_or_else(|| ErrorKind::SizeOverflow { shape: self.clone() })
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(dims: [usize; N]) -> Self {
        Shape(dims.to_vec())
    }
}

impl From<&[usize]> for Shape {
    fn from(dims: &[usize]) -> Self {
        Shape(dims.to_vec())
    }
}

impl From<Vec<usize>> for Shape {
    fn from(dims: Vec<usize>) -> Self {
        Shape(dims)
    }
}

impl From<&Shape> for Shape {
    fn from(shape: &Shape) -> Self {
        shape.clone()
    }
}
