//! Multi-version key space as etcd keeps it: every write gets a revision, every past value stays readable.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
pub use pachyderm::etcd::proto::KeyValue;
use tokio::sync::watch;

/// One change in the history.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Position inside its revision, from 0.
    pub sub: i64,
    /// Whether the key was deleted by it.
    pub deleted: bool,
    /// The value afterwards; of a deletion only key and `mod_revision` are set.
    pub kv: KeyValue,
}

/// Why a past revision cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RevisionError {
    /// The revision was compacted away; a retry does not help.
    #[error("etcdserver: mvcc: required revision has been compacted")]
    Compacted,
    /// The revision has not happened yet.
    #[error("etcdserver: mvcc: required revision is a future revision")]
    Future,
}

/// The end of a key range, as etcd's requests write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RangeEnd {
    /// One key only.
    Single,
    /// All keys from the first one on.
    Unbounded,
    /// All keys below this one.
    Before(Bytes),
}

impl RangeEnd {
    /// Reads the field `range_end` of a request: empty is a single key, one zero byte is "no end".
    pub fn from_field(field: &[u8]) -> Self {
        match field {
            [] => RangeEnd::Single,
            [0] => RangeEnd::Unbounded,
            end => RangeEnd::Before(Bytes::copy_from_slice(end)),
        }
    }

    /// The end of the range of all keys that begin with `prefix`.
    pub fn of_prefix(prefix: &[u8]) -> Self {
        let mut end = prefix.to_vec();
        while let Some(last) = end.pop() {
            if last < 0xff {
                end.push(last + 1);
                return RangeEnd::Before(Bytes::from(end));
            }
        }
        RangeEnd::Unbounded
    }

    /// Whether `key` lies in the range that begins at `start`.
    pub fn holds(&self, start: &[u8], key: &[u8]) -> bool {
        match self {
            RangeEnd::Single => key == start,
            RangeEnd::Unbounded => key >= start,
            RangeEnd::Before(end) => key >= start && key < &end[..],
        }
    }
}

#[derive(Debug, Default)]
struct Space {
    revision: i64,
    compacted: i64,
    /// All changes since the last compaction, by revision.
    log: Vec<Change>,
    /// Positions in `log` of every change of a key.
    keys: BTreeMap<Bytes, Vec<usize>>,
}

impl Space {
    fn latest(&self, key: &[u8]) -> Option<&KeyValue> {
        let change = &self.log[*self.keys.get(key)?.last()?];
        (!change.deleted).then_some(&change.kv)
    }

    fn append(&mut self, change: Change) {
        self.keys.entry(change.kv.key.clone()).or_default().push(self.log.len());
        self.log.push(change);
    }

    fn range(&self, start: &[u8], end: &RangeEnd, revision: i64) -> Vec<KeyValue> {
        let upper = match end {
            RangeEnd::Single => Bound::Included(start),
            RangeEnd::Unbounded => Bound::Unbounded,
            RangeEnd::Before(end) if &end[..] <= start => return Vec::new(),
            RangeEnd::Before(end) => Bound::Excluded(&end[..]),
        };
        self.keys
            .range::<[u8], _>((Bound::Included(start), upper))
            .filter_map(|(_, changes)| {
                let past = changes.iter().rev().map(|&at| &self.log[at]).find(|c| c.kv.mod_revision <= revision)?;
                (!past.deleted).then(|| past.kv.clone())
            })
            .collect()
    }
}

/// The key space. Cheap to share behind an `Arc`; all methods may be called from any thread.
#[derive(Debug)]
pub struct Store {
    space: Mutex<Space>,
    revision: watch::Sender<i64>,
}

impl Default for Store {
    fn default() -> Self {
        Store::new()
    }
}

impl Store {
    /// An empty key space at revision 1, as a new etcd has it.
    pub fn new() -> Self {
        let space = Space { revision: 1, ..Space::default() };
        Store { space: Mutex::new(space), revision: watch::Sender::new(1) }
    }

    /// A key space with a recorded history. `changes` must be in order of revision and position.
    pub fn with_history(changes: Vec<Change>) -> Self {
        let mut space = Space { revision: 1, ..Space::default() };
        for change in changes {
            space.revision = space.revision.max(change.kv.mod_revision);
            space.append(change);
        }
        let revision = watch::Sender::new(space.revision);
        Store { space: Mutex::new(space), revision }
    }

    /// Puts another history into the place of this one, as a server does that starts on another disk.
    pub fn replace(&self, changes: Vec<Change>) {
        let other = Self::with_history(changes);
        let revision = other.revision();
        *self.lock() = std::mem::take(&mut *other.lock());
        self.revision.send_replace(revision);
    }

    fn lock(&self) -> MutexGuard<'_, Space> {
        // A writer that panicked leaves whole changes behind, so the data stay usable.
        self.space.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The revision of the last write.
    pub fn revision(&self) -> i64 {
        self.lock().revision
    }

    /// The revision below which nothing can be read or watched any more; 0 if nothing was compacted.
    pub fn compacted(&self) -> i64 {
        self.lock().compacted
    }

