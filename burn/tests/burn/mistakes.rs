//! Each mistake is an error that names it, and a module is untouched by it.

use burn::nn::{self, LinearConfig};
use burn::tensor::{Device, Tensor};
use gpu_init::{Initializer, Plan, Rules, TensorSpec};

use crate::common::{Network, devices, lazy, xavier};

#[track_caller]
fn assert_error<T>(result: gpu_init_burn::Result<T>, expected: &[&str]) {
    let error = match result {
        Ok(_) => panic!("expected {expected:?}"),
        Err(error) => error.to_string(),
    };
    for expected in expected {
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn mistakes_are_named() {
    let rules = |text: &str| text.parse::<Rules>().unwrap();
    for device in devices() {
        let layer = || LinearConfig::new(6, 4).init(&device);
        let init = |text: &str| gpu_init_burn::init(layer(), &rules(text), 0);
        assert_error(
            init("rules = [{ match = '*.weight', init = 'ones' }]"),
            &["no rule matches \"weight\", \"bias\""],
        );
        assert_error(init("rules = [{ match = '*', init = 'normal', dtype = 'i32' }]"), &["I32"]);
        // Of PReLU's alpha, gamma and the like one initializer says nothing, but of a vector it must.
        let orthogonal = nn::Initializer::Orthogonal { gain: 1.0 };
        assert_error(gpu_init_burn::init_with(layer(), orthogonal, 0), &["\"bias\""]);
        let nan = nn::Initializer::XavierNormal { gain: f64::NAN };
        assert_error(gpu_init_burn::init_with(layer(), nan, 0), &["gain", "NaN"]);

        let plan = |name: &str, shape: [usize; 2]| {
            Plan::new([(name, shape, None)], &rules("default = 'ones'")).unwrap()
        };
        let by_plan = |plan: Plan| gpu_init_burn::init_by_plan(layer(), &plan);
        assert_error(by_plan(plan("fc.weight", [6, 4])), &["\"fc.weight\"", "it has weight, bias"]);
        assert_error(
            by_plan(plan("weight", [4, 6])),
            &["\"weight\" is [6, 4]", "[4, 6] in the plan"],
        );

        let f16 = "rules = [{ match = '*', init = 'ones', dtype = 'f16' }]";
        let initialized = gpu_init_burn::init_with(layer(), Initializer::ones(), 0).unwrap();
        assert_error(
            gpu_init_burn::init(initialized.clone(), &rules(f16), 0),
            if device.supports_dtype(burn::tensor::DType::F16) {
                &["\"weight\" is initialized and f32, and the plan has F16"]
            } else {
                &["init: parameter \"weight\" has the element type F16", "does not support"]
            },
        );
        assert_eq!(
            initialized.weight.val().into_data(),
            Tensor::<2>::ones([6, 4], &device).into_data()
        );
    }
}

/// An error in the last of many leaves all as they were.
#[test]
fn nothing_is_written_after_an_error() {
    for device in devices() {
        let network = Network::new(&device);
        let bad: Rules = "
            rules = [{ match = 'token', init = 'normal', dtype = 'u8' }, { match = '*', init = 'zeros' }]"
            .parse()
            .unwrap();
        let before = lazy(&network);
        assert!(gpu_init_burn::init(network.clone(), &bad, 0).is_err());
        assert_eq!(lazy(&network), before);
    }
}

#[test]
fn tensors_of_another_rank() {
    let device = Device::flex();
    let spec = TensorSpec::new([4, 6], Initializer::ones());
    assert_error(
        gpu_init_burn::tensor::<3>(&spec, &device),
        &["24 elements of shape [4, 6] are no Tensor<3>"],
    );
    assert_error(
        gpu_init_burn::tensor::<2>(&spec.clone().elements(0..5), &device),
        &["5 elements", "by `slice` or `shard`"],
    );
    assert_error(
        gpu_init_burn::tensor::<2>(&spec.dtype(gpu_init::DType::I64), &device),
        &["tensor: the spec has the element type I64, which"],
    );
}

#[test]
fn recipes_fit_burns_names() {
    for recipe in [gpu_init::Recipe::XAVIER, gpu_init::Recipe::HUGGINGFACE] {
        let rules = gpu_init_burn::rules(recipe);
        let encoder = nn::transformer::TransformerEncoderConfig::new(16, 32, 2, 1);
        let encoder = gpu_init_burn::init(encoder.init(&Device::flex()), &rules, 0).unwrap();
        assert!(lazy(&encoder).is_empty(), "{}", recipe.name());
    }
    let rules = xavier();
    assert!(rules.rules().iter().any(|rule| rule.to_string() == "gamma of norms"));
}
