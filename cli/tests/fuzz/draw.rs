//! Choices of a case, from a Philox stream of its own.

use gpu_init::Philox4x32;
use gpu_init::rand::Rng;

pub struct Draw(Philox4x32);

impl Draw {
    pub fn new(seed: u64, case: u64) -> Self {
        Draw(Philox4x32::new(seed, case))
    }

    pub fn word(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Below `end`, which is above 0. The bias of a remainder does no harm here.
    pub fn below(&mut self, end: usize) -> usize {
        (self.word() % end as u64) as usize
    }

    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    pub fn unit(&mut self) -> f64 {
        self.word() as f64 / 2f64.powi(64)
    }

    /// An option's number: mostly one that somebody might want, else one that nobody does.
    pub fn number(&mut self) -> f64 {
        const HOSTILE: [f64; 20] = [
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            0.0,
            -0.0,
            5e-324,
            1e-45,
            -1e-40,
            1e-38,
            3e-24,
            4e-24,
            6e-5,
            6.2e-5,
            6.5e4,
            -7e4,
            5e37,
            3.4e38,
            1e155,
            -1e300,
            f64::MAX,
        ];
        match self.below(10) {
            0 | 1 => HOSTILE[self.below(HOSTILE.len())],
            2 | 3 => self.below(7) as f64 - 3.0,
            4 | 5 => self.unit() * 4.0 - 2.0,
            6 | 7 => self.unit(),
            _ => 10f64.powf(self.unit() * 12.0 - 8.0),
        }
    }
}
