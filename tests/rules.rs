//! Rules, recipes and plans.

use std::collections::HashMap;
use std::fs;

use gpu_init::{
    Cpu, DType, Distribution, ErrorKind, Initializer, Layout, Plan, PlanEntry, PlanError,
    PlanWarning, Recipe, Rules, TensorSpec,
};
use proptest::prelude::*;
use serde_json::{Map, Value};

type Tensors = Vec<(String, Vec<usize>, Option<DType>)>;

/// A tensor list of tests/models.
fn model(name: &str) -> Tensors {
    let text = fs::read_to_string(format!("tests/models/{name}.json")).unwrap();
    let map: Map<String, Value> = serde_json::from_str(&text).unwrap();
    let tensors = map.into_iter().filter(|(name, _)| name != "__metadata__");
    tensors
        .map(|(name, tensor)| {
            let shape = tensor["shape"]
                .as_array()
                .unwrap()
                .iter()
                .map(|dim| dim.as_u64().unwrap() as usize);
            (name, shape.collect(), Some(tensor["dtype"].as_str().unwrap().parse().unwrap()))
        })
        .collect()
}

fn plan(tensors: &[(&str, &[usize])], rules: &str) -> gpu_init::Result<Plan> {
    let rules: Rules = rules.parse().unwrap();
    Plan::new(tensors.iter().map(|&(name, shape)| (name, shape, None)), &rules)
}

fn by_name(plan: &Plan) -> HashMap<&str, &PlanEntry> {
    plan.entries().iter().map(|entry| (entry.name.as_str(), entry)).collect()
}

/// The standard deviation of N(0, 1) truncated at -3 and 3.
const THREE_SIGMA: f64 = 0.986_578_36;

#[test]
fn recipes_have_the_distributions_of_their_models() {
    let kaiming_fan_out = |fan_out: f64| (2.0 / fan_out).sqrt();
    for (recipe, list, tensors, elements, stds) in [
        (
            Recipe::GPT2,
            "gpt2",
            148,
            124_439_808,
            vec![
                ("transformer.wte.weight", 0.02),
                ("transformer.h.0.attn.c_attn.weight", 0.02),
                ("transformer.h.3.attn.c_proj.weight", 0.02 / 24f64.sqrt()),
                ("transformer.h.11.mlp.c_proj.weight", 0.02 / 24f64.sqrt()),
            ],
        ),
        (
            Recipe::LLAMA,
            "llama-2-7b",
            291,
            6_738_415_616,
            vec![
                ("model.embed_tokens.weight", 0.02 * THREE_SIGMA),
                ("lm_head.weight", 0.02 * THREE_SIGMA),
                ("model.layers.0.mlp.up_proj.weight", 0.02 * THREE_SIGMA),
                ("model.layers.31.self_attn.o_proj.weight", 0.02 * THREE_SIGMA / 8.0),
                ("model.layers.0.mlp.down_proj.weight", 0.02 * THREE_SIGMA / 8.0),
            ],
        ),
        (
            Recipe::LLAMA,
            "llama-3.2-1b",
            146,
            1_235_814_400,
            vec![("model.layers.0.mlp.down_proj.weight", 0.02 * THREE_SIGMA / 32f64.sqrt())],
        ),
        (
            Recipe::BERT,
            "bert-base",
            202,
            109_514_298,
            vec![
                ("bert.embeddings.word_embeddings.weight", 0.02),
                ("bert.encoder.layer.7.attention.output.dense.weight", 0.02),
                ("cls.predictions.transform.dense.weight", 0.02),
            ],
        ),
        (
            Recipe::RESNET,
            "resnet-50",
            161,
            25_557_032,
            vec![
                ("resnet.embedder.embedder.convolution.weight", kaiming_fan_out(64.0 * 49.0)),
                (
                    "resnet.encoder.stages.0.layers.0.shortcut.convolution.weight",
                    kaiming_fan_out(256.0),
                ),
                ("classifier.1.weight", 1.0 / (3.0f64 * 2048.0).sqrt()),
                ("classifier.1.bias", 1.0 / (3.0f64 * 2048.0).sqrt()),
            ],
        ),
    ] {
        let plan = Plan::new(model(list), &recipe.rules()).unwrap();
        assert_eq!(plan.warnings(), [], "{list}");
        assert_eq!((plan.entries().len(), plan.elements()), (tensors, elements), "{list}");
        assert_eq!(
            plan.bytes(),
            plan.entries().iter().map(|entry| entry.fill.bytes()).sum::<u64>()
        );
        let entries = by_name(&plan);
        for (name, std) in stds {
            let actual = entries[name].fill.distribution.std();
            assert!((actual / std - 1.0).abs() < 1e-7, "{list} {name}: {actual}, not {std}");
        }
        for entry in plan.entries().iter().filter(|entry| entry.parameter.shape().dims().len() == 1)
        {
            // Norms are one, biases zero, but for the classifier's.
            let norm = entry.name.ends_with("weight");
            let expected = if norm { Initializer::ones() } else { Initializer::zeros() };
            assert!(
                entry.parameter.initializer() == expected || entry.name == "classifier.1.bias",
                "{}",
                entry.name
            );
        }
    }
}

