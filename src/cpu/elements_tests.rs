//! What vectors compute against the scalar functions, with every set of vectors that the machine
//! has.

use half::{bf16, f16};

use crate::cpu::elements::*;
use crate::stream::sample::Scaling;

fn generator() -> Philox4x32 {
    Philox4x32::new(0x0246_8ace_1357_9bdf, 0x8000_0001_0000_0003)
}

/// Chunks that begin where the low word of the block's index is about to end, and where it is not.
fn check<T: Element, S: Transform>(transform: S, rounded: impl Fn(f32) -> T) {
    let generator = &generator();
    for vectors in Vectors::detected() {
        for block in [0, (1 << 32) - 100, 1 << 40] {
            let mut chunks = vec![[[rounded(0.0); 2]; PAIRS]; 5];
            vectors.run(Chunks { transform, generator, block, out: &mut chunks });
            let (blocks, rest) = chunks.as_flattened().as_flattened().as_chunks::<4>();
            assert!(blocks.len() == 5 * BLOCKS && rest.is_empty());
            for (values, index) in blocks.iter().zip(block..) {
                let expected = transform.values(generator.block(index));
                let expected = expected.map(|value| rounded(value).bits());
                assert_eq!(values.map(T::bits), expected, "{vectors:?}, block {index}");
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
        check_types(Normal::<false>(Scaling { scale, shift: 0.0 }));
        check_types(Normal::<true>(Scaling { scale, shift: 0.5 }));
        check_types(Uniform(Scaling { scale, shift: 0.25 }));
        let std = f64::from(scale);
        let (low, high) = ((-0.7 * scale).into(), (8.0 * scale).into());
        let table = &Unrounded { mean: 0.0, std, low, high }.table();
        check_types(Truncated { table, low: -0.5 * scale, high: 4.0 * scale });
    }
}

/// Ranges of every length and start, of which the ends are done in other ways than the middle.
#[test]
fn any_range_has_the_bits_of_the_whole() {
    let transform = Normal::<false>(Scaling { scale: 1.0, shift: 0.0 });
    let mut whole = vec![0f32; 3 * CHUNK];
    range(transform, &generator(), 0, &mut whole);
    for first in 0..9 {
        for len in (0..2 * CHUNK + 70).step_by(1 + first) {
            let mut part = vec![0f32; len];
            ranges(transform, &generator(), first as u64, &mut part);
            assert_eq!(part, whole[first..first + len], "{len} from {first}");
        }
    }
}

/// A large range begins with what precedes a line of the cache, wherever its memory is.
#[test]
fn memory_need_not_be_aligned() {
    let transform = Uniform(Scaling { scale: 1.0, shift: 0.0 });
    let mut whole = vec![bf16::ZERO; TASK + 1000];
    range(transform, &generator(), 0, &mut whole);
    let mut memory = vec![bf16::ZERO; TASK + 600];
    for skip in 0..40 {
        let part = &mut memory[skip..];
        ranges(transform, &generator(), 3, part);
        assert!(*part == whole[3..3 + part.len()], "{skip} elements from the memory's beginning");
    }
}
