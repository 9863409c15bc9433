//! `gpu-init bits`: the stream as raw bytes, for test batteries.

mod numbers;
mod packing;
mod turns;

use std::io::{self, ErrorKind, IsTerminal, Write};

use anyhow::{Context, ensure};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use gpu_init::stream_of;

use numbers::{Numbers, Source};
use packing::Packing;
use turns::Turns;

/// Write the stream to standard output as raw bytes, for test batteries.
///
/// Numbers follow each other in element order, each in little-endian order. Several streams, seeds
/// or tensors can take turns. For example:
///
/// gpu-init bits --seed 1 | RNG_test stdin32
///
/// gpu-init bits --names 1024 --turn 4 --values normal --take 16 | RNG_test stdin16
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The seed: Philox's key.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The stream: counter words 2 and 3.
    #[arg(long, default_value_t = 0)]
    stream: u64,
    /// Numbers to skip, of every stream: the first one written belongs to element N.
    #[arg(long, value_name = "N", default_value_t = 0)]
    offset: u128,
    /// The number of numbers in all [default: until the pipe closes].
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    #[command(flatten)]
    takers: Takers,
    /// The numbers that each writes in its turn: 4 are a block of Philox.
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=65536))]
    turn: u32,
    /// What the numbers are.
    #[arg(long, default_value = "words")]
    values: Numbers,
    /// The highest bits of each number that are written [default: 32 of words, 24 of uniforms, 16 of
    /// normals].
    #[arg(long, value_name = "BITS", value_parser = bits())]
    take: Option<u32>,
    /// Write the bits of each number in reverse: batteries look at the highest ones most.
    #[arg(long)]
    reverse: bool,
}

/// The streams that take turns.
#[derive(Debug, clap::Args)]
struct Takers {
    /// Take turns among K streams, numbered from --stream on.
    #[arg(long, value_name = "K", value_parser = ways(), conflicts_with_all = ["seeds", "names"])]
    streams: Option<u32>,
    /// Take turns among K seeds, from --seed on.
    #[arg(long, value_name = "K", value_parser = ways(), conflicts_with = "names")]
    seeds: Option<u32>,
    /// Take turns among the streams of K tensors by their names.
    #[arg(long, value_name = "K", value_parser = ways(), conflicts_with = "stream")]
    names: Option<u32>,
    /// The names: {} is the tensor's number, from 0 on.
    #[arg(long, default_value = "layers.{}.weight", requires = "names")]
    pattern: String,
}

fn ways() -> impl TypedValueParser<Value = u32> {
    clap::value_parser!(u32).range(1..=1 << 20)
}

fn bits() -> impl TypedValueParser<Value = u32> {
    PossibleValuesParser::new(["8", "16", "24", "32"]).try_map(|text| text.parse::<u32>())
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let turns = Turns { sources: sources(args)?, turn: args.turn as usize, numbers: args.values };
    let packing = packing(args)?;
    let count = count(args, &turns)?;
    let mut out = io::stdout().lock();
    ensure!(
        !out.is_terminal(),
        "bits: standard output is a terminal, and these are raw bytes; pipe them to a program, or \
         to a file by > FILE"
    );
    let mut bytes = Vec::new();
    let written = turns.give(args.offset, count, &mut |numbers| {
        bytes.clear();
        packing.pack(numbers, &mut bytes);
        Ok(out.write_all(&bytes)?)
    });
    match written {
        // A test battery that has seen enough closes the pipe.
        Err(error) if args.count.is_none() && is_closed_pipe(&error) => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// The streams that take turns, in their order.
fn sources(args: &Args) -> anyhow::Result<Vec<Source>> {
    let Args { seed, stream, .. } = *args;
    let Takers { streams, seeds, names, pattern } = &args.takers;
    ensure!(
        names.is_none_or(|names| names == 1 || pattern.contains("{}")),
        "bits: every name by --pattern {pattern:?} is the same; write {{}} where the number stands"
    );
    let source = |i: u32| {
        let by = |first: u64, turns: &Option<u32>| match turns {
            Some(_) => first.wrapping_add(i.into()),
            None => first,
        };
        let stream = match names {
            Some(_) => stream_of(&pattern.replace("{}", &i.to_string())),
            None => by(stream, streams),
        };
        Source { seed: by(seed, seeds), stream }
    };
    let ways = streams.or(*seeds).or(*names).unwrap_or(1);
    Ok((0..ways).map(source).collect())
}

fn packing(args: &Args) -> anyhow::Result<Packing> {
    let bits = args.take.unwrap_or(args.values.bits());
    ensure!(
        args.values != Numbers::Uniform || bits <= args.values.bits(),
        "bits: a uniform has 24 bits, not {bits}; use --take 24 or less"
    );
    Ok(Packing { bits, reversed: args.reverse })
}

/// The number of numbers to write.
fn count(args: &Args, turns: &Turns) -> anyhow::Result<u128> {
    let Args { offset, values, .. } = *args;
    let (length, ways) = (values.length(), turns.sources.len() as u128);
    let left = length.checked_sub(offset).with_context(|| {
        let what = match values {
            Numbers::Words => "the stream's 2^66 words",
            Numbers::Uniform | Numbers::Normal => "a tensor's 2^61 values",
        };
        format!("bits: --offset {offset} is beyond {what}; use at most {length}")
    })?;
    let count = args.count.map_or(ways * left, u128::from);
    ensure!(
        count <= ways * left,
        "bits: {} numbers follow --offset {offset}, not {count}; lower --offset or --count",
        ways * left
    );
    Ok(count)
}
