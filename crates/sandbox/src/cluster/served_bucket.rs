//! pachd's bucket on one of the object stores.

use std::collections::BTreeMap;

use bytes::Bytes;
use pachyderm::layout::{self, KeyMap, Layout, Mapped};

use super::Storage;
#[cfg(feature = "gcs")]
use crate::gcs;
use crate::pachd::objects::ObjectStore;
use crate::s3;

/// A bucket of one of the servers.
#[derive(Clone, Debug)]
pub(super) enum BucketOf {
    S3(s3::BucketHandle),
    #[cfg(feature = "gcs")]
    Google(gcs::BucketHandle),
}

impl BucketOf {
    fn get(&self, key: &str) -> Option<Bytes> {
        match self {
            Self::S3(bucket) => bucket.get(key).map(|object| object.bytes),
            #[cfg(feature = "gcs")]
            Self::Google(bucket) => bucket.get(key).map(|object| object.bytes),
        }
    }

    fn put(&self, key: &str, value: Bytes) {
        match self {
            Self::S3(bucket) => drop(bucket.put(key, value, None)),
            #[cfg(feature = "gcs")]
            Self::Google(bucket) => {
                bucket.put(key, value, None);
            }
        }
    }

    fn remove(&self, key: &str) {
        match self {
            Self::S3(bucket) => bucket.remove(key),
            #[cfg(feature = "gcs")]
            Self::Google(bucket) => bucket.remove(key),
        };
    }

    fn keys(&self) -> Vec<String> {
        match self {
            Self::S3(bucket) => bucket.keys(),
            #[cfg(feature = "gcs")]
            Self::Google(bucket) => bucket.keys(),
        }
    }

    /// Every object, by its key.
    pub(super) fn objects(&self) -> BTreeMap<String, Bytes> {
        let mut objects = BTreeMap::new();
        match self {
            Self::S3(bucket) => {
                bucket.for_each("", |key, object| drop(objects.insert(key.to_owned(), object.bytes.clone())));
            }
            #[cfg(feature = "gcs")]
            Self::Google(bucket) => {
                bucket.for_each("", |key, object| drop(objects.insert(key.to_owned(), object.bytes.clone())));
            }
        }
        objects
    }
}

/// pachd's bucket is one that a server serves. pachd's own names are those of a LOCAL deployment, without a root.
#[derive(Debug)]
pub(super) struct ServedBucket {
    bucket: BucketOf,
    to_served: KeyMap,
    to_own: KeyMap,
}

impl ServedBucket {
    pub(super) fn new(bucket: BucketOf, storage: &Storage) -> Self {
        let to_served = KeyMap::new(Layout::new(layout::Backend::Local, false), storage.layout());
        Self { bucket, to_own: to_served.inverse(), to_served }
    }

    /// The key in the bucket. What is not Pachyderm's own, like the file of an extract to a URL, has its key as it is.
    fn served(&self, key: &str) -> String {
        match self.to_served.map(key) {
            Mapped::Key(key) => key,
            Mapped::NotCarried(_) | Mapped::Foreign => key.to_owned(),
        }
    }
}

impl ObjectStore for ServedBucket {
    fn get(&self, key: &str) -> Option<Bytes> {
        self.bucket.get(&self.served(key))
    }

    fn put(&self, key: &str, value: Bytes) {
        self.bucket.put(&self.served(key), value);
    }

    fn delete(&self, key: &str) {
        self.bucket.remove(&self.served(key));
    }

    fn list(&self, prefix: &str) -> Vec<String> {
        let own = self.bucket.keys().into_iter().filter_map(|key| match self.to_own.map(&key) {
            Mapped::Key(key) => Some(key),
            Mapped::NotCarried(_) | Mapped::Foreign => None,
        });
        let mut keys: Vec<String> = own.filter(|key| key.starts_with(prefix)).collect();
        keys.sort();
        keys
    }
}
