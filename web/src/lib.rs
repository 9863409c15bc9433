//! The inside of the npm package: the library's calls with JavaScript's types. `index.ts` makes the
//! classes that users see of it.
#![cfg(target_arch = "wasm32")]

mod device;
mod errors;
mod navigator;
mod spec;
mod tensor;
