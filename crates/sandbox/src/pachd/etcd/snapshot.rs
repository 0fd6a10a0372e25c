//! Turns the key space into an etcd snapshot file and back.

use std::io;

use bytes::Bytes;
use prost::Message;
use sha2::{Digest, Sha256};

use super::bolt_writer::{self, Bucket};
use super::mvcc::{Change, KeyValue, Store};

/// Who the sandbox's etcd says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Cluster id of every answer's header.
    pub cluster_id: u64,
    /// Member id of every answer's header.
    pub member_id: u64,
    /// Name of the member.
    pub name: String,
    /// Address clients are told to use.
    pub client_url: String,
}

impl Default for Identity {
    fn default() -> Self {
        Identity {
            cluster_id: 0xcdf8_1819_4e3a_8c32,
            member_id: 0x8e9e_05c5_2164_694d,
            name: "etcd-0".into(),
            client_url: "http://127.0.0.1:2379".into(),
        }
    }
}

/// Version the sandbox's etcd reports and writes into its snapshots.
pub const ETCD_VERSION: &str = "3.4.23";

fn revision_key(main: i64, sub: i64, deleted: bool) -> Vec<u8> {
    let mut key = Vec::with_capacity(18);
    key.extend_from_slice(&main.to_be_bytes());
    key.push(b'_');
    key.extend_from_slice(&sub.to_be_bytes());
    if deleted {
        key.push(b't');
    }
    key
}

/// The bytes of `etcdctl snapshot save`: [`database`] and its SHA-256.
///
/// # Errors
/// The bolt file can't be built.
pub fn save(store: &Store, identity: &Identity) -> io::Result<Vec<u8>> {
    let mut file = database(store, identity)?;
    let digest = Sha256::digest(&file);
    file.extend_from_slice(&digest);
    Ok(file)
}

/// The bolt file that etcd keeps on its disk as `member/snap/db`.
///
/// The file holds every change since the last compaction, like a real one, so it boots in a real etcd with the same
/// keys and revisions.
///
/// # Errors
/// The bolt file can't be built.
pub fn database(store: &Store, identity: &Identity) -> io::Result<Vec<u8>> {
    let (revision, compacted, changes) = store.dump();
    let keys = changes
        .into_iter()
        .map(|change| {
            let key = revision_key(change.kv.mod_revision, change.sub, change.deleted);
            // A deletion is stored as the bare key.
            let stored = match change.deleted {
                true => KeyValue { key: change.kv.key, ..KeyValue::default() },
                false => change.kv,
            };
            (key, stored.encode_to_vec())
        })
        .collect();
    let mut meta = vec![(b"consistent_index".to_vec(), (revision as u64 + 10).to_be_bytes().to_vec())];
    if compacted > 0 {
        meta.push((b"finishedCompactRev".to_vec(), revision_key(compacted, 0, false)));
        meta.push((b"scheduledCompactRev".to_vec(), revision_key(compacted, 0, false)));
    }
    let member = serde_json::json!({
        "id": identity.member_id,
        "peerURLs": ["http://127.0.0.1:2380"],
        "name": identity.name,
        "clientURLs": [identity.client_url],
    });
    let members = vec![(format!("{:x}", identity.member_id).into_bytes(), member.to_string().into_bytes())];
    let auth = vec![(b"authRevision".to_vec(), 1u64.to_be_bytes().to_vec())];
    let cluster = vec![(b"clusterVersion".to_vec(), b"3.4.0".to_vec())];
    let buckets = vec![
        Bucket::new("alarm", Vec::new()),
        Bucket::new("auth", auth),
        Bucket::new("authRoles", Vec::new()),
        Bucket::new("authUsers", Vec::new()),
        Bucket::new("cluster", cluster),
        Bucket::new("key", keys),
        Bucket::new("lease", Vec::new()),
        Bucket::new("members", members),
        Bucket::new("members_removed", Vec::new()),
        Bucket::new("meta", meta),
    ];
    let mut file = Vec::new();
    bolt_writer::write(buckets, &mut file)?;
    Ok(file)
}

/// Why a snapshot file cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The bytes are no bolt file of etcd, or end too early.
    #[error("not an etcd snapshot: {0}")]
    Malformed(&'static str),
    /// The SHA-256 at the end is not that of the content.
    #[error("the snapshot's SHA-256 does not fit its content")]
    Checksum,
    /// A stored key cannot be decoded.
    #[error("a stored key cannot be decoded")]
    KeyValue(#[from] prost::DecodeError),
}

/// Reads all changes of a snapshot file, history included, in order of revision.
///
/// # Errors
/// The file is damaged or of another kind; a retry does not help.
pub fn load(snapshot: &[u8]) -> Result<Vec<Change>, LoadError> {
    let content = match snapshot.len() % 512 {
        32 => {
            let (content, digest) = snapshot.split_at(snapshot.len() - 32);
            if Sha256::digest(content)[..] != *digest {
                return Err(LoadError::Checksum);
            }
            content
        }
        _ => snapshot,
    };
    let file = BoltFile::open(content)?;
    let mut changes = Vec::new();
    file.walk(file.bucket(b"key")?, &mut |key, value| {
        if key.len() != 17 && key.len() != 18 {
            return Err(LoadError::Malformed("a revision key has a wrong length"));
        }
        let number = |from: usize| {
            let bytes = key[from..from + 8].try_into().map_err(|_| LoadError::Malformed("short revision key"))?;
            Ok::<_, LoadError>(i64::from_be_bytes(bytes))
        };
        let deleted = key.len() == 18;
        let mut kv = KeyValue::decode(Bytes::copy_from_slice(value))?;
        kv.mod_revision = number(0)?;
        changes.push(Change { sub: number(9)?, deleted, kv });
        Ok(())
    })?;
    Ok(changes)
}

struct BoltFile<'a> {
    bytes: &'a [u8],
    page_size: usize,
    root: u64,
}

