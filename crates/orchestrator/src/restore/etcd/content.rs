//! What of an etcd snapshot comes back.

use std::collections::BTreeMap;

use jiff::Timestamp;
use pachyderm::etcd::proto::KeyValue;
use pachyderm::etcd::snapshot_file::SnapshotFile;
use sha2::{Digest, Sha256};

/// Parts of keys, below pachd's prefix, that tell who is at work now: they mean nothing to another cluster, and a lock that
/// nobody holds would stop its pachd.
const OF_LIVING_PROCESSES: [&str; 2] = ["pachyderm_pps/_master_lock", "pachyderm_pps/workers/"];

/// The keys of a snapshot that come back, in the order in which they are put.
#[derive(Clone, Debug)]
pub struct Content {
    /// Revision of the snapshot.
    pub revision: i64,
    /// SHA-256 of the snapshot's database, hex: tells two recovery points apart.
    pub digest: String,
    /// What does not come back.
    pub left_out: LeftOut,
    /// By the revision of their creation, then by key.
    keys: Vec<KeyValue>,
    /// Seconds that are left of each lease.
    leases: BTreeMap<i64, i64>,
}

/// What of a snapshot does not come back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Locks and workers of processes that no longer are.
    pub processes: u64,
    /// Keys whose lease has ended meanwhile: tokens of users, codes.
    pub ended: u64,
}

impl Content {
    /// What comes back of a snapshot of an etcd in which pachd's keys have this prefix. `captured` is when it was taken.
    ///
    /// A snapshot tells for how long a lease was granted, not when. What is left of it now is at most that, less what has
    /// passed since the snapshot: so much is granted anew, and keys whose lease has ended for certain are left out.
    #[must_use]
    pub fn of(snapshot: SnapshotFile, prefix: &str, captured: Timestamp, now: Timestamp) -> Self {
        let passed = (now.as_second() - captured.as_second()).max(0);
        let leases: BTreeMap<i64, i64> =
            snapshot.leases.iter().map(|(id, granted)| (*id, granted - passed)).filter(|(_, left)| *left > 0).collect();
        let mut left_out = LeftOut::default();
        let mut keys: Vec<KeyValue> = Vec::with_capacity(snapshot.keys.len());
        for kv in snapshot.keys.into_values() {
            if is_of_a_process(&kv.key, prefix) {
                left_out.processes += 1;
            } else if kv.lease != 0 && !leases.contains_key(&kv.lease) {
                left_out.ended += 1;
            } else {
                keys.push(kv);
            }
        }
        keys.sort_by(|a, b| (a.create_revision, &a.key).cmp(&(b.create_revision, &b.key)));
        Self { revision: snapshot.revision, digest: snapshot.sha256, left_out, keys, leases }
    }

    /// Every key, in the order in which they are put.
    #[must_use]
    pub fn keys(&self) -> &[KeyValue] {
        &self.keys
    }

    /// Keys that were created together, oldest first.
    pub fn groups(&self) -> impl Iterator<Item = &[KeyValue]> {
        self.keys.chunk_by(|a, b| a.create_revision == b.create_revision)
    }

    /// Whether the source had auth.
    #[must_use]
    pub fn has_auth(&self, prefix: &str) -> bool {
        let admins = format!("{prefix}/pachyderm_auth/admins/");
        self.keys.iter().any(|kv| kv.key.starts_with(admins.as_bytes()))
    }

    /// Whether a token is one of the source's: they are kept under their SHA-256.
    #[must_use]
    pub fn has_token(&self, prefix: &str, token: &str) -> bool {
        let key = format!("{prefix}/pachyderm_auth/tokens/{}", hex::encode(Sha256::digest(token)));
        self.keys.iter().any(|kv| kv.key == key.as_bytes())
    }

    /// Seconds that are left of a lease.
    #[must_use]
    pub fn seconds_left(&self, lease: i64) -> Option<i64> {
        self.leases.get(&lease).copied()
    }
}

/// Whether a key tells of a process that lives, or lived.
pub(super) fn is_of_a_process(key: &[u8], prefix: &str) -> bool {
    let rest = key.strip_prefix(prefix.as_bytes()).and_then(|rest| rest.strip_prefix(b"/"));
    rest.is_some_and(|rest| OF_LIVING_PROCESSES.iter().any(|part| rest.starts_with(part.as_bytes())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn kv(key: &str, created: i64, lease: i64) -> KeyValue {
        let key = key.as_bytes().to_vec().into();
        KeyValue { key, create_revision: created, mod_revision: created, version: 1, lease, ..KeyValue::default() }
    }

    #[test]
    fn locks_and_ended_leases_stay_away_and_creation_gives_the_order() {
        let keys = [
            kv("pachyderm/1.7.0/pachyderm_pps/_master_lock/77", 9, 1),
            kv("pachyderm/1.7.0/pachyderm_pps/workers/p/1", 8, 0),
            kv("pachyderm/1.7.0/pachyderm_auth/tokens/long", 3, 2),
            kv("pachyderm/1.7.0/pachyderm_auth/tokens/short", 4, 3),
            kv("pachyderm/1.7.0/pachyderm_pfs/repos/b", 5, 0),
            kv("pachyderm/1.7.0/pachyderm_pfs/repos/a", 5, 0),
            kv("cluster-id", 2, 0),
        ];
        let keys = keys.into_iter().map(|kv| (kv.key.to_vec(), kv)).collect();
        let leases = BTreeMap::from([(1, 60), (2, 5000), (3, 100)]);
        let snapshot = SnapshotFile { revision: 10, keys, leases, sha256: String::new() };
        let captured = Timestamp::from_second(1_000_000).unwrap();
        let content = Content::of(snapshot, "pachyderm/1.7.0", captured, Timestamp::from_second(1_000_100).unwrap());
        assert_eq!(content.left_out, LeftOut { processes: 2, ended: 1 });
        assert_eq!(content.seconds_left(2), Some(4900));
        let names: Vec<Vec<&str>> = content
            .groups()
            .map(|group| group.iter().map(|kv| std::str::from_utf8(&kv.key).unwrap().rsplit('/').next().unwrap()))
            .map(Iterator::collect)
            .collect();
        assert_eq!(names, [vec!["cluster-id"], vec!["long"], vec!["a", "b"]]);
    }
}
