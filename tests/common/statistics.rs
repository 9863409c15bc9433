//! Standard tests of goodness of fit and of independence, and the functions that turn their
//! statistics into p-values, in f64 and by formulas without tables of coefficients.

use std::f64::consts::{FRAC_2_SQRT_PI, PI, SQRT_2};

/// A family of p-values rejects its hypothesis if one of m is below ALPHA / m or above 1 - ALPHA /
/// m (Bonferroni). Agreement that is too good is as suspicious as none, so both ends count.
pub const ALPHA: f64 = 1e-4;

/// The complementary error function, to a relative 1e-13 up to x = 26, where it leaves the normal
/// f64s.
pub fn erfc(x: f64) -> f64 {
    if x < 0.0 {
        2.0 - erfc(-x)
    } else if x < 2.5 {
        // erf x = 2/sqrt(pi) e^(-x^2) sum of 2^k x^(2k+1) / (2k+1)!!: no term is negative, nothing
        // cancels.
        let (mut term, mut sum, mut k) = (x, 0.0, 1.0);
        while term > 1e-17 * sum {
            sum += term;
            k += 2.0;
            term *= 2.0 * x * x / k;
        }
        1.0 - FRAC_2_SQRT_PI * (-x * x).exp() * sum
    } else {
        // Laplace's continued fraction, from its far end.
        let tail = (1..=60).rev().fold(x, |tail, k| x + 0.5 * f64::from(k) / tail);
        0.5 * FRAC_2_SQRT_PI * (-x * x).exp() / tail
    }
}

/// P(Z <= z) of the standard normal.
pub fn normal_cdf(z: f64) -> f64 {
    0.5 * erfc(-z / SQRT_2)
}

/// P(Z > z) of the standard normal, with the same relative error far out.
pub fn normal_tail(z: f64) -> f64 {
    0.5 * erfc(z / SQRT_2)
}

/// The z with P(Z <= z) = p, by bisection.
pub fn normal_quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-40.0, 40.0);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if normal_cdf(middle) < p { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// ln Gamma(x) for x > 0: Stirling's series, after a step to where it converges fast.
pub fn ln_gamma(x: f64) -> f64 {
    if x < 16.0 {
        return ln_gamma(x + 1.0) - x.ln();
    }
    let inverse = 1.0 / (x * x);
    let series = [1.0 / 1188.0, -1.0 / 1680.0, 1.0 / 1260.0, -1.0 / 360.0, 1.0 / 12.0];
    (x - 0.5) * x.ln() - x
        + 0.5 * (2.0 * PI).ln()
        + series.iter().fold(0.0, |sum, term| sum * inverse + term) / x
}

/// The regularized incomplete gamma functions (P, Q) of a > 0 at x >= 0; the smaller one is
/// computed directly.
pub fn gamma_p_q(a: f64, x: f64) -> (f64, f64) {
    let factor = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum, mut k) = (1.0 / a, 0.0, a);
        while term > 1e-17 * sum {
            sum += term;
            k += 1.0;
            term *= x / k;
        }
        (factor * sum, 1.0 - factor * sum)
    } else {
        // Legendre's continued fraction by the modified method of Lentz.
        let mut b = x + 1.0 - a;
        let mut d = 1.0 / b;
        let (mut c, mut fraction) = (f64::INFINITY, d);
        for k in 1.. {
            let numerator = -f64::from(k) * (f64::from(k) - a);
            b += 2.0;
            d = 1.0 / (numerator * d + b);
            c = b + numerator / c;
            fraction *= c * d;
            if (c * d - 1.0).abs() < 1e-16 || k == 1_000_000 {
                break;
            }
        }
        (1.0 - factor * fraction, factor * fraction)
    }
}

/// P(X >= x) of chi-square with `df` degrees of freedom.
pub fn chi_square_tail(x: f64, df: usize) -> f64 {
    gamma_p_q(0.5 * df as f64, 0.5 * x).1
}

