//! Metal's and DX12's shaders as wgpu generates them: what the guards rely on is in the text.
//!
//! What their compilers then do is not for a text to say; see docs/same-bits.md. The self-test is for
//! that.

use std::collections::{HashMap, HashSet};

use naga::back::pipeline_constants::process_overrides;
use naga::back::{hlsl, msl};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{Module, ShaderStage};
use strum::VariantArray;

use crate::DType;
use crate::gpu::engine::kernel::{Entry, Kernel, Transform};
use crate::gpu::tests::kernels::parse;
use crate::gpu::tests::products::Flow;
use crate::gpu::wgsl::{AddressSpace, Arithmetic, FpGuard, HalfRounding, Variant, WideMul};

/// All there are, by the text of their module.
fn kernels() -> Vec<Kernel> {
    let kernels = Entry::VARIANTS.iter().flat_map(|&entry| {
        let dtypes: &[DType] = match entry {
            Entry::Fingerprint | Entry::Summary => &DType::FLOATS,
            Entry::Convert => &[DType::F32, DType::F64, DType::F8E4M3, DType::F8E5M2],
            _ => &DType::SAMPLED,
        };
        let transforms = match entry.row().has_distribution {
            true => Transform::VARIANTS,
            false => &Transform::VARIANTS[..1],
        };
        dtypes.iter().flat_map(move |&dtype| {
            transforms.iter().map(move |&transform| Kernel { entry, dtype, transform })
        })
    });
    kernels.collect()
}

/// Every text that a kernel can be of.
fn variants() -> Vec<Variant> {
    let guards = [FpGuard::None, FpGuard::NoContraction, FpGuard::NoReassociation];
    let roundings = [HalfRounding::Integers, HalfRounding::Floats];
    let arithmetics = guards
        .into_iter()
        .flat_map(|fp_guard| roundings.map(|half_rounding| Arithmetic { fp_guard, half_rounding }));
    let all = arithmetics.flat_map(|arithmetic| {
        // DX12's WARP has a CPU's address space.
        [
            (WideMul::Limbs, AddressSpace::Storage),
            (WideMul::Int64, AddressSpace::Storage),
            (WideMul::Int64, AddressSpace::Uniform),
        ]
        .map(|(wide_mul, tables)| Variant { wide_mul, arithmetic, tables })
    });
    all.collect()
}

/// A kernel's module with its constants, as a pipeline has it.
fn specialized(module: &Module, info: &ModuleInfo, kernel: Kernel) -> (Module, ModuleInfo) {
    let constants = kernel.constants().into_iter();
    let constants = constants.map(|(name, value)| (name.to_owned(), value)).collect();
    let stage = (ShaderStage::Compute, kernel.entry.name());
    let (module, info) = process_overrides(module, info, Some(stage), &constants).unwrap();
    (module.into_owned(), info.into_owned())
}

fn stage(entry: &str) -> Option<(ShaderStage, String)> {
    Some((ShaderStage::Compute, entry.to_owned()))
}

/// Metal's text, with the options of wgpu-hal.
fn metal(module: &Module, info: &ModuleInfo, entry: &str) -> String {
    let restrict = BoundsCheckPolicy::Restrict;
    let options = msl::Options {
        lang_version: (2, 4),
        bounds_check_policies: BoundsCheckPolicies {
            index: restrict,
            buffer: restrict,
            image_load: restrict,
            binding_array: BoundsCheckPolicy::Unchecked,
        },
        zero_initialize_workgroup_memory: false,
        ..Default::default()
    };
    let pipeline = msl::PipelineOptions { entry_point: stage(entry), ..Default::default() };
    let (text, info) = msl::write_string(module, info, &options, &pipeline).unwrap();
    info.entry_point_names.into_iter().for_each(|name| drop(name.unwrap()));
    text
}

/// DX12's text, likewise: shader model 5.1 for the FXC compiler, 6.0 for DXC, which has 64-bit
/// integers.
fn dx12(module: &Module, info: &ModuleInfo, entry: &str, wide_mul: WideMul) -> String {
    let shader_model = match wide_mul {
        WideMul::Limbs => hlsl::ShaderModel::V5_1,
        WideMul::Int64 => hlsl::ShaderModel::V6_0,
    };
    let options = hlsl::Options { shader_model, ..Default::default() };
    let pipeline = hlsl::PipelineOptions { entry_point: stage(entry) };
    let mut text = String::new();
    let written =
        hlsl::Writer::new(&mut text, &options, &pipeline).write(module, info, None).unwrap();
    written.entry_point_names.into_iter().for_each(|name| drop(name.unwrap()));
    text
}

