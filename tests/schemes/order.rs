//! Convolutions stored in each order of axes, to be compared in one: (out, in, kernel...).

use gpu_init::Layout;

pub struct Order {
    pub layout: Layout,
    /// The stored axes: 0 for the outputs, 1 for the inputs, from 2 on for the kernel.
    axes: Vec<usize>,
}

/// PyTorch's order, the same with groups, that of its transposed convolutions, Keras' and JAX's,
/// and one by numbers with the outputs amid the kernel.
pub fn orders(rank: usize) -> Vec<Order> {
    let kernel = || 2..rank;
    let order = |layout, axes| Order { layout, axes };
    let amid = Layout::Axes { input: vec![-1], output: vec![1], batch: vec![] };
    vec![
        order(Layout::OutInKernel, (0..rank).collect()),
        order(Layout::Grouped { groups: 2 }, (0..rank).collect()),
        order(Layout::InOutKernel, [1, 0].into_iter().chain(kernel()).collect()),
        order(Layout::KernelInOut, kernel().chain([1, 0]).collect()),
        order(Layout::Keras, kernel().chain([1, 0]).collect()),
        order(amid, [2, 0].into_iter().chain(3..rank).chain([1]).collect()),
    ]
}

impl Order {
    /// The shape as it is stored.
    pub fn shape(&self, dims: &[usize]) -> Vec<usize> {
        self.axes.iter().map(|&axis| dims[axis]).collect()
    }

    /// Stored values in the order (out, in, kernel...).
    pub fn unstored(&self, dims: &[usize], stored: &[f32]) -> Vec<f32> {
        let mut values = vec![f32::NAN; stored.len()];
        for (mut index, &value) in stored.iter().enumerate() {
            let mut at = vec![0; dims.len()];
            for &axis in self.axes.iter().rev() {
                at[axis] = index % dims[axis];
                index /= dims[axis];
            }
            values[flat(dims, &at)] = value;
        }
        values
    }
}

/// The row-major index of a position.
pub fn flat(dims: &[usize], at: &[usize]) -> usize {
    dims.iter().zip(at).fold(0, |index, (dim, at)| index * dim + at)
}
