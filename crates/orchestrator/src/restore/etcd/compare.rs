//! The target's etcd held against the snapshot, key by key and in the order of creation.

use std::collections::BTreeMap;

use pachyderm::etcd::EtcdClient;
use pachyderm::etcd::proto::KeyValue;

use super::content::is_of_a_process;
use super::{Content, MARKER, failed};
use crate::error::Result;

/// Differences that are named.
const NAMED: usize = 20;

/// What differs between the content of a snapshot and an etcd.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Keys that were compared.
    pub keys: u64,
    /// How many differ: missing, surplus, with another value or lease, or created in another order.
    pub count: u64,
    /// The first 20 of them, in words.
    pub first: Vec<String>,
}

impl Differences {
    fn add(&mut self, what: &str, key: &[u8]) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(format!("{what} {}", key.escape_ascii()));
        }
    }
}

/// Reads every key of an etcd and compares it with the content: key, value, lease, and that what the source created earlier is
/// created earlier here too, which is what Pachyderm's listings are sorted by. The marker does not count.
///
/// # Errors
/// Those of etcd. Differences are an answer.
pub async fn compare(etcd: &EtcdClient, content: &Content) -> Result<Differences> {
    compare_but(etcd, content, |_| false).await
}

/// The same for an etcd that runs on a copy of the source's disk, in which pachd's keys have this prefix: locks of processes
/// that no longer are, and keys whose lease has ended meanwhile, are there until etcd itself takes them away.
///
/// # Errors
/// Those of etcd. Differences are an answer.
pub async fn compare_disk(etcd: &EtcdClient, content: &Content, prefix: &str) -> Result<Differences> {
    compare_but(etcd, content, |kv| kv.lease != 0 || is_of_a_process(&kv.key, prefix)).await
}

/// Compares; keys that the snapshot lacks don't count where `passes` says so.
async fn compare_but(etcd: &EtcdClient, content: &Content, passes: impl Fn(&KeyValue) -> bool) -> Result<Differences> {
    let expected: BTreeMap<&[u8], &KeyValue> = content.keys().iter().map(|kv| (&kv.key[..], kv)).collect();
    let mut found = Differences::default();
    let mut created = Vec::with_capacity(expected.len());
    let mut missing = expected.clone();
    let mut present = etcd.range_all(b"").await.map_err(|error| failed("reading keys back", error))?;
    while let Some(kv) = present.next().await.map_err(|error| failed("reading keys back", error))? {
        if kv.key == MARKER {
            continue;
        }
        found.keys += 1;
        missing.remove(&kv.key[..]);
        match expected.get(&kv.key[..]) {
            None if passes(&kv) => {}
            None => found.add("surplus:", &kv.key),
            Some(expected) if expected.value != kv.value => found.add("other value:", &kv.key),
            Some(expected) if expected.lease != kv.lease => found.add("other lease:", &kv.key),
            Some(expected) => created.push((expected.create_revision, kv.create_revision, kv.key)),
        }
    }
    missing.keys().for_each(|key| found.add("missing:", key));
    created.sort_by_key(|(source, target, _)| (*source, *target));
    let mut newest_before = 0;
    for group in created.chunk_by(|a, b| a.0 == b.0) {
        for (_, target, key) in group {
            if *target <= newest_before {
                found.add("created too early:", key);
            }
        }
        newest_before = group.iter().map(|(_, target, _)| *target).max().unwrap_or(newest_before).max(newest_before);
    }
    Ok(found)
}
