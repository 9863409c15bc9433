//! Pinned values of the element types beside F32, F16 and BF16, and what they refuse.

use gpu_init::{Cpu, DType, ErrorKind, Initializer, TensorSpec};

/// Initializer, dtype, bits of the first six elements, and fingerprint of a [96, 50] tensor with
/// seed 42 and name "w", of a [96, 2] tensor for BOOL.
const PINNED: &str = "\
xavier_normal F64 bfa5908e40000000 bfb5208fe0000000 3fa85976e0000000 3fb561e4e0000000 bfc2b60b00000000 bfa0f4b280000000 31cfae8881524649
xavier_normal F8_E4M3 93 9b 14 1b a1 90 92c23388df4646e4
xavier_normal F8_E5M2 a9 ad 2a 2d b1 a8 2c80ed984aa60481
uniform(a=-3) F64 c004344dc0000000 3fe662f940000000 bff0a928e0000000 bffaba4e20000000 c00568f400000000 bfc2278300000000 796eeeb454fe9e48
uniform(a=-3) F8_E4M3 c2 33 b8 bd c3 a1 8f1bc8e63713e4b2
uniform(a=-3) F8_E5M2 c1 3a bc bf c1 b1 d096c8b4f73add08
truncated_normal(b=0.5) F64 bff4514ae0000000 bfce0175a0000000 bfd8a02740000000 bfe6169820000000 bff6d29640000000 3fbedf8740000000 7d6ebf7e74a1d65a
truncated_normal(b=0.5) F8_E4M3 ba a7 ac b3 bb 1f 4827ff568886b82d
truncated_normal(b=0.5) F8_E5M2 bd b4 b6 ba be 30 2c14b4c62bce5765
orthogonal F64 bfa25fc400000000 bfc1b1b860000000 bfa460f0c0000000 bfc9394960000000 3fbdd319c0000000 3f5a0b2960000000 5a398cbc98c62d51
orthogonal F8_E4M3 91 a1 92 a5 1f 01 99e8cf9c6082aac2
orthogonal F8_E5M2 a9 b0 a9 b2 2f 17 8e525381a7c40145
sparse(sparsity=0.3, std=1) F64 bfd707f4c0000000 0000000000000000 0000000000000000 0000000000000000 0000000000000000 bfd21bdde0000000 2305a87084e62101
sparse(sparsity=0.3, std=1) F8_E4M3 ac 00 00 00 00 a9 6f7849c1f066fe08
sparse(sparsity=0.3, std=1) F8_E5M2 b6 00 00 00 00 b5 62a149c7ecddc0cd
zeros F64 0000000000000000 0000000000000000 0000000000000000 0000000000000000 0000000000000000 0000000000000000 80372c8a59220a09
ones F64 3ff0000000000000 3ff0000000000000 3ff0000000000000 3ff0000000000000 3ff0000000000000 3ff0000000000000 bcb22ccdb33e78e3
arange F64 0000000000000000 3ff0000000000000 4000000000000000 4008000000000000 4010000000000000 4014000000000000 835413de3d546de5
zeros F8_E4M3 00 00 00 00 00 00 8b8d6dec3579dd9b
ones F8_E4M3 38 38 38 38 38 38 38b8dc33ae500996
arange F8_E4M3 00 38 40 44 48 4a 17349b09af8aa8f1
zeros F8_E5M2 00 00 00 00 00 00 8b8d6dec3579dd9b
ones F8_E5M2 3c 3c 3c 3c 3c 3c 2146d7d2a3733cf1
arange F8_E5M2 00 3c 40 42 44 45 9792997879abb026
zeros I8 00 00 00 00 00 00 8b8d6dec3579dd9b
ones I8 01 01 01 01 01 01 7195d46dd699ec17
arange I8 00 01 02 03 04 05 518bf9a58161e63a
zeros U8 00 00 00 00 00 00 8b8d6dec3579dd9b
ones U8 01 01 01 01 01 01 7195d46dd699ec17
arange U8 00 01 02 03 04 05 518bf9a58161e63a
zeros I16 0000 0000 0000 0000 0000 0000 8b8d6dec3579dd9b
ones I16 0001 0001 0001 0001 0001 0001 7195d46dd699ec17
arange I16 0000 0001 0002 0003 0004 0005 518bf9a58161e63a
zeros U16 0000 0000 0000 0000 0000 0000 8b8d6dec3579dd9b
ones U16 0001 0001 0001 0001 0001 0001 7195d46dd699ec17
arange U16 0000 0001 0002 0003 0004 0005 518bf9a58161e63a
zeros I32 00000000 00000000 00000000 00000000 00000000 00000000 8b8d6dec3579dd9b
ones I32 00000001 00000001 00000001 00000001 00000001 00000001 7195d46dd699ec17
arange I32 00000000 00000001 00000002 00000003 00000004 00000005 518bf9a58161e63a
zeros U32 00000000 00000000 00000000 00000000 00000000 00000000 8b8d6dec3579dd9b
ones U32 00000001 00000001 00000001 00000001 00000001 00000001 7195d46dd699ec17
arange U32 00000000 00000001 00000002 00000003 00000004 00000005 518bf9a58161e63a
zeros I64 0000000000000000 0000000000000000 0000000000000000 0000000000000000 0000000000000000 0000000000000000 80372c8a59220a09
ones I64 0000000000000001 0000000000000001 0000000000000001 0000000000000001 0000000000000001 0000000000000001 2183cfbc979914b3
arange I64 0000000000000000 0000000000000001 0000000000000002 0000000000000003 0000000000000004 0000000000000005 869645c2fccb43a5
zeros U64 0000000000000000 0000000000000000 0000000000000000 0000000000000000 0000000000000000 0000000000000000 80372c8a59220a09
ones U64 0000000000000001 0000000000000001 0000000000000001 0000000000000001 0000000000000001 0000000000000001 2183cfbc979914b3
arange U64 0000000000000000 0000000000000001 0000000000000002 0000000000000003 0000000000000004 0000000000000005 869645c2fccb43a5
zeros BOOL 00 00 00 00 00 00 48feae279489c048
ones BOOL 01 01 01 01 01 01 8bf613afe1fc5831
arange BOOL 00 01 00 01 00 01 ac114af0e69ec984
";

