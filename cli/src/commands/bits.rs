//! `gpu-init bits`: the raw stream, for test batteries.

use std::io::{self, BufWriter, ErrorKind, Write};

use anyhow::{Context, ensure};
use gpu_init::Philox4x32;

/// Write random words in element order to standard output, little-endian u32, for test batteries.
///
/// For example: gpu-init bits --seed 1 | dieharder -a -g 200
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The seed: Philox's key.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The stream: counter words 2 and 3.
    #[arg(long, default_value_t = 0)]
    stream: u64,
    /// Words to skip: the first word written belongs to element N.
    #[arg(long, value_name = "N", default_value_t = 0)]
    offset: u128,
    /// The number of words [default: until the pipe closes].
    #[arg(long)]
    count: Option<u64>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let words = Philox4x32::new(args.seed, args.stream);
    let Args { offset, count, .. } = *args;
    let left = Philox4x32::PERIOD.checked_sub(offset).with_context(|| {
        let period = Philox4x32::PERIOD;
        format!("bits: --offset {offset} is beyond the stream's 2^66 words; use at most {period}")
    })?;
    let count = count.map_or(left, u128::from);
    ensure!(
        count <= left,
        "bits: {left} words follow --offset {offset}, not {count}; lower --offset or --count"
    );
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    match write_words(&words, offset, count, &mut out) {
        // A test battery that has seen enough closes the pipe.
        Err(error) if error.kind() == ErrorKind::BrokenPipe && args.count.is_none() => {
            // Dropping `out` would try to write the rest of its buffer.
            let _ = out.into_parts();
            Ok(())
        }
        result => result.context("cannot write to standard output"),
    }
}

fn write_words(
    words: &Philox4x32,
    offset: u128,
    count: u128,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut left = count;
    let mut block = (offset / 4) as u64;
    let mut skipped = (offset % 4) as usize;
    while left > 0 {
        let bytes = words.block(block).map(u32::to_le_bytes);
        let taken = left.min(4 - skipped as u128);
        out.write_all(bytes[skipped..skipped + taken as usize].as_flattened())?;
        left -= taken;
        block = block.wrapping_add(1);
        skipped = 0;
    }
    out.flush()
}
