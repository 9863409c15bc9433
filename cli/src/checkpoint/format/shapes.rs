//! One number for the tensors of a model, whatever their order and however many files they are in.

use std::fmt::Display;

use gpu_init::{Fingerprint, stream_of};
use serde_json::{Value, json};

/// The fingerprint of names, element types and shapes of whole tensors, and of tied names and their
/// owners: the sum mod 2^64, over all of them, of the first 8 bytes, little-endian, of SHA-256 of
/// the JSON text `["name","F32",[2,3]]` or `["alias","owner"]`.
pub(crate) fn shapes_fingerprint<'a>(
    tensors: impl Iterator<Item = (&'a str, impl Display, &'a [usize])>,
    ties: impl Iterator<Item = (&'a str, &'a str)>,
) -> Fingerprint {
    let of = |value: Value| Fingerprint(stream_of(&value.to_string()));
    let tensors = tensors.map(|(name, dtype, shape)| of(json!([name, dtype.to_string(), shape])));
    tensors.chain(ties.map(|(alias, owner)| of(json!([alias, owner])))).sum()
}

#[cfg(test)]
mod tests {
    use super::shapes_fingerprint;

    /// By Python: `hashlib.sha256('["größe \\"1\\"","F16",[2,3]]'.encode()).digest()[:8]` and so
    /// on.
    #[test]
    fn it_is_a_known_sum_without_an_order() {
        let tensors = [("größe \"1\"", "F16", &[2, 3][..]), ("scalar", "F32", &[])];
        let of = |tensors: &[(&'static str, &'static str, &'static [usize])],
                  ties: &[(&'static str, &'static str)]| {
            shapes_fingerprint(tensors.iter().copied(), ties.iter().copied()).to_string()
        };
        let [first, second] = tensors;
        assert_eq!(of(&[first, second], &[("head", "scalar")]), "4fe56a5ffe7114ab");
        assert_eq!(of(&[second, first], &[("head", "scalar")]), "4fe56a5ffe7114ab");
        let other = [("größe \"1\"", "F16", &[3, 2][..]), second];
        for different in [
            of(&other, &[("head", "scalar")]),
            of(&tensors, &[]),
            of(&tensors, &[("head", "embed")]),
        ] {
            assert_ne!(different, "4fe56a5ffe7114ab");
        }
    }
}
