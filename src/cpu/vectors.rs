//! Work compiled for the vectors that this machine has, found at run time.
//!
//! The only unsafe code that computes elements. What it is for: on one thread of an Intel Xeon
//! (AVX-512) an F32 normal takes 2.8 ns in plain x86-64, 1.4 with AVX2 and 0.83 with AVX-512.

#![allow(unsafe_code, reason = "functions compiled for vectors that not every machine has")]

use std::sync::OnceLock;

/// Work that the compiler can turn into vector instructions; `run` and all it calls are
/// `#[inline(always)]`, so that they are compiled anew for each set of them. Which set it is never
/// changes what comes out.
pub(crate) trait Vectorize {
    /// Runs with the set that it was compiled for.
    fn run(self, vectors: Vectors);
}

/// A set of vector instructions that this machine has: there is no other way to get one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Vectors(Set);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Set {
    /// What every machine of the architecture has: SSE2, NEON.
    Plain,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Vectors {
    /// All there are, from the narrowest to the widest.
    pub(crate) fn detected() -> Vec<Vectors> {
        #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut, reason = "there are no more"))]
        let mut sets = vec![Vectors(Set::Plain)];
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2");
            if avx2 {
                sets.push(Vectors(Set::Avx2));
            }
            // With avx512f the compiler takes avx2, fma and f16c for granted, which a virtual
            // machine may hide from its guest.
            if avx2
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c")
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512cd")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
            {
                sets.push(Vectors(Set::Avx512));
            }
        }
        sets
    }

    /// The widest, unless `GPU_INIT_VECTORS` is `avx2` or `plain`, which are for comparing.
    pub(crate) fn best() -> Vectors {
        static BEST: OnceLock<Vectors> = OnceLock::new();
        *BEST.get_or_init(|| {
            let most = match std::env::var("GPU_INIT_VECTORS").as_deref() {
                Ok("plain") => 1,
                Ok("avx2") => 2,
                _ => 3,
            };
            Self::detected().into_iter().take(most).next_back().unwrap_or(Vectors(Set::Plain))
        })
    }

    /// Looks up eight rows of a table, whose columns come out as vectors. The last row stands for
    /// indices beyond it. By itself the compiler moves number after number.
    #[inline(always)]
    pub(crate) fn columns<const N: usize>(
        self,
        table: &[[f32; 4]; N],
        indices: [u32; 8],
    ) -> [[f32; 8]; 4] {
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2")]
        #[inline]
        fn avx2(row: impl Fn(usize) -> [f32; 4]) -> [[f32; 8]; 4] {
            use std::arch::x86_64::*;
            let row = |i| -> __m128 { bytemuck::cast(row(i)) };
            let [a, b, c, d] = [0, 1, 2, 3].map(|i| _mm256_set_m128(row(i + 4), row(i)));
            let (low, high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            let (later_low, later_high) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
            bytemuck::cast([
                _mm256_shuffle_ps::<0x44>(low, later_low),
                _mm256_shuffle_ps::<0xee>(low, later_low),
                _mm256_shuffle_ps::<0x44>(high, later_high),
                _mm256_shuffle_ps::<0xee>(high, later_high),
            ])
        }
        let row = |i: usize| table[(indices[i] as usize).min(N - 1)];
        match self.0 {
            Set::Plain => std::array::from_fn(|column| std::array::from_fn(|i| row(i)[column])),
            // SAFETY: as in `run`; `detected` makes neither set without avx2.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 | Set::Avx512 => unsafe { avx2(row) },
        }
    }

    /// Runs `work` with these.
    pub(crate) fn run(self, work: impl Vectorize) {
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl")]
        fn avx512(work: impl Vectorize) {
            work.run(Vectors(Set::Avx512));
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2")]
        fn avx2(work: impl Vectorize) {
            work.run(Vectors(Set::Avx2));
        }
        match self.0 {
            Set::Plain => work.run(self),
            // SAFETY: `detected` makes a set other than the plain one once it has detected every
            // feature that the function is compiled for and what these imply. Elsewhere one is made
            // only in a function that is compiled for it, which runs where the caller has the set.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2(work) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { avx512(work) },
        }
    }
}

/// Runs `work` with the widest vectors that are there.
pub(crate) fn vectorized(work: impl Vectorize) {
    Vectors::best().run(work);
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Columns<'a> {
        table: &'a [[f32; 4]; 11],
        indices: [u32; 8],
        found: &'a mut Option<(Vectors, [[f32; 8]; 4])>,
    }

    impl Vectorize for Columns<'_> {
        #[inline(always)]
        fn run(self, vectors: Vectors) {
            *self.found = Some((vectors, vectors.columns(self.table, self.indices)));
        }
    }

    /// By every set that the machine has.
    #[test]
    fn columns_are_those_of_the_rows() {
        let table = std::array::from_fn(|row| std::array::from_fn(|i| (10 * row + i) as f32));
        for indices in [[0, 1, 2, 3, 4, 5, 6, 7], [10, 0, 9, 11, 12, u32::MAX, 3, 3]] {
            for vectors in Vectors::detected() {
                let mut found = None;
                vectors.run(Columns { table: &table, indices, found: &mut found });
                let rows = indices.map(|i| 10 * i.min(10));
                let expected = [0, 1, 2, 3].map(|i| rows.map(|row| (row + i) as f32));
                assert_eq!(found, Some((vectors, expected)));
            }
        }
    }
}