fn read(text: &str) -> Initializer {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn spec(text: &str, dtype: DType) -> TensorSpec {
    let columns = if dtype == DType::Bool { 2 } else { 50 };
    TensorSpec::new([96, columns], read(text)).dtype(dtype).seed(42).name("w")
}

#[test]
fn pinned_values() {
    let floats = [
        "xavier_normal",
        "uniform(a=-3)",
        "truncated_normal(b=0.5)",
        "orthogonal",
        "sparse(sparsity=0.3, std=1)",
    ];
    let integers = ["zeros", "ones", "arange"];
    let converted = [DType::F64, DType::F8E4M3, DType::F8E5M2];
    let of_floats = floats.iter().flat_map(|text| converted.map(|dtype| (*text, dtype)));
    let others = DType::ALL.into_iter().filter(|dtype| !DType::SAMPLED.contains(dtype));
    let of_all = others.flat_map(|dtype| integers.map(|text| (text, dtype)));
    let mut actual = String::new();
    for (text, dtype) in of_floats.chain(of_all) {
        let tensor = Cpu::new().fill(&spec(text, dtype)).unwrap();
        let elements = tensor.as_bytes().chunks(dtype.size() as usize).take(6);
        let bits = elements
            .map(|bytes| bytes.iter().rev().map(|byte| format!("{byte:02x}")).collect::<String>());
        let bits = bits.collect::<Vec<_>>().join(" ");
        actual += &format!("{text} {dtype} {bits} {}\n", tensor.fingerprint());
    }
    assert!(actual == PINNED, "{actual}");
}

/// F64 is F32 exactly, and has the fingerprint of its words.
#[test]
fn f64_is_f32_exactly() {
    let wide = Cpu::new().fill(&spec("xavier_normal", DType::F64)).unwrap();
    let values = Cpu::new().fill(&spec("xavier_normal", DType::F32)).unwrap().to_f32();
    let exact: Vec<f64> = values.into_iter().map(f64::from).collect();
    assert_eq!(wide.as_slice::<f64>().unwrap(), exact);
    let words: &[u32] = bytemuck::cast_slice(wide.as_bytes());
    assert_eq!(wide.fingerprint(), gpu_init::Fingerprint::of(0, words));
}

/// Parts and slices have the elements of the whole, in every type.
#[test]
fn parts_have_the_elements_of_the_whole() {
    for dtype in DType::ALL {
        let whole = spec("arange", dtype);
        let all = Cpu::new().fill(&whole).unwrap();
        let part = Cpu::new().fill(&whole.clone().elements(37..101)).unwrap();
        assert_eq!(part, all.slice(37..101).unwrap());
        let rows = Cpu::new().fill(&whole.clone().slice(0, 3..9)).unwrap();
        assert_eq!(rows.as_bytes(), &all.as_bytes()[..rows.as_bytes().len()], "{dtype}");
        let zeroed = Cpu::new().fill(&whole.zero_rows(0..1)).unwrap();
        let row = zeroed.as_bytes().len() / 96;
        assert!(zeroed.as_bytes()[..row].iter().all(|&byte| byte == 0));
        assert_eq!(zeroed.as_bytes()[row..], all.as_bytes()[row..]);
    }
}

#[track_caller]
fn refused(text: &str, columns: usize, dtype: DType) -> (ErrorKind, String) {
    let spec = TensorSpec::new([3, columns], read(text)).dtype(dtype);
    let error = spec.resolve(0, 0).unwrap_err();
    (error.kind().clone(), error.to_string())
}

#[test]
fn integers_take_integers() {
    for text in ["normal", "eye", "orthogonal", "log_arange"] {
        let (kind, message) = refused(text, 3, DType::I64);
        assert!(matches!(kind, ErrorKind::IntegersOnly { dtype: DType::I64 }), "{message}");
        assert!(
            message.ends_with("use zeros, ones, constant or arange, or a floating-point dtype")
        );
    }
    for (text, columns, dtype, part) in [
        ("constant(val=0.5)", 1, DType::I32, "val = 0.5 is no I32; it must be a whole number from"),
        (
            "constant(val=128)",
            1,
            DType::I8,
            "val = 128 is no I8; it must be a whole number from -128 to 127",
        ),
        ("constant(val=18446744073709551616)", 1, DType::U64, "from 0 to 18446744073709551615"),
        ("constant(val=-1)", 1, DType::U16, "val = -1 is no U16"),
        ("arange", 3, DType::Bool, "the last value = 2 is no BOOL"),
        ("arange(start=0.5)", 3, DType::I16, "start = 0.5 is no I16"),
        ("arange(step=0.5)", 3, DType::I16, "step = 0.5 is no I16"),
        (
            "arange(start=9223372036854775807)",
            2,
            DType::I64,
            "the last value = 9223372036854775808",
        ),
        ("arange(start=1, step=-1)", 3, DType::U8, "the last value = -1 is no U8"),
    ] {
        let (kind, message) = refused(text, columns, dtype);
        assert!(matches!(kind, ErrorKind::NotInteger { .. }), "{text}: {message}");
        assert!(message.contains(part), "{text}: {message}");
    }
    let scaled = TensorSpec::new([2], Initializer::constant(1.5)).scale(2.0).dtype(DType::U8);
    assert_eq!(Cpu::new().fill(&scaled).unwrap().as_bytes(), [3, 3]);
}

#[test]
fn what_does_not_fit_8_bits_is_refused() {
    let overflows = [
        ("normal(std=100)", DType::F8E4M3),
        ("constant(val=6e4)", DType::F8E5M2),
        ("arange(step=200)", DType::F8E4M3),
    ];
    for (text, dtype) in overflows {
        let (kind, message) = refused(text, 4, dtype);
        assert!(matches!(kind, ErrorKind::Overflow { .. }), "{text}: {message}");
        assert!(message.ends_with(&format!(", or F32 or BF16 instead of {dtype}")), "{message}");
    }
    for (text, dtype) in [
        ("normal(std=0.0019)", DType::F8E4M3),
        ("uniform(a=-1e-5, b=1e-5)", DType::F8E5M2),
        ("constant(val=1e-3)", DType::F8E4M3),
    ] {
        let (kind, message) = refused(text, 4, dtype);
        assert!(matches!(kind, ErrorKind::Subnormal { .. }), "{text}: {message}");
        assert!(message.contains("few values other than zero in"), "{message}");
    }
    let small = spec("normal(std=0.002)", DType::F8E4M3);
    let stats = Cpu::new().fill(&small).unwrap().stats();
    assert_eq!(stats.disagreement(&small.resolve(0, 0).unwrap()), None);
}

/// Names of safetensors, numpy and PyTorch.
#[test]
fn names_are_read_in_any_case() {
    for dtype in DType::ALL {
        let name = dtype.to_string();
        assert_eq!((name.parse(), name.to_lowercase().parse()), (Ok(dtype), Ok(dtype)));
    }
    for (name, dtype) in [
        ("float64", DType::F64),
        ("float8_e4m3fn", DType::F8E4M3),
        ("float8_e5m2", DType::F8E5M2),
        ("int64", DType::I64),
        ("uint8", DType::U8),
        ("bool", DType::Bool),
    ] {
        assert_eq!(name.parse(), Ok(dtype));
    }
}
