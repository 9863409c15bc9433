//! The Python program of the documentation computes what the library computes.

use std::process::Command;

use gpu_init::{Cpu, DType, Fingerprint, Initializer, Layout, TensorSpec};

/// A section of the program in the documentation.
fn program(section: usize) -> &'static str {
    let text = include_str!("../docs/stream.md").split("```python\n").nth(section + 1).unwrap();
    text.split_once("```").unwrap().0
}

/// Runs a Python program and returns its output.
fn run(program: &str, arguments: &[&str]) -> String {
    let python = std::env::var("GPU_INIT_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let output = Command::new(&python)
        .args(["-c", program])
        .args(arguments)
        .env("PYTHONWARNINGS", "error::DeprecationWarning")
        .output()
        .unwrap_or_else(|error| {
            panic!("{python}: {error}; name a Python that has numpy in GPU_INIT_PYTHON")
        });
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{python} (GPU_INIT_PYTHON names another; numpy is needed): {errors}"
    );
    String::from_utf8_lossy(&output.stdout).replace('\r', "")
}

#[test]
fn documented_program_gives_the_same_bits() {
    for (seed, name, fan_out, fan_in) in
        [(0, "", 5, 3), (42, "layers.0.q_proj.weight", 64, 33), (u64::MAX, "größe", 128, 128)]
    {
        let output =
            run(program(0), &[&seed.to_string(), name, &fan_out.to_string(), &fan_in.to_string()]);
        let expected: String = [
            TensorSpec::new([fan_out, fan_in], Initializer::xavier_normal()),
            TensorSpec::new([fan_out, fan_in], Initializer::xavier_uniform()),
        ]
        .into_iter()
        .map(|spec| {
            let tensor = Cpu::new().fill(&spec.seed(seed).name(name)).unwrap();
            let first: String = tensor.to_f32()[..8]
                .iter()
                .map(|value| format!("{:08x} ", value.to_bits()))
                .collect();
            format!("{first}{}\n", tensor.fingerprint())
        })
        .collect();
        assert_eq!(output, expected, "seed {seed}, {name:?}");
    }
}

/// Runs the program's functions, those of a further section, and these calls.
fn with_functions(section: usize, calls: &str) -> String {
    let functions = program(0).split("# xavier_normal and xavier_uniform of").next().unwrap();
    run(&[functions, program(section), calls].join("\n"), &[])
}

#[test]
fn documented_means_agree_with_normals() {
    for (mean, std) in [(0.25, 0.02), (-1e-3, 3.0), (0.0, 0.7)] {
        let calls = format!(
            "for i in range(64): print(f\"{{bits(normal(42, stream_of('w'), i, {mean:?}, {std:?})):08x}}\")"
        );
        let output = with_functions(1, &calls);
        let spec = TensorSpec::new([64], Initializer::normal(mean, std)).name("w");
        let values = Cpu::with_seed(42).fill(&spec).unwrap().to_f32();
        let expected: String =
            values.iter().map(|value| format!("{:08x}\n", value.to_bits())).collect();
        assert_eq!(output, expected, "{mean}, {std}");
    }
}

#[test]
fn documented_zeros_agree_with_sparse() {
    for (rows, columns, sparsity) in [(10, 7, 0.25), (41, 5, 0.9), (3, 9, 0.5), (8, 2, 1.0)] {
        let zeros = (sparsity * rows as f64).ceil() as usize;
        let calls = format!(
            "for column in range({columns}): print(*zero_rows(42, stream_of('w'), {rows}, {zeros}, column))"
        );
        let output = with_functions(1, &calls);
        let spec = TensorSpec::new([rows, columns], Initializer::sparse(sparsity)).name("w");
        let values = Cpu::with_seed(42).fill(&spec).unwrap().to_f32();
        let column = |column: usize| {
            let zero = (0..rows).filter(|row| values[row * columns + column] == 0.0);
            zero.map(|row| row.to_string()).collect::<Vec<_>>().join(" ") + "\n"
        };
        assert_eq!(
            output,
            (0..columns).map(column).collect::<String>(),
            "{rows} x {columns}, {zeros} zeros"
        );
    }
}

