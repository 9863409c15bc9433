//! Models in files: what tensors one has, reading it back piece by piece, and writing one.
//!
//! What is read is not trusted: sizes are checked against the file before anything is allocated,
//! and names of files before any of them becomes a path.

pub(crate) mod claim;
mod dtypes;
pub(crate) mod formats;
mod header;
mod index;
pub(crate) mod input;
mod list;
mod metadata;
mod names;
pub(crate) mod npy;
mod pieces;
pub(crate) mod place;
mod role;
mod shapes;
mod shard;
mod shards;
mod size;
mod slices;
mod source;
mod write;

pub(crate) use dtypes::fillable;
pub(crate) use list::read as read_list;
pub(crate) use metadata::{RESERVED, SHAPES, SOURCE_TIES, source_ties, ties};
pub(crate) use pieces::Pieces;
pub(crate) use role::{Role, of_other_worlds, role};
pub(crate) use shapes::shapes_fingerprint;
pub(crate) use shard::{Shard, Stored};
pub(crate) use shards::Checkpoint;
pub(crate) use size::parse_size;
pub(crate) use slices::{SLICES, Slices, rank_file};
pub(crate) use source::Source;
pub(crate) use write::{Files, Finished, Planned, leftovers_beside_ranks};

// Elements are written and read as they lie in memory, and the file's are little-endian.
const _: () = assert!(cfg!(target_endian = "little"));

/// Largest header, list or index that is read: safetensors' own limit.
const LARGEST: u64 = 100_000_000;

/// The file of a model in one piece.
const SINGLE: &str = "model.safetensors";
/// The index of a model in several.
pub(crate) const INDEX: &str = "model.safetensors.index.json";
