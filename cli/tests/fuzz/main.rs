//! Fuzzing: input that nobody thought of, drawn from Philox, so that a seed and a case's number are
//! all there is to a case.
//!
//! ```sh
//! cargo test --release -p gpu-init-cli --test fuzz                                   # some seconds of each kind
//! GPU_INIT_FUZZ_SECONDS=3600 GPU_INIT_FUZZ_SEED=7 cargo test --release -p gpu-init-cli --test fuzz
//! GPU_INIT_FUZZ_SEED=7 GPU_INIT_FUZZ_CASE=1234 cargo test --release -p gpu-init-cli --test fuzz files   # one case again
//! ```
//!
//! A failure prints the last of these commands and the input itself. What failed once is kept in
//! `corpus/` and is tried first by every run: requests in `requests.jsonl`, one a line; files in
//! folders, each with its command lines in `commands`.

#[path = "../../../tests/common/gpu.rs"]
mod gpu;
#[path = "../common/program.rs"]
#[allow(dead_code, reason = "each test file uses its own part")]
mod program;

mod campaign;
mod draw;
mod files;
mod mutate;
mod request;
mod requests;
mod words;
