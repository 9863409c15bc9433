//! Work compiled for the vectors that this machine has, found at run time.
//!
//! The only unsafe code that computes elements. What it is for: on one thread of an Intel Xeon
//! (AVX-512) an F32 normal takes 2.8 ns in plain x86-64, 1.4 with AVX2 and 0.83 with AVX-512.

#![allow(unsafe_code, reason = "functions compiled for vectors that not every machine has")]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;
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

/// Four vectors as matrices of four rows, one in each of their parts of 128 bits: their columns.
#[cfg(target_arch = "x86_64")]
macro_rules! transposed {
    ($vectors:expr, $low:ident, $high:ident, $shuffle:ident) => {{
        let [a, b, c, d] = $vectors;
        let (low, high) = ($low(a, b), $high(a, b));
        let (later_low, later_high) = ($low(c, d), $high(c, d));
        [
            $shuffle::<0x44>(low, later_low),
            $shuffle::<0xee>(low, later_low),
            $shuffle::<0x44>(high, later_high),
            $shuffle::<0xee>(high, later_high),
        ]
    }};
}

/// A row of a table that has `N`.
#[derive(Clone, Copy)]
struct Row<const N: usize> {
    /// Bytes of the rows before it: where it is made, vectors multiply many at once.
    offset: u32,
}

impl<const N: usize> Row<N> {
    #[inline(always)]
    fn new(index: u32) -> Self {
        const { assert!(0 < N && N <= u32::MAX as usize / size_of::<[f32; 4]>()) };
        Row { offset: index.min(N as u32 - 1) * size_of::<[f32; 4]>() as u32 }
    }

    /// Its numbers, as an array or as a vector.
    #[inline(always)]
    fn of<T: bytemuck::Pod>(self, table: &[[f32; 4]; N]) -> T {
        // SAFETY: `new` alone makes one, and of an index below N, whose row is inside the table.
        bytemuck::cast(unsafe { *table.as_ptr().byte_add(self.offset as usize) })
    }
}

/// Looks up many rows of a table side by side. By itself the compiler moves number after number.
#[repr(align(64))]
pub(crate) struct Lookup<const N: usize, const LEN: usize> {
    rows: [Row<N>; LEN],
    /// Their numbers. Kept from one call to the next: to zero them takes as long as to write them.
    #[cfg(target_arch = "x86_64")]
    columns: [[f32; LEN]; 4],
}

impl<const N: usize, const LEN: usize> Lookup<N, LEN> {
    /// Of the first row, `LEN` times.
    #[inline(always)]
    pub(crate) fn new() -> Self {
        const { assert!(LEN.is_multiple_of(16)) };
        Lookup {
            rows: [Row::new(0); LEN],
            #[cfg(target_arch = "x86_64")]
            columns: [[0.0; LEN]; 4],
        }
    }

    /// Makes one row that of an index. The last row stands for indices beyond it.
    #[inline(always)]
    pub(crate) fn choose(&mut self, i: usize, index: u32) {
        self.rows[i] = Row::new(index);
    }

    /// Replaces each value by a function of its row and itself.
    #[inline(always)]
    pub(crate) fn apply(
        &mut self,
        vectors: Vectors,
        table: &[[f32; 4]; N],
        values: &mut [f32; LEN],
        f: impl Fn([f32; 4], f32) -> f32,
    ) {
        match vectors.0 {
            Set::Plain => {
                let rows = self.rows.as_chunks::<8>().0;
                for (values, rows) in values.as_chunks_mut::<8>().0.iter_mut().zip(rows) {
                    *values = std::array::from_fn(|i| f(rows[i].of(table), values[i]));
                }
            }
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => {
                // SAFETY: as in `Vectors::run`.
                unsafe { self.avx2(table) };
                self.apply_to_columns(values, f);
            }
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => {
                // SAFETY: as in `Vectors::run`.
                unsafe { self.avx512(table) };
                self.apply_to_columns(values, f);
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn apply_to_columns(&self, values: &mut [f32; LEN], f: impl Fn([f32; 4], f32) -> f32) {
        let [c0, c1, c2, c3] = &self.columns;
        for (i, value) in values.iter_mut().enumerate() {
            *value = f([c0[i], c1[i], c2[i], c3[i]], *value);
        }
    }

    /// Writes the columns, of eight rows at a time.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    #[inline]
    fn avx2(&mut self, table: &[[f32; 4]; N]) {
        for (i, rows) in self.rows.as_chunks::<8>().0.iter().enumerate() {
            let mut vectors = [_mm256_setzero_ps(); 4];
            for (j, vector) in vectors.iter_mut().enumerate() {
                *vector = _mm256_set_m128(rows[j + 4].of(table), rows[j].of(table));
            }
            let columns =
                transposed!(vectors, _mm256_unpacklo_ps, _mm256_unpackhi_ps, _mm256_shuffle_ps);
            for (column, vector) in self.columns.iter_mut().zip(columns) {
                column.as_chunks_mut::<8>().0[i] = bytemuck::cast(vector);
            }
        }
    }

    /// Writes the columns, of sixteen rows at a time.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl")]
    #[inline]
    fn avx512(&mut self, table: &[[f32; 4]; N]) {
        for (i, rows) in self.rows.as_chunks::<16>().0.iter().enumerate() {
            let mut vectors = [_mm512_setzero_ps(); 4];
            for (j, vector) in vectors.iter_mut().enumerate() {
                *vector = _mm512_castps128_ps512(rows[j].of(table));
                *vector = _mm512_insertf32x4::<1>(*vector, rows[j + 4].of(table));
                *vector = _mm512_insertf32x4::<2>(*vector, rows[j + 8].of(table));
                *vector = _mm512_insertf32x4::<3>(*vector, rows[j + 12].of(table));
            }
            let columns =
                transposed!(vectors, _mm512_unpacklo_ps, _mm512_unpackhi_ps, _mm512_shuffle_ps);
            for (column, vector) in self.columns.iter_mut().zip(columns) {
                // SAFETY: both are sixteen f32.
                let numbers = unsafe { std::mem::transmute::<__m512, [f32; 16]>(vector) };
                column.as_chunks_mut::<16>().0[i] = numbers;
            }
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
        indices: [u32; 32],
        found: &'a mut [[f32; 32]; 4],
    }

    impl Vectorize for Columns<'_> {
        #[inline(always)]
        fn run(self, vectors: Vectors) {
            let mut lookup = Lookup::new();
            for (i, &index) in self.indices.iter().enumerate() {
                lookup.choose(i, index);
            }
            for (values, column) in self.found.iter_mut().zip(0u8..) {
                *values = [column.into(); 32];
                lookup.apply(vectors, self.table, values, |row, column| row[column as usize]);
            }
        }
    }

    /// By every set that the machine has.
    #[test]
    fn columns_are_those_of_the_rows() {
        let table = std::array::from_fn(|row| std::array::from_fn(|i| (10 * row + i) as f32));
        let edges = [10, 0, 9, 11, 12, u32::MAX, 3, 3, 1 << 28, (1 << 28) + 1, i32::MAX as u32];
        let all: [u32; 32] = std::array::from_fn(|i| i as u32);
        for indices in [all, std::array::from_fn(|i| edges[7 * i % edges.len()])] {
            let rows = indices.map(|i| 10 * i.min(10));
            let expected = [0, 1, 2, 3].map(|column| rows.map(|row| (row + column) as f32));
            for vectors in Vectors::detected() {
                let mut found = [[0.0; 32]; 4];
                vectors.run(Columns { table: &table, indices, found: &mut found });
                assert_eq!(found, expected, "{vectors:?}");
            }
        }
    }
}
