//! In which order the kinds of keys are copied, and how they are told apart.

use std::fmt;
use std::sync::Arc;

/// A kind of key in a Pachyderm bucket, in the order in which a final pass copies them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `tag/…`: points to objects.
    Tag,
    /// `object/…`: points to blocks.
    Object,
    /// `block/…`: the bytes; never changes under its key.
    Block,
    /// Everything else: `index/…`, `artifacts/…`, keys at the bucket's root.
    Other,
}

impl Kind {
    /// Every kind, in the order of a final pass.
    pub const ALL: [Self; 4] = [Self::Tag, Self::Object, Self::Block, Self::Other];
}

/// The prefixes under which the kinds are found; none is a prefix of another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindPrefixes {
    /// As `pach/tag/`.
    pub tag: String,
    /// As `pach/object/`.
    pub object: String,
    /// As `pach/block/`.
    pub block: String,
}

/// How keys are told apart by kind.
#[derive(Clone)]
pub enum CloneOrder {
    /// By prefix: each kind is listed alone. For buckets whose keys are stored as they are.
    ByPrefix(KindPrefixes),
    /// By looking at each key: the whole bucket is listed once for each kind. For reversed keys, which no prefix holds
    /// together.
    ByKey(Arc<dyn Fn(&str) -> Kind + Send + Sync>),
}

impl CloneOrder {
    /// An order for keys that no prefix tells apart.
    pub fn by_key(kind_of: impl Fn(&str) -> Kind + Send + Sync + 'static) -> Self {
        Self::ByKey(Arc::new(kind_of))
    }

    /// The kind of a key.
    #[must_use]
    pub fn kind_of(&self, key: &str) -> Kind {
        match self {
            Self::ByPrefix(KindPrefixes { tag, object, block }) => {
                if key.starts_with(tag.as_str()) {
                    Kind::Tag
                } else if key.starts_with(object.as_str()) {
                    Kind::Object
                } else if key.starts_with(block.as_str()) {
                    Kind::Block
                } else {
                    Kind::Other
                }
            }
            Self::ByKey(kind_of) => kind_of(key),
        }
    }
}

impl fmt::Debug for CloneOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByPrefix(prefixes) => f.debug_tuple("ByPrefix").field(prefixes).finish(),
            Self::ByKey(_) => f.write_str("ByKey"),
        }
    }
}
