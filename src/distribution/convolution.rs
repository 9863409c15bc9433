//! The axes of a convolution's kernel, for distributions that put a matrix of inputs and outputs at
//! its middle.

use crate::{ErrorKind, Layout, Result, Shape};

/// A shape of three to five dimensions with one input and one output axis.
pub(super) struct Convolution {
    dims: Vec<u64>,
    pub(super) input: usize,
    pub(super) output: usize,
}

impl Convolution {
    pub(super) fn new(shape: &Shape, layout: &Layout) -> Result<Self, ErrorKind> {
        let rank = shape.dims().len();
        if !(3..=5).contains(&rank) {
            let expected = "three to five dimensions";
            return Err(ErrorKind::Dimensions { shape: shape.clone(), expected });
        }
        let axes = layout.axes(rank).filter(|axes| axes.batch.is_empty());
        let (Some([input]), Some([output])) =
            (axes.as_ref().map(|axes| &axes.input[..]), axes.as_ref().map(|axes| &axes.output[..]))
        else {
            let remedy = "name one input and one output axis that it has, and no batch";
            return Err(layout_error(shape, layout, remedy));
        };
        let dims = shape.dims().iter().map(|&dim| dim as u64).collect();
        Ok(Convolution { dims, input: *input, output: *output })
    }

    pub(super) fn len(&self, axis: usize) -> u64 {
        self.dims[axis]
    }

    /// Elements between neighbours along an axis.
    pub(super) fn stride(&self, axis: usize) -> u64 {
        self.dims[axis + 1..].iter().product()
    }

    /// Index of the first element at the entry of the kernel that `middle` picks in each dimension.
    pub(super) fn first(&self, middle: impl Fn(u64) -> u64) -> u64 {
        let kernel = (0..self.dims.len()).filter(|axis| ![self.input, self.output].contains(axis));
        kernel.map(|axis| middle(self.dims[axis]) * self.stride(axis)).sum()
    }
}

pub(crate) fn layout_error(shape: &Shape, layout: &Layout, remedy: &'static str) -> ErrorKind {
    ErrorKind::Layout { shape: shape.clone(), layout: Box::new(layout.clone()), remedy }
}
