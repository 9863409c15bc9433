//! A tensor to be filled, as plain data that a line of JSON holds, and which elements of the whole
//! it has, counted naively.

use std::ops::Range;

use gpu_init::{DType, Initializer, Layout, Shard, TensorSpec};
use serde::{Deserialize, Serialize};

use crate::draw::Draw;
use crate::words;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    pub init: String,
    pub shape: Vec<usize>,
    pub dtype: String,
    pub layout: String,
    pub seed: u64,
    pub stream: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cuts: Vec<Cut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elements: Option<Range<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zero_rows: Option<Range<u64>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Cut {
    Slice { dim: usize, range: Range<u64> },
    Shard { dim: usize, rank: u64, world: u64 },
}

impl Request {
    pub fn draw(draw: &mut Draw) -> Self {
        let shape = shape(draw);
        let mut request = Request {
            init: words::initializer(draw),
            dtype: draw.pick(&DTYPES).to_owned(),
            layout: if draw.percent(60) { "pytorch".to_owned() } else { words::layout(draw) },
            seed: if draw.percent(50) { draw.word() } else { draw.below(3) as u64 },
            stream: if draw.percent(50) { draw.word() } else { draw.below(3) as u64 },
            scale: draw.percent(10).then(|| draw.number()).filter(|scale| scale.is_finite()),
            cuts: Vec::new(),
            elements: None,
            zero_rows: None,
            shape,
        };
        if draw.percent(10) {
            let types = ["I8", "U8", "I16", "U16", "I32", "U32", "I64", "U64", "BOOL"];
            let of_integers =
                ["zeros", "ones", "constant(val=1)", "arange", "arange(start=9, step=-1)"];
            request.dtype = draw.pick(&types).to_owned();
            request.init = draw.pick(&of_integers).to_owned();
            request.scale = None;
        }
        for _ in 0..[0, 0, 0, 1, 1, 2, 3][draw.below(7)] {
            request.cuts.push(cut(draw, &request.shape));
        }
        let most = request.local().map_or(u64::MAX, |local| count(&local).unwrap_or(u64::MAX));
        if most > 1 << 18 || draw.percent(25) {
            request.elements = Some(part(draw, most, 5000));
        }
        if draw.percent(10) {
            let rows = request.shape.first().map_or(0, |&rows| rows as u64);
            request.zero_rows = Some(part(draw, rows, u64::MAX));
        }
        request
    }

    /// None if one of the texts cannot be read.
    pub fn parameter(&self) -> Option<TensorSpec> {
        let initializer = parsed::<Initializer>(&self.init)?;
        assert_eq!(initializer.to_string().parse(), Ok(initializer), "its text is another one");
        let layout = parsed::<Layout>(&self.layout)?;
        let mut parameter = TensorSpec::new(&self.shape[..], initializer)
            .layout(layout)
            .dtype(parsed::<DType>(&self.dtype)?)
            .seed(self.seed)
            .stream(self.stream);
        if let Some(scale) = self.scale {
            parameter = parameter.scale(scale);
        }
        for cut in &self.cuts {
            parameter = match cut.clone() {
                Cut::Slice { dim, range } => parameter.slice(dim, range),
                Cut::Shard { dim, rank, world } => parameter.shard(Shard { dim, rank, world }),
            };
        }
        if let Some(elements) = self.elements.clone() {
            parameter = parameter.elements(elements);
        }
        if let Some(rows) = self.zero_rows.clone() {
            parameter = parameter.zero_rows(rows);
        }
        Some(parameter)
    }

    /// The whole tensor, with no rows that are zero.
    pub fn whole(&self) -> Self {
        Request { cuts: Vec::new(), elements: None, zero_rows: None, ..self.clone() }
    }

