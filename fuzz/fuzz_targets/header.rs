#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gpu_init_fuzz::header(input));
