//! Edits the header of a .safetensors file.

#![allow(dead_code, reason = "not every test edits everything")]

use std::fs;

use serde_json::Value;

/// A file with its header changed; the data stays as it is.
pub fn edit_header(path: &str, edit: impl FnOnce(&mut Value)) {
    let file = fs::read(path).unwrap();
    let start = 8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&file[8..start]).unwrap();
    edit(&mut header);
    let mut text = header.to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    fs::write(path, [&(text.len() as u64).to_le_bytes(), &text[..], &file[start..]].concat())
        .unwrap();
}

pub fn edit_metadata(path: &str, key: &str, value: Option<&str>) {
    edit_header(path, |header| match value {
        Some(value) => header["__metadata__"][key] = value.into(),
        None => _ = header["__metadata__"].as_object_mut().unwrap().remove(key),
    });
}

/// Changes what a rank's file records of the whole model.
pub fn edit_whole(path: &str, edit: impl FnOnce(&mut Value)) {
    edit_header(path, |header| {
        let whole = &mut header["__metadata__"]["whole"];
        let mut value: Value = serde_json::from_str(whole.as_str().unwrap()).unwrap();
        edit(&mut value);
        *whole = value.to_string().into();
    });
}
