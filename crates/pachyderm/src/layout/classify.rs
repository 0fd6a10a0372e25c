//! What a raw key holds.

use std::borrow::Cow;

use super::{Backend, Layout, reverse};

/// What a key of the bucket holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// `block/<id>`: raw bytes. The id is a random UUID without dashes, not a hash.
    Block {
        /// Id of the block, 32 hex digits.
        id: String,
    },
    /// `block/<id>-index`: index of a block that holds a tree written by a worker. Often empty.
    BlockIndex {
        /// Id of the block, 32 hex digits.
        id: String,
    },
    /// `object/<hash>`: a [`BlockRef`](super::BlockRef), where the object's bytes are.
    Object {
        /// SHA-512 of the object's bytes, 128 hex digits.
        hash: String,
    },
    /// `tag/<name>`: an [`ObjectIndex`](super::ObjectIndex) with one tag.
    Tag {
        /// The tag.
        name: String,
    },
    /// `index/<prefix>`: tags and objects compacted by old releases.
    Index {
        /// The first two characters of what it lists.
        prefix: String,
    },
    /// `artifacts/…` at the root of the bucket: a running job's intermediate results.
    Artifact {
        /// What follows `artifacts/`.
        path: String,
    },
    /// A UUID at the root of the bucket: self-test of a starting pachd or sidecar, deleted at once.
    SelfTest {
        /// The UUID.
        id: String,
    },
    /// `block/<key>-<offset>-<size>`, in local deployments only: pachd's read cache, no part of the data.
    LocalCache {
        /// What follows `block/`.
        name: String,
    },
    /// `hashtree/<uuid>`, in local deployments only: a left-over working file, no part of the data.
    LocalScratch {
        /// What follows `hashtree/`.
        name: String,
    },
    /// Nothing that Pachyderm is known to write in this layout.
    Foreign,
}

impl KeyKind {
    /// Whether the key is part of the data: everything but caches, working files and what isn't Pachyderm's.
    pub fn is_data(&self) -> bool {
        !matches!(self, Self::LocalCache { .. } | Self::LocalScratch { .. } | Self::Foreign | Self::SelfTest { .. })
    }

    /// A short name of the kind, as the first folder of the key spells it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Block { .. } => "block",
            Self::BlockIndex { .. } => "block-index",
            Self::Object { .. } => "object",
            Self::Tag { .. } => "tag",
            Self::Index { .. } => "index",
            Self::Artifact { .. } => "artifacts",
            Self::SelfTest { .. } => "self-test",
            Self::LocalCache { .. } => "local-cache",
            Self::LocalScratch { .. } => "local-scratch",
            Self::Foreign => "foreign",
        }
    }
}

impl Layout {
    /// What the raw key `key` holds, if the bucket has this layout.
    pub fn classify(&self, key: &str) -> KeyKind {
        let forward = if self.is_reversed() { Cow::Owned(reverse(key)) } else { Cow::Borrowed(key) };
        let under_root = forward.strip_prefix(self.prefix().as_str());
        under_root
            .and_then(|rest| self.under_root(rest))
            .or_else(|| at_bucket_root(&forward))
            .unwrap_or(KeyKind::Foreign)
    }

    /// As [`Layout::classify`], but tries the other orientation too when this one makes no sense of the key. With the kind
    /// comes whether the key is stored in reverse; a foreign key is returned as not reversed.
    pub fn classify_either(&self, key: &str) -> (KeyKind, bool) {
        let straight = Self { backend: self.backend, root: self.root.clone(), reversed: false };
        let turned = Self { backend: Backend::Amazon, root: self.root.clone(), reversed: true };
        let (first, second) = if self.is_reversed() { (&turned, &straight) } else { (&straight, &turned) };
        for layout in [first, second] {
            match layout.classify(key) {
                KeyKind::Foreign => {}
                kind => return (kind, layout.is_reversed()),
            }
        }
        (KeyKind::Foreign, false)
    }

    /// The raw key that holds `kind` in this layout. Nothing for foreign keys, and for the files that only local
    /// deployments have when this isn't one.
    pub fn key(&self, kind: &KeyKind) -> Option<String> {
        let local = self.backend == Backend::Local;
        Some(match kind {
            KeyKind::Block { id } => self.block(id),
            KeyKind::BlockIndex { id } => self.block(&format!("{id}-index")),
            KeyKind::Object { hash } => self.object(hash),
            KeyKind::Tag { name } => self.tag(name),
            KeyKind::Index { prefix } => self.index(prefix),
            KeyKind::Artifact { path } => self.oriented(format!("artifacts/{path}")),
            KeyKind::SelfTest { id } => self.oriented(id.clone()),
            KeyKind::LocalCache { name } if local => self.block(name),
            KeyKind::LocalScratch { name } if local => format!("hashtree/{name}"),
            KeyKind::LocalCache { .. } | KeyKind::LocalScratch { .. } | KeyKind::Foreign => return None,
        })
    }

