//! Keys of one layout in another one.

use super::{KeyKind, Layout};

/// Turns each key of a bucket of one layout into the key that the same content has in another: reversed or not, with or
/// without leading slash, under another root. Knows nothing but the two layouts, so it works key by key and in any order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMap {
    from: Layout,
    to: Layout,
}

/// What a [`KeyMap`] makes of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mapped {
    /// The key in the other layout.
    Key(String),
    /// The key is known, but holds a file that only local deployments have, and the other layout isn't local.
    NotCarried(KeyKind),
    /// The key isn't Pachyderm's, so nobody can say what it should be called.
    Foreign,
}

impl KeyMap {
    /// The map of keys of `from` to keys of `to`.
    pub fn new(from: Layout, to: Layout) -> Self {
        Self { from, to }
    }

    /// The map backwards. It undoes [`KeyMap::map`] on every key that the latter gives.
    pub fn inverse(&self) -> Self {
        Self { from: self.to.clone(), to: self.from.clone() }
    }

    /// Whether every key stays as it is.
    pub fn is_identity(&self) -> bool {
        let probe = KeyKind::Tag { name: "a".to_owned() };
        self.from.key(&probe) == self.to.key(&probe) && self.from.backend == self.to.backend
    }

    /// The key of the other layout for the raw key `key`.
    pub fn map(&self, key: &str) -> Mapped {
        match self.from.classify(key) {
            KeyKind::Foreign => Mapped::Foreign,
            kind => self.to.key(&kind).map_or(Mapped::NotCarried(kind), Mapped::Key),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Backend;
    use super::*;

    fn layouts() -> impl Strategy<Value = Layout> {
        let backend = prop::sample::select(vec![
            Backend::Amazon,
            Backend::Google,
            Backend::Microsoft,
            Backend::Minio,
            Backend::Local,
        ]);
        (prop::sample::select(vec!["/pach", "pach", "/data//päch", "/", ""]), backend, any::<bool>())
            .prop_map(|(root, backend, reversed)| Layout { root: root.to_owned(), backend, reversed })
    }

    fn kinds() -> impl Strategy<Value = KeyKind> {
        prop_oneof![
            "[0-9a-f]{32}".prop_map(|id| KeyKind::Block { id }),
            "[0-9a-f]{32}".prop_map(|id| KeyKind::BlockIndex { id }),
            "[0-9a-f]{128}".prop_map(|hash| KeyKind::Object { hash }),
            "\\PC{1,80}".prop_map(|name| KeyKind::Tag { name }),
            "[0-9a-f]{2}".prop_map(|prefix| KeyKind::Index { prefix }),
            "job-[0-9a-f]{32}/[a-zé/ %+]{1,20}".prop_map(|path| KeyKind::Artifact { path }),
            "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}".prop_map(|id| KeyKind::SelfTest { id }),
            "[0-9a-f]{32}(-index)?-[0-9]{1,5}-[0-9]{1,5}".prop_map(|name| KeyKind::LocalCache { name }),
            "[0-9a-f]{32}".prop_map(|name| KeyKind::LocalScratch { name }),
        ]
    }

    proptest! {
        #[test]
        fn a_made_key_is_classified_as_what_it_was_made_for(layout in layouts(), kind in kinds()) {
            match layout.key(&kind) {
                Some(key) => prop_assert_eq!(layout.classify(&key), kind),
                None => prop_assert!(!kind.is_data() && layout.backend != Backend::Local),
            }
        }

        #[test]
        fn the_inverse_undoes_the_map(from in layouts(), to in layouts(), kind in kinds()) {
            let map = KeyMap::new(from.clone(), to);
            if let Some(key) = from.key(&kind) {
                match map.map(&key) {
                    Mapped::Key(mapped) => {
                        prop_assert_eq!(map.inverse().map(&mapped), Mapped::Key(key.clone()));
                        prop_assert!(!map.is_identity() || mapped == key);
                    }
                    Mapped::NotCarried(kind) => prop_assert!(!kind.is_data()),
                    Mapped::Foreign => prop_assert!(false, "{} became foreign", key),
                }
            }
        }

        #[test]
        fn no_key_panics(layout in layouts(), key: String) {
            let _ = (layout.classify(&key), layout.classify_either(&key));
        }
    }
}
