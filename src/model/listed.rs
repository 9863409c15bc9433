//! A tensor as the list of a model has it, before any rule.

use crate::{DType, Layout, Shape};

/// A tensor of a model's list: what [`Plan::new`](crate::Plan::new) takes, also as the tuples
/// (name, shape, dtype) and (name, shape, dtype, layout).
///
/// A layout in the list says which axes are inputs and outputs where the tensor's rule does not: a
/// framework knows that of each of its layers. The fans of a bias, [`Layout::Fans`], belong there,
/// too.
///
/// ```
/// use gpu_init::{Layout, ListedTensor, Plan, Rules};
///
/// let rules: Rules = "default = 'kaiming_normal(nonlinearity=linear)'".parse()?;
/// let linear = ListedTensor::from(("fc.weight", [784, 10], None, Layout::KernelInOut));
/// assert_eq!(linear.name, "fc.weight");
/// let plan = Plan::new([linear], &rules)?;
/// assert_eq!(plan.entries()[0].spec.fan_in_and_out(), Some((784, 10)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ListedTensor {
    /// The tensor's name.
    pub name: String,
    /// Its shape.
    pub shape: Shape,
    /// Its element type, if the list has it.
    pub dtype: Option<DType>,
    /// Which axes are inputs and outputs, if the list has it.
    pub layout: Option<Layout>,
}

impl<N: Into<String>, S: Into<Shape>> From<(N, S, Option<DType>)> for ListedTensor {
    fn from((name, shape, dtype): (N, S, Option<DType>)) -> Self {
        ListedTensor { name: name.into(), shape: shape.into(), dtype, layout: None }
    }
}

impl<N: Into<String>, S: Into<Shape>> From<(N, S, Option<DType>, Layout)> for ListedTensor {
    fn from((name, shape, dtype, layout): (N, S, Option<DType>, Layout)) -> Self {
        ListedTensor { layout: Some(layout), ..(name, shape, dtype).into() }
    }
}
