//! Work compiled for the vectors that this machine has, found at run time.
//!
//! Unsafe for the sake of speed, and only here. What it is for: on one thread of an Intel Xeon
//! (AVX-512) an F32 normal takes 2.8 ns in plain x86-64, 1.4 with AVX2 and 0.83 with AVX-512.

use std::sync::OnceLock;

/// Work that the compiler can turn into vector instructions; `run` and all it calls are
/// `#[inline(always)]`, so that they are compiled anew for each set of them. Which set it is never
/// changes what comes out.
pub(crate) trait Vectorize {
    fn run(self);
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
            if is_x86_feature_detected!("avx2") {
                sets.push(Vectors(Set::Avx2));
            }
            if is_x86_feature_detected!("avx512f")
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
            work.run();
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2")]
        fn avx2(work: impl Vectorize) {
            work.run();
        }
        match self.0 {
            Set::Plain => work.run(),
            // SAFETY: `detected` alone makes a set other than the plain one, once it has detected
            // every feature that the function is compiled for.
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
