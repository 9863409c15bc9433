//! One request: a shape, how to initialize it and, if wanted, its name, seed, type and slice. Plain
//! data.

use std::ops::Range;

use crate::error::During;
use crate::spec::fill::Fill;
use crate::spec::names::stream_of;
use crate::spec::slice::{Cut, Runs, Shard, cut};
use crate::{DType, Distribution, ErrorKind, Initializer, Layout, Result, Shape};

/// A request for a tensor, taken by `Device::fill` and [`Cpu::fill`](crate::Cpu::fill).
///
/// ```
/// use gpu_init::{Cpu, DType, Initializer, TensorSpec};
///
/// let q_proj = TensorSpec::new([64, 64], Initializer::xavier_normal().gain(0.5)?)
///     .name("layers.0.q_proj.weight")
///     .seed(42)
///     .dtype(DType::BF16);
/// assert_eq!(q_proj.shape().dims(), [64, 64]);
/// // A named tensor has the same weights whatever was filled before.
/// let a = Cpu::new().fill(&q_proj)?;
/// let b = Cpu::with_seed(7).fill(&q_proj)?;
/// assert_eq!(a.fingerprint(), b.fingerprint());
/// # Ok::<(), gpu_init::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TensorSpec {
    shape: Shape,
    initializer: Initializer,
    scale: f64,
    layout: Layout,
    pub(crate) dtype: Option<DType>,
    seed: Option<u64>,
    pub(crate) stream: Option<u64>,
    cuts: Vec<Cut>,
    elements: Option<Range<u64>>,
    zero_rows: Option<Range<u64>>,
}

impl TensorSpec {
    /// Requests a tensor of F32 in PyTorch's layout, on the device's next stream.
    pub fn new(shape: impl Into<Shape>, initializer: Initializer) -> Self {
        TensorSpec {
            shape: shape.into(),
            initializer,
            scale: 1.0,
            layout: Layout::default(),
            dtype: None,
            seed: None,
            stream: None,
            cuts: Vec::new(),
            elements: None,
            zero_rows: None,
        }
    }

    /// Multiplies every value, whatever the initializer; residual projections take 1 / sqrt(2
    /// layers).
    ///
    /// ```
    /// use gpu_init::{Initializer, TensorSpec};
    ///
    /// let projection = TensorSpec::new([64, 64], Initializer::normal(0.0, 0.02)).scale(0.5);
    /// assert_eq!(projection.resolve(0, 0)?.distribution.std() as f32, 0.01);
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    pub fn scale(self, scale: f64) -> Self {
        TensorSpec { scale, ..self }
    }

    /// Sets the element type. The default is F32, or the type of the host slice.
    pub fn dtype(self, dtype: DType) -> Self {
        TensorSpec { dtype: Some(dtype), ..self }
    }

    /// Sets which axes are inputs and outputs. The default is PyTorch's (out, in, k...).
    pub fn layout(self, layout: Layout) -> Self {
        TensorSpec { layout, ..self }
    }

    /// Sets both fans, instead of the shape's: those of a bias' weight, or of a matrix of which
    /// the tensor is a part. Short for [`layout`](Self::layout) with [`Layout::Fans`].
    ///
    /// ```
    /// use gpu_init::{Initializer, TensorSpec};
    ///
    /// let bias = TensorSpec::new([11008], Initializer::xavier_normal()).fans(4096, 11008);
    /// let std = bias.resolve(0, 0)?.distribution.std();
    /// assert_eq!(std as f32, (2.0f64 / (4096.0 + 11008.0)).sqrt() as f32);
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    pub fn fans(self, fan_in: u64, fan_out: u64) -> Self {
        self.layout(Layout::Fans { fan_in, fan_out })
    }

    /// Sets the seed, instead of the device's.
    pub fn seed(self, seed: u64) -> Self {
        TensorSpec { seed: Some(seed), ..self }
    }

    /// Names the tensor: its stream is [`stream_of`] the name, so its weights depend on nothing
    /// that was filled before.
    pub fn name(self, name: &str) -> Self {
        self.stream(stream_of(name))
    }