    /// What the cuts leave of every dimension; None if that is nothing.
    pub fn local(&self) -> Option<Vec<Range<u64>>> {
        let mut local: Vec<Range<u64>> = self.shape.iter().map(|&dim| 0..dim as u64).collect();
        for cut in &self.cuts {
            let (Cut::Slice { dim, .. } | Cut::Shard { dim, .. }) = *cut;
            let here = local.get_mut(dim)?;
            let len = here.end - here.start;
            let Range { start, end } = match cut {
                Cut::Slice { range, .. } => range.clone(),
                &Cut::Shard { rank, world, .. } if rank < world => {
                    // One more in all but the last ones, as torch.chunk has it.
                    let each = len / world + u64::from(len % world != 0);
                    rank.saturating_mul(each).min(len)..(rank + 1).saturating_mul(each).min(len)
                }
                Cut::Shard { .. } => return None,
            };
            if start >= end || end > len {
                return None;
            }
            *here = here.start + start..here.start + end;
        }
        Some(local)
    }

    /// The index in the whole tensor of each element that is wanted; None if any is not there.
    pub fn indices(&self) -> Option<Vec<u64>> {
        let local = self.local()?;
        let all = count(&local)?;
        let Range { start, end } = self.elements.clone().unwrap_or(0..all);
        if start >= end || end > all {
            return None;
        }
        let index = |mut n: u64| {
            let (mut index, mut stride) = (0, 1);
            for (range, &dim) in local.iter().zip(&self.shape).rev() {
                let len = range.end - range.start;
                index += (range.start + n % len) * stride;
                (n, stride) = (n / len, stride * dim as u64);
            }
            index
        };
        Some((start..end).map(index).collect())
    }

    /// Whether an element of the whole tensor is in a row that is to be zero.
    pub fn is_zeroed(&self, index: u64) -> bool {
        let row: u64 = self.shape.iter().skip(1).map(|&dim| dim as u64).product();
        self.zero_rows.as_ref().is_some_and(|rows| rows.contains(&(index / row)))
    }
}

/// The sampled types several times, since others differ in how they are stored.
const DTYPES: [&str; 9] = ["F32", "F16", "BF16", "F32", "F16", "BF16", "F64", "F8_E4M3", "F8_E5M2"];

/// What a text says; a complaint is one line.
fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Option<T> {
    match text.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            let error = error.to_string();
            assert!(!error.is_empty() && !error.contains('\n'), "{error}");
            None
        }
    }
}

fn count(ranges: &[Range<u64>]) -> Option<u64> {
    ranges.iter().try_fold(1u64, |product, range| product.checked_mul(range.end - range.start))
}

fn shape(draw: &mut Draw) -> Vec<usize> {
    const HOSTILE: [usize; 8] =
        [0, 65_537, 1 << 24, (1 << 31) - 1, 1 << 31, 1 << 32, 1 << 40, usize::MAX];
    let rank = [2, 2, 2, 2, 0, 1, 1, 3, 3, 4, 4, 5][draw.below(12)];
    let mut shape: Vec<usize> = (0..rank)
        .map(|_| match (draw.below(8), rank) {
            (0, _) => 1,
            (1..4, _) => 1 + draw.below(8),
            (4..7, _) | (7, 3..) => 1 + draw.below([40, 40, 150, 40, 14, 8][rank]),
            (_, 1) => 1 + draw.below(100_000),
            _ => 1 + draw.below(700),
        })
        .collect();
    if rank > 0 && draw.percent(8) {
        shape[draw.below(rank)] = HOSTILE[draw.below(HOSTILE.len())];
    }
    shape
}

fn cut(draw: &mut Draw, shape: &[usize]) -> Cut {
    let dim =
        if draw.percent(95) && !shape.is_empty() { draw.below(shape.len()) } else { draw.below(7) };
    let len = shape.get(dim).map_or(1, |&len| len as u64);
    if draw.percent(60) {
        Cut::Slice { dim, range: part(draw, len, u64::MAX) }
    } else {
        let world = draw.below(9) as u64;
        Cut::Shard { dim, rank: draw.below(world as usize + 1) as u64, world }
    }
}

/// A range below `len`, hardly ever one that is not.
fn part(draw: &mut Draw, len: u64, most: u64) -> Range<u64> {
    if len == 0 || draw.percent(3) {
        return draw.below(9) as u64..draw.word() >> draw.below(64);
    }
    let start = draw.word() % len;
    start..start + 1 + draw.word() % (len - start).min(most)
}
