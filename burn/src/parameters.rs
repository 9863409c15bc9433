//! The parameters of a module.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{DType, Tensor};

use crate::path::{Path, follow_path};

/// A float parameter, as burn stores it.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    /// The type that has it as a field: "Linear".
    pub(crate) container: String,
    pub(crate) id: ParamId,
    pub(crate) shape: Vec<usize>,
    pub(crate) dtype: DType,
}

/// The float parameters of a module, in its order, tied ones by each of their names. None is
/// initialized by that.
pub(crate) fn parameters<M: Module>(module: &M) -> Vec<Parameter> {
    let mut list = List { path: Path::default(), parameters: Vec::new() };
    module.visit(&mut list);
    list.parameters
}

struct List {
    path: Path,
    parameters: Vec<Parameter>,
}

impl ModuleVisitor for List {
    follow_path!();

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let (shape, dtype) = if param.is_initialized() {
            let stored = stored(param);
            (stored.shape(), stored.dtype())
        } else {
            (param.lazy_shape(), param.lazy_device().settings().float_dtype.into())
        };
        self.parameters.push(Parameter {
            name: self.path.name(),
            container: self.path.container().to_owned(),
            id: param.id,
            shape: shape.to_vec(),
            dtype,
        });
    }
}

/// An initialized parameter's tensor in the order of axes that burn stores: a `Linear` of
/// `LinearLayout::Col` keeps its weight transposed.
pub(crate) fn stored<const D: usize>(param: &Param<Tensor<D>>) -> Tensor<D> {
    param.transform_for_save().val().without_autodiff()
}
