//! Rules, recipes and plans.
#![cfg(feature = "rules")]

use std::collections::HashMap;
use std::f64::consts::SQRT_2;
use std::fs;

use gpu_init::{
    Cpu, DType, Distribution, Initializer, Layout, ListedTensor, Plan, PlanEntry, PlanError,
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

fn plan(tensors: &[(&str, &[usize])], rules: &str) -> Result<Plan, PlanError> {
    let rules: Rules = rules.parse().unwrap();
    Plan::new(tensors.iter().map(|&(name, shape)| (name, shape, None)), &rules)
}

/// Rules of one initializer are those of its text as the default.
#[test]
fn one_initializer_for_all() {
    for (name, initializer) in Initializer::named() {
        // These have no default for an option.
        let initializer = match name {
            "constant" => Initializer::constant(0.1),
            "sparse" => Initializer::sparse(0.1),
            _ => initializer,
        };
        let parsed: Rules = format!("default = '{initializer}'").parse().unwrap();
        assert_eq!(format!("{:?}", Rules::from(initializer)), format!("{parsed:?}"));
    }
}

fn by_name(plan: &Plan) -> HashMap<&str, &PlanEntry> {
    plan.entries().iter().map(|entry| (entry.name.as_str(), entry)).collect()
}

/// The standard deviation of N(0, 1) truncated at -3 and 3.
const THREE_SIGMA: f64 = 0.986_578_36;

/// A recipe with a model's list, its numbers of tensors and elements, and the standard deviations
/// of some tensors as a numerator and the square of a denominator.
type Model = (Recipe, &'static str, usize, u64, &'static [(&'static str, f64, f64)]);

const MODELS: [Model; 5] = [
    (
        Recipe::GPT2,
        "gpt2",
        148,
        124_439_808,
        &[
            ("transformer.wte.weight", 0.02, 1.0),
            ("transformer.h.0.attn.c_attn.weight", 0.02, 1.0),
            ("transformer.h.3.attn.c_proj.weight", 0.02, 24.0),
            ("transformer.h.11.mlp.c_proj.weight", 0.02, 24.0),
        ],
    ),
    (
        Recipe::LLAMA,
        "llama-2-7b",
        291,
        6_738_415_616,
        &[
            ("model.embed_tokens.weight", 0.02 * THREE_SIGMA, 1.0),
            ("lm_head.weight", 0.02 * THREE_SIGMA, 1.0),
            ("model.layers.0.mlp.up_proj.weight", 0.02 * THREE_SIGMA, 1.0),
            ("model.layers.31.self_attn.o_proj.weight", 0.02 * THREE_SIGMA, 64.0),
            ("model.layers.0.mlp.down_proj.weight", 0.02 * THREE_SIGMA, 64.0),
        ],
    ),
    (
        Recipe::LLAMA,
        "llama-3.2-1b",
        146,
        1_235_814_400,
        &[("model.layers.0.mlp.down_proj.weight", 0.02 * THREE_SIGMA, 32.0)],
    ),
    (
        Recipe::BERT,
        "bert-base",
        202,
        109_514_298,
        &[
            ("bert.embeddings.word_embeddings.weight", 0.02, 1.0),
            ("bert.encoder.layer.7.attention.output.dense.weight", 0.02, 1.0),
            ("cls.predictions.transform.dense.weight", 0.02, 1.0),
        ],
    ),
    (
        Recipe::RESNET,
        "resnet-50",
        161,
        25_557_032,
        &[
            // Kaiming normal by fan_out.
            ("resnet.embedder.embedder.convolution.weight", SQRT_2, 64.0 * 49.0),
            ("resnet.encoder.stages.0.layers.0.shortcut.convolution.weight", SQRT_2, 256.0),
            ("classifier.1.weight", 1.0, 3.0 * 2048.0),
            ("classifier.1.bias", 1.0, 3.0 * 2048.0),
        ],
    ),
];

#[test]
fn recipes_give_the_distributions_of_their_models() {
    for (recipe, list, tensors, elements, stds) in MODELS {
        let plan = Plan::new(model(list), &recipe.rules()).unwrap();
        assert_eq!(plan.warnings(), [], "{list}");
        assert_eq!((plan.entries().len(), plan.elements()), (tensors, elements), "{list}");
        assert_eq!(
            plan.bytes(),
            plan.entries().iter().map(|entry| entry.fill.bytes()).sum::<u64>()
        );
        let entries = by_name(&plan);
        for &(name, numerator, square) in stds {
            let std = numerator / square.sqrt();
            let actual = entries[name].fill.distribution.std();
            assert!((actual / std - 1.0).abs() < 1e-7, "{list} {name}: {actual}, not {std}");
        }
        for entry in plan.entries().iter().filter(|entry| entry.spec.shape().dims().len() == 1) {
            // Norms are ones, biases zeros, except for the classifier's bias.
            let norm = entry.name.ends_with("weight");
            let expected = if norm { Initializer::ones() } else { Initializer::zeros() };
            assert!(
                entry.spec.initializer() == expected || entry.name == "classifier.1.bias",
                "{}",
                entry.name
            );
        }
    }
}

#[test]
fn xavier_recipe_covers_every_model() {
    for list in ["gpt2", "llama-2-7b", "llama-3.2-1b", "bert-base", "resnet-50"] {
        let plan = Plan::new(model(list), &Recipe::XAVIER.rules()).unwrap();
        assert_eq!(plan.warnings(), []);
        for entry in plan.entries() {
            let expected = match entry.spec.shape().dims() {
                [_] | [] if entry.name.ends_with(".weight") => Initializer::ones(),
                [_] | [] => Initializer::zeros(),
                _ => Initializer::xavier_normal(),
            };
            assert_eq!(entry.spec.initializer(), expected, "{}", entry.name);
        }
    }
}

#[test]
fn xavier_recipe_knows_norm_weights_by_name() {
    let initializer = |name: &str| {
        let plan = Plan::new([(name, [8], None)], &Recipe::XAVIER.rules()).unwrap();
        plan.entries()[0].spec.initializer()
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

const TRUNCATED: &str = "truncated_normal_sigma(std=0.02, lower=-3, upper=3)";
const ABSOLUTE: &str = "truncated_normal(std=0.02)";
const NORMAL: &str = "normal(std=0.02)";
const CONVOLUTION: &str = "kaiming_normal(mode=fan_out, nonlinearity=relu)";
const LINEAR: &str = "kaiming_uniform(a=2.23606797749979)";
const MATRIX: &[usize] = &[8, 4];
const VECTOR: &[usize] = &[8];

/// A tensor's name and shape, and its initializer.
type Named = (&'static str, &'static [usize], &'static str);

/// Tensors of the recipes' architectures as other libraries name them, with their initializers.
const OTHER_NAMES: [(Recipe, &[Named]); 6] = [
    // Meta.
    (
        Recipe::LLAMA,
        &[
            ("tok_embeddings.weight", MATRIX, TRUNCATED),
            ("layers.0.attention.wq.weight", MATRIX, TRUNCATED),
            ("layers.0.attention.wo.weight", MATRIX, TRUNCATED),
            ("layers.0.feed_forward.w2.weight", MATRIX, TRUNCATED),
            ("layers.0.attention_norm.weight", VECTOR, "ones"),
            ("norm.weight", VECTOR, "ones"),
            ("output.weight", MATRIX, TRUNCATED),
        ],
    ),
    // nanoGPT.
    (
        Recipe::GPT2,
        &[
            ("wte.weight", MATRIX, NORMAL),
            ("h.0.attn.c_proj.weight", MATRIX, NORMAL),
            ("h.0.mlp.c_fc.bias", VECTOR, "zeros"),
            ("ln_f.weight", VECTOR, "ones"),
        ],
    ),
    // TensorFlow.
    (
        Recipe::BERT,
        &[
            ("bert/embeddings/word_embeddings", MATRIX, NORMAL),
            ("bert/encoder/layer_0/attention/self/query/kernel", MATRIX, NORMAL),
            ("bert/encoder/layer_0/attention/self/query/bias", VECTOR, "zeros"),
            ("bert/encoder/layer_0/output/LayerNorm/gamma", VECTOR, "ones"),
            ("bert/encoder/layer_0/output/LayerNorm/beta", VECTOR, "zeros"),
            ("cls/predictions/output_bias", VECTOR, "zeros"),
        ],
    ),
    // torchvision.
    (
        Recipe::RESNET,
        &[
            ("conv1.weight", &[8, 3, 7, 7], CONVOLUTION),
            ("bn1.weight", VECTOR, "ones"),
            ("bn1.bias", VECTOR, "zeros"),
            ("bn1.running_mean", VECTOR, "zeros"),
            ("bn1.running_var", VECTOR, "ones"),
            ("bn1.num_batches_tracked", &[], "zeros"),
            ("layer1.0.downsample.0.weight", &[8, 8, 1, 1], CONVOLUTION),
            ("layer1.0.downsample.1.weight", VECTOR, "ones"),
            ("fc.weight", &[8, 4], LINEAR),
            ("fc.bias", VECTOR, "uniform(a=-0.5, b=0.5)"),
        ],
    ),
    // timm.
    (
        Recipe::VIT,
        &[
            ("cls_token", &[1, 1, 8], "normal(std=0.000001)"),
            ("pos_embed", &[1, 5, 8], ABSOLUTE),
            ("patch_embed.proj.weight", &[8, 3, 2, 2], LINEAR),
            ("patch_embed.proj.bias", VECTOR, "pytorch_bias(12)"),
            ("blocks.0.norm1.weight", VECTOR, "ones"),
            ("blocks.0.norm1.bias", VECTOR, "zeros"),
            ("blocks.0.attn.qkv.weight", MATRIX, ABSOLUTE),
            ("blocks.0.mlp.fc1.bias", VECTOR, "zeros"),
            ("norm.weight", VECTOR, "ones"),
            ("head.weight", MATRIX, ABSOLUTE),
        ],
    ),
    // Hugging Face.
    (
        Recipe::VIT,
        &[
            ("vit.embeddings.cls_token", &[1, 1, 8], ABSOLUTE),
            ("vit.embeddings.mask_token", &[1, 1, 8], "zeros"),
            ("vit.embeddings.position_embeddings", &[1, 5, 8], ABSOLUTE),
            ("vit.embeddings.patch_embeddings.projection.weight", &[8, 3, 2, 2], ABSOLUTE),
            ("vit.embeddings.patch_embeddings.projection.bias", VECTOR, "zeros"),
            ("vit.encoder.layer.0.layernorm_before.weight", VECTOR, "ones"),
            ("vit.encoder.layer.0.attention.attention.query.weight", MATRIX, ABSOLUTE),
            ("vit.layernorm.weight", VECTOR, "ones"),
            ("classifier.bias", VECTOR, "zeros"),
        ],
    ),
];

#[test]
fn recipes_know_the_names_of_other_libraries() {
    for (recipe, tensors) in OTHER_NAMES {
        let list: Vec<_> = tensors.iter().map(|&(name, shape, _)| (name, shape)).collect();
        let plan = plan(&list, recipe.text()).unwrap();
        assert_eq!(plan.warnings(), [], "{}", recipe.name());
        assert_eq!(plan.entries().len(), tensors.len());
        for (entry, (name, _, expected)) in plan.entries().iter().zip(tensors) {
            let expected = match *expected {
                "pytorch_bias(12)" => Initializer::pytorch_bias(12).to_string(),
                text => text.to_owned(),
            };
            assert_eq!(entry.spec.initializer().to_string(), expected, "{name}");
        }
    }
}

#[test]
fn first_match_wins() {
    let rules = "
        rules = [
            { match = '*.special.weight', init = 'ones' },
            { regex = 'weight', dims = 1, init = 'constant(val=2)' },
            { match = '*.weight', min_dims = 2, init = 'xavier_uniform', layout = 'jax', shard.dim = 1 },
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
    assert_eq!(entry.spec, expected);
    assert_eq!(entry.fill, expected.resolve(0, 0).unwrap());
    assert_eq!((entry.shard_dim, plan.entries()[3].shard_dim), (Some(1), None));
    assert_eq!((plan.elements(), plan.bytes()), (22, 88));
}

#[test]
fn dtypes_and_seeds_have_a_precedence() {
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

/// A framework knows the layouts of its layers; what a rule says counts more.
#[test]
fn listed_layouts_count_where_rules_have_none() {
    let list = || -> [ListedTensor; 4] {
        let bias = Layout::Fans { fan_in: 64, fan_out: 32 };
        [
            ("fc.weight", vec![64, 32], None, Layout::KernelInOut).into(),
            ("fc.bias", vec![32], None, bias).into(),
            ("conv.weight", vec![8, 2, 3, 3], None, Layout::Grouped { groups: 4 }).into(),
            ("other", vec![5, 7, 2], None).into(),
        ]
    };
    let plan = |rules: &str| Plan::new(list(), &rules.parse().unwrap()).unwrap();
    let fans = |plan: &Plan| -> Vec<_> {
        plan.entries().iter().map(|entry| entry.spec.fan_in_and_out().unwrap()).collect()
    };
    let listed = plan("default = 'xavier_normal'");
    assert_eq!(fans(&listed), [(64, 32), (64, 32), (18, 18), (14, 10)]);
    let [PlanWarning::Layout { tensor, .. }] = listed.warnings() else { panic!("{listed:?}") };
    assert_eq!(tensor, "other", "the others' layouts are known");

    let ruled = "
        [[rules]]
        match = 'conv.weight'
        init = 'xavier_normal'
        layout = 'out_in_kernel'
        [[rules]]
        match = '*'
        init = 'xavier_normal'
        fans = { of = 'weight' }";
    let ruled = Plan::new(list()[..3].to_vec(), &ruled.parse().unwrap());
    assert_eq!(fans(&ruled.unwrap()), [(64, 32), (64, 32), (18, 72)], "fc's by the list's layout");
    let biases = "default = 'zeros'\nrules = [{ match = '*.bias', init = 'pytorch_bias' }]";
    let bias = plan(biases).entries()[1].spec.initializer();
    assert_eq!(bias, Initializer::pytorch_bias(64));
}

#[test]
fn rules_put_before_others_win() {
    let first: Rules = "
        seed = 9
        default = 'normal'
        rules = [{ match = '*.gamma', init = 'ones' }]"
        .parse()
        .unwrap();
    let rules: Rules = "seed = 3\nrules = [{ match = '*', init = 'zeros' }]".parse().unwrap();
    let rules = rules.preceded_by(&first);
    assert_eq!((rules.seed(), rules.rules().len()), (3, 2));
    let plan = Plan::new([("n.gamma", [4], None), ("n.beta", [4], None)], &rules).unwrap();
    let initializers = plan.entries().iter().map(|entry| entry.spec.initializer());
    assert!(initializers.eq([Initializer::ones(), Initializer::zeros()]));
}

#[test]
fn formulas_know_layer_and_layers() {
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

/// A scale multiplies bounds, mean and standard deviation alike.
#[test]
fn scales_multiply_the_distribution() {
    let rules = "
        [[rules]]
        match = '*'
        init = 'truncated_normal(mean=2, std=4, a=-2, b=8)'
        scale = '1 / 2'";
    let plan = plan(&[("w", &[8])], rules).unwrap();
    let Distribution::Truncated { mean, std, low, high, .. } = plan.entries()[0].fill.distribution
    else {
        panic!()
    };
    assert_eq!((mean, std, low, high), (1.0, 2.0, -1.0, 4.0));
}

#[test]
fn tied_tensors_share_an_entry() {
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
    // No rule matches the alias, and none has to.
    let plan = list(None, Some(DType::BF16), [2, 3]).unwrap();
    let names: Vec<_> = plan
        .entries()
        .iter()
        .map(|entry| (entry.name.as_str(), entry.aliases.as_slice()))
        .collect();
    assert_eq!(names, [("left", &[][..]), ("owner", &["alias".to_owned()])]);
    assert_eq!(plan.entries()[1].fill.dtype, DType::BF16, "the dtype of either");
    assert_eq!(plan.entries()[1].fill.stream, gpu_init::stream_of("owner"));
    assert_eq!(plan.elements(), 4 + 6);

    let error = list(None, None, [3, 2]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "plan: \"owner\" and \"alias\" are tied, but are [2, 3] and [3, 2]; tie only tensors of one \
         shape and dtype"
    );
    let error = list(Some(DType::F32), Some(DType::F16), [2, 3]).unwrap_err();
    assert!(error.to_string().contains("are [2, 3] F32 and [2, 3] F16;"), "{error}");
    let forced = rules.clone().with_dtype(DType::F16);
    let tensors = [("owner", [2, 3], Some(DType::F32)), ("alias", [2, 3], Some(DType::F16))];
    assert_eq!(Plan::new(tensors, &forced).unwrap().entries().len(), 1, "all have one dtype");
}

/// GPT-2's head shares its embedding, whether the list has it or not.
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
        assert_eq!(entry.spec, without_names[name].spec);
    }
}

/// Tensors, rules or what follows the match of a single rule, and the error after `plan: `.
type Refusal = (&'static [(&'static str, &'static [usize])], &'static str, &'static str);

const REFUSALS: [Refusal; 11] = [
    (
        &[("a", &[2]), ("b", &[2]), ("a", &[3])],
        "init = 'ones'",
        "the name \"a\" comes twice; give every tensor a name of its own",
    ),
    (
        &[("h.0\n", &[2]), ("w", &[2]), ("b", &[2])],
        "rules = [{ match = 'w', init = 'ones' }]",
        "no rule matches \"h.0\\n\", \"b\"; add a rule, or a default for all that no rule matches",
    ),
    (
        &[("w", &[8])],
        "init = 'xavier_normal'",
        "tensor \"w\", rule 1 (match = \"*\"): xavier_normal: shape [8] has 1 dimension, but \
         fan_in and fan_out need at least two; use normal, uniform or constant for vectors",
    ),
    (
        &[("w", &[3, 0])],
        "default = 'ones'",
        "tensor \"w\", the default: constant: shape [3, 0] has a dimension of size 0; every \
         dimension must be at least 1",
    ),
    (
        &[("wte", &[8])],
        "init = 'normal', scale = '1 / layers', name = 'embeddings'",
        "tensor \"wte\", rule 1 (embeddings): scale \"1 / layers\" cannot be computed: the number \
         of layers is not known from the tensor's name; set layers = ... in the rules",
    ),
    (
        &[("wte", &[8])],
        "init = 'normal', scale = 'layer'",
        "tensor \"wte\", rule 1 (match = \"*\"): scale \"layer\" cannot be computed: the tensor's \
         name has no layer: a segment of digits, as in \"h.0.attn\"",
    ),
    (
        &[("h.0.w", &[8])],
        "init = 'normal', scale = '1 / layer'",
        "tensor \"h.0.w\", rule 1 (match = \"*\"): scale \"1 / layer\" cannot be computed: it is \
         inf, not a finite number",
    ),
    (
        &[("h.3.w", &[8])],
        "layers = 3\nrules = [{ match = '*', init = 'normal', scale = '1 / layers' }]",
        "tensor \"h.3.w\", rule 1 (match = \"*\"): scale \"1 / layers\" cannot be computed: layer \
         3 is not below layers = 3 of the rules",
    ),
    (
        &[("h.0.w", &[8])],
        "init = 'normal', scale = '-1'",
        "tensor \"h.0.w\", rule 1 (match = \"*\"): normal: scale = -1.0 is out of range; it must \
         be a finite number above 0",
    ),
    (
        &[("w", &[8, 4])],
        "init = 'normal', shard = { dim = 2 }",
        "tensor \"w\", rule 1 (match = \"*\"): shape [8, 4] has no dimension 2 to shard; they \
         count from 0",
    ),
    (
        &[("fc.bias", &[8]), ("fc.weight", &[8])],
        "init = 'pytorch_bias'",
        "tensor \"fc.bias\", rule 1 (match = \"*\"): pytorch_bias needs the fan_in of \
         \"fc.weight\", which is not there with two or more dimensions; list it, or use uniform \
         or zeros",
    ),
];

#[test]
fn errors_name_tensor_rule_and_remedy() {
    for (tensors, rules, expected) in REFUSALS {
        let rules = match rules.starts_with("init") {
            true => format!("rules = [{{ match = '*', {rules} }}]"),
            false => rules.to_owned(),
        };
        let error = plan(tensors, &rules).unwrap_err();
        assert_eq!(error.to_string(), format!("plan: {expected}"));
    }
    let huge = (0..5).map(|i| (format!("w{i}"), vec![1usize << 30, 1 << 30], None));
    let error = Plan::new(huge, &"default = 'normal'".parse().unwrap()).unwrap_err();
    assert_eq!(error, PlanError::Overflow { tensors: 5 });
    let many = (0..12).map(|i| (format!("w{i}"), [1], None));
    let error =
        Plan::new(many, &"rules = [{ match = 'x', init = 'ones' }]".parse().unwrap()).unwrap_err();
    assert!(error.to_string().contains("\"w9\", and 2 more; add a rule"), "{error}");
}

#[test]
fn unused_rules_are_warned_about() {
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
        "rule 3 (late) is never used: rules before it match all its tensors; move it up or remove \
         it"
    );
    let none: [(&str, [usize; 1], Option<DType>); 0] = [];
    let plan = Plan::new(none, &Recipe::XAVIER.rules()).unwrap();
    assert_eq!((plan.entries(), plan.elements(), plan.bytes()), (&[][..], 0, 0));
}

/// The fans that a plan by the xavier recipe gives a tensor, and whether it warns of them.
fn fans(name: &str, shape: &[usize]) -> (Option<(u64, u64)>, bool) {
    let plan = Plan::new([(name, shape, None)], &Recipe::XAVIER.rules()).unwrap();
    (plan.entries()[0].spec.fan_in_and_out(), !plan.warnings().is_empty())
}

#[test]
fn xavier_recipe_knows_how_to_read_the_usual_names() {
    for (name, shape, expected) in [
        ("model.layers.0.mlp.experts.gate_up_proj", &[8, 28672, 4096][..], (4096, 28672)),
        ("model.layers.0.mlp.experts.down_proj", &[8, 4096, 14336], (14336, 4096)),
        ("layers.0.block_sparse_moe.input_linear.weight", &[32, 1024, 1536], (1536, 1024)),
        ("conv1.weight", &[64, 3, 7, 7], (147, 3136)),
        ("features.0.weight", &[64, 3, 3, 3], (27, 576)),
        ("layer2.0.downsample.0.weight", &[128, 64, 1, 1], (64, 128)),
        ("patch_embed.proj.weight", &[768, 3, 16, 16], (768, 768 * 256)),
        ("stages.0.blocks.0.conv_dw.weight", &[96, 1, 7, 7], (49, 49)),
        ("backbone.layers.0.mixer.conv1d.weight", &[1536, 1, 4], (4, 4)),
        ("params/Conv_0/kernel", &[3, 3, 16, 32], (144, 288)),
        ("vit.embeddings.position_embeddings", &[1, 197, 768], (197, 768)),
    ] {
        assert_eq!(fans(name, shape), (Some(expected), false), "{name}");
    }
    assert_eq!(fans("w", &[8, 28672, 4096]), (Some((28672 * 4096, 8 * 4096)), true));
    assert_eq!(fans("w", &[28672, 4096]), (Some((4096, 28672)), false));
    assert!(!fans("experts.down_proj_bias", &[32, 2880]).1);
}

#[test]
fn fans_are_given_or_those_of_another_tensor() {
    let rules = "[[rules]]
        match = '*.weight'
        init = 'xavier_normal'
        layout = 'kernel_in_out'
        [[rules]]
        match = '*.bias'
        init = 'xavier_uniform'
        fans = { of = 'weight' }
        [[rules]]
        match = 'part'
        init = 'xavier_normal'
        fans = { in = 4096, out = 11008 }
        scale = 'sqrt(256 / fan_in) * dim0 / 8'
        [[rules]]
        match = 'out'
        init = 'kaiming_normal'
        fans = { of = 'a.weight' }";
    let tensors: [(&str, &[usize]); 4] =
        [("a.weight", &[12, 48]), ("a.bias", &[48]), ("part", &[8, 16]), ("out", &[])];
    let plan = plan(&tensors, rules).unwrap();
    let fans = plan.entries().iter().map(|entry| entry.spec.fan_in_and_out().unwrap());
    assert_eq!(fans.collect::<Vec<_>>(), [(12, 48), (12, 48), (4096, 11008), (12, 48)]);
    let std = |index: usize| plan.entries()[index].fill.distribution.std() as f32;
    assert_eq!(std(1), (2.0f64 / 60.0).sqrt() as f32);
    assert_eq!(std(2), (0.25 * (2.0f64 / 15104.0).sqrt()) as f32);
    assert_eq!(plan.entries()[2].scale, 0.25);
    assert!(plan.warnings().is_empty());
}

#[test]
fn an_unclear_layout_is_warned_about_once_for_a_rule() {
    let rules = "default = 'xavier_normal'\n[[rules]]\nmatch = 'o*'\ninit = 'orthogonal'";
    let tensors: [(&str, &[usize]); 4] =
        [("a", &[4, 3, 2]), ("b", &[4, 3]), ("c", &[5, 4, 3]), ("o", &[4, 3, 2])];
    let plan = plan(&tensors, rules).unwrap();
    let warnings: Vec<_> = plan.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    let start = "the default takes \"a\" [4, 3, 2] (1 of 2 such tensors) for a convolution (out, in, \
                 kernel...), fan_in 6 and fan_out 8: give a rule for it a layout, such as \"out";
    assert!(warnings[0].starts_with(start), "{warnings:?}");
    assert!(warnings[1].contains("\"o\""), "{warnings:?}");
}

#[test]
fn tensors_are_kept_by_their_rule_or_by_only() {
    let rules = "only = ['head.*']
        [[rules]]
        match = '*.mask'
        init = 'keep'
        [[rules]]
        match = '*'
        init = 'xavier_normal'";
    let tensors: [(&str, &[usize]); 3] =
        [("head.weight", &[3, 4]), ("head.mask", &[3]), ("body.weight", &[5, 6])];
    let planned = plan(&tensors, rules).unwrap();
    let kept: Vec<_> = planned.kept().iter().map(|kept| (&*kept.name, kept.rule)).collect();
    assert_eq!(kept, [("head.mask", Some(0)), ("body.weight", None)]);
    assert_eq!((planned.entries().len(), planned.elements()), (1, 12));
    // Tied tensors are initialized by any of their names.
    let tied = format!("tied = [['body.weight', 'head.weight']]\n{rules}");
    let tensors: [(&str, &[usize]); 2] = [("head.weight", &[5, 6]), ("body.weight", &[5, 6])];
    assert_eq!(&*plan(&tensors, &tied).unwrap().entries()[0].name, "body.weight");
    let kept = plan(&tensors, &tied.replace("'head.*'", "'other'")).unwrap();
    assert_eq!(kept.kept()[0].aliases, ["head.weight"]);
}

/// The lists of tests/models/hf, as transformers saves its models, each with the recipe that is made
/// for it; none for those that follow Hugging Face's default.
const LISTS: [(&str, Option<Recipe>); 25] = [
    ("bert", Some(Recipe::BERT)),
    ("clip", Some(Recipe::CLIP)),
    ("deepseek-v3", Some(Recipe::DEEPSEEK_V3)),
    ("dit", Some(Recipe::DIT)),
    ("falcon", None),
    ("gemma3", Some(Recipe::GEMMA3)),
    ("gpt-neox", Some(Recipe::GPT_NEOX)),
    ("gpt2", Some(Recipe::GPT2)),
    ("llama", Some(Recipe::LLAMA)),
    ("mamba", Some(Recipe::MAMBA)),
    ("mamba2", Some(Recipe::MAMBA2)),
    ("mistral", Some(Recipe::LLAMA)),
    ("mixtral", Some(Recipe::MIXTRAL)),
    ("opt", Some(Recipe::OPT)),
    ("phi", None),
    ("qwen3", Some(Recipe::QWEN3)),
    ("qwen3-moe", Some(Recipe::QWEN3)),
    ("resnet", Some(Recipe::RESNET)),
    ("swin", Some(Recipe::SWIN)),
    ("t5", Some(Recipe::T5)),
    ("t5-v1.1", Some(Recipe::T5)),
    ("vit", Some(Recipe::VIT)),
    ("wav2vec2", Some(Recipe::WAV2VEC2)),
    ("wav2vec2-ctc", Some(Recipe::WAV2VEC2)),
    ("whisper", Some(Recipe::WHISPER)),
];

/// No tensor is left to chance: one recipe fits, or none; each of its rules that a list needs is
/// used, and no tensor is taken for a convolution for want of a layout. The recipe xavier plans them
/// all, too.
#[test]
fn every_architecture_has_its_recipe() {
    let lists = fs::read_dir("tests/models/hf").unwrap().count();
    assert_eq!(lists, LISTS.len());
    for (name, recipe) in LISTS {
        let tensors = model(&format!("hf/{name}"));
        let names: Vec<_> = tensors.iter().map(|(name, ..)| name).collect();
        assert_eq!(Recipe::fitting(&names), Vec::from_iter(recipe), "{name}");
        let rules = recipe.unwrap_or(Recipe::HUGGINGFACE).rules();
        let planned =
            Plan::new(tensors.clone(), &rules).unwrap_or_else(|error| panic!("{name}: {error}"));
        let unclear = |plan: &Plan| {
            let layouts =
                plan.warnings().iter().filter(|it| matches!(it, PlanWarning::Layout { .. }));
            layouts.map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(unclear(&planned), [""; 0], "{name}");
        let by_default = Plan::new(tensors, &Recipe::XAVIER.rules());
        let by_default = by_default.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(unclear(&by_default), [""; 0], "{name}");
    }
}

#[test]
fn recipes_fit_the_models_they_are_made_for() {
    for (recipe, name, ..) in MODELS {
        let names: Vec<_> = model(name).into_iter().map(|(name, ..)| name).collect();
        assert_eq!(Recipe::fitting(&names), [recipe], "{name}");
    }
    assert!(Recipe::fitting(&["w"]).is_empty());
}

/// PyTorch's default for Linear, and for Conv1d, whose fan_in counts the receptive field.
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
    let rules = "
        rules = [
            { match = '*', dims = 1, init = 'pytorch-bias' },
            { match = '*', init = 'pytorch_linear' },
        ]";
    let plan = plan(&tensors, rules).unwrap();
    let entries = by_name(&plan);
    for (name, fan_in) in [("fc.bias", 16), ("conv.bias", 20), ("attn.in_proj_bias", 64)] {
        assert_eq!(entries[name].spec.initializer(), Initializer::pytorch_bias(fan_in));
    }
    let bias = Cpu::new().fill(&entries["fc.bias"].spec).unwrap();
    assert!(bias.stats().max <= 0.25 && bias.stats().min >= -0.25);
}

const NAMES: &str = "[.a-z0-9/*]{0,8}|(h|layer)\\.[0-9]{1,20}\\.c_proj\\.(weight|bias)|.*";

proptest! {
    /// Shuffling the list changes nothing but the order of the entries.
    #[test]
    fn order_changes_nothing(tensors in Just(model("gpt2")).prop_shuffle()) {
        let plan = |tensors: Tensors| {
            let by_layer = "1 / sqrt(2 * layers * (layer + 1))";
            let rules = Recipe::GPT2.text().replace("1 / sqrt(2 * layers)", by_layer);
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
        names in prop::collection::vec(NAMES, 0..8),
        shape in prop::collection::vec(prop_oneof![0usize..9, any::<usize>()], 0..4),
        recipe in 0..Recipe::ALL.len(),
    ) {
        let tensors = names.into_iter().map(|name| (name, shape.clone(), None));
        let _ = Plan::new(tensors, &Recipe::ALL[recipe].rules());
    }
}

/// Only the padding token's row is zero, in the whole tensor and in its shards.
#[test]
fn berts_padding_row_is_zero() {
    let name = "bert.embeddings.word_embeddings.weight";
    let plan = Plan::new([(name, [50, 8], None)], &Recipe::BERT.rules()).unwrap();
    let values = Cpu::new().fill(&plan.entries()[0].spec).unwrap().to_f32();
    assert!(
        values[..8].iter().all(|&value| value == 0.0)
            && values[8..].iter().all(|&value| value != 0.0)
    );
    let shards: Vec<f32> = (0..3)
        .flat_map(|rank| {
            Cpu::new().fill(&plan.shard(rank, 3).unwrap().entries()[0].spec).unwrap().to_f32()
        })
        .collect();
    assert_eq!(shards, values);
}
