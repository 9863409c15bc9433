//! Values that the host computes: uploaded piece by piece, and copied or converted to where they
//! belong.

use std::sync::Arc;

use crate::cpu::fill::fill_tensor;
use crate::gpu::engine::Engine;
use crate::gpu::engine::plan::convert::{conversions, source_type};
use crate::gpu::engine::plan::dispatch::{Dispatch, Slot};
use crate::gpu::engine::plan::limits::ENTRY;
use crate::gpu::engine::plan::tiles::Target;
use crate::gpu::engine::recorder::{Recorder, Report};
use crate::gpu::engine::view::View;
use crate::progress::Progress;
use crate::{ErrorKind, Fill, Result};

/// Elements of a piece: at most 8 MiB.
const PIECE: u64 = 1 << 20;

/// Records the upload of a fill's elements.
pub(crate) async fn record<P: Report>(
    engine: &Engine,
    View { fill, buffer, offset }: &View,
    recorder: &mut Recorder<'_, P>,
) -> Result<(), ErrorKind> {
    for start in (0..fill.len).step_by(PIECE as usize) {
        let elements = fill.elements().part(start, PIECE.min(fill.len - start));
        let piece = Fill { dtype: source_type(fill.dtype), ..fill.of(elements) };
        let values = fill_tensor(&piece, &mut Progress::silent())?;
        let mut bytes = values.as_bytes().to_vec();
        bytes.resize(bytes.len().next_multiple_of(ENTRY as usize), 0);
        let source = engine.context.buffer_with(&bytes, wgpu::BufferUsages::STORAGE).await?;
        let buffers = Arc::from([buffer.clone(), engine.pipelines.no_table.clone(), source]);
        let target = Target { slot: Slot::TENSOR, offset: offset + start * fill.dtype.size() };
        for dispatch in conversions(fill.dtype, piece.len, target, Slot::scratch(0), &engine.limits)
        {
            // A piece takes memory until it is submitted, so it costs more than its copy does.
            recorder.add(Dispatch { cost: piece.len, ..dispatch }, &buffers).await?;
        }
    }
    Ok(())
}
