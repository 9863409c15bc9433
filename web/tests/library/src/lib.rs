//! Tests of what the library's public async calls do in a page, one export each; what an export
//! returns is for the test that calls it. The CPU path is beside them, in the page.
#![cfg(target_arch = "wasm32")]

mod bits;
mod common;
mod losses;
mod memory;
mod mistakes;
mod plans;
