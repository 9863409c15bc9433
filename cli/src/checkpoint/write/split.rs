//! Which tensors go into which shard, and the shards' names: Hugging Face's.

/// Fills one shard after the other in the given order, as `huggingface_hub` does: what is beyond
/// the limit by itself has a shard of its own, and the open one goes on after it.
pub(super) fn split<T>(items: Vec<T>, bytes: impl Fn(&T) -> u64, limit: u64) -> Vec<Vec<T>> {
    let (mut shards, mut open, mut used) = (Vec::new(), Vec::new(), 0u64);
    for item in items {
        let size = bytes(&item);
        if size > limit {
            shards.push(vec![item]);
            continue;
        }
        if used.saturating_add(size) > limit {
            shards.push(std::mem::take(&mut open));
            used = 0;
        }
        used += size;
        open.push(item);
    }
    if !open.is_empty() {
        shards.push(open);
    }
    shards
}

/// Of shard `i`, counted from 0. Version 0 is the usual name; others are for a model that is to
/// replace one of as many shards: both are there until the index goes over from one to the other.
pub(super) fn file_name(i: usize, count: usize, version: u32) -> String {
    let version = if version == 0 { String::new() } else { format!("-v{version}") };
    format!("model-{:05}-of-{count:05}{version}.safetensors", i + 1)
}

/// Whether a file has a name that [`file_name`] gives.
pub(crate) fn is_shard(name: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(numbers) =
        name.strip_prefix("model-").and_then(|rest| rest.strip_suffix(".safetensors"))
    else {
        return false;
    };
    let Some((i, rest)) = numbers.split_once("-of-") else { return false };
    let (count, version) = rest.split_once("-v").unwrap_or((rest, "0"));
    is_number(version) && [i, count].iter().all(|text| text.len() >= 5 && is_number(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shards_are_those_of_hugging_face() {
        // From huggingface_hub 1.x, split_state_dict_into_shards_factory with a limit of 10.
        for (sizes, expected) in [
            (&[1, 2, 3][..], &[&[0, 1, 2][..]][..]),
            (&[4, 6, 1], &[&[0, 1], &[2]]),
            (&[4, 11, 6, 1], &[&[1], &[0, 2], &[3]]),
            (&[11, 11], &[&[0], &[1]]),
            (&[10, 10, 1, 30, 9, 1], &[&[0], &[1], &[3], &[2, 4], &[5]]),
        ] {
            let shards = split((0..sizes.len()).collect(), |&i| sizes[i], 10);
            assert_eq!(shards, expected, "{sizes:?}");
        }
    }

    #[test]
    fn names_are_those_of_hugging_face() {
        assert_eq!(file_name(0, 3, 0), "model-00001-of-00003.safetensors");
        assert_eq!(file_name(0, 3, 12), "model-00001-of-00003-v12.safetensors");
        for name in [file_name(0, 3, 0), file_name(1, 3, 7), file_name(123_455, 123_456, 0)] {
            assert!(is_shard(&name), "{name}");
        }
        for name in [
            "model.safetensors",
            "model-1-of-3.safetensors",
            "model-00001-of-00003.safetensors.bak",
            "model-00001-of-00003-v.safetensors",
            "model-rank-00001-of-00003.safetensors",
        ] {
            assert!(!is_shard(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn every_item_once_and_no_shard_beyond_the_limit(sizes in prop::collection::vec(0u64..20, 0..40), limit in 1u64..15) {
            let shards = split((0..sizes.len()).collect(), |&i| sizes[i], limit);
            let mut all: Vec<_> = shards.concat();
            all.sort();
            prop_assert!(all.into_iter().eq(0..sizes.len()));
            for shard in shards {
                let used: u64 = shard.iter().map(|&i| sizes[i]).sum();
                prop_assert!(!shard.is_empty() && (used <= limit || shard.len() == 1));
            }
        }
    }
}
