//! What a tensor or a shard may be called. Names come from files, and readers make paths of them.

use anyhow::bail;

/// Refuses a name that is no plain name. `what` says whose it is.
pub(super) fn check(what: &str, name: &str) -> anyhow::Result<()> {
    let fault = if name.is_empty() {
        "is empty"
    } else if name.contains(['/', '\\']) {
        "has a path separator"
    } else if name.chars().any(char::is_control) {
        "has a control character"
    } else if matches!(name, "." | "..") {
        "means a folder"
    } else {
        return Ok(());
    };
    bail!("the name {name:?} of a {what} {fault}; rename it, with dots between its parts")
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn plain_names_pass() {
        for name in ["w", "model.layers.0.weight", "größe", "a b", "..w", "model-00001-of-00002.safetensors"] {
            check("tensor", name).unwrap();
        }
        for (name, fault) in
            [("", "empty"), ("a/b", "separator"), ("a\\b", "separator"), ("a\n", "control"), ("..", "folder")]
        {
            let error = check("tensor", name).unwrap_err().to_string();
            assert!(error.contains(fault) && error.contains("rename"), "{error}");
        }
    }
}
