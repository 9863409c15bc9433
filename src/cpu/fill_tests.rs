//! What vectors compute against the scalar functions, with every set of vectors that the machine has.

use half::{bf16, f16};

use super::*;

const PARAMS: Params = Params { key: [0x1357_9bdf, 0x0246_8ace], stream: [3, 0x8000_0001] };

/// Chunks that begin where the low word of the block's index is about to end, and where it is not.
fn check<T: Element, S: Transform>(transform: S, rounded: impl Fn(f32) -> T) {
    for vectors in Vectors::detected() {
        for block in [0, (1 << 32) - 100, 1 << 40] {
            let mut chunks = vec![[[rounded(0.0); 2]; PAIRS]; 5];
            vectors.run(Chunks { transform, params: PARAMS, block, out: &mut chunks });
            let (blocks, rest) = chunks.as_flattened().as_flattened().as_chunks::<4>();
            assert!(blocks.len() == 5 * BLOCKS && rest.is_empty());
            for (values, index) in blocks.iter().zip(block..) {
                let ([low, high], [stream_low, stream_high]) = (words(index), PARAMS.stream);
                let expected = transform.values(philox4x32([low, high, stream_low, stream_high], PARAMS.key));
                let bits = |value: T| value.bits();
                assert_eq!(values.map(bits), expected.map(|value| rounded(value).bits()), "{vectors:?}, block {index}");
            }
        }
    }
}

fn check_types<S: Transform>(transform: S) {
    check(transform, |value| value);
    check(transform, f16::from_f32);
    check(transform, bf16::from_f32);
}

#[test]
fn vectors_give_the_scalar_bits() {
    assert!(Vectors::detected().contains(&Vectors::best()));
    // The smaller spread has f16 values that are subnormal.
    for scale in [1.0, 1.0 / 8192.0] {
        check_types(Normal(Scaling { scale, shift: 0.0 }));
        check_types(Normal(Scaling { scale, shift: 0.5 }));
        check_types(Uniform(Scaling { scale, shift: 0.25 }));
        let law = Law { mean: 0.0, std: scale.into(), low: (-0.7 * scale).into(), high: (8.0 * scale).into() };
        check_types(Truncated { table: &law.table(), low: -0.5 * scale, high: 4.0 * scale });
    }
}
