//! Shapes of layers with their fans, written by hand from the peers' definitions.

use gpu_init::Layout;

pub struct Layer {
    pub name: &'static str,
    pub shape: &'static [usize],
    pub layout: Layout,
    pub fan_in: f64,
    pub fan_out: f64,
}

/// Linear layers, convolutions of one to three dimensions, grouped, transposed and in batches, in
/// each order of axes.
pub fn layers() -> Vec<Layer> {
    use Layout::{Grouped, InOutKernel, Keras, KernelInOut, OutInKernel};
    let groups = 4;
    let axes = |input: &[isize], output: &[isize], batch: &[isize]| Layout::Axes {
        input: input.into(),
        output: output.into(),
        batch: batch.into(),
    };
    let rows: [(_, &[usize], _, u32, u32); 23] = [
        // PyTorch's _calculate_fan_in_and_fan_out: size 1 and size 0, times all further ones,
        // whatever the layer.
        ("Linear(300, 200)", &[200, 300], OutInKernel, 300, 200),
        ("Conv1d(64, 128, 5)", &[128, 64, 5], OutInKernel, 64 * 5, 128 * 5),
        ("Conv2d(48, 96, 3)", &[96, 48, 3, 3], OutInKernel, 48 * 9, 96 * 9),
        ("Conv3d(16, 32, (3, 5, 7))", &[32, 16, 3, 5, 7], OutInKernel, 16 * 105, 32 * 105),
        ("Conv2d(128, 128, 3, groups=4)", &[128, 32, 3, 3], OutInKernel, 32 * 9, 128 * 9),
        ("Conv1d(4096, 4096, 9, groups=4096)", &[4096, 1, 9], OutInKernel, 9, 4096 * 9),
        ("ConvTranspose2d(64, 32, 4)", &[64, 32, 4, 4], OutInKernel, 32 * 16, 64 * 16),
        // burn counts the outputs of one group.
        ("burn's Conv1d in groups", &[128, 64, 5], Grouped { groups }, 64 * 5, 32 * 5),
        ("burn's Conv2d in groups", &[128, 32, 3, 3], Grouped { groups }, 32 * 9, 32 * 9),
        // Transposed convolutions by the meaning of their axes.
        ("transposed 1 D", &[64, 128, 5], InOutKernel, 64 * 5, 128 * 5),
        ("transposed 2 D", &[64, 32, 4, 4], InOutKernel, 64 * 16, 32 * 16),
        ("transposed 3 D", &[32, 16, 3, 5, 7], InOutKernel, 32 * 105, 16 * 105),
        // keras.initializers.compute_fans: the last but one and the last, times all before; of a
        // vector its length.
        ("Dense(200)", &[300, 200], Keras, 300, 200),
        ("Conv1D(128, 5)", &[5, 64, 128], Keras, 64 * 5, 128 * 5),
        ("Conv2D(96, 3)", &[3, 3, 48, 96], Keras, 48 * 9, 96 * 9),
        ("Conv3D(32, (3, 5, 7))", &[3, 5, 7, 16, 32], Keras, 16 * 105, 32 * 105),
        ("Conv2DTranspose(32, 4)", &[4, 4, 32, 64], Keras, 32 * 16, 64 * 16),
        ("DepthwiseConv2D(3)", &[3, 3, 4096, 1], Keras, 4096 * 9, 9),
        ("Keras' vector", &[40000], Keras, 40000, 40000),
        // jax.nn.initializers.variance_scaling.
        ("flax Conv(96, (3, 3))", &[3, 3, 48, 96], KernelInOut, 48 * 9, 96 * 9),
        ("8 experts", &[8, 64, 96], axes(&[-2], &[-1], &[0]), 64, 96),
        ("attention heads", &[256, 8, 24], axes(&[0], &[1, 2], &[]), 256, 8 * 24),
        ("a batch of convolutions", &[4, 64, 5, 40], axes(&[3], &[1], &[0]), 40 * 5, 64 * 5),
    ];
    rows.map(|(name, shape, layout, fan_in, fan_out)| Layer {
        name,
        shape,
        layout,
        fan_in: fan_in.into(),
        fan_out: fan_out.into(),
    })
    .into()
}
