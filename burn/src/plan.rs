//! The plan that rules make of a module's parameters.

use std::collections::HashMap;

use burn::module::{Module, ParamId};
use gpu_init::{Layout, ListedTensor, Plan, Rules};

use crate::dtype;
use crate::error::{Error, Result};
use crate::layout::layout;
use crate::parameters::{Parameter, parameters};

/// The plan of a module: every float parameter by its path, such as `layers.0.weight`, with its
/// shape, the type of its elements and the fans of its layer, by rules. Parameters that share a
/// [`ParamId`] are tied. Nothing is initialized.
///
/// The type is that of the rules, else of the parameter's tensor, or of its device's settings if it
/// is not initialized.
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use gpu_init::Recipe;
///
/// let linear = LinearConfig::new(784, 10).init(&Device::flex());
/// let plan = gpu_init_burn::plan(&linear, &gpu_init_burn::rules(Recipe::XAVIER))?;
/// let weight = &plan.entries()[0];
/// assert_eq!(weight.name, "weight");
/// assert_eq!(weight.spec.shape().dims(), [784, 10]); // burn's order: (in, out)
/// assert_eq!(weight.spec.fan_in_and_out(), Some((784, 10)));
/// # Ok::<(), gpu_init_burn::Error>(())
/// ```
///
/// # Errors
/// Those of [`Plan::new`], and [`Error::DType`] of quantized parameters.
pub fn plan<M: Module>(module: &M, rules: &Rules) -> Result<Plan> {
    let parameters = parameters(module);
    let mut owners: HashMap<ParamId, &str> = HashMap::new();
    let (mut listed, mut ties) = (Vec::with_capacity(parameters.len()), Vec::new());
    let layouts = layouts(module, &parameters);
    for (parameter, layout) in parameters.iter().zip(layouts) {
        let owner = *owners.entry(parameter.id).or_insert(&parameter.name);
        if owner != parameter.name {
            ties.push((owner, parameter.name.as_str()));
        }
        let dtype = dtype::ours(parameter.dtype).ok_or_else(|| Error::DType {
            what: format!("plan: parameter {:?}", parameter.name),
            dtype: parameter.dtype.name().to_owned(),
            device: "gpu-init".to_owned(),
        })?;
        let mut tensor: ListedTensor =
            (parameter.name.as_str(), parameter.shape.clone(), Some(dtype)).into();
        tensor.layout = layout;
        listed.push(tensor);
    }
    Ok(Plan::new(listed, &rules.clone().with_tied(ties))?)
}

fn layouts<M: Module>(module: &M, parameters: &[Parameter]) -> Vec<Option<Layout>> {
    let by_name: HashMap<_, _> =
        parameters.iter().map(|parameter| (parameter.name.as_str(), parameter)).collect();
    // What a module says of its groups is in no parameter: its `Debug` has it.
    let has_convolutions = parameters.iter().any(|parameter| parameter.shape.len() > 2);
    let debug = if has_convolutions { format!("{module:?}") } else { String::new() };
    parameters.iter().map(|parameter| layout(parameter, &by_name, &debug)).collect()
}
