//! The tables of truncated normals in device memory: one buffer for all of a recording's fills.

use crate::distribution::cache::table;
use crate::gpu::context::Context;
use crate::gpu::kernels::Kernels;
use crate::gpu::record::Bound;
use crate::stream::quantile::Truncated;
use crate::stream::truncated::Table;
use crate::{Distribution, Fill, Result};

/// A table's place: bindings start at multiples of 256 on every device.
const STRIDE: usize = size_of::<Table>().next_multiple_of(256);

#[derive(Debug)]
pub(super) struct Tables {
    /// Each distribution once, in the order of their tables.
    distributions: Vec<Distribution>,
    buffer: wgpu::Buffer,
}

impl Tables {
    /// Those that `fills` need.
    pub(super) fn new<'a>(
        context: &Context,
        kernels: &Kernels,
        operation: &'static str,
        fills: impl Iterator<Item = &'a Fill>,
    ) -> Result<Self> {
        let (mut distributions, mut contents) = (Vec::new(), Vec::new());
        for &Fill { distribution, .. } in fills {
            if let Distribution::Truncated { mean, std, low, high, .. } = distribution
                && !distributions.contains(&distribution)
            {
                contents.extend_from_slice(bytemuck::cast_slice(&*table(Truncated {
                    mean,
                    std,
                    low,
                    high,
                })));
                distributions.push(distribution);
                contents.resize(STRIDE * distributions.len(), 0);
            }
        }
        let buffer = if distributions.is_empty() {
            kernels.no_table.clone()
        } else {
            context.buffer_with(operation, &contents, wgpu::BufferUsages::STORAGE)?
        };
        Ok(Tables { distributions, buffer })
    }

    /// What the shader's `table` is bound to for a distribution: its table, or anything if it needs
    /// none.
    pub(super) fn bound(&self, distribution: &Distribution) -> Bound {
        match self.distributions.iter().position(|other| other == distribution) {
            Some(i) => Bound::new(&self.buffer, (i * STRIDE) as u64, size_of::<Table>() as u64),
            None => self.none(),
        }
    }

    /// For a fill that has no table: something that the shader can name, within any device's
    /// limits.
    fn none(&self) -> Bound {
        Bound::new(&self.buffer, 0, size_of::<[f32; 4]>() as u64)
    }

    /// As many tables as a binding of `most` bytes can have, a distribution's among them, and where
    /// it starts there, in entries.
    pub(super) fn window(&self, distribution: &Distribution, most: u64) -> (Bound, u32) {
        match self.distributions.iter().position(|other| other == distribution) {
            Some(i) => {
                let each = most as usize / STRIDE;
                let (start, end) =
                    (i - i % each, self.distributions.len().min(i - i % each + each));
                let bound = Bound::new(
                    &self.buffer,
                    (start * STRIDE) as u64,
                    ((end - start) * STRIDE) as u64,
                );
                (bound, (i % each * STRIDE / size_of::<[f32; 4]>()) as u32)
            }
            None => (self.none(), 0),
        }
    }
}
