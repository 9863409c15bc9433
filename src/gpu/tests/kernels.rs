//! The table of kernels and the parameters in Rust, compared with the WGSL.

use std::collections::HashMap;
use std::mem::offset_of;

use strum::VariantArray;
use wgpu::naga;

use crate::distribution::{orthogonal, sparse};
use crate::gpu::engine::kernel::{self, Access, Entry, Transform};
use crate::gpu::engine::params::*;
use crate::gpu::wgsl::{self, FpGuard, Module, Variant, WideMul};
use crate::reduce::stats::Chunk;
use crate::reduce::summary::ChunkSummary;
use crate::reduce::{fingerprint, lanes};
use crate::stream::{philox, sample, truncated};

pub(super) fn parse(source: &str) -> naga::Module {
    naga::front::wgsl::parse_str(source)
        .unwrap_or_else(|error| panic!("{}", error.emit_to_string(source)))
}

fn text(module: &Module) -> String {
    module.text(PORTABLE)
}

/// What is right on any device.
const PORTABLE: Variant = Variant::portable(WideMul::Limbs, FpGuard::NoReassociation);

/// All modules.
pub(super) fn shaders(variant: Variant) -> Vec<String> {
    let mut modules: Vec<_> = Entry::VARIANTS.iter().map(|entry| entry.row().module).collect();
    modules.dedup_by_key(|module| module.name);
    modules.into_iter().map(|module| module.text(variant)).collect()
}

/// The portable modules need nothing that WebGPU does not have.
#[test]
fn portable_shaders_are_valid_webgpu() {
    for source in shaders(PORTABLE) {
        let capabilities = naga::valid::Capabilities::empty();
        let mut validator =
            naga::valid::Validator::new(naga::valid::ValidationFlags::all(), capabilities);
        validator.validate(&parse(&source)).unwrap();
    }
}

/// Whether a function loops, or one that it calls.
fn loops(module: &naga::Module, function: &naga::Function) -> bool {
    fn block(module: &naga::Module, statements: &naga::Block) -> bool {
        use naga::Statement::{Block, Call, If, Loop, Switch};
        statements.iter().any(|statement| match statement {
            Loop { .. } => true,
            Call { function, .. } => loops(module, &module.functions[*function]),
            Block(inner) => block(module, inner),
            If { accept, reject, .. } => block(module, accept) || block(module, reject),
            Switch { cases, .. } => cases.iter().any(|case| block(module, &case.body)),
            _ => false,
        })
    }
    block(module, &function.body)
}

/// Each row of the table is what the WGSL says, and no entry point lacks a row.
#[test]
fn the_table_is_that_of_the_shaders() {
    let mut entry_points = 0;
    for source in shaders(PORTABLE) {
        entry_points += parse(&source).entry_points.len();
    }
    assert_eq!(entry_points, Entry::VARIANTS.len());
    for &entry in Entry::VARIANTS {
        let row = entry.row();
        let module = parse(&text(row.module));
        let found = module.entry_points.iter().find(|found| found.name == entry.name());
        let found = found.unwrap_or_else(|| panic!("{entry:?} has no entry point"));
        // `fill.wgsl` has a constant that the row sets.
        let size = if row.has_distribution && entry != Entry::FillMany {
            row.workgroup_size
        } else {
            found.workgroup_size[0]
        };
        assert_eq!(size, row.workgroup_size, "{entry:?}");
        assert_eq!(loops(&module, &found.function), row.iterations > 0, "{entry:?}");
        check_bindings(&module, entry);
    }
}

/// The uniform's size, and the access of each storage buffer. A binding that has several types has
/// one access.
fn check_bindings(module: &naga::Module, entry: Entry) {
    let row = entry.row();
    for (_, variable) in module.global_variables.iter() {
        let Some(binding) = variable.binding else { continue };
        match (variable.space, binding.binding.checked_sub(1)) {
            (naga::AddressSpace::Uniform, None) => {
                let naga::TypeInner::Struct { span, .. } = module.types[variable.ty].inner else {
                    panic!("{entry:?}: params are no struct")
                };
                assert_eq!(span as usize, row.params, "{entry:?}");
            }
            (naga::AddressSpace::Storage { access }, Some(slot)) => {
                // Parts are bound by `fill_many` alone.
                let Some(&expected) = row.bindings.get(slot as usize) else {
                    assert!(row.module.name == "fill" && slot == 2, "{entry:?}: {slot}");
                    continue;
                };
                let writes = access.contains(naga::StorageAccess::STORE);
                assert_eq!(writes, expected == Access::Write, "{entry:?}: binding {}", slot + 1);
                let is_table = variable.name.as_deref() == Some("tables");
                assert_eq!(is_table, expected == Access::Table, "{entry:?}: binding {}", slot + 1);
            }
            other => panic!("{entry:?}: {other:?}"),
        }
    }
}