    fn under_root(&self, rest: &str) -> Option<KeyKind> {
        let (folder, name) = rest.split_once('/')?;
        let local = self.backend == Backend::Local;
        match folder {
            "block" => block_kind(name)
                .or_else(|| (local && is_cache(name)).then(|| KeyKind::LocalCache { name: name.into() })),
            "object" if is_hex(name, 128) => Some(KeyKind::Object { hash: name.into() }),
            "tag" if !name.is_empty() => Some(KeyKind::Tag { name: name.into() }),
            "index" if name.chars().count() == 2 => Some(KeyKind::Index { prefix: name.into() }),
            "hashtree" if local && is_uuid(name) => Some(KeyKind::LocalScratch { name: name.into() }),
            _ => None,
        }
    }
}

fn at_bucket_root(key: &str) -> Option<KeyKind> {
    match key.strip_prefix("artifacts/") {
        Some("") => None,
        Some(path) => Some(KeyKind::Artifact { path: path.into() }),
        None => is_uuid(key).then(|| KeyKind::SelfTest { id: key.into() }),
    }
}

fn block_kind(name: &str) -> Option<KeyKind> {
    if is_hex(name, 32) {
        return Some(KeyKind::Block { id: name.into() });
    }
    name.strip_suffix("-index").filter(|id| is_hex(id, 32)).map(|id| KeyKind::BlockIndex { id: id.into() })
}

/// `<block>-<offset>-<size>` or `<block>-index-<offset>-<size>`.
fn is_cache(name: &str) -> bool {
    let mut parts = name.rsplitn(3, '-');
    let numbers = [parts.next(), parts.next()];
    numbers
        .into_iter()
        .all(|part| part.is_some_and(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())))
        && parts.next().is_some_and(|block| block_kind(block).is_some())
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// A UUID with dashes or without.
fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    is_hex(text, 32)
        || groups.len() == 5 && groups.iter().zip([8, 4, 4, 4, 12]).all(|(group, length)| is_hex(group, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0026f2e1549f434fb62728646e8fb805";

    #[test]
    fn local_files_that_are_no_data_are_told_apart() {
        let local = Layout::new(Backend::Local, false);
        let amazon = Layout::new(Backend::Amazon, false);
        assert_eq!(local.classify(&format!("block/{ID}-0-0")).name(), "local-cache");
        assert_eq!(local.classify(&format!("block/{ID}-index-0-512")).name(), "local-cache");
        assert_eq!(local.classify(&format!("hashtree/{ID}")).name(), "local-scratch");
        assert_eq!(amazon.classify(&format!("pach/block/{ID}-0-0")), KeyKind::Foreign);
        assert_eq!(amazon.classify(&format!("pach/hashtree/{ID}")), KeyKind::Foreign);
    }

    #[test]
    fn root_keys_and_strangers() {
        let google = Layout::new(Backend::Google, false);
        let turned = Layout::new(Backend::Amazon, true);
        assert_eq!(google.classify("artifacts/job-1/chunk").name(), "artifacts");
        assert_eq!(turned.classify("knuhc/1-boj/stcafitra").name(), "artifacts");
        assert_eq!(google.classify("0026f2e1-549f-434f-b627-28646e8fb805").name(), "self-test");
        assert_eq!(google.classify(&format!("/pach/block/{ID}")).name(), "block");
        for stranger in
            ["", "/", "pach", "pach/", "readme.txt", &format!("pach/block/{ID}"), "/pach/block/xyz", "/pach/tag/"]
        {
            assert_eq!(google.classify(stranger), KeyKind::Foreign, "{stranger}");
        }
    }

    #[test]
    fn orientation_is_found() {
        let key = format!("pach/block/{ID}");
        for reversed in [false, true] {
            let layout = Layout::new(Backend::Amazon, reversed);
            assert_eq!(layout.classify_either(&key), (KeyKind::Block { id: ID.into() }, false));
            assert_eq!(layout.classify_either(&reverse(&key)), (KeyKind::Block { id: ID.into() }, true));
            assert_eq!(layout.classify_either("readme.txt"), (KeyKind::Foreign, false));
        }
    }
}
