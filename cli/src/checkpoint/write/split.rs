//! Which tensors go into which shard, as in Hugging Face's libraries.

/// Fills one shard after the other in the given order, as `huggingface_hub` does: an item beyond
/// the limit has a shard of its own, and the open shard is continued after it.
pub(crate) fn split<T>(items: Vec<T>, bytes: impl Fn(&T) -> u64, limit: u64) -> Vec<Vec<T>> {
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