    /// Tells of every new revision.
    pub fn revisions(&self) -> watch::Receiver<i64> {
        self.revision.subscribe()
    }

    /// The value of one key now.
    pub fn get(&self, key: &[u8]) -> Option<KeyValue> {
        self.lock().latest(key).cloned()
    }

    /// All keys with a prefix now, in order of key.
    pub fn prefix(&self, prefix: &[u8]) -> Vec<KeyValue> {
        let space = self.lock();
        space.range(prefix, &RangeEnd::of_prefix(prefix), space.revision)
    }

    /// All live keys, in order of key, and the revision they belong to.
    pub fn live(&self) -> (i64, Vec<KeyValue>) {
        let space = self.lock();
        (space.revision, space.range(&[], &RangeEnd::Unbounded, space.revision))
    }

    /// The keys of a range as they were at `revision` (0: now), in order of key, and the revision of now.
    ///
    /// # Errors
    /// The revision was compacted or lies in the future.
    pub fn range(&self, start: &[u8], end: &RangeEnd, revision: i64) -> Result<(i64, Vec<KeyValue>), RevisionError> {
        let space = self.lock();
        if revision > space.revision {
            return Err(RevisionError::Future);
        }
        if revision > 0 && revision < space.compacted {
            return Err(RevisionError::Compacted);
        }
        let at = if revision <= 0 { space.revision } else { revision };
        Ok((space.revision, space.range(start, end, at)))
    }

    /// Every change from revision `from` on, in order, and the revision of now.
    ///
    /// # Errors
    /// Changes in between were compacted away.
    pub fn changes_since(&self, from: i64) -> Result<(i64, Vec<Change>), RevisionError> {
        let space = self.lock();
        if from > 0 && from < space.compacted {
            return Err(RevisionError::Compacted);
        }
        let first = space.log.partition_point(|change| change.kv.mod_revision < from);
        Ok((space.revision, space.log[first..].to_vec()))
    }

    /// All values a key ever had, oldest first; deletions are left out.
    pub fn history(&self, key: &[u8]) -> Vec<KeyValue> {
        let space = self.lock();
        let Some(positions) = space.keys.get(key) else { return Vec::new() };
        positions.iter().map(|&at| &space.log[at]).filter(|c| !c.deleted).map(|c| c.kv.clone()).collect()
    }

    /// The value that `key` had just before `revision`.
    pub fn before(&self, key: &[u8], revision: i64) -> Option<KeyValue> {
        let space = self.lock();
        let positions = space.keys.get(key)?;
        let change = positions.iter().rev().map(|&at| &space.log[at]).find(|c| c.kv.mod_revision < revision)?;
        (!change.deleted).then(|| change.kv.clone())
    }

    /// Runs `body` as one transaction: all its writes get one revision. A body that writes nothing takes no revision.
    ///
    /// The body sees its own writes. No other reader sees any of them before it returns. It must not call the store.
    pub fn write<T>(&self, body: impl FnOnce(&mut Transaction<'_>) -> T) -> T {
        let mut space = self.lock();
        let revision = space.revision + 1;
        let mut transaction = Transaction { space: &mut space, revision, sub: 0 };
        let answer = body(&mut transaction);
        let written = transaction.sub > 0;
        if written {
            space.revision = revision;
        }
        drop(space);
        if written {
            self.revision.send_replace(revision);
        }
        answer
    }

    /// Writes one key.
    pub fn put(&self, key: impl Into<Bytes>, value: impl Into<Bytes>) -> i64 {
        self.write(|transaction| transaction.put(key, value));
        self.revision()
    }

    /// Deletes one key; tells whether it was there.
    pub fn delete(&self, key: &[u8]) -> bool {
        self.write(|transaction| transaction.delete(key))
    }

    /// Drops the history below `revision`, but for what is still live there.
    ///
    /// # Errors
    /// The revision lies in the future or was compacted already.
    pub fn compact(&self, revision: i64) -> Result<(), RevisionError> {
        let mut space = self.lock();
        if revision > space.revision {
            return Err(RevisionError::Future);
        }
        if revision <= space.compacted {
            return Err(RevisionError::Compacted);
        }
        let keep: std::collections::HashSet<usize> = space
            .keys
            .values()
            .filter_map(|positions| {
                let at = positions.iter().rev().find(|&&at| space.log[at].kv.mod_revision <= revision)?;
                (!space.log[*at].deleted).then_some(*at)
            })
            .collect();
        let log = std::mem::take(&mut space.log);
        space.keys.clear();
        for (at, change) in log.into_iter().enumerate() {
            if change.kv.mod_revision > revision || keep.contains(&at) {
                space.append(change);
            }
        }
        space.compacted = revision;
        Ok(())
    }

    /// A consistent copy of everything: revision, compaction revision, all changes.
    pub fn dump(&self) -> (i64, i64, Vec<Change>) {
        let space = self.lock();
        (space.revision, space.compacted, space.log.clone())
    }
}

/// A running transaction of [`Store::write`].
#[derive(Debug)]
pub struct Transaction<'a> {
    space: &'a mut Space,
    revision: i64,
    sub: i64,
}

