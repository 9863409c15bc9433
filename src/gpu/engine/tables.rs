//! The tables of truncated normals in device memory: one buffer for all fills of a call.

use crate::distribution::cache::table;
use crate::gpu::engine::Engine;
use crate::gpu::engine::kernel::TABLE_USAGES;
use crate::gpu::engine::plan::dispatch::{Binding, Slot};
use crate::gpu::wgsl::AddressSpace;
use crate::stream::quantile::Truncated;
use crate::stream::truncated::Table;
use crate::{Distribution, ErrorKind, Fill, Result};

/// Bytes from one table to the next: bindings start at multiples of 256 on every device.
const STRIDE: usize = size_of::<Table>().next_multiple_of(256);

#[derive(Debug)]
pub(crate) struct Tables {
    /// Each distribution once, in the order of their tables.
    distributions: Vec<Distribution>,
    pub(crate) buffer: wgpu::Buffer,
    /// How many a binding can hold.
    bound: usize,
}

impl Tables {
    /// Uploads the tables that `fills` need.
    pub(crate) async fn new<'a>(
        engine: &Engine,
        fills: impl Iterator<Item = &'a Fill>,
    ) -> Result<Self, ErrorKind> {
        let (mut distributions, mut contents) = (Vec::new(), Vec::new());
        for &Fill { distribution, .. } in fills {
            if let Distribution::Truncated { mean, std, low, high, .. } = distribution
                && !distributions.contains(&distribution)
            {
                let table = table(Truncated { mean, std, low, high });
                contents.extend_from_slice(bytemuck::cast_slice(&*table));
                distributions.push(distribution);
                contents.resize(STRIDE * distributions.len(), 0);
            }
        }
        let buffer = if distributions.is_empty() {
            engine.pipelines.no_table.clone()
        } else {
            engine.context.buffer_with(&contents, TABLE_USAGES).await?
        };
        let bound = match engine.pipelines.tables() {
            AddressSpace::Storage => engine.limits.binding as usize / STRIDE,
            AddressSpace::Uniform => 1,
        };
        Ok(Tables { distributions, buffer, bound })
    }

    /// The binding of a distribution's table.
    pub(crate) fn binding(&self, distribution: &Distribution) -> Binding {
        self.window_of(distribution, 1).0
    }

    /// As many tables as a binding holds, the distribution's among them, and where it starts there,
    /// in entries. Without a table, the binding of anything, since the shader names one whatever it
    /// computes.
    pub(crate) fn window(&self, distribution: &Distribution) -> (Binding, u32) {
        self.window_of(distribution, self.bound)
    }

    fn window_of(&self, distribution: &Distribution, bound: usize) -> (Binding, u32) {
        let Some(i) = self.distributions.iter().position(|other| other == distribution) else {
            return (Binding::first(Slot::TABLE, size_of::<Table>() as u64), 0);
        };
        let start = i - i % bound;
        let end = self.distributions.len().min(start + bound);
        let (offset, size) = ((start * STRIDE) as u64, ((end - start) * STRIDE) as u64);
        let entry = (i - start) * STRIDE / size_of::<[f32; 4]>();
        (Binding { slot: Slot::TABLE, offset, size }, entry as u32)
    }
}
