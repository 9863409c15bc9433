//! Fills the parameters of a module.

use std::any::Any;
use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Tensor};
use gpu_init::{Plan, PlanEntry, Rules};

use crate::dtype;
use crate::error::{Error, Result};
use crate::initializer::IntoInitializer;
use crate::parameters::{Parameter, parameters, stored};
use crate::path::{Path, follow_path};
use crate::plan::plan;
use crate::rules::for_burn;
use crate::tensor::{checked_dtype, host};
#[cfg(feature = "wgpu")]
use crate::wgpu::Batch;

/// Initializes every float parameter of a module by rules, each by its path, such as
/// `layers.0.weight`: one seed and one path give the same bits on every backend of burn.
///
/// On a wgpu device that was opened by [`open_wgpu`](crate::open_wgpu) parameters are filled in
/// burn's own memory, in few submissions after what burn has pending; on any other device with
/// values from the CPU path. A lazy parameter's own initializer never runs. A parameter that is
/// initialized already is rewritten where it is, if that is in such memory, and so are its clones;
/// elsewhere it gets a new tensor. Gradients, ids and frozen parameters stay as they were.
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use gpu_init::Recipe;
///
/// let rules = gpu_init_burn::rules(Recipe::XAVIER);
/// let linear = LinearConfig::new(784, 10).init(&Device::flex());
/// let linear = gpu_init_burn::init(linear, &rules, 42)?;
/// # Ok::<(), gpu_init_burn::Error>(())
/// ```
///
/// # Errors
/// Those of [`plan`] and [`init_by_plan`]. Nothing is written then.
pub fn init<M: Module>(module: M, rules: &Rules, seed: u64) -> Result<M> {
    let plan = plan(&module, &rules.clone().with_seed(seed))?;
    init_by_plan(module, &plan)
}

/// [`init`] by one initializer for all weights and biases, ours or burn's own: gamma of norms
/// becomes one, beta zero, running statistics as at the start, and PReLU's alpha stays as it is, as
/// burn's layers have it. A bias gets the fans of its weight.
///
/// ```
/// use burn::nn::{self, LinearConfig};
/// use burn::tensor::Device;
///
/// let linear = LinearConfig::new(784, 10).init(&Device::flex());
/// let xavier = nn::Initializer::XavierNormal { gain: 1.0 };
/// let linear = gpu_init_burn::init_with(linear, xavier, 42)?;
/// # Ok::<(), gpu_init_burn::Error>(())
/// ```
///
/// # Errors
/// Those of [`init`], and of an initializer with an option that it cannot have.
pub fn init_with<M: Module>(module: M, initializer: impl IntoInitializer, seed: u64) -> Result<M> {
    init(module, &for_burn(initializer.into_initializer()?.into()), seed)
}

/// [`init`] by a plan: that of the module, of a part of its parameters, or of shards of them.
/// Parameters that the plan does not fill stay as they are.
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
///
/// let linear = LinearConfig::new(784, 10).init(&Device::flex());
/// let rules = "seed = 42\ndefault = 'normal(std=0.02)'".parse()?;
/// let plan = gpu_init_burn::plan(&linear, &rules)?;
/// println!("{} elements", plan.elements());
/// let linear = gpu_init_burn::init_by_plan(linear, &plan)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::NoParameter`], [`Error::Shape`], [`Error::Initialized`], [`Error::DType`],
/// [`Error::Device`], and those of [`gpu_init::Device::fill_all_into`] and [`gpu_init::Cpu::fill`].
pub fn init_by_plan<M: Module>(module: M, plan: &Plan) -> Result<M> {
    let entries = checked(plan, &parameters(&module))?;
    let placing = Placing::of(&module, &entries)?;
    #[cfg(feature = "wgpu")]
    for batch in placing.batches {
        batch.fill()?;
    }
    let places = placing.places;
    let mut putting = Putting { path: Path::default(), entries: &entries, places, error: None };
    let module = module.map(&mut putting);
    putting.error.map_or(Ok(module), Err)
}

