//! Where identities have their ones: a progression of progressions of element indices. Twin:
//! `shaders/diagonal.wgsl`.

use crate::initializer::{ONE_EACH, layout_error};
use crate::{Element, ErrorKind, Layout, Result, Shape};

/// Places in a tensor: those of [`Initializer::Eye`](crate::Initializer::Eye) and
/// [`Initializer::Dirac`](crate::Initializer::Dirac).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Diagonal {
    /// Index of the first place.
    pub(crate) first: u64,
    pub(crate) outer: Progression,
    /// Its whole run is shorter than a step of the outer one, so places rise.
    pub(crate) inner: Progression,
    elements: u64,
}

/// `count` steps of `stride` elements, the first one at 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Progression {
    pub(crate) count: u64,
    pub(crate) stride: u64,
}

/// Steps are counted in 32 bits, and added.
const MOST: u64 = 1 << 31;

impl Diagonal {
    /// The diagonal of a matrix.
    pub(crate) fn eye(shape: &Shape) -> Result<Self, ErrorKind> {
        let elements = shape.count()?;
        let &[rows, columns] = shape.dims() else {
            return Err(ErrorKind::Dimensions { shape: shape.clone(), expected: "two dimensions" });
        };
        let (outer, stride) = (Progression { count: 1, stride: elements }, columns as u64 + 1);
        let inner = Progression { count: rows.min(columns) as u64, stride };
        Diagonal { first: 0, outer, inner, elements }.counted(shape)
    }

    /// Input i to output i of each group, at the middle of the kernel.
    pub(crate) fn dirac(shape: &Shape, layout: &Layout, groups: u32) -> Result<Self, ErrorKind> {
        let (elements, rank) = (shape.count()?, shape.dims().len());
        if !(3..=5).contains(&rank) {
            let expected = "three to five dimensions";
            return Err(ErrorKind::Dimensions { shape: shape.clone(), expected });
        }
        let axes = layout.axes(rank).filter(|axes| axes.batch.is_empty());
        let ([input], [output]) =
            axes.as_ref().map_or((&[][..], &[][..]), |axes| (&axes.input, &axes.output))
        else {
            return Err(layout_error(shape, layout, ONE_EACH));
        };
        let dims: Vec<u64> = shape.dims().iter().map(|&dim| dim as u64).collect();
        let stride = |axis: usize| dims[axis + 1..].iter().product::<u64>();
        let (outputs, inputs, groups) = (dims[*output], dims[*input], u64::from(groups));
        if !outputs.is_multiple_of(groups) {
            let expected = "a divisor of the outputs, dimension 0 in PyTorch's order";
            return Err(ErrorKind::InvalidOption {
                option: "groups",
                value: groups as f64,
                expected,
            });
        }
        let kernel = (0..rank).filter(|axis| axis != input && axis != output);
        let first = kernel.map(|axis| dims[axis] / 2 * stride(axis)).sum();
        let each = outputs / groups;
        let group = Progression { count: groups, stride: each * stride(*output) };
        let within =
            Progression { count: inputs.min(each), stride: stride(*output) + stride(*input) };
        // Where outputs are the last axis a step within a group is longer than all groups.
        let (mut outer, inner) =
            if within.stride > group.stride { (within, group) } else { (group, within) };
        if outer.count == 1 {
            outer.stride = elements;
        }
        Diagonal { first, outer, inner, elements }.counted(shape)
    }

    fn counted(self, shape: &Shape) -> Result<Self, ErrorKind> {
        if self.outer.count < MOST && self.inner.count < MOST {
            Ok(self)
        } else {
            Err(ErrorKind::SizeOverflow { shape: shape.clone() })
        }
    }

    /// Elements of the whole tensor.
    pub(crate) fn elements(&self) -> u64 {
        self.elements
    }

    /// Index of place `n`.
    pub(crate) fn place(&self, n: u64) -> u64 {
        self.first
            + n / self.inner.count * self.outer.stride
            + n % self.inner.count * self.inner.stride
    }

    /// How many places are before element `index`.
    pub(crate) fn before(&self, index: u64) -> u64 {
        let Some(last) = index.checked_sub(self.first + 1) else { return 0 };
        let whole = last / self.outer.stride;
        if whole >= self.outer.count {
            return self.outer.count * self.inner.count;
        }
        whole * self.inner.count
            + self.inner.count.min(last % self.outer.stride / self.inner.stride + 1)
    }

    /// How many places are among `len` elements from `first` on.
    pub(crate) fn places(&self, first: u64, len: u64) -> u64 {
        self.before(first + len) - self.before(first)
    }

    /// Puts `value` at the places among the elements from `first` on that `out` has.
    pub(crate) fn put<T: Element>(&self, first: u64, value: f32, out: &mut [T]) {
        for n in self.before(first)..self.before(first + out.len() as u64) {
            out[(self.place(n) - first) as usize] = T::round(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every range of some shapes against the definition, element by element.
    #[test]
    fn places_are_those_of_the_definition() {
        let axes = Layout::Axes { input: vec![0], output: vec![-1], batch: vec![] };
        for (dims, groups) in [
            (&[5, 3][..], 0),
            (&[3, 5], 0),
            (&[1, 1], 0),
            (&[6, 4, 3], 2),
            (&[6, 2, 4], 3),
            (&[4, 1, 1], 4),
            (&[2, 3, 3, 2], 1),
            (&[2, 4, 3, 1, 5], 1),
            (&[3, 2, 6], 3),
            (&[1, 1, 4], 4),
        ] {
            let shape = Shape::from(dims);
            for layout in
                [Layout::OutInKernel, Layout::KernelInOut, Layout::InOutKernel, axes.clone()]
            {
                let diagonal = match groups {
                    0 => Diagonal::eye(&shape).unwrap(),
                    groups => {
                        let found = Diagonal::dirac(&shape, &layout, groups);
                        let output = layout.axes(dims.len()).unwrap().output[0];
                        assert_eq!(
                            found.is_ok(),
                            dims[output].is_multiple_of(groups as usize),
                            "{dims:?} {layout:?}"
                        );
                        let Ok(found) = found else { continue };
                        found
                    }
                };
                let is_one = |index: usize| {
                    let mut rest = index;
                    let mut at: Vec<usize> =
                        dims.iter().rev().map(|dim| (rest % dim, rest /= dim).0).collect();
                    at.reverse();
                    if groups == 0 {
                        return at[0] == at[1];
                    }
                    let axes = layout.axes(dims.len()).unwrap();
                    let (input, output) = (axes.input[0], axes.output[0]);
                    let each = dims[output] / groups as usize;
                    at[output] % each == at[input]
                        && (0..dims.len())
                            .all(|a| a == input || a == output || at[a] == dims[a] / 2)
                };
                let len: usize = dims.iter().product();
                for start in 0..len {
                    let mut out = vec![0f32; len - start];
                    diagonal.put(start as u64, 2.0, &mut out);
                    let expected: Vec<f32> =
                        (start..len).map(|i| if is_one(i) { 2.0 } else { 0.0 }).collect();
                    assert_eq!(out, expected, "{dims:?} {layout:?} from {start}");
                    for end in start..len {
                        let ones = (start..end).filter(|&i| is_one(i)).count() as u64;
                        assert_eq!(diagonal.places(start as u64, (end - start) as u64), ones);
                    }
                }
            }
        }
    }
}