#[test]
fn xavier_takes_every_model() {
    for list in ["gpt2", "llama-2-7b", "llama-3.2-1b", "bert-base", "resnet-50"] {
        let plan = Plan::new(model(list), &Recipe::XAVIER.rules()).unwrap();
        assert_eq!(plan.warnings(), []);
        for entry in plan.entries() {
            let expected = match entry.parameter.shape().dims() {
                [_] | [] if entry.name.ends_with(".weight") => Initializer::ones(),
                [_] | [] => Initializer::zeros(),
                _ => Initializer::xavier_normal(),
            };
            assert_eq!(entry.parameter.initializer(), expected, "{}", entry.name);
        }
    }
}

#[test]
fn xavier_tells_norm_weights_by_name() {
    let initializer = |name: &str| {
        let plan = Plan::new([(name, [8], None)], &Recipe::XAVIER.rules()).unwrap();
        plan.entries()[0].parameter.initializer()
    };
    for name in [
        "transformer.h.0.ln_1.weight",
        "transformer.ln_f.weight",
        "bert.encoder.layer.0.attention.output.LayerNorm.weight",
        "resnet.embedder.embedder.normalization.weight",
        "model.layers.0.input_layernorm.weight",
        "layer1.0.bn2.weight",
        "layer1.0.downsample.1.weight",
        "model/h0/ln_1/g",
        "encoder.norm.gamma",
        "NORM.WEIGHT",
        "bn1.running_var",
        "running_var",
    ] {
        assert_eq!(initializer(name), Initializer::ones(), "{name}");
    }
    for name in [
        "fc.bias",
        "ln_1.bias",
        "bn1.running_mean",
        "prelu.weight",
        "weight",
        "",
        "norm",
        "lnx.weight",
        "downsample.0.weight",
        "plain.1.weight",
        "not_running_var",
    ] {
        assert_eq!(initializer(name), Initializer::zeros(), "{name}");
    }
}