#[test]
fn documented_matrices_agree_with_orthogonal() {
    let cases = [
        (1, 1, 0),
        (1, 1, 3),
        (3, 2, 1),
        (2, 3, 0),
        (17, 5, 2),
        (20, 20, 0),
        (33, 70, 1),
        (300, 18, 0),
    ];
    let calls = format!(
        "for r, c, b in {cases:?}: print(fingerprint(orthogonal(42, stream_of('w'), r, c, b).flatten()))"
    );
    let layout = Layout::Axes { input: vec![2], output: vec![1], batch: vec![0] };
    let of_batch = |(rows, cols, batch): (usize, usize, usize)| {
        let size = (rows * cols) as u64;
        let spec = TensorSpec::new([batch + 1, rows, cols], Initializer::orthogonal())
            .layout(layout.clone())
            .name("w")
            .elements(batch as u64 * size..(batch as u64 + 1) * size);
        let values: Vec<f32> = Cpu::with_seed(42).fill(&spec).unwrap().to_f32();
        format!("{}\n", Fingerprint::of(0, &values))
    };
    assert_eq!(with_functions(2, &calls), cases.into_iter().map(of_batch).collect::<String>());
}

/// The first values of tensors as text, each beside the documented function that computes it.
fn agree(dtype: DType, cases: &[(&str, Initializer, &[usize])]) {
    let (calls, expected): (Vec<String>, Vec<String>) = cases
        .iter()
        .map(|(call, initializer, shape)| {
            let spec = TensorSpec::new(*shape, *initializer).name("w").dtype(dtype);
            let values = Cpu::with_seed(42).fill(&spec).unwrap().to_f32();
            let values = &values[..values.len().min(500)];
            let bits = values.iter().map(|value| format!("{:08x}", value.to_bits()));
            let count = values.len();
            let call = format!("print(*(f\"{{bits({call}):08x}}\" for i in range({count})))");
            (call, bits.collect::<Vec<_>>().join(" ") + "\n")
        })
        .unzip();
    let setup = "seed, stream = 42, stream_of('w')\n";
    let output = with_functions(3, &(setup.to_owned() + &calls.join("\n")));
    for ((output, expected), case) in output.split_inclusive('\n').zip(&expected).zip(cases) {
        assert_eq!(output, expected, "{case:?}");
    }
    assert_eq!(output.lines().count(), cases.len());
}

#[test]
fn documented_values_agree_with_those_of_the_host() {
    agree(
        DType::F32,
        &[
            ("arange(i, 300, -1.5, 0.1)", Initializer::arange(-1.5, 0.1), &[2, 300]),
            ("log_arange(i, 300, 1, 1)", Initializer::log_arange(1.0, 1.0), &[2, 300]),
            ("log_arange(i, 30, 0.3, 1e-3)", Initializer::log_arange(0.3, 1e-3), &[30]),
            (
                "log_uniform(seed, stream, i, 1e-3, 0.1)",
                Initializer::log_uniform(1e-3, 0.1),
                &[500],
            ),
            (
                "log_uniform(seed, stream, i, 1e-20, 1e20)",
                Initializer::log_uniform(1e-20, 1e20),
                &[7, 70],
            ),
            (
                "log_uniform(seed, stream, i, 1e-3, 0.1, 1e-2)",
                Initializer::inverse_softplus_log_uniform(1e-3, 0.1, 1e-2),
                &[500],
            ),
            (
                "log_uniform(seed, stream, i, 0.1, 90, 1e-4)",
                Initializer::inverse_softplus_log_uniform(0.1, 90.0, 1e-4),
                &[500],
            ),
            ("sinusoidal(i, 1500, 12)", Initializer::sinusoidal(1e4), &[1500, 12]),
            ("sinusoidal(i, 3, 6, 500)", Initializer::sinusoidal(500.0), &[4, 3, 6]),
            ("sinusoidal_2d(i, 25, 8)", Initializer::sinusoidal_2d(1e4), &[2, 25, 8]),
        ],
    );
}

#[test]
fn documented_rounding_agrees_with_narrow_types() {
    for (dtype, rounding) in [
        (DType::F16, "10, -14"),
        (DType::BF16, "7, -126"),
        (DType::F8E4M3, "3, -6, 448"),
        (DType::F8E5M2, "2, -14, 57344"),
    ] {
        let normal = |std| format!("narrow(normal(seed, stream, i, 0, {std:?}), {rounding})");
        let cases = [0.01, 40.0].map(|std| (normal(std), Initializer::normal(0.0, std)));
        let range = (
            format!("narrow(arange(i, 500, 0.4, 0.006), {rounding})"),
            Initializer::arange(0.4, 0.006),
        );
        for (call, initializer) in cases.into_iter().chain([range]) {
            agree(dtype, &[(&call, initializer, &[500])]);
        }
    }
}
