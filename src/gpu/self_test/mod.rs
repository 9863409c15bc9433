//! Self-test: before its first use each kernel is checked bit for bit against the CPU path, by
//! itself, so that one which a driver breaks leaves the others usable.
//!
//! It covers what a kernel computes: each element type and distribution, the start of a tensor's
//! block and its inside, far into a tensor, ties and zeros that random values hardly show. It
//! cannot cover what depends on a tensor's size, nor memory that fails later. Against the former
//! every loop of a shader ends after a constant number of iterations (`MOST_ITERATIONS`), and long
//! work is examined when it is done (`Examination`).

mod cases;
pub(crate) mod group;
pub(crate) mod verify;
