//! Self-test: before its first use each kernel is checked bit for bit against the CPU path, by
//! itself, so that one which a driver breaks leaves the others usable. What it covers is said at
//! `Device::open`; against what depends on a tensor's size stand `MOST_ITERATIONS` and `Examination`.

mod cases;
pub(crate) mod group;
pub(crate) mod verify;