/// The same architectures by the names of their other libraries.
#[test]
fn recipes_know_the_names_of_other_libraries() {
    let (matrix, vector) = (&[8, 4][..], &[8][..]);
    let initializers = |recipe: Recipe, tensors: &[(&str, &[usize])]| -> Vec<String> {
        let plan = plan(tensors, recipe.text()).unwrap();
        assert_eq!(plan.warnings(), [], "{}", recipe.name());
        plan.entries().iter().map(|entry| entry.parameter.initializer().to_string()).collect()
    };
    let truncated = "truncated_normal_sigma(std=0.02, lower=-3, upper=3)";
    let meta = [
        ("tok_embeddings.weight", matrix),
        ("layers.0.attention.wq.weight", matrix),
        ("layers.0.attention.wo.weight", matrix),
        ("layers.0.feed_forward.w2.weight", matrix),
        ("layers.0.attention_norm.weight", vector),
        ("norm.weight", vector),
        ("output.weight", matrix),
    ];
    let ones = "ones";
    assert_eq!(
        initializers(Recipe::LLAMA, &meta),
        [truncated, truncated, truncated, truncated, ones, ones, truncated]
    );
    let nano_gpt = [
        ("wte.weight", matrix),
        ("h.0.attn.c_proj.weight", matrix),
        ("h.0.mlp.c_fc.bias", vector),
        ("ln_f.weight", vector),
    ];
    let normal = "normal(std=0.02)";
    assert_eq!(initializers(Recipe::GPT2, &nano_gpt), [normal, normal, "zeros", "ones"]);
    let tensorflow = [
        ("bert/embeddings/word_embeddings", matrix),
        ("bert/encoder/layer_0/attention/self/query/kernel", matrix),
        ("bert/encoder/layer_0/attention/self/query/bias", vector),
        ("bert/encoder/layer_0/output/LayerNorm/gamma", vector),
        ("bert/encoder/layer_0/output/LayerNorm/beta", vector),
        ("cls/predictions/output_bias", vector),
    ];
    assert_eq!(
        initializers(Recipe::BERT, &tensorflow),
        [normal, normal, "zeros", "ones", "zeros", "zeros"]
    );
    let torchvision = [
        ("conv1.weight", &[8, 3, 7, 7][..]),
        ("bn1.weight", vector),
        ("bn1.bias", vector),
        ("bn1.running_mean", vector),
        ("bn1.running_var", vector),
        ("bn1.num_batches_tracked", &[]),
        ("layer1.0.downsample.0.weight", &[8, 8, 1, 1]),
        ("layer1.0.downsample.1.weight", vector),
        ("fc.weight", &[8, 4]),
        ("fc.bias", vector),
    ];
    let convolution = "kaiming_normal(mode=fan_out, nonlinearity=relu)";
    let linear = "kaiming_uniform(a=2.23606797749979)";
    let bias = "uniform(a=-0.5, b=0.5)";
    assert_eq!(
        initializers(Recipe::RESNET, &torchvision),
        [convolution, "ones", "zeros", "zeros", "ones", "zeros", convolution, "ones", linear, bias]
    );
    let timm = [
        ("cls_token", &[1, 1, 8][..]),
        ("pos_embed", &[1, 5, 8]),
        ("patch_embed.proj.weight", &[8, 3, 2, 2]),
        ("patch_embed.proj.bias", vector),
        ("blocks.0.norm1.weight", vector),
        ("blocks.0.norm1.bias", vector),
        ("blocks.0.attn.qkv.weight", matrix),
        ("blocks.0.mlp.fc1.bias", vector),
        ("norm.weight", vector),
        ("head.weight", matrix),
    ];
    let absolute = "truncated_normal(std=0.02)";
    let by_twelve = Initializer::pytorch_bias(12).to_string();
    assert_eq!(
        initializers(Recipe::VIT, &timm),
        [
            "normal(std=0.000001)",
            absolute,
            linear,
            &by_twelve,
            "ones",
            "zeros",
            absolute,
            "zeros",
            "ones",
            absolute
        ]
    );
    let hugging_face = [
        ("vit.embeddings.cls_token", &[1, 1, 8][..]),
        ("vit.embeddings.mask_token", &[1, 1, 8]),
        ("vit.embeddings.position_embeddings", &[1, 5, 8]),
        ("vit.embeddings.patch_embeddings.projection.weight", &[8, 3, 2, 2]),
        ("vit.embeddings.patch_embeddings.projection.bias", vector),
        ("vit.encoder.layer.0.layernorm_before.weight", vector),
        ("vit.encoder.layer.0.attention.attention.query.weight", matrix),
        ("vit.layernorm.weight", vector),
        ("classifier.bias", vector),
    ];
    assert_eq!(
        initializers(Recipe::VIT, &hugging_face),
        [absolute, "zeros", absolute, absolute, "zeros", "ones", absolute, "ones", "zeros"]
    );
}