/// The words of a text that are followed by an opening parenthesis, each with what is between that
/// one and its closing one.
fn calls(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.match_indices('(').map(|(open, _)| {
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
        let name = text[..open].rsplit(|c| !is_word(c)).next().unwrap_or_default();
        let mut depth = 0;
        let end = text[open..].find(|c| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            depth == 0
        });
        (name, &text[open + 1..open + end.expect("parentheses match")])
    })
}

/// The arguments of a call.
fn arguments(inner: &str) -> Vec<&str> {
    let mut depth = 0;
    let split = inner.split(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth == 0 && c == ','
    });
    split.map(str::trim).collect()
}

/// The text of a function's body by the start of its name, if it is there.
fn body<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let defined = |(at, _): (usize, &str)| {
        let start = &text[at..];
        let (head, rest) = start.split_once('{')?;
        // A call ends before a body starts.
        (!head.contains(';')).then(|| rest.split_once("\n}").map_or(rest, |(body, _)| body))
    };
    text.match_indices(&format!(" {name}(")).find_map(defined)
}

/// What a variable of a function's body is set to, or the name of something else.
fn value<'a>(body: &'a str, name: &'a str) -> &'a str {
    let set = body.split_once(&format!(" {name} = "));
    set.and_then(|(_, rest)| rest.split_once(';')).map_or(name, |(value, _)| value)
}

/// What the two languages call a multiply-add.
const FUSED: [&str; 2] = ["metal::fma", "mad"];
/// Words by which a compiler may do more than the text says: other rules, other types, functions
/// that multiply and add.
const FREER: [&str; 11] = [
    "pragma",
    "clang",
    "fast",
    "precise",
    "half",
    "min16float",
    "dot",
    "mix",
    "lerp",
    "distance",
    "length",
];

/// What is wrong in a text that was generated from the module of `flow`, for a guard.
fn complaints(text: &str, flow: &Flow<'_>, fp_guard: FpGuard) -> Vec<String> {
    let words: HashSet<_> = text.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let mut all: Vec<String> = FREER
        .iter()
        .filter(|word| words.contains(**word))
        .map(|word| format!("has {word}"))
        .collect();
    // Each is the shader's own, and there are no more.
    let fused: Vec<_> = calls(text).filter(|(name, _)| FUSED.contains(name)).collect();
    if fused.len() != flow.fused() {
        all.push(format!("has {} multiply-adds, not {}", fused.len(), flow.fused()));
    }
    if fp_guard == FpGuard::None {
        return all;
    }
    if let Some(body) = body(text, "add_product") {
        let fused = calls(body).find(|(name, _)| FUSED.contains(name));
        let factors = fused.map(|(_, inner)| arguments(inner)).unwrap_or_default();
        if factors.len() != 3 || !value(body, factors[1]).ends_with(".one") {
            all.push(format!("adds a product by {factors:?}"));
        }
    }
    if let Some(body) = body(text, "opaque").filter(|_| fp_guard == FpGuard::NoReassociation)
        && !(body.contains('^') && body.contains(".zero"))
    {
        all.push(format!("passes a float on by {body}"));
    }
    all
}

/// Functions by their sums that may be fused. The products are exact, of a power of two (in
/// `chunk_stats` but for odd subnormal numbers); what `examine` sums is compared within a tolerance.
const ALLOWED: [&str; 7] =
    ["neg_log2", "segment", "sum_up", "chunk_stats", "chunk_stats", "examine", "examine"];

/// What is wrong with a module for a guard, in either language.
fn examine(
    module: &Module,
    info: &ModuleInfo,
    entry: &str,
    (wide_mul, fp_guard): (WideMul, FpGuard),
) -> Vec<String> {
    let flow = Flow::new(module, info);
    let mut all: Vec<String> =
        flow.inexact().into_iter().map(|(name, what)| format!("{what} in {name}")).collect();
    if fp_guard != FpGuard::None {
        let mut fusible = flow.fusible();
        for allowed in ALLOWED {
            if let Some(at) = fusible.iter().position(|name| *name == allowed) {
                fusible.remove(at);
            }
        }
        all.extend(fusible.into_iter().map(|name| format!("a product is added in {name}")));
        // What it multiplies is exact, too.
        let unguarded = flow.unguarded().into_iter().filter(|name| *name != "exact_mul_add");
        all.extend(unguarded.map(|name| format!("a factor is open in {name}")));
        if flow.is_guard_unknown() == Some(false) {
            all.push("the guard's numbers are known".to_owned());
        }
    }
    let texts =
        [("Metal", metal(module, info, entry)), ("DX12", dx12(module, info, entry, wide_mul))];
    for (language, text) in texts {
        let complaints = complaints(&text, &flow, fp_guard);
        all.extend(complaints.into_iter().map(|complaint| format!("{language} {complaint}")));
    }
    all.sort();
    all.dedup();
    all
}

