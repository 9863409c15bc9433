//! A plan becomes tensors by name, on either device.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::{Cpu, HostTensor, Plan, PlanEntry, PlanError, Result, TensorSpec};
#[cfg(feature = "gpu")]
use crate::{Device, Tensor};

impl Plan {
    /// Whether all entries together are at most so many bytes.
    ///
    /// ```
    /// use gpu_init::{Plan, Recipe};
    ///
    /// let plan = Plan::new([("fc.weight", [64, 32], None), ("out.weight", [5, 64], None)], &Recipe::XAVIER.rules())?;
    /// assert!(plan.fits(9472).is_ok());
    /// let error = plan.fits(9471).unwrap_err().to_string();
    /// assert!(error.contains("fc.weight (8192 bytes)"), "{error}");
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Plan`](crate::ErrorKind::Plan), with the sum and the largest tensors.
    pub fn fits(&self, memory: u64) -> Result<()> {
        if self.bytes() <= memory {
            return Ok(());
        }
        let mut largest: Vec<_> = self.entries().iter().collect();
        largest.sort_by_key(|entry| std::cmp::Reverse(entry.fill.bytes()));
        let named = |entry: &&PlanEntry| format!("{} ({} bytes)", entry.name, entry.fill.bytes());
        let largest = largest.iter().take(3).map(named).collect::<Vec<_>>().join(", ");
        Err(PlanError::Memory { bytes: self.bytes(), memory, largest }.into())
    }

    /// The requests of all entries.
    fn parameters(&self) -> Vec<TensorSpec> {
        self.entries().iter().map(|entry| entry.parameter.clone()).collect()
    }

    /// Tensors by the names of their entries; tied ones are the same tensor.
    fn named<T: Clone>(&self, tensors: Vec<T>) -> BTreeMap<String, T> {
        let each = self.entries().iter().zip(tensors);
        each.flat_map(|(entry, tensor)| {
            let names = std::iter::once(&entry.name).chain(&entry.aliases);
            names.map(move |name| (name.clone(), tensor.clone()))
        })
        .collect()
    }
}

#[cfg(feature = "gpu")]
impl Device {
    /// Initializes a model in GPU memory, and waits until all is done: its tensors by name, tied
    /// ones the same one, small ones in shared buffers as [`Device::fill_all`] makes them.
    /// `progress` hears how many elements are, of how many, and can end the work.
    ///
    /// ```no_run
    /// use std::ops::ControlFlow;
    ///
    /// use gpu_init::{DType, Device, Plan, Recipe};
    ///
    /// let tensors = [("h.0.mlp.c_proj.weight", vec![3072, 768], Some(DType::BF16)), ("ln_f.weight", vec![768], None)];
    /// let plan = Plan::new(tensors, &Recipe::GPT2.rules())?;
    /// let weights = Device::new()?.run(&plan, &mut |_, _| ControlFlow::Continue(()))?;
    /// println!("{}", weights["ln_f.weight"].fingerprint()?);
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Plan`](crate::ErrorKind::Plan) if the device has not so much memory, before any is
    /// allocated, and those of [`Device::fill_all_with`]; all memory is given back then.
    pub fn run(
        &self,
        plan: &Plan,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<BTreeMap<String, Tensor>> {
        if let Some(memory) = self.memory() {
            plan.fits(memory)?;
        }
        Ok(plan.named(self.fill_all_with(&plan.parameters(), progress)?))
    }
}

impl Cpu {
    /// Initializes a model in host memory: the same tensors with the same bits.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    ///
    /// use gpu_init::{Cpu, Plan, Recipe};
    ///
    /// let plan = Plan::new([("fc.weight", [64, 32], None)], &Recipe::XAVIER.rules())?;
    /// let weights = Cpu::new().run(&plan, &mut |_, _| ControlFlow::Continue(()))?;
    /// assert_eq!(weights["fc.weight"].len(), 2048);
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Cpu::fill_all_with`].
    pub fn run(
        &self,
        plan: &Plan,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<BTreeMap<String, Arc<HostTensor>>> {
        let tensors = self.fill_all_with(&plan.parameters(), progress)?;
        Ok(plan.named(tensors.into_iter().map(Arc::new).collect()))
    }
}
