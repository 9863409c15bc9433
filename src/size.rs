//! The number of elements of a shape, counted in 64 bits.

use crate::error::During;
use crate::{ErrorKind, Result, Shape};

impl Shape {
    /// The number of elements.
    ///
    /// # Errors
    /// [`ErrorKind::ZeroSized`] if a dimension is 0, [`ErrorKind::SizeOverflow`] if the elements or
    /// their bytes at four bytes each do not fit in 64 bits.
    pub fn elements(&self) -> Result<u64> {
        self.count().during("elements")
    }

    /// The number of elements, for a call that names its own operation.
    pub(crate) fn count(&self) -> Result<u64, ErrorKind> {
        if self.dims().contains(&0) {
            return Err(ErrorKind::ZeroSized { shape: self.clone() });
        }
        self.dims()
            .iter()
            .try_fold(1u64, |product, &dim| product.checked_mul(dim as u64))
            .filter(|&product| product <= u64::MAX / 4)
            .ok_or_else(|| ErrorKind::SizeOverflow { shape: self.clone() })
    }
}
