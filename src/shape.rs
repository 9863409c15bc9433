//! Shapes.

use std::fmt;

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
}

/// The indices along each dimension of an element.
#[cfg(test)]
pub(crate) fn coordinates(dims: &[usize], mut index: usize) -> Vec<usize> {
    let mut coordinates: Vec<_> =
        dims.iter().rev().map(|dim| (index % dim, index /= dim).0).collect();
    coordinates.reverse();
    coordinates
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