/// P(N > k) + P(N = k) / 2 of Poisson: the mid-p value, symmetric between too many and too few.
pub fn poisson_mid_p(k: u64, mean: f64) -> f64 {
    let k = k as f64;
    let equal = (k * mean.ln() - mean - ln_gamma(k + 1.0)).exp();
    gamma_p_q(k + 1.0, mean).0 + 0.5 * equal
}

/// P(K >= x) of Kolmogorov's limiting distribution of sqrt(n) D.
pub fn kolmogorov_tail(x: f64) -> f64 {
    if x < 1.0 {
        // The theta function's other form, which converges for small x.
        let sum: f64 =
            (0..20).map(|k| (-(f64::from(2 * k + 1) * PI / x).powi(2) / 8.0).exp()).sum();
        1.0 - (2.0 * PI).sqrt() / x * sum
    } else {
        let term = |k: i32| (-2.0 * (f64::from(k) * x).powi(2)).exp();
        2.0 * (1..20).map(|k| if k % 2 == 1 { term(k) } else { -term(k) }).sum::<f64>()
    }
}

/// The Kolmogorov-Smirnov statistic and its p-value.
#[derive(Debug, Clone, Copy)]
pub struct KolmogorovSmirnov {
    /// The largest distance between the two distribution functions.
    pub d: f64,
    /// The probability of a distance at least that large.
    pub p: f64,
}

impl KolmogorovSmirnov {
    /// `n` is the sample's size, or nm / (n + m) for two samples.
    fn new(d: f64, n: f64) -> Self {
        // Stephens 1970: the limiting distribution for finite n.
        KolmogorovSmirnov { d, p: kolmogorov_tail((n.sqrt() + 0.12 + 0.11 / n.sqrt()) * d) }
    }
}

/// Kolmogorov-Smirnov of a sample, which is left sorted, against a continuous distribution.
pub fn kolmogorov_smirnov(sample: &mut [f32], cdf: impl Fn(f64) -> f64) -> KolmogorovSmirnov {
    sort(sample);
    let n = sample.len() as f64;
    let distance = |rank: usize, probability: f64| {
        f64::max((rank + 1) as f64 / n - probability, probability - rank as f64 / n)
    };
    const BLOCK: usize = 256;
    let starts: Vec<f64> = sample.iter().step_by(BLOCK).map(|&x| cdf(x.into())).collect();
    let mut d = starts.iter().enumerate().map(|(i, &p)| distance(i * BLOCK, p)).fold(0.0, f64::max);
    for (i, block) in sample.chunks(BLOCK).enumerate() {
        let (begin, end) = (i * BLOCK, i * BLOCK + block.len());
        // The cdf is monotone, which bounds the distance of the block's values from it: few blocks
        // need a closer look.
        let above = starts.get(i + 1).copied().unwrap_or(1.0);
        if (end as f64 / n - starts[i]).max(above - begin as f64 / n) > d {
            d = block
                .iter()
                .zip(begin..)
                .map(|(&x, rank)| distance(rank, cdf(x.into())))
                .fold(d, f64::max);
        }
    }
    KolmogorovSmirnov::new(d, n)
}

/// Kolmogorov-Smirnov of two samples, which are left sorted.
pub fn kolmogorov_smirnov_two(a: &mut [f32], b: &mut [f32]) -> KolmogorovSmirnov {
    sort(a);
    sort(b);
    let (n, m) = (a.len() as f64, b.len() as f64);
    let (mut i, mut j, mut d) = (0, 0, 0f64);
    while i < a.len() && j < b.len() {
        // Samples of floats share values: these are one step of both.
        let x = a[i].min(b[j]);
        i += a[i..].iter().take_while(|&&value| value == x).count();
        j += b[j..].iter().take_while(|&&value| value == x).count();
        d = d.max((i as f64 / n - j as f64 / m).abs());
    }
    KolmogorovSmirnov::new(d, n * m / (n + m))
}

fn sort(sample: &mut [f32]) {
    sample.sort_unstable_by(f32::total_cmp);
    // A NaN, which is sorted to an end, would compare as no distance.
    assert!(sample[0].is_finite() && sample[sample.len() - 1].is_finite());
}