fn validated(source: &str) -> (Module, ModuleInfo) {
    let module = parse(source);
    let capabilities = Capabilities::SHADER_INT64 | Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    let info = Validator::new(ValidationFlags::all(), capabilities).validate(&module).unwrap();
    (module, info)
}

/// Every kernel by every guard, as Metal and DX12 get it.
#[test]
fn guards_are_in_what_metal_and_dx12_get() {
    let mut wrong = Vec::new();
    for variant in variants() {
        let mut modules = HashMap::new();
        for kernel in kernels() {
            let of = kernel.entry.row().module;
            let (module, info) =
                modules.entry(of.name).or_insert_with(|| validated(&of.text(variant)));
            let (module, info) = specialized(module, info, kernel);
            let way = (variant.wide_mul, variant.arithmetic.fp_guard);
            let found = examine(&module, &info, kernel.entry.name(), way);
            wrong.extend(found.into_iter().map(|found| (found, kernel, way)));
        }
    }
    // Of each kind the first.
    let mut seen = HashSet::new();
    wrong.retain(|(found, ..)| seen.insert(found.clone()));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The test above finds what it is for: each guard taken away, and arithmetic that is not the
/// shaders'.
#[test]
fn what_guards_are_for_is_found() {
    let kernel = Kernel::new(Entry::Fill, DType::F32);
    let kernel = Kernel { transform: Transform::ShiftedNormal, ..kernel };
    let fill = |guard| kernel.entry.row().module.text(Variant::portable(WideMul::Limbs, guard));
    let found = |source: &str, fp_guard| {
        let (module, info) = validated(source);
        let (module, info) = specialized(&module, &info, kernel);
        examine(&module, &info, kernel.entry.name(), (WideMul::Limbs, fp_guard)).join("; ")
    };
    let plain = found(&fill(FpGuard::None), FpGuard::NoContraction);
    // `neg_log2` is one that needs its product rounded only for others than `NoContraction`.
    for function in ["mul_add", "add_product"] {
        assert!(plain.contains(&format!("a product is added in {function}")), "{plain}");
    }
    let guarded = fill(FpGuard::NoReassociation);
    for (from, to, complaint) in [
        ("add_product(a * b, c)", "a * b + c", "a product is added in mul_add"),
        ("add_product(a * b, c)", "c - abs(-(a * b))", "a product is added in mul_add"),
        ("fma(product, guard.one, c)", "fma(product, 1.0f, c)", "a factor is open in add_product"),
        ("fma(product, guard.one, c)", "product + c", "a product is added in add_product"),
        ("^ guard.zero", "^ 0u", "DX12 passes a float on by"),
        (
            "guard = Guard(p.one, p.zero);",
            "guard = Guard(1.0f, 0u);",
            "the guard's numbers are known",
        ),
        ("return mul_add(w, opaque(q * h), w);", "return sqrt(s);", "Sqrt in root"),
        ("let w = opaque(s * guess);", "let w = s / guess;", "Divide in root"),
        ("let w = opaque(s * guess);", "let w = dot(vec2(s), vec2(guess));", "Dot in root"),
    ] {
        assert!(guarded.contains(from), "{from} is no longer in the shaders");
        let found = found(&guarded.replace(from, to), FpGuard::NoReassociation);
        assert!(found.contains(complaint), "{from} to {to}: {found}");
    }
}

/// The text's own check, without the module's.
#[test]
fn a_multiply_add_that_a_writer_adds_is_found() {
    let kernel = Kernel::new(Entry::Fill, DType::F32);
    let portable = Variant::portable(WideMul::Limbs, FpGuard::NoReassociation);
    let (module, info) = validated(&kernel.entry.row().module.text(portable));
    let (module, info) = specialized(&module, &info, kernel);
    let flow = Flow::new(&module, &info);
    let text = dx12(&module, &info, kernel.entry.name(), WideMul::Limbs);
    let complain = |text: &str| complaints(text, &flow, FpGuard::NoReassociation).join("; ");
    assert_eq!(complain(&text), "");
    let more = complain(&text.replace(" ^ ", " + mad(1.0, 1.0, 1.0) ^ "));
    assert!(more.contains("multiply-adds, not"), "{more}");
    let plain = complain(&text.replace(".one", ".two"));
    assert!(plain.contains("adds a product by"), "{plain}");
    let freer = complain(&format!("#pragma METAL fp math_mode(fast)\n{text}"));
    assert!(freer.contains("has pragma"), "{freer}");
}
