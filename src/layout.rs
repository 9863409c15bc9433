//! Which axes of a shape are inputs and outputs, by the rules of the peers: fans, and layouts as
//! text, `kernel_in_out` or `axes(input=1, output=[-2, -1], batch=0)`, both ways.

use std::fmt;
use std::str::FromStr;

use crate::Shape;

/// Which axes of a shape are the inputs and outputs that fan_in and fan_out count.
///
/// Each fan is the axis' size times the receptive field: the product of the kernel's dimensions.
///
/// ```
/// use gpu_init::{Layout, Shape};
///
/// let conv = Shape::from([64, 3, 7, 7]);
/// assert_eq!(Layout::OutInKernel.fans(&conv), Some((3 * 49, 64 * 49)));
/// let conv = Shape::from([7, 7, 3, 64]);
/// assert_eq!(Layout::KernelInOut.fans(&conv), Some((3 * 49, 64 * 49)));
/// let transposed = Shape::from([64, 3, 7, 7]);
/// assert_eq!(Layout::InOutKernel.fans(&transposed), Some((64 * 49, 3 * 49)));
/// let grouped = Layout::Grouped { groups: 4 };
/// assert_eq!(grouped.fans(&Shape::from([64, 8, 3])), Some((8 * 3, 16 * 3)));
/// // JAX's in_axis, out_axis and batch_axis: 8 experts, each 16 -> 4 x 32.
/// let axes = Layout::Axes { input: vec![1], output: vec![-2, -1], batch: vec![0] };
/// assert_eq!(axes.fans(&Shape::from([8, 16, 4, 32])), Some((16, 128)));
/// assert_eq!(Layout::Depthwise.fans(&Shape::from([1536, 1, 4])), Some((4, 4)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Layout {
    /// (out, in, kernel...): PyTorch, burn, candle, tch. A grouped convolution is stored as
    /// (out, in / groups, kernel...), and PyTorch counts all its outputs. PyTorch reads transposed
    /// convolutions, stored as (in, out / groups, kernel...), in this order too.
    #[default]
    OutInKernel,
    /// (channels, 1, kernel...): a depthwise convolution, one kernel for each channel. Both fans
    /// are the kernel's size. (By PyTorch's rule, `OutInKernel`, all channels count as outputs.)
    Depthwise,
    /// A grouped convolution (out, in / groups, kernel...) by burn's rule: only the outputs of one
    /// group count.
    Grouped {
        /// Number of groups, which divides the first dimension.
        groups: usize,
    },
    /// (kernel..., in, out): JAX, Flax; also GPT-2's Conv1D.
    KernelInOut,
    /// (kernel..., in, out): Keras, TensorFlow. As [`KernelInOut`](Self::KernelInOut), but vectors
    /// have fans too: their length is both, as Keras' `compute_fans` has it, and a scalar's are 1.
    /// PyTorch and JAX refuse those.
    Keras,
    /// (in, out, kernel...): the transposed convolutions of PyTorch and burn by what their axes
    /// are.
    InOutKernel,
    /// Axes by number, from the end if negative, as JAX's `variance_scaling` takes them. The
    /// kernel's are all those that are not named.
    Axes {
        /// JAX's `in_axis`.
        input: Vec<isize>,
        /// JAX's `out_axis`.
        output: Vec<isize>,
        /// JAX's `batch_axis`: counted in neither fan.
        batch: Vec<isize>,
    },
    /// Fans that are given, whatever the shape: those of a bias' weight, or of a matrix that is
    /// stored in parts. No axis has a role, so orthogonal matrices and the like refuse it.
    Fans {
        /// The inputs of each output.
        fan_in: u64,
        /// The outputs of each input.
        fan_out: u64,
    },
}

impl Layout {
    /// Returns (fan_in, fan_out), or `None` where the shape has fewer than two dimensions (except
    /// in Keras' layout and of given fans), lacks a named axis or is not divided by the groups, an
    /// axis is named twice, or a depthwise kernel has more than one input channel.
    pub fn fans(&self, shape: &Shape) -> Option<(u64, u64)> {
        if let Layout::Fans { fan_in, fan_out } = *self {
            return Some((fan_in, fan_out));
        }
        if let (Layout::Keras, [] | [_]) = (self, shape.dims()) {
            let fan = shape.dims().first().map_or(1, |&dim| dim as u64);
            return Some((fan, fan));
        }
        let Axes { input, output, batch } = self.axes(shape.dims().len())?;
        let fan = |own: &[usize]| {
            let other = |axis| {
                [&input, &output, &batch].iter().any(|axes| axes.contains(&axis))
                    && !own.contains(&axis)
            };
            let counted = shape.dims().iter().zip(0..).filter(|&(_, axis)| !other(axis));
            counted.fold(1u64, |product, (&dim, _)| product.saturating_mul(dim as u64))
        };
        let (fan_in, fan_out) = (fan(&input), fan(&output));
        match *self {
            Layout::Grouped { groups } => {
                let divided = groups > 0 && shape.dims()[0].is_multiple_of(groups);
                divided.then(|| (fan_in, fan_out / groups as u64))
            }
            Layout::Depthwise => (shape.dims()[1] == 1).then_some((fan_in, fan_in)),
            _ => Some((fan_in, fan_out)),
        }
    }

