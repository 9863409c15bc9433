//! Files to read: regular files of bounded size. Reading a pipe could block, and a device may have
//! no end.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use anyhow::{Context, ensure};

/// Opens a regular file. Refuses anything else before opening it.
pub(crate) fn open(path: &Path) -> anyhow::Result<File> {
    let metadata = fs::metadata(path)?;
    ensure!(!metadata.is_dir(), "it is a folder, not a regular file; name a file in it");
    ensure!(
        metadata.is_file(),
        "it is a pipe or a device, not a regular file; save what it gives as a file, and name that"
    );
    Ok(File::open(path)?)
}

/// Reads a text of at most `limit` bytes; `hint` says what is expected.
pub(crate) fn text(from: impl Read, limit: u64, hint: &str) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    from.take(limit + 1).read_to_end(&mut bytes)?;
    ensure!(bytes.len() as u64 <= limit, "it has over {limit} bytes; {hint}");
    String::from_utf8(bytes).ok().context("it is not UTF-8 text")
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn texts_are_bounded() {
        let error = |from: &[u8]| text(from, 3, "write less").unwrap_err().to_string();
        assert_eq!(text(&b"abc"[..], 3, "").unwrap(), "abc");
        assert_eq!(error(b"abcd"), "it has over 3 bytes; write less");
        assert_eq!(error(b"\xff"), "it is not UTF-8 text");
        // However long it is.
        assert!(text(std::io::repeat(b'a'), 10, "").is_err());
    }
}
