//! Files to read: regular files of bounded size. Reading a pipe could block, and a device may have
//! no end.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};

/// Opens a regular file. Refuses anything else before opening it.
pub(crate) fn open(path: &Path) -> anyhow::Result<File> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        bail!("it is a folder, not a regular file; name a file in it");
    }
    if !metadata.is_file() {
        bail!(
            "it is a pipe or a device, not a regular file; save what it gives as a file, and name that"
        );
    }
    Ok(File::open(path)?)
}

/// Reads a text of at most `limit` bytes; `hint` says what is expected.
pub(crate) fn text(from: impl Read, limit: u64, hint: &str) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    from.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        bail!("it has over {limit} bytes; {hint}");
    }
    String::from_utf8(bytes).ok().context("it is not UTF-8 text")
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn texts_are_bounded() {
        assert_eq!(text(&b"abc"[..], 3, "").unwrap(), "abc");
        assert_eq!(
            text(&b"abcd"[..], 3, "write less").unwrap_err().to_string(),
            "it has over 3 bytes; write less"
        );
        // However long it is.
        assert!(text(std::io::repeat(b'a'), 10, "").is_err());
        assert_eq!(text(&b"\xff"[..], 3, "").unwrap_err().to_string(), "it is not UTF-8 text");
    }
}