    /// The axes of a shape of that rank, or `None` if it has not all of them, one comes twice, or
    /// there are fewer than two.
    pub(crate) fn axes(&self, rank: usize) -> Option<Axes> {
        if rank < 2 {
            return None;
        }
        let (input, output, batch) = match self {
            Layout::OutInKernel | Layout::Grouped { .. } | Layout::Depthwise => {
                (vec![1], vec![0], vec![])
            }
            Layout::Fans { .. } => return None,
            Layout::InOutKernel => (vec![0], vec![1], vec![]),
            Layout::KernelInOut | Layout::Keras => (vec![rank - 2], vec![rank - 1], vec![]),
            Layout::Axes { input, output, batch } => {
                (resolve(input, rank)?, resolve(output, rank)?, resolve(batch, rank)?)
            }
        };
        let mut named = [&input[..], &output, &batch].concat();
        named.sort_unstable();
        named.is_sorted_by(|a, b| a < b).then_some(Axes { input, output, batch })
    }
}

/// Axes by their role, counted from the front; all others are the kernel's.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axes {
    pub(crate) input: Vec<usize>,
    pub(crate) output: Vec<usize>,
    pub(crate) batch: Vec<usize>,
}

/// Axes counted from the front, each inside the rank.
fn resolve(axes: &[isize], rank: usize) -> Option<Vec<usize>> {
    let resolve = |&axis: &isize| {
        let axis = if axis < 0 { rank.checked_add_signed(axis)? } else { axis.unsigned_abs() };
        (axis < rank).then_some(axis)
    };
    axes.iter().map(resolve).collect()
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Layout::OutInKernel => f.write_str("out_in_kernel"),
            Layout::Grouped { groups } => write!(f, "grouped(groups={groups})"),
            Layout::Depthwise => f.write_str("depthwise"),
            Layout::Fans { fan_in, fan_out } => write!(f, "fans(in={fan_in}, out={fan_out})"),
            Layout::KernelInOut => f.write_str("kernel_in_out"),
            Layout::Keras => f.write_str("keras"),
            Layout::InOutKernel => f.write_str("in_out_kernel"),
            Layout::Axes { input, output, batch } => {
                write!(f, "axes(input={input:?}, output={output:?}")?;
                if batch.is_empty() { f.write_str(")") } else { write!(f, ", batch={batch:?})") }
            }
        }
    }
}

/// The text is no layout.
///
/// ```
/// let error = "chw".parse::<gpu_init::Layout>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "cannot read layout \"chw\": use out_in_kernel (pytorch), kernel_in_out (jax), keras, in_out_kernel \
///      (transposed), depthwise, grouped(groups=4), axes(input=1, output=[-2, -1], batch=0) or \
///      fans(in=4096, out=11008)"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot read layout {0:?}: use out_in_kernel (pytorch), kernel_in_out (jax), keras, in_out_kernel \
     (transposed), depthwise, grouped(groups=4), axes(input=1, output=[-2, -1], batch=0) or \
     fans(in=4096, out=11008)"
)]
pub struct ParseLayoutError(String);