#[test]
fn the_first_match_wins() {
    let rules = "
        rules = [
            { match = '*.special.weight', init = 'ones' },
            { regex = 'weight', dims = 1, init = 'constant(val=2)' },
            { match = '*.weight', min_dims = 2, init = 'xavier_uniform', layout = 'jax', shard = { dim = 1 } },
        ]
        default = 'zeros'";
    let tensors: [(&str, &[usize]); 4] =
        [("a.special.weight", &[2, 3]), ("a.weight", &[4]), ("b.weight", &[2, 3]), ("b", &[2, 3])];
    let plan = plan(&tensors, rules).unwrap();
    let rules: Vec<_> = plan.entries().iter().map(|entry| entry.rule).collect();
    assert_eq!(rules, [Some(0), Some(1), Some(2), None]);
    let expected = TensorSpec::new([2, 3], Initializer::xavier_uniform())
        .name("b.weight")
        .seed(0)
        .dtype(DType::F32)
        .layout(Layout::KernelInOut);
    let entry = &plan.entries()[2];
    assert_eq!(entry.parameter, expected);
    assert_eq!(entry.fill, expected.resolve(0, 0).unwrap());
    assert_eq!((entry.shard_dim, plan.entries()[3].shard_dim), (Some(1), None));
    assert_eq!((plan.elements(), plan.bytes()), (22, 88));
}

#[test]
fn dtypes_and_seeds_have_an_order() {
    let text = "
        seed = 7
        dtype = 'f16'
        rules = [{ match = 'ruled*', init = 'ones', dtype = 'bf16' }, { match = '*', init = 'ones' }]";
    let rules: Rules = text.parse().unwrap();
    let tensors = [
        ("ruled", Some(DType::F32)),
        ("ruled.too", None),
        ("listed", Some(DType::F32)),
        ("none", None),
    ];
    let tensors = tensors.map(|(name, dtype)| (name, [4], dtype));
    let dtypes = |rules: &Rules| -> Vec<DType> {
        let plan = Plan::new(tensors, rules).unwrap();
        plan.entries().iter().map(|entry| entry.fill.dtype).collect()
    };
    assert_eq!(dtypes(&rules), [DType::BF16, DType::BF16, DType::F32, DType::F16]);
    assert_eq!(dtypes(&rules.clone().with_dtype(DType::F32)), [DType::F32; 4]);
    let seed = |rules: &Rules| Plan::new(tensors, rules).unwrap().entries()[0].fill.seed;
    assert_eq!((seed(&rules), seed(&rules.with_seed(42))), (7, 42));
}

#[test]
fn scales_know_the_depth() {
    let tensors: Vec<_> = (0..4)
        .map(|i| (format!("h.{i}.w"), [8, 8], None))
        .chain([("e.9.w".into(), [8, 8], None)])
        .collect();
    let scales = |before: &str, formula: &str| -> Vec<f64> {
        let text = format!("{before}\n[[rules]]\nmatch = '*'\ninit = 'normal'\nscale = {formula}");
        let plan = Plan::new(tensors.clone(), &text.parse().unwrap()).unwrap();
        plan.entries().iter().map(|entry| entry.scale).collect()
    };
    let depth = |layer: f64| 1.0 / (2.0 * (layer + 1.0)).sqrt();
    assert_eq!(scales("", "'1 / sqrt(2 * (layer + 1))'"), [0.0, 1.0, 2.0, 3.0, 9.0].map(depth));
    assert_eq!(scales("", "'layers'"), [4.0, 4.0, 4.0, 4.0, 10.0]);
    assert_eq!(scales("layers = 32", "'layers'"), [32.0; 5]);
    assert_eq!(scales("", "0.1"), [0.1; 5]);
}

