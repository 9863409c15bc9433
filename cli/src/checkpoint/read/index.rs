//! The index of a folder of shards: {"metadata": {...}, "weight_map": {"name":
//! "model-00001-of-00002.safetensors"}}.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

use crate::checkpoint::format::metadata::LARGEST;
use crate::checkpoint::format::names;
use crate::checkpoint::read::header::Unique;
use crate::checkpoint::read::input;

/// The total size is not read: files in the wild state various counts there.
#[derive(Deserialize)]
struct Text {
    weight_map: Unique,
}

/// The shard of each tensor.
pub(crate) fn read(path: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let read = || parse(&input::text(input::open(path)?, LARGEST, "is it an index of shards?")?);
    read().with_context(|| format!("cannot read {}", path.display()))
}

pub(crate) fn parse(text: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let Text { weight_map: Unique(map) } = serde_json::from_str(text)
        .context("it is not an index {\"weight_map\": {\"tensor\": \"file\"}}")?;
    for (tensor, file) in &map {
        names::check_tensor(tensor)?;
        names::check_file(file)?;
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::parse;

    #[test]
    fn shards_are_files_of_the_folder() {
        for name in ["../a", "/a", "a/b", "..", "", "a\\b", "a\n"] {
            let text = serde_json::json!({ "weight_map": { "w": name } }).to_string();
            assert!(parse(&text).unwrap_err().to_string().contains("of a shard"), "{name:?}");
        }
        let text =
            r#"{"metadata": {"total_size": 1.5}, "weight_map": {"b": "2", "a": "2", "c": "1"}}"#;
        let index = parse(text).unwrap();
        let tensors = [("a", "2"), ("b", "2"), ("c", "1")];
        assert!(index.iter().map(|(tensor, file)| (&**tensor, &**file)).eq(tensors));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in r#"[\{"a/.weight_map:,\}\[0-9\\ ]{0,80}"#) {
            let _ = parse(&text);
            let _ = parse(&format!("{{\"weight_map\": {text}}}"));
        }
    }
}