impl Transaction<'_> {
    /// The revision that the writes get.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// The value of a key, own writes included.
    pub fn get(&self, key: &[u8]) -> Option<KeyValue> {
        self.space.latest(key).cloned()
    }

    /// All keys of a range, own writes included.
    pub fn range(&self, start: &[u8], end: &RangeEnd) -> Vec<KeyValue> {
        self.space.range(start, end, self.revision)
    }

    /// All keys with a prefix, own writes included.
    pub fn prefix(&self, prefix: &[u8]) -> Vec<KeyValue> {
        self.range(prefix, &RangeEnd::of_prefix(prefix))
    }

    /// Writes a key without a lease.
    pub fn put(&mut self, key: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.put_with_lease(key, value, 0);
    }

    /// Writes a key attached to a lease.
    pub fn put_with_lease(&mut self, key: impl Into<Bytes>, value: impl Into<Bytes>, lease: i64) {
        let key = key.into();
        let (create_revision, version) =
            self.space.latest(&key).map_or((self.revision, 1), |old| (old.create_revision, old.version + 1));
        self.append(KeyValue {
            key,
            value: value.into(),
            create_revision,
            mod_revision: self.revision,
            version,
            lease,
        });
    }

    /// Puts a recorded key back with the create revision it had, so that sorting by create revision gives the recorded
    /// order. No real etcd offers this; the recorded cluster needs it to be stopped a second time.
    pub fn put_back(&mut self, key: impl Into<Bytes>, value: impl Into<Bytes>, create_revision: i64) {
        let key = key.into();
        let version = self.space.latest(&key).map_or(1, |old| old.version + 1);
        self.append(KeyValue {
            key,
            value: value.into(),
            create_revision,
            mod_revision: self.revision,
            version,
            lease: 0,
        });
    }

    /// Deletes a key; tells whether it was there.
    pub fn delete(&mut self, key: &[u8]) -> bool {
        let Some(old) = self.space.latest(key) else { return false };
        let kv = KeyValue {
            key: old.key.clone(),
            value: Bytes::new(),
            create_revision: 0,
            mod_revision: self.revision,
            version: 0,
            lease: 0,
        };
        let change = Change { sub: self.sub, deleted: true, kv };
        self.sub += 1;
        self.space.append(change);
        true
    }

    fn append(&mut self, kv: KeyValue) {
        let change = Change { sub: self.sub, deleted: false, kv };
        self.sub += 1;
        self.space.append(change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(kv: Option<KeyValue>) -> Option<(Vec<u8>, i64, i64, i64)> {
        kv.map(|kv| (kv.value.to_vec(), kv.create_revision, kv.mod_revision, kv.version))
    }

    #[test]
    fn a_transaction_has_one_revision_and_an_empty_one_has_none() {
        let store = Store::new();
        store.write(|t| {
            t.put("a", "1");
            t.put("b", "2");
        });
        store.write(|t| assert!(t.get(b"a").is_some()));
        assert_eq!(store.revision(), 2);
        store.put("a", "3");
        assert_eq!(value(store.get(b"a")), Some((b"3".to_vec(), 2, 3, 2)));
        assert_eq!(value(store.get(b"b")), Some((b"2".to_vec(), 2, 2, 1)));
    }

    #[test]
    fn the_past_stays_readable_until_it_is_compacted() {
        let store = Store::new();
        store.put("a", "1");
        store.delete(b"a");
        store.put("a", "2");
        store.put("b", "3");
        let at = |revision| store.range(b"a", &RangeEnd::Single, revision).map(|(_, found)| found.len());
        assert_eq!((at(1), at(2), at(3), at(4)), (Ok(0), Ok(1), Ok(0), Ok(1)));
        assert_eq!(value(store.get(b"a")), Some((b"2".to_vec(), 4, 4, 1)));
        store.compact(4).unwrap();
        assert_eq!(at(3), Err(RevisionError::Compacted));
        assert_eq!((at(4), at(0)), (Ok(1), Ok(1)));
        assert_eq!(at(9), Err(RevisionError::Future));
        assert_eq!(store.changes_since(3), Err(RevisionError::Compacted));
        assert_eq!(store.changes_since(4).unwrap().1.len(), 2);
    }

    #[test]
    fn prefix_ends_are_the_next_key_of_the_same_length() {
        assert_eq!(RangeEnd::of_prefix(b"a"), RangeEnd::Before(Bytes::from_static(b"b")));
        assert_eq!(RangeEnd::of_prefix(b"a\xff"), RangeEnd::Before(Bytes::from_static(b"b")));
        assert_eq!(RangeEnd::of_prefix(b"\xff"), RangeEnd::Unbounded);
        assert!(RangeEnd::from_field(b"\0").holds(b"\0", b"zzz"));
    }

    #[test]
    fn a_key_put_back_keeps_its_create_revision() {
        let store = Store::new();
        store.put("a", "1");
        store.put("b", "1");
        store.delete(b"a");
        store.write(|t| t.put_back("a", "1", 2));
        assert_eq!(value(store.get(b"a")), Some((b"1".to_vec(), 2, 5, 1)));
    }
}
