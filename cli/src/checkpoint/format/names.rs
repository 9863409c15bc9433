//! Names of tensors and shards. They come from files, and those of shards become paths.

use anyhow::bail;

/// Refuses a tensor's name that cannot be printed. Slashes are fine: Flax and TensorFlow use them.
pub(crate) fn check_tensor(name: &str) -> anyhow::Result<()> {
    match unprintable(name) {
        Some(fault) => bail!("the name {name:?} of a tensor {fault}; rename it"),
        None => Ok(()),
    }
}

/// Refuses a shard's name unless it is the plain name of a file beside its index.
pub(crate) fn check_file(name: &str) -> anyhow::Result<()> {
    let fault = if let Some(fault) = unprintable(name) {
        fault
    } else if name.contains(['/', '\\']) {
        "has a path separator"
    } else if matches!(name, "." | "..") {
        "means a folder"
    } else {
        return Ok(());
    };
    bail!("the name {name:?} of a shard {fault}; name a file beside the index")
}

fn unprintable(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("is empty")
    } else if name.chars().any(char::is_control) {
        Some("has a control character")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{check_file, check_tensor};

    #[test]
    fn plain_names_pass() {
        for name in [
            "w",
            "model.layers.0.weight",
            "größe",
            "a b",
            "..w",
            "model-00001-of-00002.safetensors",
        ] {
            check_tensor(name).unwrap();
            check_file(name).unwrap();
        }
        for (name, fault) in [("", "empty"), ("a\n", "control")] {
            for checked in [check_tensor(name), check_file(name)] {
                let error = checked.unwrap_err().to_string();
                assert!(error.contains(fault), "{error}");
            }
        }
        for (name, fault) in
            [("a/b", "separator"), ("/a", "separator"), ("a\\b", "separator"), ("..", "folder")]
        {
            check_tensor(name).unwrap();
            let error = check_file(name).unwrap_err().to_string();
            assert!(error.contains(fault) && error.contains("beside the index"), "{error}");
        }
    }
}
