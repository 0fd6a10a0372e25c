//! Key kinds and key maps against listings of real buckets.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod recorded;

use std::collections::BTreeMap;

use pachyderm::layout::{Backend, BlockRef, KeyKind, KeyMap, Layout, Mapped, ObjectIndex};

/// Number of keys by kind, and the keys, of a listing.
fn kinds(listing: &str, layout: &Layout) -> (BTreeMap<&'static str, usize>, Vec<(String, KeyKind)>) {
    let mut counts = BTreeMap::new();
    let mut keys = Vec::new();
    for mut row in recorded::table(listing) {
        let key = row.swap_remove(0);
        if key != "key" {
            let kind = layout.classify(&key);
            *counts.entry(kind.name()).or_default() += 1;
            keys.push((key, kind));
        }
    }
    (counts, keys)
}

#[test]
fn every_recorded_key_is_of_a_known_kind() {
    let counts = |listing: &str, backend, reversed| kinds(listing, &Layout::new(backend, reversed)).0;
    // `block/` in all: 897 = 831 + 22 + 44.
    let alpha = [
        ("block", 831),
        ("block-index", 22),
        ("local-cache", 44),
        ("local-scratch", 52),
        ("object", 554),
        ("tag", 279),
    ];
    assert_eq!(counts("bucket/alpha-keys.tsv", Backend::Local, false), alpha.into());
    assert_eq!(
        counts("bucket/odd-keys.tsv", Backend::Local, false),
        [("block", 77), ("local-scratch", 16), ("object", 77)].into()
    );
    let small = [("block", 55), ("block-index", 3), ("object", 49), ("tag", 11)];
    assert_eq!(counts("bucket/amazon-keys.tsv", Backend::Amazon, false), small.into());
    assert_eq!(counts("bucket/amazon-reversed-keys.tsv", Backend::Amazon, true), small.into());
    assert_eq!(counts("bucket/minio-keys.tsv", Backend::Minio, false), small.into());
}

#[test]
fn the_wrong_orientation_or_root_makes_no_sense_of_any_key() {
    let foreign = |listing: &str, layout: &Layout| {
        let (counts, keys) = kinds(listing, layout);
        assert_eq!(counts, [("foreign", keys.len())].into());
    };
    foreign("bucket/amazon-keys.tsv", &Layout::new(Backend::Amazon, true));
    foreign("bucket/amazon-reversed-keys.tsv", &Layout::new(Backend::Amazon, false));
    foreign("bucket/minio-keys.tsv", &Layout::new(Backend::Google, false));
    foreign("bucket/minio-keys.tsv", &Layout { root: "/other".into(), backend: Backend::Minio, reversed: false });
}

#[test]
fn orientation_of_recorded_keys_is_found_without_being_told() {
    for (listing, reversed) in [("bucket/amazon-keys.tsv", false), ("bucket/amazon-reversed-keys.tsv", true)] {
        for assumed in [false, true] {
            let layout = Layout::new(Backend::Amazon, assumed);
            let (_, keys) = kinds(listing, &Layout::new(Backend::Amazon, reversed));
            for (key, kind) in keys {
                assert_eq!(layout.classify_either(&key), (kind, reversed), "{key}");
            }
        }
    }
}

#[test]
fn recorded_keys_survive_every_change_of_layout() {
    let amazon = Layout::new(Backend::Amazon, false);
    let others = [
        Layout::new(Backend::Amazon, true),
        Layout::new(Backend::Google, false),
        Layout::new(Backend::Local, false),
        Layout { root: "/elsewhere/pach".into(), backend: Backend::Microsoft, reversed: false },
    ];
    for (key, kind) in kinds("bucket/amazon-keys.tsv", &amazon).1 {
        for other in &others {
            let map = KeyMap::new(amazon.clone(), other.clone());
            let Mapped::Key(mapped) = map.map(&key) else { panic!("{key} has no key in {other:?}") };
            assert_eq!(other.classify(&mapped), kind);
            assert_eq!(map.inverse().map(&mapped), Mapped::Key(key.clone()));
        }
    }
}

/// The two recorded Amazon clusters did the same work but are different ones: random block ids, salts and times differ. What
/// must agree after un-reversing is the layout, and every object that depends on content alone.
#[test]
fn reversed_keys_unreverse_to_the_plain_layout() {
    let plain = Layout::new(Backend::Amazon, false);
    let turned = Layout::new(Backend::Amazon, true);
    let map = KeyMap::new(turned.clone(), plain.clone());
    let (counts, keys) = kinds("bucket/amazon-reversed-keys.tsv", &turned);
    let unreversed: BTreeMap<String, KeyKind> = keys
        .into_iter()
        .map(|(key, kind)| match map.map(&key) {
            Mapped::Key(plain_key) => {
                assert_eq!(plain_key.chars().rev().collect::<String>(), key);
                assert_eq!(plain.classify(&plain_key), kind);
                (plain_key, kind)
            }
            other => panic!("{key}: {other:?}"),
        })
        .collect();
    let (plain_counts, plain_keys) = kinds("bucket/amazon-keys.tsv", &plain);
    assert_eq!(counts, plain_counts);
    let shared = plain_keys.iter().filter(|(key, _)| unreversed.contains_key(key)).count();
    let shared_objects = plain_keys
        .iter()
        .filter(|(key, kind)| unreversed.contains_key(key) && matches!(kind, KeyKind::Object { .. }))
        .count();
    assert!(shared > 0 && shared == shared_objects, "{shared} keys in common, {shared_objects} of them objects");
}

#[test]
fn every_recorded_record_points_to_a_key_of_its_bucket() {
    let bucket = recorded::archive("bucket/amazon.tar.zst");
    let layout = Layout::new(Backend::Amazon, false);
    let (mut objects, mut tags) = (0, 0);
    for (key, value) in &bucket {
        match layout.classify(key) {
            KeyKind::Object { .. } => {
                let place = BlockRef::decode(value).unwrap();
                let block = bucket.get(&layout.block(&place.block)).unwrap();
                assert!(place.lower <= place.upper && place.upper <= block.len() as u64, "{key}");
                objects += 1;
            }
            KeyKind::Tag { name } => {
                let index = ObjectIndex::decode(value).unwrap();
                assert_eq!((index.tags.len(), index.objects.len()), (1, 0), "{key}");
                assert!(bucket.contains_key(&layout.object(&index.tags[&name])), "{key}");
                tags += 1;
            }
            _ => {}
        }
    }
    assert_eq!((objects, tags), (49, 11));
}
