//! Where Pachyderm 1.x keeps what in its bucket, and how a key of one deployment reads in another.
//!
//! Keys are raw strings and never normalised: on Google and Microsoft they begin with a slash, on Amazon they are often
//! stored with their characters in reverse order.

mod classify;
mod key_map;
mod reader;
mod records;

pub use classify::KeyKind;
pub use key_map::{KeyMap, Mapped};
pub use reader::{ObjectReader, ReadError, StoreError, read_block, read_object};
pub use records::{BlockRef, ObjectIndex};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The object store that pachd was deployed on (`STORAGE_BACKEND`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// Amazon S3, and stores that speak its protocol.
    Amazon,
    /// Google Cloud Storage. Keys keep the leading slash of the storage root.
    Google,
    /// Azure Blob Storage. Keys keep the leading slash of the storage root.
    Microsoft,
    /// MinIO.
    Minio,
    /// A folder of the pod. Keys are relative to that folder.
    Local,
}

impl Backend {
    /// The backend by the value of `STORAGE_BACKEND`, in any case.
    pub fn from_env_value(value: &str) -> Option<Self> {
        Some(match value.to_ascii_uppercase().as_str() {
            "AMAZON" => Self::Amazon,
            "GOOGLE" => Self::Google,
            "MICROSOFT" => Self::Microsoft,
            "MINIO" => Self::Minio,
            "LOCAL" => Self::Local,
            _ => return None,
        })
    }
}

/// How one deployment names its objects.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// The storage root (`PACH_ROOT`), `/pach` in every official deployment. Google and Microsoft keep its leading slash, if
    /// it has one, in their keys.
    pub root: String,
    /// The object store.
    pub backend: Backend,
    /// Whether keys are stored with their characters reversed (`REVERSE`). Only [`Backend::Amazon`] does so; for the others
    /// it is without effect.
    pub reversed: bool,
}

impl Layout {
    /// A layout with the usual storage root `/pach`.
    pub fn new(backend: Backend, reversed: bool) -> Self {
        Self { root: "/pach".to_owned(), backend, reversed }
    }

    /// Key of the block `id`.
    pub fn block(&self, id: &str) -> String {
        self.oriented(self.prefix() + "block/" + id)
    }

    /// Key of the object with this SHA-512.
    pub fn object(&self, hash: &str) -> String {
        self.oriented(self.prefix() + "object/" + hash)
    }

    /// Key of the tag `name`.
    pub fn tag(&self, name: &str) -> String {
        self.oriented(self.prefix() + "tag/" + name)
    }

    /// Key of the compacted index of everything that begins with `prefix`, two characters.
    pub fn index(&self, prefix: &str) -> String {
        self.oriented(self.prefix() + "index/" + prefix)
    }

    /// Whether keys are in fact stored in reverse.
    pub fn is_reversed(&self) -> bool {
        self.reversed && self.backend == Backend::Amazon
    }

    /// What stands before `block/…` in keys read forwards: empty, or ending with a slash.
    fn prefix(&self) -> String {
        let mut prefix = String::new();
        match self.backend {
            Backend::Local => return prefix,
            Backend::Google | Backend::Microsoft if self.root.starts_with('/') => prefix.push('/'),
            Backend::Google | Backend::Microsoft | Backend::Amazon | Backend::Minio => {}
        }
        // pachd joins root and name as paths, which makes one slash of several.
        for part in self.root.split('/').filter(|part| !part.is_empty()) {
            prefix.push_str(part);
            prefix.push('/');
        }
        prefix
    }

    /// A forward key as it is stored.
    fn oriented(&self, key: String) -> String {
        if self.is_reversed() { reverse(&key) } else { key }
    }
}

/// The key with its characters (not its bytes) in reverse order.
fn reverse(key: &str) -> String {
    key.chars().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_as_each_backend_stores_them() {
        assert_eq!(Layout::new(Backend::Amazon, false).block("ab12"), "pach/block/ab12");
        assert_eq!(Layout::new(Backend::Amazon, true).block("ab12"), "21ba/kcolb/hcap");
        assert_eq!(Layout::new(Backend::Minio, true).tag("x_stats"), "pach/tag/x_stats");
        assert_eq!(Layout::new(Backend::Google, true).object("ff"), "/pach/object/ff");
        assert_eq!(Layout::new(Backend::Microsoft, false).index("0a"), "/pach/index/0a");
        assert_eq!(Layout::new(Backend::Local, true).block("ab12"), "block/ab12");
        let nested = Layout { root: "/data/pach/".into(), backend: Backend::Google, reversed: false };
        assert_eq!(nested.block("ab12"), "/data/pach/block/ab12");
        let doubled = Layout { root: "//data//pach".into(), backend: Backend::Amazon, reversed: false };
        assert_eq!(doubled.block("ab12"), "data/pach/block/ab12");
        let bare = Layout { root: "pach".into(), backend: Backend::Google, reversed: false };
        assert_eq!(bare.block("ab12"), "pach/block/ab12");
        let rootless = Layout { root: "/".into(), backend: Backend::Amazon, reversed: false };
        assert_eq!(rootless.block("ab12"), "block/ab12");
        let slash = Layout { backend: Backend::Google, ..rootless };
        assert_eq!(slash.block("ab12"), "/block/ab12");
    }

    #[test]
    fn backends_are_read_from_the_environment_value() {
        assert_eq!(Backend::from_env_value("AMAZON"), Some(Backend::Amazon));
        assert_eq!(Backend::from_env_value("local"), Some(Backend::Local));
        assert_eq!(Backend::from_env_value("FLOPPY"), None);
    }
}
