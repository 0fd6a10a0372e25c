//! How the keys of a clone are named in the target's bucket, which may be of another kind: reversed or not, with a leading
//! slash or without, below another root.

use std::sync::Arc;

use pachyderm::layout::{KeyMap as LayoutMap, Layout, Mapped};

use crate::clone::{KeyFilter, KeyMap};
use crate::error::{Error, ErrorKind, Result};

/// The way of keys from one layout to another.
#[derive(Clone)]
pub(super) struct KeysBetween {
    /// How they are renamed.
    pub(super) map: KeyMap,
    /// Which ones are taken along; all without it. What isn't is no data: files that pachd writes for itself.
    pub(super) filter: Option<KeyFilter>,
}

impl KeysBetween {
    /// The way from one layout to another.
    ///
    /// # Errors
    /// `UnsupportedCluster` for a storage root that a key map can't express.
    pub(super) fn of(from: &Layout, to: &Layout) -> Result<Self> {
        let mut steps = Vec::new();
        let prefixes = (prefix(from), prefix(to));
        if (from.is_reversed(), &prefixes.0) != (to.is_reversed(), &prefixes.1) {
            steps.extend(from.is_reversed().then(|| "reverse".to_owned()));
            if prefixes.0 != prefixes.1 {
                steps.push(format!("root:{}={}", prefixes.0, prefixes.1));
            }
            steps.extend(to.is_reversed().then(|| "reverse".to_owned()));
        }
        let unsupported = || {
            let message = format!("keys of root {:?} can't be renamed to those of root {:?}", from.root, to.root);
            Error::new(ErrorKind::UnsupportedCluster, message)
                .advise("give the target the same PACH_ROOT as the source had, without commas and equals signs")
        };
        let map: KeyMap = steps.join(",").parse().map_err(|cause| unsupported().because(cause))?;
        let is_right = |named: fn(&Layout) -> String| map.apply(&named(from)) == Some(named(to));
        if !is_right(|layout| layout.block("ab")) || !is_right(|layout| layout.tag("cd")) {
            return Err(unsupported());
        }
        if map.is_identity() && from.backend == to.backend {
            return Ok(Self { map, filter: None });
        }
        let (layouts, renamed) = (LayoutMap::new(from.clone(), to.clone()), map.clone());
        let filter: KeyFilter = Arc::new(move |key| match layouts.map(key) {
            Mapped::Key(expected) => renamed.apply(key) == Some(expected),
            Mapped::NotCarried(_) | Mapped::Foreign => false,
        });
        Ok(Self { map, filter: Some(filter) })
    }

    /// Whether a key of the clone is taken along.
    pub(super) fn includes(&self, key: &str) -> bool {
        self.filter.as_ref().is_none_or(|includes| includes(key))
    }
}

/// What stands before `block/` in keys read forwards.
fn prefix(layout: &Layout) -> String {
    let forward = Layout { reversed: false, ..layout.clone() };
    let key = forward.block("");
    key.strip_suffix("block/").unwrap_or(&key).to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use pachyderm::layout::{Backend, KeyKind};

    use super::*;

    /// Every ordered pair of the layouts that there are.
    #[test]
    fn data_gets_the_name_that_the_target_gives_it() {
        let backends = [Backend::Amazon, Backend::Google, Backend::Microsoft, Backend::Minio, Backend::Local];
        let mut layouts = Vec::new();
        for backend in backends {
            for root in ["/pach", "/data/pach", "/"] {
                layouts.push(Layout { root: root.to_owned(), backend, reversed: false });
            }
        }
        layouts.push(Layout::new(Backend::Amazon, true));
        let kinds = [
            KeyKind::Block { id: "0123456789abcdef0123456789abcdef".to_owned() },
            KeyKind::BlockIndex { id: "0123456789abcdef0123456789abcdef".to_owned() },
            KeyKind::Object { hash: "ab".repeat(64) },
            KeyKind::Tag { name: "12ab_stats".to_owned() },
            KeyKind::Index { prefix: "0a".to_owned() },
        ];
        for from in &layouts {
            for to in &layouts {
                let keys = KeysBetween::of(from, to).unwrap();
                for kind in &kinds {
                    let (key, expected) = (from.key(kind).unwrap(), to.key(kind));
                    assert!(keys.includes(&key), "{from:?} to {to:?}: {key}");
                    assert_eq!(keys.map.apply(&key), expected, "{from:?} to {to:?}");
                    assert_eq!(keys.map.undo(&expected.unwrap()), Some(key), "{from:?} to {to:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_data_stays_behind_where_keys_are_renamed() {
        let (plain, slashed) = (Layout::new(Backend::Minio, false), Layout::new(Backend::Google, false));
        let keys = KeysBetween::of(&plain, &slashed).unwrap();
        assert!(!keys.includes("somebody/elses"));
        let same = KeysBetween::of(&plain, &plain).unwrap();
        assert!(same.map.is_identity() && same.includes("somebody/elses"));
    }

    #[test]
    fn a_root_that_no_map_can_express_is_refused() {
        let odd = Layout { root: "/a,b".to_owned(), ..Layout::new(Backend::Minio, false) };
        assert!(KeysBetween::of(&odd, &Layout::new(Backend::Local, false)).is_err());
    }
}