/// The entries by the parameters' names, tied ones by each; an error if one does not fit.
fn checked<'a>(plan: &'a Plan, parameters: &[Parameter]) -> Result<HashMap<String, &'a PlanEntry>> {
    let by_name: HashMap<_, _> =
        parameters.iter().map(|parameter| (parameter.name.as_str(), parameter)).collect();
    let mut entries = HashMap::new();
    for entry in plan.entries() {
        let names = std::iter::once(&entry.name).chain(&entry.aliases);
        let present: Vec<_> = names.filter_map(|name| by_name.get(name.as_str())).collect();
        if present.is_empty() {
            let some = parameters.iter().take(3).map(|parameter| parameter.name.as_str());
            let parameters = some.collect::<Vec<_>>().join(", ") + "...";
            return Err(Error::NoParameter { name: entry.name.clone(), parameters });
        }
        let planned = entry.spec.local_shape()?.dims().to_vec();
        for parameter in present {
            let elements: u64 = parameter.shape.iter().map(|&dim| dim as u64).product();
            if parameter.shape != planned || elements != entry.fill.len {
                let (name, actual) = (parameter.name.clone(), parameter.shape.clone());
                return Err(Error::Shape { name, actual, planned });
            }
            entries.insert(parameter.name.clone(), entry);
        }
    }
    Ok(entries)
}

/// What becomes of a parameter.
enum Place {
    /// Its own tensor is filled.
    #[cfg(feature = "wgpu")]
    Own,
    /// It gets this one, a `Tensor<D>`.
    New(Box<dyn Any>),
    /// It gets a tensor of this type from the CPU path.
    Host(DType),
}

/// Finds memory for each entry, on devices where that can be filled in place.
struct Placing<'a> {
    path: Path,
    entries: &'a HashMap<String, &'a PlanEntry>,
    /// By the entry's name.
    places: HashMap<&'a str, Place>,
    #[cfg(feature = "wgpu")]
    batches: Vec<Batch>,
    error: Option<Error>,
}

impl ModuleVisitor for Placing<'_> {
    follow_path!();

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(&entry) = self.entries.get(&self.path.name()) else { return };
        if self.error.is_some() || self.places.contains_key(&*entry.name) {
            return;
        }
        match self.place(entry, param) {
            Ok(place) => drop(self.places.insert(&entry.name, place)),
            Err(error) => self.error = Some(error),
        }
    }
}

impl<'a> Placing<'a> {
    fn of<M: Module>(
        module: &M,
        entries: &'a HashMap<String, &'a PlanEntry>,
    ) -> Result<Placing<'a>> {
        let mut placing = Placing {
            path: Path::default(),
            entries,
            places: HashMap::new(),
            #[cfg(feature = "wgpu")]
            batches: Vec::new(),
            error: None,
        };
        module.visit(&mut placing);
        match placing.error.take() {
            Some(error) => Err(error),
            None => Ok(placing),
        }
    }

    fn place<const D: usize>(
        &mut self,
        entry: &PlanEntry,
        param: &Param<Tensor<D>>,
    ) -> Result<Place> {
        let device = param.lazy_device();
        let what = format_args!("init: parameter {:?}", entry.name);
        let dtype = checked_dtype(what, entry.fill.dtype, &device)?;
        let stored = param.is_initialized().then(|| stored(param));
        if let Some(actual) = stored.as_ref().map(Tensor::dtype)
            && dtype::ours(actual) != Some(entry.fill.dtype)
        {
            let (name, planned) = (entry.name.clone(), entry.fill.dtype);
            return Err(Error::Initialized { name, actual, planned });
        }
        #[cfg(feature = "wgpu")]
        if let Some(batch) = self.batch(&device) {
            if let Some(stored) = stored {
                let value = param.base();
                if batch.add_initialized(&entry.spec, &stored, &value) {
                    return Ok(Place::Own);
                }
            }
            // Burn's own initializers allocate parameters in this pool.
            let shape = entry.spec.local_shape()?.dims().to_vec();
            let empty = |shape| Tensor::<D>::empty(shape, (&device, dtype));
            let tensor = device.memory_persistent_allocations(shape, empty);
            if batch.add(&entry.spec, &tensor) {
                return Ok(Place::New(Box::new(tensor)));
            }
        }
        Ok(Place::Host(dtype))
    }

    #[cfg(feature = "wgpu")]
    fn batch(&mut self, device: &burn::tensor::Device) -> Option<&mut Batch> {
        let index = self.batches.iter().position(|batch| batch.is_on(device));
        let index = match index {
            Some(index) => index,
            None => {
                self.batches.push(Batch::on(device)?);
                self.batches.len() - 1
            }
        };
        self.batches.get_mut(index)
    }
}

