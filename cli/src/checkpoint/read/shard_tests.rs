//! The reader beside the crate safetensors: whatever the bytes, no panic, and the same verdict but
//! for names.

use proptest::prelude::*;
use safetensors::{Dtype, SafeTensors};
use serde_json::json;

use crate::checkpoint::read::shard::*;

fn read(file: &[u8]) -> anyhow::Result<(BTreeMap<String, String>, Vec<Stored>)> {
    read_header(file, file.len() as u64)
}

/// Compares with what the crate reads.
fn compare(file: &[u8]) -> Result<(), TestCaseError> {
    match (read(file), SafeTensors::deserialize(file)) {
        (Ok((metadata, tensors)), Ok(theirs)) => {
            let (_, header) = SafeTensors::read_metadata(file).unwrap();
            let expected = header.metadata().clone().unwrap_or_default();
            prop_assert_eq!(metadata, expected.into_iter().collect::<BTreeMap<_, _>>());
            prop_assert_eq!(tensors.len(), theirs.len());
            for Stored { name, dtype, shape, bytes } in tensors {
                let view = theirs.tensor(&name).unwrap();
                prop_assert_eq!((view.dtype(), view.shape()), (dtype, &shape[..]));
                prop_assert_eq!(view.data(), &file[bytes.start as usize..bytes.end as usize]);
            }
        }
        // Names are the one thing that only this reader looks at.
        (Err(error), Ok(_)) => {
            let error = format!("{error:#}");
            prop_assert!(error.contains("the name "), "{}", error);
        }
        (Ok(_), Err(error)) => prop_assert!(false, "the crate says: {error}"),
        (Err(_), Err(_)) => {}
    }
    Ok(())
}

/// A header of tensors one after the other, and their data.
fn file(shapes: &[(Dtype, Vec<usize>)], metadata: &BTreeMap<String, String>) -> (String, usize) {
    let (mut header, mut start) = (json!({ "__metadata__": metadata }), 0);
    for (i, (dtype, shape)) in shapes.iter().enumerate() {
        let end = start + shape.iter().product::<usize>() * dtype.bitsize() / 8;
        header[format!("layer.{i}")] =
            json!({ "dtype": dtype.to_string(), "shape": shape, "data_offsets": [start, end] });
        start = end;
    }
    (header.to_string(), start)
}

fn with_length(header: &[u8], data: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header, &vec![1; data]].concat()
}

fn shapes() -> impl Strategy<Value = Vec<(Dtype, Vec<usize>)>> {
    use Dtype::{BF16, BOOL, F16, F32, F64, I64};
    let dtype = prop::sample::select(vec![F32, F16, BF16, I64, BOOL, F64]);
    prop::collection::vec((dtype, prop::collection::vec(0usize..5, 0..4)), 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes(file in prop::collection::vec(any::<u8>(), 0..80)) {
        compare(&file)?;
        compare(&with_length(&file, 3))?;
    }

    #[test]
    fn anything_like_json(text in r#"(\{|\}|\[|\]|:|,|"w"|"dtype"|"F32"|"shape"|"data_offsets"|"__metadata__"|[0-9]|-|\.|e| ){0,40}"#) {
        compare(&with_length(text.as_bytes(), 8))?;
    }

    #[test]
    fn valid_headers(shapes in shapes(), metadata in prop::collection::btree_map("[a-z]{1,4}", ".{0,6}", 0..3)) {
        let (header, data) = file(&shapes, &metadata);
        let file = with_length(header.as_bytes(), data);
        prop_assert!(read(&file).is_ok());
        compare(&file)?;
    }

    /// Bytes of a valid file changed, put in or left out; the header's length right again or not.
    #[test]
    fn mutated_headers(
        shapes in shapes(),
        mutations in prop::collection::vec((any::<prop::sample::Index>(), 0..4, any::<u8>()), 1..4),
        right in any::<bool>(),
    ) {
        let (header, data) = file(&shapes, &BTreeMap::from([("seed".to_owned(), "1".to_owned())]));
        let mut bytes = if right { header.into_bytes() } else { with_length(header.as_bytes(), data) };
        for (at, how, byte) in mutations {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes[at] ^= 1 << (byte % 8),
                2 => bytes.insert(at, byte),
                _ => _ = bytes.remove(at),
            }
        }
        compare(&if right { with_length(&bytes, data) } else { bytes })?;
    }

    /// Numbers of a header changed for any others.
    #[test]
    fn any_numbers(shape in prop::collection::vec(any::<u64>(), 0..3), offsets in any::<(u64, u64)>(), small in any::<(u8, u8)>()) {
        for (start, end) in [offsets, (u64::from(small.0 % 16), u64::from(small.1 % 16))] {
            for shape in [shape.clone(), shape.iter().map(|dim| dim % 4).collect()] {
                let header = json!({ "w": { "dtype": "F32", "shape": shape, "data_offsets": [start, end] } });
                compare(&with_length(header.to_string().as_bytes(), 8))?;
            }
        }
    }
}

/// A length in the header is no reason to allocate: only bytes in the file are.
#[test]
fn a_large_length_allocates_nothing() {
    for len in [1 << 20, LARGEST, LARGEST + 1, u64::MAX] {
        let file = [&len.to_le_bytes()[..], b"{}"].concat();
        assert!(read(&file).is_err());
        // Even where the file is said to be as long.
        assert!(read_header(&file[..], u64::MAX).is_err());
    }
}