/// Pearson's chi-square of counts against one expected count for all.
pub fn chi_square(counts: &[u64], expected: f64) -> f64 {
    counts.iter().map(|&count| (count as f64 - expected).powi(2) / expected).sum()
}

/// Statistics that judge one hypothesis together.
#[derive(Debug)]
pub struct Family {
    hypothesis: String,
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    name: String,
    statistic: f64,
    /// The probability of a statistic at least as large.
    p: f64,
}

impl Family {
    pub fn new(hypothesis: impl Into<String>) -> Self {
        Family { hypothesis: hypothesis.into(), members: Vec::new() }
    }

    /// Independent standard normal scores. Their sum of squares, chi-square, is one more member: it
    /// detects many small deviations.
    pub fn of_scores(
        hypothesis: impl Into<String>,
        scores: impl IntoIterator<Item = (String, f64)>,
    ) -> Self {
        let mut family = Self::new(hypothesis);
        for (name, z) in scores {
            family.score(name, z);
        }
        let sum = family.members.iter().map(|member| member.statistic.powi(2)).sum();
        family.add("sum of squares", sum, chi_square_tail(sum, family.members.len()));
        family
    }

    /// A Kolmogorov-Smirnov test alone.
    pub fn of_fit(hypothesis: impl Into<String>, ks: KolmogorovSmirnov) -> Self {
        let mut family = Self::new(hypothesis);
        family.kolmogorov_smirnov("KS", ks);
        family
    }

    pub fn add(&mut self, name: impl Into<String>, statistic: f64, p: f64) {
        self.members.push(Member { name: name.into(), statistic, p });
    }

    /// A standard normal score.
    pub fn score(&mut self, name: impl Into<String>, z: f64) {
        self.add(name, z, normal_tail(z));
    }

    pub fn kolmogorov_smirnov(&mut self, name: impl Into<String>, ks: KolmogorovSmirnov) {
        self.add(name, ks.d, ks.p);
    }

    /// Counts of equally likely cells, given their sum.
    pub fn uniform_counts(&mut self, name: impl Into<String>, counts: &[u64]) {
        let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
        let statistic = chi_square(counts, expected);
        self.add(name, statistic, chi_square_tail(statistic, counts.len() - 1));
    }

    fn member(&self, beyond: impl Fn(f64, f64) -> bool) -> &Member {
        self.members
            .iter()
            .reduce(|a, b| if beyond(b.p, a.p) { b } else { a })
            .expect("a family has members")
    }

    /// Whether the hypothesis stands, and the figures in one line.
    fn judge(&self) -> (bool, String) {
        let (least, largest) = (self.member(|b, a| b < a), self.member(|b, a| b > a));
        let level = ALPHA / self.members.len() as f64;
        // A NaN is in no interval.
        let stands = self.members.iter().all(|member| member.p >= level && member.p <= 1.0 - level);
        let Family { hypothesis, members } = self;
        let describe =
            |Member { name, statistic, p }: &Member| format!("{name}: {statistic:.7}, p = {p:.3e}");
        let line = if members.len() <= 4 {
            format!("{hypothesis}: {}", members.iter().map(describe).collect::<Vec<_>>().join("; "))
        } else {
            let (least, largest) = (describe(least), describe(largest));
            format!("{hypothesis}: {} statistics, extremes {least}; {largest}", members.len())
        };
        (stands, line)
    }

    /// Panics if the hypothesis is rejected.
    #[track_caller]
    pub fn accept(&self) {
        let (stands, line) = self.judge();
        println!("{line}");
        assert!(stands, "rejected: {line}");
    }

    /// Panics unless the hypothesis is rejected: shows that a test detects a wrong distribution.
    #[track_caller]
    pub fn reject(&self) {
        let (stands, line) = self.judge();
        println!("not {line}");
        assert!(!stands, "a wrong distribution was accepted: {line}");
    }
}