    /// Sets the stream by its number; unnamed calls count 0, 1, 2...
    ///
    /// ```
    /// use gpu_init::{Cpu, Initializer, TensorSpec};
    ///
    /// let first = Cpu::new().fill(&TensorSpec::new([8, 8], Initializer::xavier_normal()))?;
    /// let again = Cpu::new().fill(&TensorSpec::new([8, 8], Initializer::xavier_normal()).stream(0))?;
    /// assert_eq!(first.fingerprint(), again.fingerprint());
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    pub fn stream(self, stream: u64) -> Self {
        TensorSpec { stream: Some(stream), ..self }
    }

    /// Sets a range of indices of dimension 0 to zero, whatever the initializer, such as the row of
    /// an embedding's padding token.
    ///
    /// ```
    /// use gpu_init::{Cpu, Initializer, TensorSpec};
    ///
    /// let embedding = TensorSpec::new([100, 8], Initializer::normal(0.0, 0.02)).zero_rows(0..1);
    /// let values = Cpu::new().fill(&embedding)?.to_f32();
    /// assert!(values[..8].iter().all(|&v| v == 0.0) && values[8..].iter().all(|&v| v != 0.0));
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    pub fn zero_rows(self, rows: Range<u64>) -> Self {
        TensorSpec { zero_rows: Some(rows), ..self }
    }

    /// Restricts a dimension to a range of indices, with the bits they have in the whole. A second
    /// slice counts from where the first one starts; at most two dimensions can be cut.
    ///
    /// ```
    /// use gpu_init::{Cpu, Initializer, TensorSpec};
    ///
    /// let whole = TensorSpec::new([4, 6], Initializer::xavier_normal()).name("w");
    /// let columns = Cpu::new().fill(&whole.clone().slice(1, 2..4))?.to_f32();
    /// assert_eq!(columns[..2], Cpu::new().fill(&whole)?.to_f32()[2..4]);
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    pub fn slice(mut self, dim: usize, range: Range<u64>) -> Self {
        self.cuts.push(Cut::Range { dim, range });
        self
    }

    /// Restricts the tensor to one process' shard, with the bits it has in the whole. Shards nest,
    /// along two dimensions or one.
    ///
    /// ```
    /// use gpu_init::{Cpu, Initializer, TensorSpec, Shard};
    ///
    /// let whole = TensorSpec::new([10, 6], Initializer::xavier_normal()).name("w");
    /// let shard = |rank| Cpu::new().fill(&whole.clone().shard(Shard { dim: 1, rank, world: 4 }));
    /// let fingerprints: gpu_init::Fingerprint = (0..3).map(|rank| shard(rank).unwrap().fingerprint()).sum();
    /// assert_eq!(fingerprints, Cpu::new().fill(&whole)?.fingerprint());
    /// assert!(shard(3).is_err()); // six columns are three shards of two
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    pub fn shard(mut self, shard: Shard) -> Self {
        self.cuts.push(Cut::Shard(shard));
        self
    }

    /// The shape after slices and shards.
    ///
    /// ```
    /// use gpu_init::{Initializer, TensorSpec, Shard};
    ///
    /// let shard = TensorSpec::new([10, 6], Initializer::xavier_normal()).shard(Shard { dim: 0, rank: 2, world: 4 });
    /// assert_eq!((shard.local_shape()?.dims(), shard.local_ranges()?), (&[3, 6][..], vec![6..9, 0..6]));
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::NoDimension`], [`ErrorKind::NoRank`], [`ErrorKind::Slice`] if nothing is left.
    pub fn local_shape(&self) -> Result<Shape> {
        let ranges = self.local_ranges()?;
        Ok(ranges.iter().map(|range| (range.end - range.start) as usize).collect::<Vec<_>>().into())
    }

    /// The range of each dimension after slices and shards.
    ///
    /// # Errors
    /// As [`local_shape`](Self::local_shape).
    pub fn local_ranges(&self) -> Result<Vec<Range<u64>>> {
        cut(&self.shape, &self.cuts).during(self.initializer.name())
    }

    /// Restricts the row-major tensor, or its slice, to a range of elements, with the bits they
    /// have in the whole.
    ///
    /// ```
    /// use gpu_init::{Cpu, Initializer, TensorSpec};
    ///
    /// // 2^44 elements, of which only these four are ever computed.
    /// let huge = TensorSpec::new([1 << 22, 1 << 22], Initializer::xavier_normal()).name("w").elements((1 << 40)..(1 << 40) + 4);
    /// assert_eq!(Cpu::new().fill(&huge)?.len(), 4);
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    pub fn elements(self, elements: Range<u64>) -> Self {
        TensorSpec { elements: Some(elements), ..self }
    }