/// A distribution is scaled whole: bounds, mean and standard deviation.
#[test]
fn scales_multiply_the_distribution() {
    let rules = "rules = [{ match = '*', init = 'truncated_normal(mean=2, std=4, a=-2, b=8)', scale = '1 / 2' }]";
    let plan = plan(&[("w", &[8])], rules).unwrap();
    let Distribution::Truncated { mean, std, low, high, .. } = plan.entries()[0].fill.distribution
    else {
        panic!()
    };
    assert_eq!((mean, std, low, high), (1.0, 2.0, -1.0, 4.0));
}

#[test]
fn tied_tensors_are_one() {
    let text = "
        tied = [['absent', 'owner', 'alias', 'nowhere'], ['left', 'gone']]
        rules = [{ match = 'owner', init = 'ones' }, { match = 'l*', init = 'zeros' }]";
    let rules: Rules = text.parse().unwrap();
    let list = |owner: Option<DType>, alias: Option<DType>, shape: [usize; 2]| {
        Plan::new(
            [("alias", shape, alias), ("left", [2, 2], None), ("owner", [2, 3], owner)],
            &rules,
        )
    };
    // No rule matches the alias, and none need to.
    let plan = list(None, Some(DType::BF16), [2, 3]).unwrap();
    let names: Vec<_> = plan
        .entries()
        .iter()
        .map(|entry| (entry.name.as_str(), entry.aliases.as_slice()))
        .collect();
    assert_eq!(names, [("left", &[][..]), ("owner", &["alias".to_owned()])]);
    assert_eq!(plan.entries()[1].fill.dtype, DType::BF16, "what either says");
    assert_eq!(plan.entries()[1].fill.stream, gpu_init::stream_of("owner"));
    assert_eq!(plan.elements(), 4 + 6);

    let error = list(None, None, [3, 2]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "plan: \"owner\" and \"alias\" are tied, but are [2, 3] and [3, 2]; tie only tensors of one shape and dtype"
    );
    let error = list(Some(DType::F32), Some(DType::F16), [2, 3]).unwrap_err();
    assert!(error.to_string().contains("are [2, 3] F32 and [2, 3] F16;"), "{error}");
    let forced = rules.clone().with_dtype(DType::F16);
    let tensors = [("owner", [2, 3], Some(DType::F32)), ("alias", [2, 3], Some(DType::F16))];
    assert_eq!(Plan::new(tensors, &forced).unwrap().entries().len(), 1, "all have one dtype");
}

/// GPT-2's head is its embedding, whether the list has it or not.
#[test]
fn gpt2_ties_its_head() {
    let without = Plan::new(model("gpt2"), &Recipe::GPT2.rules()).unwrap();
    let mut tensors = model("gpt2");
    tensors.push(("lm_head.weight".to_owned(), vec![50257, 768], Some(DType::F32)));
    let with = Plan::new(tensors, &Recipe::GPT2.rules()).unwrap();
    let (with_names, without_names) = (by_name(&with), by_name(&without));
    assert_eq!((with.bytes(), with_names.len()), (without.bytes(), without_names.len()));
    for (name, entry) in with_names {
        let head = name == "transformer.wte.weight";
        assert_eq!(entry.aliases, if head { vec!["lm_head.weight"] } else { vec![] });
        assert_eq!(entry.parameter, without_names[name].parameter);
    }
}

