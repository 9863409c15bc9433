//! The self-test at the end of long work: are the matrices that the device made orthogonal?
//!
//! What a driver does wrong only in a large matrix, such as ending a long loop, no small self-test
//! can see. While a slab is in memory the device sums up, for each column and each tile of rows,
//! its squares and its products with the next column of its panel. The host adds the tiles up: 1
//! and 0 must come out. That costs two multiply-adds for each entry, where its reflections cost
//! twice the number of columns.

use crate::gpu::context::Context;
use crate::gpu::orthogonal::sizes::{COLUMNS, Sizes, Slab, TILE, len};
use crate::gpu::readback;
use crate::gpu::record::{Bound, Recorder};
use crate::{ErrorKind, Result};

/// Matrices of fewer entries in one tile of rows are no long work.
const LONG: u64 = 1 << 16;
/// Most that a sum may be off. Rounding makes it about 1e-5; a device's own sums of squares are not
/// guarded.
const TOLERANCE: f64 = 1e-3;
/// Sums of a tile of a panel.
const SUMS: u64 = 2 * COLUMNS;

/// Sums over the columns of a fill's matrices, in device memory.
#[derive(Debug)]
pub(in crate::gpu) struct Examination {
    operation: &'static str,
    sums: wgpu::Buffer,
    wanted: Slab,
    rows: u64,
    columns: u64,
}

impl Examination {
    /// Memory for the sums, where matrices are large enough and somebody will read them.
    pub(super) fn new(
        context: &Context,
        operation: &'static str,
        sizes: &Sizes,
        recorder: &Recorder,
    ) -> Result<Option<Self>> {
        let Sizes { rows, columns, .. } = *sizes;
        let is_long = rows > TILE || rows * columns >= LONG;
        if !is_long || !recorder.reaches_queue() {
            return Ok(None);
        }
        let wanted = sizes.wanted.clone();
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let sums = context.buffer(operation, bytes(rows, &wanted), usage)?;
        Ok(Some(Examination { operation, sums, wanted, rows, columns }))
    }

    /// Where the sums of a slab go, and how many tiles of panels they are of.
    pub(super) fn sums_of(&self, slab: &Slab) -> (Bound, u64) {
        // Slabs are of whole matrices, or of panels of one.
        let before = Slab {
            matrices: self.wanted.matrices.start..slab.matrices.start,
            ..self.wanted.clone()
        };
        let panels = Slab { panels: self.wanted.panels.start..slab.panels.start, ..slab.clone() };
        let size = bytes(self.rows, slab);
        let offset = bytes(self.rows, &before) + bytes(self.rows, &panels);
        (Bound::new(&self.sums, offset, size), size / (SUMS * 4))
    }

    /// Reads the sums when the device has them.
    ///
    /// # Errors
    /// [`ErrorKind::WrongBits`] if a column is not of length 1 or not orthogonal to the next one.
    pub(in crate::gpu) async fn judge(&self, context: &Context) -> Result<()> {
        let mut sums = vec![0f32; (self.sums.size() / 4) as usize];
        readback::read(context, self.operation, &self.sums, 0, bytemuck::cast_slice_mut(&mut sums))
            .await?;
        let tiles = self.rows.div_ceil(TILE);
        let panels = self
            .wanted
            .matrices
            .clone()
            .flat_map(|matrix| self.wanted.panels.clone().map(move |panel| (matrix, panel)));
        for ((matrix, panel), sums) in panels.zip(sums.chunks_exact((tiles * SUMS) as usize)) {
            let width = COLUMNS.min(self.columns - panel * COLUMNS);
            for column in 0..width {
                let sum = |first: u64| {
                    sums.chunks_exact(SUMS as usize)
                        .map(|tile| f64::from(tile[(first + column) as usize]))
                        .sum::<f64>()
                };
                let (square, product) = (sum(0), sum(COLUMNS));
                let at =
                    || format!("orthogonal, matrix {matrix}, column {}", panel * COLUMNS + column);
                self.check(context, || at() + ", its length squared", 1.0, square)?;
                if width > 1 {
                    self.check(context, || at() + ", its product with another one", 0.0, product)?;
                }
            }
        }
        Ok(())
    }

    fn check(
        &self,
        context: &Context,
        what: impl Fn() -> String,
        expected: f64,
        actual: f64,
    ) -> Result<()> {
        // NaN is off, too.
        if (actual - expected).abs() <= TOLERANCE {
            return Ok(());
        }
        let [expected, actual] = [expected, actual].map(|value| value.to_string());
        let (adapter, what) = (context.adapter.clone(), what());
        Err(ErrorKind::WrongBits { adapter, what, expected, actual }.during(self.operation))
    }
}

/// Bytes of the sums of a slab.
fn bytes(rows: u64, slab: &Slab) -> u64 {
    len(&slab.matrices) * len(&slab.panels) * rows.div_ceil(TILE) * SUMS * 4
}
