//! On wgpu parameters are filled where they are: in burn's own buffers, at their offsets, and
//! nowhere else.

use std::collections::BTreeMap;

use burn::backend::Cube;
use burn::backend::wgpu::{AutoCompiler, CubeBackend, CubeTensor, WgpuResource};
use burn::cubecl::client::Client;
use burn::cubecl::wgpu::WgpuServer;
use burn::module::Param;
use burn::nn::{self, LinearConfig};
use burn::tensor::{DType, Device, Distribution, Tensor};
use gpu_init::wgpu::{self, BufferUsages};
use gpu_init::{Cpu, Initializer, Rules, TensorSpec};

use crate::common::{Network, expected, values, wgpu, xavier};

/// Burn without fusion has no such method; see the library.
#[allow(dead_code)]
trait Resolve {
    fn resolve_tensor_float<B>(&self, tensor: CubeTensor) -> CubeTensor;
}

impl Resolve for Client {
    fn resolve_tensor_float<B>(&self, tensor: CubeTensor) -> CubeTensor {
        tensor
    }
}

/// Where a tensor lies.
fn resource<const D: usize>(tensor: &Tensor<D>) -> WgpuResource {
    let tensor = tensor.clone().without_autodiff().try_into_primitive::<Cube>().unwrap();
    let client = tensor.client.clone();
    let tensor = client.resolve_tensor_float::<CubeBackend>(tensor);
    let held = tensor.client.get_resource::<WgpuServer<AutoCompiler>>(tensor.handle).unwrap();
    held.resource().clone()
}

/// All bytes of a buffer of burn's.
fn bytes(device: &Device, buffer: &wgpu::Buffer) -> Vec<u8> {
    device.sync().unwrap();
    let gpu = gpu_init_burn::gpu(device).unwrap();
    let copy = gpu.wgpu_device().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: buffer.size(),
        usage: BufferUsages::COPY_DST | BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    let mut encoder = gpu.wgpu_device().create_command_encoder(&Default::default());
    encoder.copy_buffer_to_buffer(buffer, 0, &copy, 0, buffer.size());
    gpu.wgpu_queue().submit([encoder.finish()]);
    copy.slice(..).map_async(wgpu::MapMode::Read, |mapped| mapped.unwrap());
    gpu.wait().unwrap();
    copy.get_mapped_range(..).unwrap().to_vec()
}

/// Odd-sized tensors that share pages of burn's pool with others: each is filled at its offset, and
/// no byte beside them changes.
#[test]
fn shared_pages_change_only_where_parameters_are() {
    let Some(device) = wgpu() else { return };
    for dtype in [DType::F32, DType::F16] {
        if !device.supports_dtype(dtype) {
            eprintln!("skipped: {device:?} has no {dtype:?}");
            continue;
        }
        let full = |len: usize| Tensor::<1>::full([len], 7.0, (&device, dtype));
        let lens = [1, 3, 17, 1000, 5, 33_333, 2, 70_001, 64];
        let pairs: Vec<_> = lens.map(|len| (Param::from_tensor(full(len)), full(len + 1))).into();
        let (params, others): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let places: Vec<_> = params.iter().map(|param| resource(&param.val())).collect();
        assert!(places.iter().any(|place| place.offset > 0), "none is inside a page: {places:?}");
        let others_at: Vec<_> = others.iter().map(resource).collect();
        let shares = |place: &WgpuResource| {
            places.iter().chain(&others_at).filter(|other| other.buffer == place.buffer).count() > 1
        };
        assert!(places.iter().any(shares), "none shares a page: {places:?}");

        let mut expected = BTreeMap::new();
        for place in &places {
            let key = format!("{:?}", place.buffer);
            expected
                .entry(key)
                .or_insert_with(|| (place.buffer.clone(), bytes(&device, &place.buffer)));
        }
        let params = gpu_init_burn::init_with(params, Initializer::uniform(1.0, 2.0), 3).unwrap();
        for (i, (param, place)) in params.iter().zip(&places).enumerate() {
            let now = resource(&param.val());
            assert!(now.buffer == place.buffer && now.offset == place.offset, "moved");
            let spec = TensorSpec::new([lens[i]], Initializer::uniform(1.0, 2.0))
                .dtype(dtype.name().parse().unwrap())
                .name(&i.to_string());
            let values = Cpu::with_seed(3).fill(&spec).unwrap();
            let bytes = values.as_bytes();
            let (_, all) = expected.get_mut(&format!("{:?}", place.buffer)).unwrap();
            all[place.offset as usize..][..bytes.len()].copy_from_slice(bytes);
        }
        for (buffer, expected) in expected.into_values() {
            assert!(bytes(&device, &buffer) == expected, "a byte beside the parameters, {dtype:?}");
        }
        assert!(others.into_iter().all(|other| values(other).iter().all(|&v| v == 7.0)));
    }
}

/// What is initialized is rewritten in its memory, and clones with it; ids stay.
#[test]
fn initialized_parameters_stay_tied_to_their_clones() {
    let Some(device) = wgpu() else { return };
    for device in [device.clone(), device.autodiff()] {
        let first = gpu_init_burn::init(Network::new(&device), &xavier(), 1).unwrap();
        let clone = first.clone();
        let weight = first.stack[0].weight.val();
        let at = resource(&weight);
        let again = gpu_init_burn::init(first, &xavier(), 2).unwrap();
        let now = resource(&again.stack[0].weight.val());
        assert!(at.buffer == now.buffer && at.offset == now.offset);
        let fingerprint = gpu_init_burn::fingerprint(&again).unwrap();
        assert_eq!(fingerprint, gpu_init_burn::fingerprint(&clone).unwrap());
        let plan = gpu_init_burn::plan(&again, &xavier().with_seed(2)).unwrap();
        assert_eq!(fingerprint, expected(&plan));
        assert_eq!(values(weight), values(clone.stack[0].weight.val()));
        assert_eq!(again.stack[0].weight.id, clone.stack[0].weight.id);
    }
}

