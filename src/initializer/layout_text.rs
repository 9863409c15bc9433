//! Layouts as text: `kernel_in_out`, `axes(input=1, output=[-2, -1], batch=0)`, both ways.

use std::fmt;
use std::str::FromStr;

use crate::initializer::Layout;

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Layout::OutInKernel => f.write_str("out_in_kernel"),
            Layout::Grouped { groups } => write!(f, "grouped(groups={groups})"),
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
///      (transposed), grouped(groups=4) or axes(input=1, output=[-2, -1], batch=0)"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot read layout {0:?}: use out_in_kernel (pytorch), kernel_in_out (jax), keras, in_out_kernel (transposed), \
     grouped(groups=4) or axes(input=1, output=[-2, -1], batch=0)"
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
        _ => {}
    }
    // Signs are read from the text itself, whose hyphens are whole.
    let (name, rest) = text.trim().split_once('(')?;
    let options = options(rest.strip_suffix(')')?)?;
    let option = |wanted: &str| {
        let mut found =
            options.iter().filter(|(key, _)| *key == wanted).map(|(_, value)| value.as_slice());
        let first = found.next();
        if found.next().is_some() { None } else { Some(first.unwrap_or_default().to_vec()) }
    };
    let known = |names: &[&str]| options.iter().all(|(key, _)| names.contains(key));
    match name.trim().to_ascii_lowercase().as_str() {
        "grouped" if known(&["groups"]) => match option("groups")?[..] {
            [groups] if groups > 0 => Some(Layout::Grouped { groups: groups.unsigned_abs() }),
            _ => None,
        },
        "axes" if known(&["input", "output", "batch"]) => {
            let (input, output, batch) = (option("input")?, option("output")?, option("batch")?);
            (!input.is_empty() && !output.is_empty()).then_some(Layout::Axes {
                input,
                output,
                batch,
            })
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
        ] {
            assert!(text.parse::<Layout>().is_err(), "{text}");
        }
    }
}
