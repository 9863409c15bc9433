//! The Python program of the documentation computes what the library computes.

use std::process::Command;

use gpu_init::{Cpu, Parameter};

/// The program, as the documentation shows it.
fn program() -> &'static str {
    let text = include_str!("../src/stream.md");
    let (_, rest) = text.split_once("```python\n").unwrap();
    rest.split_once("```").unwrap().0
}

#[test]
fn the_documented_program_gives_the_same_bits() {
    let python = std::env::var("GPU_INIT_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    for (seed, name, fan_out, fan_in) in
        [(0, "", 5, 3), (42, "layers.0.q_proj.weight", 64, 33), (u64::MAX, "größe", 128, 128)]
    {
        let output = Command::new(&python)
            .args(["-c", program(), &seed.to_string(), name, &fan_out.to_string(), &fan_in.to_string()])
            .env("PYTHONWARNINGS", "error::DeprecationWarning")
            .output()
            .unwrap_or_else(|error| panic!("{python}: {error}; name a Python that has numpy in GPU_INIT_PYTHON"));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{python} (GPU_INIT_PYTHON names another; numpy is needed): {errors}");
        let expected: String =
            [Parameter::xavier_normal([fan_out, fan_in]), Parameter::xavier_uniform([fan_out, fan_in])]
                .into_iter()
                .map(|parameter| {
                    let tensor = Cpu::new().fill(&parameter.seed(seed).name(name)).unwrap();
                    let first: String =
                        tensor.to_f32()[..8].iter().map(|value| format!("{:08x} ", value.to_bits())).collect();
                    format!("{first}{}\n", tensor.fingerprint())
                })
                .collect();
        assert_eq!(String::from_utf8_lossy(&output.stdout).replace('\r', ""), expected, "seed {seed}, {name:?}");
    }
}