#[test]
fn errors_name_tensor_rule_and_remedy() {
    let rules = |rule: &str| format!("rules = [{{ match = '*', {rule} }}]");
    for (tensors, rules, expected) in [
        (
            &[("a", &[2][..]), ("b", &[2]), ("a", &[3])][..],
            rules("init = 'ones'"),
            "plan: the name \"a\" comes twice; give every tensor a name of its own",
        ),
        (
            &[("h.0\n", &[2]), ("w", &[2]), ("b", &[2])],
            "rules = [{ match = 'w', init = 'ones' }]".to_owned(),
            "plan: no rule matches \"h.0\\n\", \"b\"; add a rule, or a default for all that no rule matches",
        ),
        (
            &[("w", &[8])],
            rules("init = 'xavier_normal'"),
            "plan: tensor \"w\", rule 1 (match = \"*\"): xavier_normal: shape [8] has 1 dimension, but fan_in and fan_out \
             need at least two; use normal, uniform or constant for vectors",
        ),
        (
            &[("w", &[3, 0])],
            "default = 'ones'".to_owned(),
            "plan: tensor \"w\", the default: constant: shape [3, 0] has a dimension of size 0; every dimension must be \
             at least 1",
        ),
        (
            &[("wte", &[8])],
            rules("init = 'normal', scale = '1 / layers', name = 'embeddings'"),
            "plan: tensor \"wte\", rule 1 (embeddings): scale \"1 / layers\" cannot be computed: the number of layers is \
             not known from the tensor's name; set layers = ... in the rules",
        ),
        (
            &[("wte", &[8])],
            rules("init = 'normal', scale = 'layer'"),
            "plan: tensor \"wte\", rule 1 (match = \"*\"): scale \"layer\" cannot be computed: the tensor's name has no \
             layer: a segment of digits, as in \"h.0.attn\"",
        ),
        (
            &[("h.0.w", &[8])],
            rules("init = 'normal', scale = '1 / layer'"),
            "plan: tensor \"h.0.w\", rule 1 (match = \"*\"): scale \"1 / layer\" cannot be computed: it is inf, not a \
             finite number",
        ),
        (
            &[("h.3.w", &[8])],
            format!("layers = 3\n{}", rules("init = 'normal', scale = '1 / layers'")),
            "plan: tensor \"h.3.w\", rule 1 (match = \"*\"): scale \"1 / layers\" cannot be computed: layer 3 is not below \
             layers = 3 of the rules",
        ),
        (
            &[("h.0.w", &[8])],
            rules("init = 'normal', scale = '-1'"),
            "plan: tensor \"h.0.w\", rule 1 (match = \"*\"): normal: scale = -1.0 is out of range; it must be a finite \
             number above 0",
        ),
        (
            &[("w", &[8, 4])],
            rules("init = 'normal', shard = { dim = 2 }"),
            "plan: tensor \"w\", rule 1 (match = \"*\"): shape [8, 4] has no dimension 2 to shard; they count from 0",
        ),
        (
            &[("fc.bias", &[8]), ("fc.weight", &[8])],
            rules("init = 'pytorch_bias'"),
            "plan: tensor \"fc.bias\", rule 1 (match = \"*\"): pytorch_bias needs the fan_in of \"fc.weight\", which is not \
             there with two or more dimensions; list it, or use uniform or zeros",
        ),
    ] {
        let error = plan(tensors, &rules).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Plan(_)));
        assert_eq!(error.to_string(), expected);
    }
    let huge = (0..5).map(|i| (format!("w{i}"), vec![1usize << 30, 1 << 30], None));
    let error = Plan::new(huge, &rules("init = 'normal'").parse().unwrap()).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Plan(PlanError::Overflow { tensors: 5 }));
    let many = (0..12).map(|i| (format!("w{i}"), [1], None));
    let error =
        Plan::new(many, &"rules = [{ match = 'x', init = 'ones' }]".parse().unwrap()).unwrap_err();
    assert!(error.to_string().contains("\"w9\", and 2 more; add a rule"), "{error}");
}

