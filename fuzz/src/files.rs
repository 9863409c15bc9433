//! Files of a model: the header of a .safetensors file, a tensor list, the index of a folder of
//! shards, and the list of what several processes have written.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use gpu_init::{Initializer, Recipe, Rules};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::checkpoint::format::slices::Sliced;
use crate::checkpoint::format::{dtypes, metadata};
use crate::checkpoint::read::list::Entry;
use crate::checkpoint::read::shard::{Shard, Stored, read_header};
use crate::checkpoint::read::shards::Checkpoint;
use crate::checkpoint::read::slices::Slices;
use crate::checkpoint::read::{index as index_of, list as list_of};
use crate::{check_message, plan};

/// A .safetensors file: the same verdict as the crate safetensors, but for names, and the same
/// tensors, also when their header is written again.
pub fn header(file: &[u8]) {
    let (metadata, tensors) =
        match (read_header(file, file.len() as u64), SafeTensors::deserialize(file)) {
            (Ok(ours), Ok(theirs)) => {
                check_same(file, &ours.1, &theirs);
                ours
            }
            (Err(error), theirs) => {
                let by_name = format!("{error:#}").contains("the name ");
                assert!(theirs.is_err() || by_name, "the crate reads what is refused: {error:#}");
                return check_message(error);
            }
            (Ok(_), Err(error)) => panic!("the crate refuses what is read: {error}"),
        };
    let is_tensor = |name: &str| tensors.iter().any(|tensor| tensor.name == name);
    for (alias, owner) in metadata::ties(&metadata, is_tensor) {
        assert!(is_tensor(owner) && !is_tensor(alias));
    }
    let start = tensors.first().map_or(0, |tensor| tensor.bytes.start);
    let mut again = Map::from_iter([("__metadata__".to_owned(), json!(metadata))]);
    for Stored { name, dtype, shape, bytes } in &tensors {
        let offsets = [bytes.start - start, bytes.end - start];
        let info = json!({ "dtype": dtype.to_string(), "shape": shape, "data_offsets": offsets });
        again.insert(name.clone(), info);
    }
    let again = Value::Object(again).to_string();
    let len = 8 + again.len() as u64 + tensors.last().map_or(0, |last| last.bytes.end - start);
    let (metadata_again, tensors_again) = read_header(&beginning(&again)[..], len).unwrap();
    assert_eq!(metadata_again, metadata);
    assert_eq!(tensors_again.len(), tensors.len());
    for (again, Stored { name, dtype, shape, .. }) in tensors_again.iter().zip(&tensors) {
        assert_eq!((&again.name, again.dtype, &again.shape), (name, *dtype, shape));
    }
}

/// How a .safetensors file with this header begins.
fn beginning(header: &str) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat()
}

fn check_same(file: &[u8], ours: &[Stored], theirs: &SafeTensors) {
    assert_eq!(ours.len(), theirs.len());
    for Stored { name, dtype, shape, bytes } in ours {
        let view = theirs.tensor(name).unwrap();
        assert_eq!((view.dtype(), view.shape()), (*dtype, &shape[..]));
        assert_eq!(view.data(), &file[bytes.start as usize..bytes.end as usize]);
    }
}

/// A tensor list: the same one when it is written again, and plans of it.
pub fn list(text: &[u8]) {
    let source = match list_of::read(text) {
        Ok(source) => source,
        Err(error) => return check_message(error),
    };
    let mut again = Map::new();
    if let Some(architecture) = &source.architecture {
        again.insert("__metadata__".to_owned(), json!({ "architecture": architecture }));
    }
    for Entry { name, dtype, shape } in &source.tensors {
        again.insert(
            name.clone(),
            json!({ "dtype": dtype.map(|it| it.to_string()), "shape": shape }),
        );
    }
    let again = list_of::read(Value::Object(again).to_string().as_bytes()).unwrap();
    assert_eq!(format!("{:?}", again.tensors), format!("{:?}", source.tensors));
    assert_eq!(again.architecture, source.architecture);
    let tensors: Vec<_> = source
        .tensors
        .iter()
        .map(|entry| (entry.name.clone(), entry.shape.clone(), entry.fillable()))
        .collect();
    for rules in [Rules::from(Initializer::normal(0.0, 0.02)), Recipe::XAVIER.rules()] {
        plan::check(&tensors, &rules);
    }
}

