//! The measurements, for the table, the plot and JSON.

use gpu_init::{DType, Initializer};
use serde_json::{Value, json};

use crate::commands::bench::by::By;
use crate::commands::bench::device::About;
use crate::commands::bench::measure::Spread;
use crate::commands::bench::target::Job;
use crate::terminal::output::gb_per_s;

#[derive(Debug)]
pub(super) struct Report {
    pub(super) samples: u32,
    pub(super) devices: Vec<Measured>,
}

#[derive(Debug)]
pub(super) struct Measured {
    pub(super) about: About,
    pub(super) writes: Vec<Write>,
    pub(super) rows: Vec<Row>,
}

impl Measured {
    /// Jobs and the seconds that they took. Writes come before fills of as many bytes.
    pub(super) fn new(about: About, jobs: &[Job], seconds: Vec<Spread>) -> Self {
        let mut measured = Measured { about, writes: vec![], rows: vec![] };
        for (job, seconds) in jobs.iter().zip(seconds) {
            match *job {
                Job::Write { bytes } => measured.writes.push(Write { bytes, seconds }),
                Job::Fill { initializer, dtype, size, by } => {
                    let mut writes = measured.writes.iter();
                    let write = writes.find(|write| write.bytes == dtype.size() << size);
                    let write_seconds = write.map_or(f64::NAN, |write| write.seconds.median);
                    let row = Row { by, dtype, initializer, size, seconds, write_seconds };
                    measured.rows.push(row);
                }
            }
        }
        measured
    }

    /// The legend's title.
    pub(super) fn title(&self) -> String {
        let About { name, details, .. } = &self.about;
        if name == "cpu" { format!("{name}, {details}") } else { name.clone() }
    }
}

/// The device's write bandwidth at a size.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) bytes: u64,
    pub(super) seconds: Spread,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) by: By,
    pub(super) dtype: DType,
    pub(super) initializer: Initializer,
    /// The binary logarithm of the elements.
    pub(super) size: u32,
    pub(super) seconds: Spread,
    /// The median seconds for writing the same bytes.
    pub(super) write_seconds: f64,
}

impl Row {
    pub(super) fn bytes(&self) -> u64 {
        self.dtype.size() << self.size
    }

    pub(super) fn ns_per_element(&self) -> Spread {
        let ns = |seconds: f64| seconds * 1e9 / (1u64 << self.size) as f64;
        let Spread { median, min, max } = self.seconds;
        Spread { median: ns(median), min: ns(min), max: ns(max) }
    }

    pub(super) fn gb_per_s(&self) -> f64 {
        gb_per_s(self.bytes(), self.seconds.median)
    }

    pub(super) fn write_gb_per_s(&self) -> f64 {
        gb_per_s(self.bytes(), self.write_seconds)
    }

    pub(super) fn share(&self) -> f64 {
        self.gb_per_s() / self.write_gb_per_s()
    }
}

impl Report {
    pub(super) fn json(&self) -> Value {
        let write = |&Write { bytes, seconds }: &Write| json!({ "bytes": bytes, "gb_per_s": gb_per_s(bytes, seconds.median), "seconds": seconds });
        let row = |row: &Row| {
            json!({
                "by": row.by.name(),
                "dtype": row.dtype.to_string(),
                "init": row.initializer.to_string(),
                "elements": 1u64 << row.size,
                "bytes": row.bytes(),
                "ns_per_element": row.ns_per_element(),
                "gb_per_s": row.gb_per_s(),
                "write_gb_per_s": row.write_gb_per_s(),
                "share_of_write": row.share(),
            })
        };
        let device = |device: &Measured| {
            let mut report = json!(device.about);
            report["writes"] = device.writes.iter().map(write).collect();
            report["rows"] = device.rows.iter().map(row).collect();
            report
        };
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "samples": self.samples,
            "devices": self.devices.iter().map(device).collect::<Vec<_>>(),
        })
    }
}
