//! Sinusoidal positions: rows of sines and cosines of a position times frequencies that fall
//! geometrically.

use crate::stream::exp::exp;
use crate::stream::log::ln;
use crate::stream::sin_cos::{LARGEST, sin_cos};
use crate::{ErrorKind, Result, Shape};

/// Positions of one or two dimensions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sinusoidal {
    /// The natural logarithm of the base.
    ln_base: f64,
    /// Values of a position.
    columns: u64,
    /// Positions, after which they come again.
    rows: u64,
    /// Positions of a row of the grid; none in one dimension.
    side: Option<u64>,
    /// Multiplies the values.
    pub(super) factor: f64,
}

impl Sinusoidal {
    /// Positions 0, 1... along the last axis but one.
    pub(crate) fn new(shape: &Shape, base: f64) -> Result<Self, ErrorKind> {
        let expected = "two or more dimensions, of which the last is even and at least 4, and the one before at most 10^6";
        let (rows, columns) = sides(shape, expected)?;
        if columns < 4 || columns % 2 != 0 || rows as f64 > LARGEST {
            return Err(ErrorKind::Dimensions { shape: shape.clone(), expected });
        }
        Ok(Sinusoidal { ln_base: ln(base), columns, rows, side: None, factor: 1.0 })
    }

    /// Positions of a square grid, row by row along the last axis but one.
    pub(crate) fn grid(shape: &Shape, base: f64) -> Result<Self, ErrorKind> {
        let expected = "two or more dimensions, of which the last is a multiple of 4, and the one before a square";
        let (rows, columns) = sides(shape, expected)?;
        let side = rows.isqrt();
        if columns % 4 != 0 || side * side != rows || side as f64 > LARGEST {
            return Err(ErrorKind::Dimensions { shape: shape.clone(), expected });
        }
        Ok(Sinusoidal { ln_base: ln(base), columns, rows, side: Some(side), factor: 1.0 })
    }

    /// Elements after which the values come again.
    pub(super) fn period(&self) -> u64 {
        self.rows * self.columns
    }

    /// The value at an index in a matrix of positions.
    pub(super) fn value(&self, index: u64) -> f64 {
        let (row, column) = (index / self.columns, index % self.columns);
        let (position, column, width, last) = match self.side {
            // The last frequency is 1 / base.
            None => (row, column, self.columns, self.columns / 2 - 1),
            // The first half tells the place in the grid's row, the second half the row.
            Some(side) => {
                let half = self.columns / 2;
                let position = if column < half { row % side } else { row / side };
                (position, column % half, half, half / 2)
            }
        };
        let frequencies = width / 2;
        let power = (column % frequencies) as f64 / last as f64;
        let (sin, cos) = sin_cos(position as f64 * exp(-(self.ln_base * power)));
        self.factor * if column < frequencies { sin } else { cos }
    }
}

/// The last two dimensions.
fn sides(shape: &Shape, expected: &'static str) -> Result<(u64, u64), ErrorKind> {
    match *shape.dims() {
        [.., rows, columns] => Ok((rows as u64, columns as u64)),
        _ => Err(ErrorKind::Dimensions { shape: shape.clone(), expected }),
    }
}
