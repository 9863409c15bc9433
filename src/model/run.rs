//! Fills the tensors of a plan, on a GPU or on the CPU; the result is a map by name.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::model::error::PlanError;
use crate::model::plan::Plan;
use crate::{Cpu, HostTensor, TensorSpec};
#[cfg(feature = "gpu")]
use crate::{Device, FillOptions, Tensor};

fn specs(plan: &Plan) -> Vec<TensorSpec> {
    plan.entries().iter().map(|entry| entry.spec.clone()).collect()
}

/// Maps the names of the entries to their tensors; tied names share a tensor.
fn by_name<T: Clone>(plan: &Plan, tensors: Vec<T>) -> BTreeMap<String, T> {
    let entries = plan.entries().iter().zip(tensors);
    let named = entries.flat_map(|(entry, tensor)| {
        let names = std::iter::once(&entry.name).chain(&entry.aliases);
        names.map(move |name| (name.clone(), tensor.clone()))
    });
    named.collect()
}

#[cfg(feature = "gpu")]
impl Device {
    /// Initializes a model in GPU memory and waits until it is complete. Tied names share a tensor,
    /// small tensors share buffers, as with [`Device::fill_all`]. Calls `progress(done, total)`
    /// with numbers of elements; return [`ControlFlow::Break`] to cancel.
    ///
    /// ```no_run
    /// use std::ops::ControlFlow;
    ///
    /// use gpu_init::{DType, Device, Plan, Recipe};
    ///
    /// let tensors = [
    ///     ("h.0.mlp.c_proj.weight", vec![3072, 768], Some(DType::BF16)),
    ///     ("ln_f.weight", vec![768], None),
    /// ];
    /// let plan = Plan::new(tensors, &Recipe::GPT2.rules())?;
    /// let weights = Device::new()?.run(&plan, &mut |_, _| ControlFlow::Continue(()))?;
    /// println!("{}", weights["ln_f.weight"].fingerprint()?);
    /// # Ok::<(), gpu_init::PlanError>(())
    /// ```
    ///
    /// # Errors
    /// [`PlanError::Memory`] if the device has too little memory, before any is allocated;
    /// [`PlanError::Fill`] with the errors of [`Device::fill_all_with`], which frees all memory.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn run(
        &self,
        plan: &Plan,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<BTreeMap<String, Tensor>, PlanError> {
        pollster::block_on(self.run_async(plan, progress))
    }

    /// [`run`](Self::run) for any executor, with the same errors.
    pub async fn run_async(
        &self,
        plan: &Plan,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<BTreeMap<String, Tensor>, PlanError> {
        if let Some(memory) = self.memory() {
            plan.fits(memory)?;
        }
        let options = FillOptions::new().progress(progress);
        Ok(by_name(plan, self.fill_all_with_async(&specs(plan), options).await?))
    }
}

impl Cpu {
    /// Initializes a model in host memory, with the same bits as on a GPU.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    ///
    /// use gpu_init::{Cpu, Plan, Recipe};
    ///
    /// let plan = Plan::new([("fc.weight", [64, 32], None)], &Recipe::XAVIER.rules())?;
    /// let weights = Cpu::new().run(&plan, &mut |_, _| ControlFlow::Continue(()))?;
    /// assert_eq!(weights["fc.weight"].len(), 2048);
    /// # Ok::<(), gpu_init::PlanError>(())
    /// ```
    ///
    /// # Errors
    /// [`PlanError::Fill`] with the errors of [`Cpu::fill_all_with`].
    pub fn run(
        &self,
        plan: &Plan,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<BTreeMap<String, Arc<HostTensor>>, PlanError> {
        let tensors = self.fill_all_with(&specs(plan), progress)?;
        Ok(by_name(plan, tensors.into_iter().map(Arc::new).collect()))
    }
}
