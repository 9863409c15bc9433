//! A tensor's layer, read from its name: the first segment that is all digits, as 11 in
//! `transformer.h.11.mlp.c_fc.weight`; and the number of layers beside it.

use std::collections::HashMap;

use crate::model::formula::Depth;

/// The layers of a model.
#[derive(Debug)]
pub(super) struct Layers<'a> {
    /// 1 + the largest index, by the part of the name before the index.
    counts: HashMap<&'a str, u64>,
    given: Option<u64>,
}

impl<'a> Layers<'a> {
    /// Counts the layers of all tensors of a model; `given` overrides the count, where the list may
    /// lack layers.
    pub(super) fn new(names: impl Iterator<Item = &'a str>, given: Option<u64>) -> Self {
        let mut counts = HashMap::new();
        for (prefix, index) in names.filter_map(split) {
            let count = counts.entry(prefix).or_insert(0);
            *count = index.saturating_add(1).max(*count);
        }
        Layers { counts, given }
    }

    /// The layer of a tensor and the number of layers; an error if it is not below a given number.
    pub(super) fn depth(&self, name: &str) -> Result<Depth, String> {
        let Some((prefix, index)) = split(name) else {
            return Ok(Depth { layer: None, layers: self.given });
        };
        match self.given {
            Some(given) if index >= given => {
                Err(format!("layer {index} is not below layers = {given} of the rules"))
            }
            given => {
                Ok(Depth { layer: Some(index), layers: given.or(self.counts.get(prefix).copied()) })
            }
        }
    }
}

/// The part of a name before the layer's index, and the index: `h.11.w`, or `h/11/w` in Flax.
fn split(name: &str) -> Option<(&str, u64)> {
    split_by(name, '.').or_else(|| split_by(name, '/'))
}

fn split_by(name: &str, separator: char) -> Option<(&str, u64)> {
    let mut start = 0;
    for segment in name.split(separator) {
        if !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some((&name[..start], segment.parse().ok()?));
        }
        start += segment.len() + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Depth, Layers, split};

    #[test]
    fn the_first_number_is_the_layer() {
        assert_eq!(split("transformer.h.11.mlp.0.weight"), Some(("transformer.h.", 11)));
        assert_eq!(split("0.weight"), Some(("", 0)));
        assert_eq!(split("encoder.007"), Some(("encoder.", 7)));
        assert_eq!(split("params/h/11/mlp/kernel"), Some(("params/h/", 11)));
        assert_eq!(split("params/5/h.11.w"), Some(("params/5/h.", 11)));
        for name in [
            "",
            ".",
            "..",
            "layer1.conv2.weight",
            "h.-1.w",
            "h.1a.w",
            "h.99999999999999999999.w",
            "h.٣.w",
        ] {
            assert_eq!(split(name), None, "{name}");
        }
    }

    #[test]
    fn layers_are_counted_beside_each_other() {
        let names = ["encoder.5.w", "encoder.0.w", "decoder.1.w", "wte"];
        let layers = Layers::new(names.into_iter(), None);
        assert_eq!(layers.depth("encoder.0.w"), Ok(Depth { layer: Some(0), layers: Some(6) }));
        assert_eq!(layers.depth("decoder.1.w"), Ok(Depth { layer: Some(1), layers: Some(2) }));
        assert_eq!(layers.depth("wte"), Ok(Depth { layer: None, layers: None }));
        let given = Layers::new(names.into_iter(), Some(4));
        assert_eq!(given.depth("decoder.1.w"), Ok(Depth { layer: Some(1), layers: Some(4) }));
        assert_eq!(given.depth("wte"), Ok(Depth { layer: None, layers: Some(4) }));
        assert!(given.depth("encoder.5.w").unwrap_err().contains("layer 5"));
        let most = Layers::new(["h.18446744073709551615.w"].into_iter(), None);
        assert_eq!(most.depth("h.0.w").unwrap().layers, Some(u64::MAX));
    }
}