/// Gives the parameters their tensors.
struct Putting<'a> {
    path: Path,
    entries: &'a HashMap<String, &'a PlanEntry>,
    places: HashMap<&'a str, Place>,
    error: Option<Error>,
}

impl ModuleMapper for Putting<'_> {
    follow_path!();

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(&entry) = self.entries.get(&self.path.name()) else { return param };
        if self.error.is_some() {
            return param;
        }
        match self.tensor::<D>(entry, &param) {
            Ok(None) => param,
            Ok(Some(tensor)) => {
                let id = param.id;
                param.transform_for_load(tensor, id)
            }
            Err(error) => {
                self.error = Some(error);
                param
            }
        }
    }
}

impl Putting<'_> {
    /// The tensor that a parameter gets; tied ones get the same.
    fn tensor<const D: usize>(
        &mut self,
        entry: &PlanEntry,
        param: &Param<Tensor<D>>,
    ) -> Result<Option<Tensor<D>>> {
        let Some(place) = self.places.get_mut(&*entry.name) else { return Ok(None) };
        if let Place::Host(dtype) = *place {
            let device = param.lazy_device();
            let shape = entry.spec.local_shape()?.dims().to_vec();
            let make = |shape| host::<D>(&entry.spec, shape, dtype, &device);
            let tensor = device.memory_persistent_allocations(shape, make)?;
            *place = Place::New(Box::new(tensor));
        }
        match place {
            Place::New(tensor) => Ok(tensor.downcast_ref::<Tensor<D>>().cloned()),
            _ => Ok(None),
        }
    }
}

#[cfg(all(test, feature = "wgpu"))]
mod tests {
    use burn::nn::conv::Conv2dConfig;
    use burn::nn::transformer::TransformerEncoderConfig;
    use burn::nn::{BatchNormConfig, LinearConfig, LinearLayout, LstmConfig};
    use burn::tensor::Device;

    use super::{Place, Placing, checked};
    use crate::parameters::parameters;
    use crate::plan::plan;

    /// On an opened device no parameter comes from the CPU path, and initialized ones keep their
    /// memory.
    #[test]
    fn every_parameter_is_filled_in_place() {
        let device = match crate::open_wgpu(Device::wgpu_options()) {
            Ok(device) => device,
            Err(_) if std::env::var_os("GPU_INIT_SKIP_GPU_TESTS").is_some_and(|v| v == "1") => {
                return;
            }
            Err(error) => panic!("{error}; GPU_INIT_SKIP_GPU_TESTS=1 skips this test"),
        };
        for device in [device.clone(), device.autodiff()] {
            let linear = LinearConfig::new(200, 300);
            let module = (
                TransformerEncoderConfig::new(32, 64, 2, 1).init(&device),
                (
                    Conv2dConfig::new([3, 8], [3, 3]).init(&device),
                    BatchNormConfig::new(8).init(&device),
                ),
                LstmConfig::new(16, 24, true).init(&device),
                [linear.init(&device), linear.with_layout(LinearLayout::Col).init(&device)],
            );
            let plan = plan(&module, &crate::rules(gpu_init::Recipe::XAVIER)).unwrap();
            let entries = checked(&plan, &parameters(&module)).unwrap();
            let placing = Placing::of(&module, &entries).unwrap();
            assert_eq!(placing.places.len(), plan.entries().len());
            for (name, place) in &placing.places {
                let is_running = name.contains("running_");
                assert_eq!(matches!(place, Place::Own), is_running, "{name}");
                assert!(!matches!(place, Place::Host(_)), "{name}");
            }
            let module = crate::init_by_plan(module, &plan).unwrap();
            let placing = Placing::of(&module, &entries).unwrap();
            assert!(placing.places.values().all(|place| matches!(place, Place::Own)));
        }
    }
}