/// Constants of a module by name.
fn constants(module: &naga::Module) -> HashMap<String, f64> {
    let constants = module.constants.iter().filter_map(|(_, constant)| {
        let value = match module.global_expressions[constant.init] {
            naga::Expression::Literal(naga::Literal::U32(value)) => value.into(),
            naga::Expression::Literal(naga::Literal::F32(value)) => value.into(),
            _ => return None,
        };
        Some((constant.name.clone()?, value))
    });
    constants.collect()
}

/// Every constant of the shaders is the one of the same name in Rust.
#[test]
fn shaders_and_rust_share_their_constants() {
    use crate::DType::{BF16, F8E4M3, F8E5M2, F16, F32, F64};
    /// Names of constants by where they are, each with its value, which f64 holds whatever its type.
    macro_rules! named {
        ($($at:ident: $($name:ident)*;)*) => { [$($((stringify!($name), $at::$name as f64),)*)*] };
    }
    let named = named!(
        philox: PHILOX_M0 PHILOX_M1;
        fingerprint: HASH_BITS HASH_INDEX HASH_M0 HASH_M1 HASH_M2 HASH_M3 HASH_M4 HASH_M5;
        sample: HIGH_BITS LOW_BITS BOTH_ONES RADIUS_SPLIT
            RADIUS_P0 RADIUS_P1 RADIUS_P2 RADIUS_P3 RADIUS_P4 RADIUS_P5 RADIUS_P6 RADIUS_P7
            SQRT_GUESS SQRT_Q1 SQRT_Q2 SQRT_Q3 SQRT_Q4
            SIN_S0 SIN_S1 SIN_S2 SIN_S3 COS_C1 COS_C2 COS_C3;
        truncated: SIDE SEGMENT_ONE;
        lanes: LANES CHUNK;
        orthogonal: BLOCK COLUMNS PARTS RUN SIGNS SCALES HEADS VECTORS TILE;
        sparse: SELECTION;
        kernel: PART_LANES;
    );
    let variants = [
        ("F32", F32 as u32),
        ("F16", F16 as u32),
        ("BF16", BF16 as u32),
        ("F64", F64 as u32),
        ("F8_E4M3", F8E4M3 as u32),
        ("F8_E5M2", F8E5M2 as u32),
        ("NORMAL", Transform::Normal as u32),
        ("UNIFORM", Transform::Uniform as u32),
        ("CONSTANT", Transform::Constant as u32),
        ("TRUNCATED", Transform::Truncated as u32),
        ("SHIFTED_NORMAL", Transform::ShiftedNormal as u32),
    ]
    .map(|(name, number)| (name, number.into()));
    let all = named.into_iter().chain(variants);
    let expected: HashMap<_, _> = all.map(|(name, value)| (name.to_owned(), value)).collect();
    let mut seen = HashMap::new();
    for source in shaders(PORTABLE) {
        seen.extend(constants(&parse(&source)));
    }
    assert_eq!(seen, expected);
}

/// Offsets of a struct's members, by name, and its size.
fn layout(module: &naga::Module, name: &str) -> (Vec<(String, u32)>, u32) {
    let (_, ty) = module.types.iter().find(|(_, ty)| ty.name.as_deref() == Some(name)).unwrap();
    let naga::TypeInner::Struct { members, span } = &ty.inner else {
        panic!("{name} is no struct")
    };
    (members.iter().map(|member| (member.name.clone().unwrap(), member.offset)).collect(), *span)
}

#[test]
fn shaders_and_rust_share_their_struct_layouts() {
    /// Compares a struct of a module with Rust's, whose members are listed in their order.
    macro_rules! check {
        ($module:ident $name:ident = $ty:ident: $($member:ident)*) => {
            let offset = [$((stringify!($member).to_owned(), offset_of!($ty, $member) as u32)),*];
            let found = layout(&parse(&text(&wgsl::$module)), stringify!($name));
            assert_eq!(found, (offset.to_vec(), size_of::<$ty>() as u32), "{}", stringify!($ty));
        };
    }
    check!(FILL Params = FillParams: keys stream first begin count scale shift one zero low high slice);
    check!(FILL Slice = SliceParams: origin inner_stride outer_stride inner_count inner_first run skip);
    check!(FILL Part = Part: stream first begin entries count scale shift low high table);
    check!(REDUCE Params = ReduceParams: slice first begin count one zero);
    check!(REDUCE Chunk = Chunk: finite nan infinite min max sum square);
    check!(REDUCE Summary = ChunkSummary: stats hash_low hash_high);
    check!(ORTHOGONAL Params = OrthogonalParams: keys stream rows columns quads first_matrix first_panel
        end_panel matrix block blocks at first count transposed tile width origin stride step here
        begin scale shift one zero);
    check!(GATHER Params = GatherParams: slice first available source_begin count begin);
    check!(CONVERT Params = ConvertParams: words last begin);
    check!(CLEAR Params = ClearParams: slice first low high count begin);
    check!(DIAGONAL Params = DiagonalParams: origin inner_first inner_count inner_stride outer_stride
        count bits);
    check!(SPARSE Params = SparseParams: keys stream rows columns zeros quads first_row end_row start
        count begin last);
}