/// By its own name or a peer's: `pytorch`, `jax`, and `transposed` for transposed convolutions.
///
/// ```
/// use gpu_init::Layout;
///
/// assert_eq!("jax".parse(), Ok(Layout::KernelInOut));
/// let axes = Layout::Axes { input: vec![1], output: vec![-2, -1], batch: vec![0] };
/// assert_eq!("axes(input=1, output=[-2, -1], batch=0)".parse(), Ok(axes.clone()));
/// assert_eq!(axes.to_string().parse(), Ok(axes));
/// ```
impl FromStr for Layout {
    type Err = ParseLayoutError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| ParseLayoutError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Layout> {
    let name = text.trim().to_ascii_lowercase().replace('-', "_");
    match name.as_str() {
        "out_in_kernel" | "pytorch" => return Some(Layout::OutInKernel),
        "kernel_in_out" | "jax" => return Some(Layout::KernelInOut),
        "keras" => return Some(Layout::Keras),
        "in_out_kernel" | "transposed" => return Some(Layout::InOutKernel),
        "depthwise" => return Some(Layout::Depthwise),
        _ => {}
    }
    // Signs are read from the text itself, whose hyphens are whole.
    let (name, rest) = text.trim().split_once('(')?;
    let mut options = options(rest.strip_suffix(')')?)?;
    // By key: a key that comes twice fits no pattern.
    options.sort_unstable();
    match (name.trim().to_ascii_lowercase().as_str(), &options[..]) {
        ("grouped", [("groups", groups)]) => match groups[..] {
            [groups] if groups > 0 => Some(Layout::Grouped { groups: groups.unsigned_abs() }),
            _ => None,
        },
        ("fans", [("in", fan_in), ("out", fan_out)]) => match (&fan_in[..], &fan_out[..]) {
            (&[fan_in], &[fan_out]) if fan_in > 0 && fan_out > 0 => Some(Layout::Fans {
                fan_in: fan_in.unsigned_abs() as u64,
                fan_out: fan_out.unsigned_abs() as u64,
            }),
            _ => None,
        },
        ("axes", [batch @ .., ("input", input), ("output", output)])
            if !input.is_empty() && !output.is_empty() =>
        {
            let batch = match batch {
                [] => Vec::new(),
                [("batch", batch)] => batch.clone(),
                _ => return None,
            };
            Some(Layout::Axes { input: input.clone(), output: output.clone(), batch })
        }
        _ => None,
    }
}

/// `key=1, key=[2, 3]` with the numbers of each key.
fn options(mut text: &str) -> Option<Vec<(&str, Vec<isize>)>> {
    let mut options = Vec::new();
    while let Some((key, rest)) = text.split_once('=') {
        let rest = rest.trim_start();
        let (list, after) = match rest.strip_prefix('[') {
            Some(list) => list.split_once(']')?,
            None => rest.split_at(rest.find(',').unwrap_or(rest.len())),
        };
        let numbers: Result<_, _> = list
            .split(',')
            .map(str::trim)
            .filter(|number| !number.is_empty())
            .map(str::parse)
            .collect();
        options.push((key.trim(), numbers.ok()?));
        let after = after.trim_start();
        text = after.strip_prefix(',').unwrap_or(after);
        if !after.is_empty() && text.len() == after.len() {
            return None;
        }
    }
    text.trim().is_empty().then_some(options)
}

#[cfg(test)]
mod tests {
    use super::Layout;

    #[test]
    fn every_layout_is_read_back() {
        let axes = |input, output, batch| Layout::Axes { input, output, batch };
        for layout in [
            Layout::OutInKernel,
            Layout::KernelInOut,
            Layout::Keras,
            Layout::InOutKernel,
            Layout::Grouped { groups: 32 },
            Layout::Depthwise,
            Layout::Fans { fan_in: 4096, fan_out: 11008 },
            axes(vec![1], vec![-2, -1], vec![0]),
            axes(vec![0], vec![1], vec![]),
        ] {
            assert_eq!(layout.to_string().parse(), Ok(layout.clone()), "{layout}");
        }
        assert_eq!(" Kernel-In-Out ".parse(), Ok(Layout::KernelInOut));
        assert_eq!("axes( output = 0 ,input=[1,], )".parse(), Ok(axes(vec![1], vec![0], vec![])));
    }

    #[test]
    fn what_is_no_layout_is_refused() {
        for text in [
            "",
            "(",
            "grouped",
            "grouped()",
            "grouped(groups=0)",
            "grouped(groups=-4)",
            "grouped(groups=4",
            "grouped(groups=[4, 4])",
            "grouped(groups=4, groups=4)",
            "grouped(axes=4)",
            "axes(input=1)",
            "axes(input=1, output=x)",
            "axes(input=1, output=[0)",
            "axes(input=1 output=0)",
            "axes(input=[1]output=0)",
            "axes(input=99999999999999999999, output=0)",
            "pytorch(input=1)",
            "fans(in=4096)",
            "fans(in=0, out=1)",
            "fans(in=[1, 2], out=1)",
            "fans(in=1, out=1, batch=1)",
        ] {
            assert!(text.parse::<Layout>().is_err(), "{text}");
        }
    }
}
