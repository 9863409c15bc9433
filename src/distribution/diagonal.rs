//! The nonzero elements of identities: a progression of progressions of element indices.
//! Written by `src/cpu/scatter.rs` and `shaders/diagonal.wgsl`.

use crate::distribution::convolution::Convolution;
use crate::{ErrorKind, Layout, Result, Shape};

/// The nonzero elements of [`Initializer::Eye`](crate::Initializer::Eye) and
/// [`Initializer::Dirac`](crate::Initializer::Dirac), in rising order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Diagonal {
    /// Index of the first one.
    pub(crate) first: u64,
    pub(crate) outer: Steps,
    /// All its steps together are shorter than one of the outer progression, so indices rise.
    pub(crate) inner: Steps,
    /// Of the whole tensor.
    pub(crate) elements: u64,
}

/// `count` steps of `stride` elements, the first one at 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Steps {
    pub(crate) count: u64,
    pub(crate) stride: u64,
}

/// Shaders count steps in 32 bits and add two counts.
const MOST: u64 = 1 << 31;

impl Diagonal {
    /// The diagonal of a matrix.
    pub(crate) fn eye(shape: &Shape) -> Result<Self, ErrorKind> {
        let elements = shape.count()?;
        let &[rows, columns] = shape.dims() else {
            return Err(ErrorKind::Dimensions { shape: shape.clone(), expected: "two dimensions" });
        };
        let (outer, stride) = (Steps { count: 1, stride: elements }, columns as u64 + 1);
        let inner = Steps { count: rows.min(columns) as u64, stride };
        Diagonal { first: 0, outer, inner, elements }.counted(shape)
    }

    /// Input i to output i of each group, at the middle of the kernel.
    pub(crate) fn dirac(shape: &Shape, layout: &Layout, groups: u32) -> Result<Self, ErrorKind> {
        let (elements, kernel) = (shape.count()?, Convolution::new(shape, layout)?);
        let [input, output] = [kernel.input, kernel.output].map(|axis| kernel.stride(axis));
        let (inputs, outputs) = (kernel.len(kernel.input), kernel.len(kernel.output));
        let groups = u64::from(groups);
        if !outputs.is_multiple_of(groups) {
            let (option, value) = ("groups", groups as f64);
            let expected = "a divisor of the outputs, dimension 0 in PyTorch's order";
            return Err(ErrorKind::InvalidOption { option, value, expected });
        }
        let each = outputs / groups;
        let group = Steps { count: groups, stride: each * output };
        let within = Steps { count: inputs.min(each), stride: output + input };
        // Where outputs are the last axis a step within a group is longer than all groups.
        let (mut outer, inner) =
            if within.stride > group.stride { (within, group) } else { (group, within) };
        if outer.count == 1 {
            outer.stride = elements;
        }
        let first = kernel.first(|len| len / 2);
        Diagonal { first, outer, inner, elements }.counted(shape)
    }

    fn counted(self, shape: &Shape) -> Result<Self, ErrorKind> {
        if self.outer.count < MOST && self.inner.count < MOST {
            Ok(self)
        } else {
            Err(ErrorKind::SizeOverflow { shape: shape.clone() })
        }
    }

    /// Index of nonzero element `n`.
    pub(crate) fn index(&self, n: u64) -> u64 {
        self.first
            + n / self.inner.count * self.outer.stride
            + n % self.inner.count * self.inner.stride
    }

    /// Counts the nonzero elements before element `index`.
    pub(crate) fn before(&self, index: u64) -> u64 {
        let Some(last) = index.checked_sub(self.first + 1) else { return 0 };
        let whole = last / self.outer.stride;
        if whole >= self.outer.count {
            return self.outer.count * self.inner.count;
        }
        whole * self.inner.count
            + self.inner.count.min(last % self.outer.stride / self.inner.stride + 1)
    }
}