#[test]
fn rules_without_a_tensor_are_warned_of() {
    let rules = "
        rules = [
            { match = '*.wieght', init = 'ones' },
            { match = '*', init = 'zeros' },
            { match = '*.weight', init = 'ones', name = 'late' },
            { match = '*.gamma', init = 'ones', optional = true },
        ]";
    let plan = plan(&[("fc.weight", &[2])], rules).unwrap();
    let [PlanWarning::Unused(_), PlanWarning::Shadowed(_)] = plan.warnings() else {
        panic!("{:?}", plan.warnings())
    };
    assert_eq!(
        plan.warnings()[1].to_string(),
        "rule 3 (late) is never used: rules before it match all its tensors; move it up or remove it"
    );
    let none: [(&str, [usize; 1], Option<DType>); 0] = [];
    let plan = Plan::new(none, &Recipe::XAVIER.rules()).unwrap();
    assert_eq!((plan.entries(), plan.elements(), plan.bytes()), (&[][..], 0, 0));
}

/// What PyTorch's Linear has by default, and Conv1d by its receptive field.
#[test]
fn pytorch_biases_take_the_fan_in_of_their_weight() {
    let tensors: [(&str, &[usize]); 6] = [
        ("fc.weight", &[8, 16]),
        ("fc.bias", &[8]),
        ("conv.bias", &[8]),
        ("conv.weight", &[8, 4, 5]),
        ("attn.in_proj_weight", &[8, 64]),
        ("attn.in_proj_bias", &[8]),
    ];
    let rules = "rules = [{ match = '*', dims = 1, init = 'pytorch-bias' }, { match = '*', init = 'pytorch_linear' }]";
    let plan = plan(&tensors, rules).unwrap();
    let entries = by_name(&plan);
    for (name, fan_in) in [("fc.bias", 16), ("conv.bias", 20), ("attn.in_proj_bias", 64)] {
        assert_eq!(entries[name].parameter.initializer(), Initializer::pytorch_bias(fan_in));
    }
    let bias = Cpu::new().fill(&entries["fc.bias"].parameter).unwrap();
    assert!(bias.stats().max <= 0.25 && bias.stats().min >= -0.25);
}

proptest! {
    /// Shuffling the list changes nothing but the order of the entries.
    #[test]
    fn order_changes_nothing(tensors in Just(model("gpt2")).prop_shuffle()) {
        let plan = |tensors: Tensors| {
            let rules = Recipe::GPT2.text().replace("1 / sqrt(2 * layers)", "1 / sqrt(2 * layers * (layer + 1))");
            let rules = format!("{rules}\n[[rules]]\nmatch = '*.gone'\ninit = 'ones'");
            let plan = Plan::new(tensors, &rules.parse().unwrap()).unwrap();
            let mut entries = plan.entries().to_vec();
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            (entries, plan.warnings().to_vec(), plan.elements(), plan.bytes())
        };
        prop_assert_eq!(plan(tensors), plan(model("gpt2")));
    }

    #[test]
    fn no_tensor_panics(
        names in prop::collection::vec("[.a-z0-9/*]{0,8}|(h|layer)\\.[0-9]{1,20}\\.c_proj\\.(weight|bias)|.*", 0..8),
        shape in prop::collection::vec(prop_oneof![0usize..9, any::<usize>()], 0..4),
        recipe in 0..Recipe::ALL.len(),
    ) {
        let _ = Plan::new(names.into_iter().map(|name| (name, shape.clone(), None)), &Recipe::ALL[recipe].rules());
    }
}

/// The padding token's row, whole or in a shard, and nothing else.
#[test]
fn berts_padding_row_is_zero() {
    let name = "bert.embeddings.word_embeddings.weight";
    let plan = Plan::new([(name, [50, 8], None)], &Recipe::BERT.rules()).unwrap();
    let values = Cpu::new().fill(&plan.entries()[0].parameter).unwrap().to_f32();
    assert!(
        values[..8].iter().all(|&value| value == 0.0)
            && values[8..].iter().all(|&value| value != 0.0)
    );
    let parts: Vec<f32> = (0..3)
        .flat_map(|rank| {
            Cpu::new().fill(&plan.shard(rank, 3).unwrap().entries()[0].parameter).unwrap().to_f32()
        })
        .collect();
    assert_eq!(parts, values);
}
