//! What Pachyderm keeps in its storage root without it being data.

/// Whether a key below the root of a LOCAL cluster is a working file of Pachyderm 1.13.4: a hash tree at work, or an
/// entry of pachd's read cache (`block/<key>-<offset>-<size>`, a copy of the block before the suffix).
///
/// The keys are those below the root, with or without a leading `pach/`.
pub(crate) fn is_scratch(key: &str) -> bool {
    if key.starts_with("hashtree/") {
        return true;
    }
    let Some(block) = key.strip_prefix("pach/").unwrap_or(key).strip_prefix("block/") else {
        return false;
    };
    let mut parts = block.rsplitn(3, '-');
    let mut number = || parts.next().is_some_and(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    number() && number() && parts.next().is_some_and(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::is_scratch;

    #[test]
    fn cache_entries_and_hash_trees_are_told_from_data() {
        for key in [
            "hashtree/0b841fd8",
            "block/0026f2e1549f434fb62728646e8fb805-0-0",
            "block/0026f2e1549f434fb62728646e8fb805-index-0-0",
            "pach/block/0026f2e1549f434fb62728646e8fb805-1048576-20971520",
        ] {
            assert!(is_scratch(key), "{key}");
        }
        for key in [
            "block/0026f2e1549f434fb62728646e8fb805",
            "block/0026f2e1549f434fb62728646e8fb805-index",
            "block/0026f2e1549f434fb62728646e8fb805-0",
            "block/0026f2e1549f434fb62728646e8fb805-0-",
            "block/0026f2e1549f434fb62728646e8fb805-0-x",
            "block/-0-0",
            "object/aa-0-0",
            "a/block/bb-0-0",
            "hashtrees/a",
            "pach/hashtree/a",
        ] {
            assert!(!is_scratch(key), "{key}");
        }
    }

    /// The storage root of a real cluster, as it was when its metadata was extracted.
    #[test]
    fn a_recorded_root_has_the_counted_scratch() {
        let keys = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/bucket/alpha-keys.tsv");
        let keys = std::fs::read_to_string(keys).unwrap();
        let keys: Vec<&str> = keys.lines().map(|line| line.split('\t').next().unwrap()).collect();
        let (scratch, data): (Vec<&str>, Vec<&str>) = keys.into_iter().partition(|key| is_scratch(key));
        assert_eq!(scratch.iter().filter(|key| key.starts_with("block/")).count(), 44);
        assert!(scratch.iter().all(|key| key.starts_with("block/") || key.starts_with("hashtree/")));
        assert!(data.iter().all(|key| !key.ends_with("-0-0") && !key.contains("hashtree")));
        // Each cache entry copies a key that stays.
        for key in scratch.iter().filter(|key| key.starts_with("block/")) {
            let original = key.strip_suffix("-0-0").unwrap();
            assert!(data.contains(&original), "{key} copies nothing");
        }
    }
}
