//! Pachyderm's collections in etcd.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::OfflineError;
use crate::etcd::proto::KeyValue;
use crate::wire::WireError;

/// The keys of one Pachyderm cluster.
pub(super) struct Collections<'a> {
    state: &'a BTreeMap<Vec<u8>, KeyValue>,
    /// What stands before `pachyderm_pfs/…`, with its slash.
    prefix: Vec<u8>,
}

/// One record of a collection.
#[derive(Clone, Copy)]
pub(super) struct Record<'a> {
    /// What follows the collection's name in the key.
    pub(super) name: &'a [u8],
    /// Key and value in etcd.
    pub(super) entry: &'a KeyValue,
}

impl<'a> Collections<'a> {
    /// Finds the cluster by its specification repo, which every cluster has.
    pub(super) fn find(state: &'a BTreeMap<Vec<u8>, KeyValue>) -> Result<Self, OfflineError> {
        let mut prefixes: Vec<Vec<u8>> = state
            .keys()
            .filter_map(|key| key.strip_suffix(b"pachyderm_pfs/repos/__spec__".as_slice()))
            .filter(|prefix| prefix.is_empty() || prefix.ends_with(b"/"))
            .map(<[u8]>::to_vec)
            .collect();
        match (prefixes.pop(), prefixes.is_empty()) {
            (Some(prefix), true) => Ok(Self { state, prefix }),
            (None, _) => Err(OfflineError::NoCluster),
            (Some(last), false) => {
                prefixes.push(last);
                Err(OfflineError::SeveralClusters {
                    prefixes: prefixes.iter().map(|prefix| printable(prefix)).collect(),
                })
            }
        }
    }

    /// The records of `collection` in key order, its index keys left out.
    pub(super) fn records(&self, collection: &str) -> impl Iterator<Item = Record<'a>> + use<'a> {
        self.keys(&[collection.as_bytes(), b"/"].concat())
            .filter(|record| !record.name.windows(8).any(|part| part == b"__index_"))
    }

    /// All keys that begin with `start`, in key order.
    pub(super) fn keys(&self, start: &[u8]) -> impl Iterator<Item = Record<'a>> + use<'a> {
        let start = [&self.prefix, start].concat();
        let length = start.len();
        let range = self.state.range::<[u8], _>((Bound::Included(start.as_slice()), Bound::Unbounded));
        range
            .take_while(move |(key, _)| key.starts_with(&start))
            .map(move |(key, entry)| Record { name: &key[length..], entry })
    }

    /// One record.
    pub(super) fn get(&self, collection: &str, name: &[u8]) -> Option<Record<'a>> {
        let key = [&self.prefix, collection.as_bytes(), b"/", name].concat();
        let start = key.len() - name.len();
        self.state.get_key_value(&key).map(|(key, entry)| Record { name: &key[start..], entry })
    }

    /// The record of a commit.
    pub(super) fn commit(&self, repo: &str, id: &str) -> Option<Record<'a>> {
        self.get("pachyderm_pfs/commits", format!("{repo}/{id}").as_bytes())
    }
}

impl<'a> Record<'a> {
    /// The value: a message.
    pub(super) fn value(&self) -> &'a [u8] {
        &self.entry.value
    }

    /// The record's name as text, for keys that are names.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(self.name).into_owned()
    }

    /// Says which record is malformed.
    pub(super) fn malformed(&self, source: WireError) -> OfflineError {
        OfflineError::Record { key: self.key(), source }
    }

    /// Says which record lacks a field.
    pub(super) fn lacks(&self, field: &'static str) -> OfflineError {
        OfflineError::MissingField { key: self.key(), field }
    }

    /// The whole key, printable.
    pub(super) fn key(&self) -> String {
        printable(&self.entry.key)
    }
}

fn printable(key: &[u8]) -> String {
    key.escape_ascii().to_string()
}