    /// The whole tensor's shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The initializer with its options.
    pub fn initializer(&self) -> Initializer {
        self.initializer
    }

    /// (fan_in, fan_out) by shape and layout, as [`Layout::fans`] counts them.
    ///
    /// ```
    /// use gpu_init::{Initializer, TensorSpec};
    ///
    /// let conv = TensorSpec::new([64, 3, 7, 7], Initializer::xavier_normal());
    /// assert_eq!(conv.fan_in_and_out(), Some((147, 3136)));
    /// ```
    pub fn fan_in_and_out(&self) -> Option<(u64, u64)> {
        self.layout.fans(&self.shape)
    }

    /// Resolves the request: the distribution with its numbers, the seed, the stream and the
    /// elements. `seed` and `stream` are used where the request specifies none.
    ///
    /// ```
    /// use gpu_init::{Distribution, Initializer, TensorSpec};
    ///
    /// let fill = TensorSpec::new([3, 5], Initializer::xavier_normal()).resolve(42, 0)?;
    /// assert_eq!((fill.seed, fill.stream, fill.first, fill.len), (42, 0, 0, 15));
    /// assert!(matches!(fill.distribution, Distribution::Normal { std: 0.5, .. }));
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Initializer::distribution`] and of [`local_shape`](Self::local_shape),
    /// [`ErrorKind::Scattered`], and [`ErrorKind::Range`] if the range of elements is empty or not
    /// inside the tensor.
    pub fn resolve(&self, seed: u64, stream: u64) -> Result<Fill> {
        self.resolved(seed, stream).during(self.initializer.name())
    }

    fn resolved(&self, seed: u64, stream: u64) -> Result<Fill, ErrorKind> {
        if !(self.scale.is_finite() && self.scale > 0.0) {
            let (option, expected) = ("scale", "a finite number above 0");
            return Err(ErrorKind::InvalidOption { option, value: self.scale, expected });
        }
        let dtype = self.dtype.unwrap_or_default();
        let unrounded = self.initializer.unrounded(&self.shape, &self.layout)?;
        let distribution = Distribution::new(unrounded.scaled(self.scale), dtype)?;
        let ranges = cut(&self.shape, &self.cuts)?;
        let (runs, elements) = Runs::of_box(&self.shape, &ranges, dtype.size().div_ceil(4))?;
        let Range { start, end } = self.elements.clone().unwrap_or(0..elements);
        if start >= end || end > elements {
            let shape = self.shape.clone();
            return Err(ErrorKind::Range { start, end, shape, elements });
        }
        let slice = Fill {
            operation: self.initializer.name(),
            distribution,
            dtype,
            seed: self.seed.unwrap_or(seed),
            stream: self.stream.unwrap_or(stream),
            first: runs.origin,
            len: elements,
            runs: Some(runs),
            zeros: self.zeros()?,
        };
        Ok(slice.of(slice.elements().part(start, end - start)))
    }

    /// The range of indices that is zero.
    fn zeros(&self) -> Result<Option<[u64; 2]>, ErrorKind> {
        let Some(Range { start, end }) = self.zero_rows.clone() else { return Ok(None) };
        let (shape, dim) = (self.shape.clone(), 0);
        let Some(len) = shape.dims().first().map(|&len| len as u64) else {
            return Err(ErrorKind::NoDimension { shape, dim, rank: 0 });
        };
        if start >= end || end > len {
            return Err(ErrorKind::Slice { shape, dim, start, end, len });
        }
        let row = shape.count()? / len;
        Ok(Some([start * row, end * row]))
    }
}
