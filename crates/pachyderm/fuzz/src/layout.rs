//! Any text as a key, any bytes as what stands behind one.

use pachyderm::layout::{Backend, BlockRef, KeyKind, KeyMap, Layout, Mapped, ObjectIndex};

const BACKENDS: [Backend; 5] = [Backend::Amazon, Backend::Google, Backend::Microsoft, Backend::Minio, Backend::Local];

/// No panic, and every known key survives the way to another layout and back. The first two numbers choose the layouts.
pub fn check(from: u8, to: u8, key: &str, value: &[u8]) -> bool {
    let layout = |choice: u8| Layout::new(BACKENDS[usize::from(choice >> 1) % BACKENDS.len()], choice & 1 == 1);
    let (from, to) = (layout(from), layout(to));
    let kind = from.classify(key);
    if kind != KeyKind::Foreign {
        assert_eq!(from.key(&kind).as_deref(), Some(key));
        assert_eq!(from.classify_either(key).0, kind);
    }
    let map = KeyMap::new(from, to);
    match map.map(key) {
        Mapped::Key(mapped) => assert_eq!(map.inverse().map(&mapped), Mapped::Key(key.to_owned())),
        Mapped::NotCarried(kind) => assert!(!kind.is_data()),
        Mapped::Foreign => assert_eq!(kind, KeyKind::Foreign),
    }
    let _ = (BlockRef::decode(value), ObjectIndex::decode(value));
    kind != KeyKind::Foreign
}