/// Two parameters that share memory without being tied get what their names give all the same.
#[test]
fn parameters_with_one_memory_are_told_apart() {
    let Some(device) = wgpu() else { return };
    let tensor = Tensor::<2>::ones([200, 300], &device);
    let params = vec![Param::from_tensor(tensor.clone()), Param::from_tensor(tensor)];
    let params = gpu_init_burn::init_with(params, Initializer::normal(0.0, 1.0), 1).unwrap();
    for (i, param) in params.iter().enumerate() {
        let spec = TensorSpec::new([200, 300], Initializer::normal(0.0, 1.0));
        let cpu = Cpu::with_seed(1).fill(&spec.name(&i.to_string())).unwrap().to_f32();
        assert_eq!(values(param.val()), cpu);
    }
}

/// What burn computed before is not overwritten later, and what it computes after sees the weights:
/// on this thread and on others, without a wait in between.
#[test]
fn fills_come_after_what_burn_has_pending() {
    let Some(device) = wgpu() else { return };
    let normal = Initializer::normal(3.0, 0.5);
    let spec = TensorSpec::new([256, 256], normal).name("weight");
    let expected = Cpu::with_seed(8).fill(&spec).unwrap().to_f32();
    for round in 0..10 {
        let pending = || {
            // Operations whose results and temporary memory are burn's to reuse.
            let x = Tensor::<2>::random([256, 256], Distribution::Default, &device);
            let y = x.clone().matmul(x.clone()).add_scalar(1.0);
            let weight = y.mul_scalar(0.5).add(x);
            nn::Linear { weight: Param::from_tensor(weight), bias: None }
        };
        let layer = match round % 2 {
            0 => pending(),
            _ => std::thread::scope(|scope| scope.spawn(pending).join().unwrap()),
        };
        let lazy = LinearConfig::new(256, 256).with_bias(false).init(&device);
        for layer in [layer, lazy] {
            let layer = gpu_init_burn::init_with(layer, normal, 8).unwrap();
            let sum = layer.weight.val().add_scalar(1.0);
            let again = std::thread::scope(|scope| {
                scope.spawn(|| values(layer.weight.val())).join().unwrap()
            });
            assert!(again == expected, "round {round}");
            let sum = values(sum);
            assert!(sum.iter().zip(&expected).all(|(sum, v)| *sum == v + 1.0), "round {round}");
        }
    }
}

/// Scattered and orthogonal values, zero rows and shards, in burn's memory.
#[test]
fn every_kind_of_distribution() {
    let Some(device) = wgpu() else { return };
    let kinds = [
        Initializer::orthogonal(),
        Initializer::sparse(0.25),
        Initializer::eye(),
        Initializer::truncated_normal(0.0, 1.0, -1.0, 2.0),
        Initializer::uniform(-1.0, 1.0),
        Initializer::constant(0.25),
    ];
    for kind in kinds {
        for columns in [64, 333] {
            let make = || LinearConfig::new(256, columns).with_bias(false).init(&device);
            let rules = format!("default = '{kind}'");
            let plan = gpu_init_burn::plan(&make(), &rules.parse::<Rules>().unwrap()).unwrap();
            let layer = gpu_init_burn::init_by_plan(make(), &plan).unwrap();
            assert_eq!(gpu_init_burn::fingerprint(&layer).unwrap(), expected(&plan), "{kind}");
        }
    }
    let whole = TensorSpec::new([512, 512], Initializer::normal(0.0, 1.0)).name("weight");
    let rules: Rules = "default = 'normal'".parse().unwrap();
    let list = [("weight", [512, 512], None)];
    let shard = gpu_init::Plan::new(list, &rules).unwrap().shard(1, 4).unwrap();
    let layer = LinearConfig::new(128, 512).with_bias(false).init(&device);
    let layer = gpu_init_burn::init_by_plan(layer, &shard).unwrap();
    let cpu = Cpu::new().fill(&whole.slice(0, 128..256)).unwrap().to_f32();
    assert_eq!(values(layer.weight.val()), cpu);
}

/// A device that burn opened by itself works, from the CPU path; so does one that is shared later.
#[test]
fn devices_that_were_not_opened_here() {
    if wgpu().is_none() {
        return;
    }
    let (device, setup) = {
        use burn::tensor::DeviceKind;
        let options = Device::wgpu_options().device_kind(DeviceKind::Cpu);
        match options.init_with_setup() {
            Ok(opened) => opened,
            Err(error) => return eprintln!("skipped: no second adapter: {error}"),
        }
    };
    let layer = || LinearConfig::new(300, 200).init(&device);
    assert!(gpu_init_burn::gpu(&device).is_none());
    let before = gpu_init_burn::init_with(layer(), Initializer::xavier_normal(), 1).unwrap();
    gpu_init_burn::share_wgpu(&device, &setup).unwrap();
    assert!(gpu_init_burn::gpu(&device.clone().autodiff()).is_some());
    let after = gpu_init_burn::init_with(layer(), Initializer::xavier_normal(), 1).unwrap();
    let fingerprint = |layer| gpu_init_burn::fingerprint(layer).unwrap();
    assert_eq!(fingerprint(&before), fingerprint(&after));
    let error = gpu_init_burn::share_wgpu(&Device::flex(), &setup).unwrap_err().to_string();
    assert!(error.contains("is no wgpu device"), "{error}");
    let again = gpu_init_burn::open_wgpu(Device::wgpu_options()).unwrap_err().to_string();
    assert!(again.starts_with("open wgpu: "), "{again}");
}
