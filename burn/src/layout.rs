//! Which axes of burn's layers are inputs and outputs, as the layers' own initializers have it.

use std::collections::HashMap;

use gpu_init::Layout;

use crate::parameters::Parameter;

/// The axes of a parameter, or the fans of a bias: those of its weight. `None` of parameters that no
/// layer of burn-nn has, and of those without fans.
///
/// `debug` is the module's.
pub(crate) fn layout(
    parameter: &Parameter,
    by_name: &HashMap<&str, &Parameter>,
    debug: &str,
) -> Option<Layout> {
    if let Some(layout) = weight(parameter, debug) {
        return Some(layout);
    }
    let beside = parameter.name.strip_suffix("bias")?;
    let other = by_name.get(format!("{beside}weight").as_str())?;
    let is_same_layer = other.container == parameter.container;
    let layout = weight(other, debug).filter(|_| is_same_layer)?;
    let (mut fan_in, mut fan_out) = layout.fans(&other.shape.clone().into())?;
    // `LinearLayout::Col` stores (out, in), and initializes the weight by exchanged fans, but not
    // the bias.
    if parameter.container == "Linear" && fan_out != parameter.shape[0] as u64 {
        (fan_in, fan_out) = (fan_out, fan_in);
    }
    Some(Layout::Fans { fan_in, fan_out })
}

/// The axes of a layer's weight.
fn weight(parameter: &Parameter, debug: &str) -> Option<Layout> {
    let is_weight = parameter.name == "weight" || parameter.name.ends_with(".weight");
    match (parameter.container.as_str(), parameter.shape.len()) {
        _ if !is_weight => None,
        // (in, out). With `LinearLayout::Col` it is stored as (out, in), of which burn takes the
        // first for the inputs, too.
        ("Linear", 2) => Some(Layout::KernelInOut),
        ("Conv1d", 3) | ("Conv2d", 4) | ("Conv3d", 5) => {
            Some(convolution(groups(parameter, "groups", debug)))
        }
        ("DeformConv2d", 4) => Some(convolution(groups(parameter, "weight_groups", debug))),
        // (in, out / groups, kernel...), and burn takes the second for the inputs, as PyTorch does.
        ("ConvTranspose1d", 3) | ("ConvTranspose2d", 4) | ("ConvTranspose3d", 5) => {
            Some(Layout::OutInKernel)
        }
        ("Embedding", 2) => Some(Layout::OutInKernel),
        _ => None,
    }
}

fn convolution(groups: usize) -> Layout {
    if groups > 1 { Layout::Grouped { groups } } else { Layout::OutInKernel }
}

/// The field of the struct that has the parameter, as its `Debug` prints it: `Conv2d { weight:
/// Param: <id> - .., groups: 4, .. }`. 1 where it prints no such thing.
fn groups(parameter: &Parameter, field: &str, debug: &str) -> usize {
    let start = format!("Param: {} - ", parameter.id);
    let Some((_, fields)) = debug.split_once(&start) else { return 1 };
    let mut depth = 0;
    for (at, char) in fields.char_indices() {
        match char {
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => depth -= 1,
            ' ' if depth == 0 => {
                let value =
                    fields[at + 1..].strip_prefix(field).and_then(|rest| rest.strip_prefix(": "));
                if let Some(value) = value {
                    let digits = value.find(|char: char| !char.is_ascii_digit());
                    return value[..digits.unwrap_or(value.len())].parse().unwrap_or(1);
                }
            }
            _ => {}
        }
        if depth < 0 {
            break;
        }
    }
    1
}