impl<'a> BoltFile<'a> {
    fn open(bytes: &'a [u8]) -> Result<Self, LoadError> {
        let field = |at: usize, length: usize| {
            bytes.get(at..at + length).ok_or(LoadError::Malformed("shorter than its meta pages"))
        };
        let page_size = le(field(16 + 8, 4)?) as usize;
        if !page_size.is_power_of_two() || !(512..=65_536).contains(&page_size) {
            return Err(LoadError::Malformed("no bolt page size"));
        }
        // The meta page of the later transaction counts.
        let mut best = None;
        for page in 0..2 {
            let base = page * page_size + 16;
            if le(field(base, 4)?) == 0xED0C_DAED {
                best = best.max(Some((le(field(base + 48, 8)?), le(field(base + 16, 8)?))));
            }
        }
        let (_, root) = best.ok_or(LoadError::Malformed("no bolt meta page"))?;
        Ok(BoltFile { bytes, page_size, root })
    }

    fn page(&self, id: u64) -> Result<&'a [u8], LoadError> {
        let short = LoadError::Malformed("a page lies behind the end");
        let start = usize::try_from(id).ok().and_then(|id| id.checked_mul(self.page_size));
        let page = start.and_then(|start| self.bytes.get(start..)).ok_or(short)?;
        let overflow = le(page.get(12..16).ok_or(LoadError::Malformed("a page is cut off"))?) as usize;
        let length = (overflow + 1) * self.page_size;
        page.get(..length).ok_or(LoadError::Malformed("a page is cut off"))
    }

    fn bucket(&self, name: &[u8]) -> Result<&'a [u8], LoadError> {
        let mut found = None;
        self.walk(self.page(self.root)?, &mut |key, value| {
            if key == name {
                found = Some(value);
            }
            Ok(())
        })?;
        let value = found.ok_or(LoadError::Malformed("a bucket is missing"))?;
        let header = value.get(..16).ok_or(LoadError::Malformed("a bucket header is cut off"))?;
        match le(&header[..8]) {
            // A small bucket lies inside its header.
            0 => Ok(&value[16..]),
            root => self.page(root),
        }
    }

    fn walk(
        &self,
        page: &'a [u8],
        visit: &mut dyn FnMut(&'a [u8], &'a [u8]) -> Result<(), LoadError>,
    ) -> Result<(), LoadError> {
        let cut = LoadError::Malformed("an element is cut off");
        let (flags, count) = match page.get(8..12) {
            Some(header) => (header[0], le(&header[2..4]) as usize),
            None => return Err(cut),
        };
        for element in 0..count {
            let at = 16 + 16 * element;
            let fields = page.get(at..at + 16).ok_or(LoadError::Malformed("an element is cut off"))?;
            let slice = |from: usize, length: usize| {
                page.get(from..from + length).ok_or(LoadError::Malformed("an element is cut off"))
            };
            if flags & 0x02 != 0 {
                let (position, key, value) = (le(&fields[4..8]), le(&fields[8..12]), le(&fields[12..16]));
                let start = at + position as usize;
                visit(slice(start, key as usize)?, slice(start + key as usize, value as usize)?)?;
            } else if flags & 0x01 != 0 {
                self.walk(self.page(le(&fields[8..16]))?, visit)?;
            } else {
                return Err(LoadError::Malformed("a page is neither branch nor leaf"));
            }
        }
        Ok(())
    }
}

fn le(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_loads_again_with_its_history() {
        let store = Store::new();
        for n in 0..300 {
            store.put(format!("k{:03}", n % 100), vec![n as u8; n]);
        }
        store.delete(b"k007");
        store.put("large", vec![1; 50_000]);
        let file = save(&store, &Identity::default()).unwrap();
        assert_eq!(file.len() % 4096, 32);
        let again = Store::with_history(load(&file).unwrap());
        assert_eq!(again.revision(), store.revision());
        assert_eq!(again.live(), store.live());
        assert_eq!(again.history(b"k042"), store.history(b"k042"));
    }

    #[test]
    fn a_flipped_byte_is_noticed() {
        let store = Store::new();
        store.put("a", "1");
        let mut file = save(&store, &Identity::default()).unwrap();
        file[9000] ^= 1;
        assert!(matches!(load(&file), Err(LoadError::Checksum)));
    }
}