/// The shards of a folder, each with its tensors, all of them scalars.
const SHARDS: [(&str, &[&str]); 2] = [("a", &["x", "y"]), ("b", &["z"])];

/// An index of shards: the same one when it is written again, with files of its folder and no others;
/// a folder of shards is read if the index has their tensors and no others.
pub fn index(text: &[u8]) {
    let Ok(text) = str::from_utf8(text) else { return };
    let map = match index_of::parse(text) {
        Ok(map) => map,
        Err(error) => return check_message(error),
    };
    assert_eq!(index_of::parse(&json!({ "weight_map": map }).to_string()).unwrap(), map);
    for file in map.values() {
        let path = Path::new("folder").join(file);
        assert_eq!(path.parent(), Some(Path::new("folder")), "{file:?}");
        assert_eq!(path.file_name(), Some(file.as_ref()), "{file:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let mut expected = BTreeMap::new();
    for (file, tensors) in SHARDS {
        let info = |i| json!({ "dtype": "U8", "shape": [], "data_offsets": [i, i + 1] });
        let infos = tensors.iter().zip(0..).map(|(name, i)| ((*name).to_owned(), info(i)));
        let header = Value::Object(infos.collect()).to_string();
        let bytes = [beginning(&header), vec![0; tensors.len()]].concat();
        fs::write(folder.path().join(file), bytes).unwrap();
        expected.extend(tensors.iter().map(|name| ((*name).to_owned(), file.to_owned())));
    }
    fs::write(folder.path().join("model.safetensors.index.json"), text).unwrap();
    // Of the shards that the index names; the others are no part of the model.
    expected.retain(|_, file| map.values().any(|named| named == file));
    match Checkpoint::open(folder.path()) {
        Ok(_) => assert_eq!(map, expected),
        Err(error) => {
            assert_ne!(map, expected, "{error:#}");
            check_message(error);
        }
    }
}

/// A list of slices as plain data.
#[derive(Deserialize, Serialize)]
struct SliceList {
    world_size: u64,
    tensors: BTreeMap<String, Sliced>,
}

/// The largest number of processes whose slices are counted.
const MOST_RANKS: u64 = 64;

/// A list of slices: the same one when it is written again; the slices of all ranks are the tensors,
/// and files that have them have no problems.
pub fn slices(text: &[u8]) {
    let Ok(text) = str::from_utf8(text) else { return };
    let parse = |text: &str| Slices::parse(text, PathBuf::from("no folder"));
    if let Err(error) = parse(text) {
        return check_message(error);
    }
    let list: SliceList = serde_json::from_str(text).unwrap();
    let slices = parse(&serde_json::to_string(&list).unwrap()).unwrap();
    assert_eq!(slices.world, list.world_size);
    assert!(slices.world == 0 || slices.files().is_err());
    if slices.world > MOST_RANKS {
        return;
    }
    for (name, tensor) in &list.tensors {
        let elements = |shape: &[usize]| {
            shape.iter().map(|&dim| dim as u128).fold(1u128, u128::saturating_mul)
        };
        let parts = (0..slices.world).filter_map(|rank| tensor.slice(rank));
        let sum = parts.fold(0u128, |sum, shape| sum.saturating_add(elements(&shape)));
        assert_eq!(sum, elements(&tensor.shape), "{name:?}");
    }
    let dtype = |tensor: &Sliced| {
        dtypes::known(&tensor.dtype).ok().filter(|dtype| dtype.to_string() == tensor.dtype)
    };
    let Some(dtypes) = list.tensors.values().map(dtype).collect::<Option<Vec<_>>>() else { return };
    let tensors = || list.tensors.iter().zip(&dtypes);
    let whole = tensors().map(|((name, tensor), dtype)| (name.as_str(), *dtype, &tensor.shape[..]));
    assert!(slices.agrees_with(whole));
    for rank in 0..slices.world {
        let stored = tensors().filter_map(|((name, tensor), &dtype)| {
            let shape = tensor.slice(rank)?;
            Some(Stored { name: name.clone(), dtype, shape, bytes: 0..0 })
        });
        let mut shard =
            Shard { path: "rank".into(), metadata: BTreeMap::new(), tensors: stored.collect() };
        assert_eq!(slices.problems(rank, &shard), [""; 0]);
        if shard.tensors.pop().is_some() {
            assert_eq!(slices.problems(rank, &shard).len(), 1);
        }
    }
}
