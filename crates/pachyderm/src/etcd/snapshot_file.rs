//! Reading an etcd snapshot file without an etcd: a bolt database followed by its SHA-256.
//!
//! The file is walked page by page: [`SnapshotSummary`] needs next to no memory, [`SnapshotFile`] that of the live keys. Every
//! number in it is checked before it is used; a damaged file gives an error, never a panic.

mod bolt;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use prost::Message;
use sha2::{Digest, Sha256};

use self::bolt::{Bucket, Database, bucket};
use super::proto::KeyValue;
use crate::wire;

const TRAILER: u64 = 32;

/// Why a snapshot file can't be used. Only [`SnapshotFileError::Io`] may go away by a retry.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotFileError {
    /// The file can't be read.
    #[error("reading the snapshot file failed")]
    Io(#[from] io::Error),
    /// Too short, or of a length that a database with a checksum behind it can't have: a bare copy of a database file, or a
    /// truncated snapshot.
    #[error("{length} bytes are no etcd snapshot with a checksum at its end")]
    NoTrailer {
        /// Size of the file in bytes.
        length: u64,
    },
    /// The checksum at the end isn't that of the rest.
    #[error("checksum mismatch: the file says {stored}, its content gives {computed}")]
    ChecksumMismatch {
        /// SHA-256 stored at the end, hex.
        stored: String,
        /// SHA-256 of the rest, hex.
        computed: String,
    },
    /// The first page doesn't describe a bolt database.
    #[error("no bolt database: {reason}")]
    BadMeta {
        /// What is wrong.
        reason: &'static str,
    },
    /// A page contradicts itself or the rest.
    #[error("page {page} is corrupt: {reason}")]
    BadPage {
        /// Number of the page.
        page: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// A bucket that every etcd has is missing.
    #[error("the database has no bucket {name:?}")]
    MissingBucket {
        /// Name of the bucket.
        name: &'static str,
    },
    /// A record of a revision that isn't as etcd writes it.
    #[error("record of revision {revision} is corrupt: {reason}")]
    BadRevision {
        /// Main revision, 0 when not even that can be read.
        revision: i64,
        /// What is wrong.
        reason: &'static str,
    },
    /// A record that isn't a KeyValue message.
    #[error("record of revision {revision} is no KeyValue")]
    BadKeyValue {
        /// Main revision.
        revision: i64,
        /// What the decoder says.
        #[source]
        source: prost::DecodeError,
    },
    /// A lease that isn't as etcd writes it.
    #[error("a lease record is corrupt")]
    BadLease(#[source] wire::WireError),
}

use SnapshotFileError as Error;

/// What a snapshot file is, without its content: found by walking every page and looking at every record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotSummary {
    /// Revision of the store.
    pub revision: i64,
    /// Records: every revision of every key since the last compaction, deletions among them.
    pub records: u64,
    /// SHA-256 of the database, as stored at the end of the file; hex.
    pub sha256: String,
}

impl SnapshotSummary {
    /// Reads the snapshot file at `path` twice: once for the checksum, once for its records. Blocking. Memory is that of one
    /// record, of one page, and of a bit for each page.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let mut records = 0;
        let mut file = Opened::new(File::open(path)?)?;
        let revision = file.replay(&mut |record| {
            record.check()?;
            records += 1;
            Ok(())
        })?;
        Ok(Self { revision, records, sha256: file.sha256 })
    }
}

/// The state of an etcd at the revision of its snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct SnapshotFile {
    /// Revision of the store.
    pub revision: i64,
    /// The live keys.
    pub keys: BTreeMap<Vec<u8>, KeyValue>,
    /// The leases: granted seconds by id.
    pub leases: BTreeMap<i64, i64>,
    /// SHA-256 of the database, as stored at the end of the file; hex.
    pub sha256: String,
}

impl SnapshotFile {
    /// Reads the snapshot file at `path`. Reads it twice: once for the checksum, once for the content. Blocking.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::read(File::open(path)?)
    }

    /// As [`SnapshotFile::open`], from anything that can be read at any position.
    pub fn read<R: Read + Seek>(file: R) -> Result<Self, Error> {
        let mut file = Opened::new(file)?;
        let mut keys = BTreeMap::new();
        let revision = file.replay(&mut |record| {
            let content = record.check()?;
            if record.deletes() {
                keys.remove(content.key.as_ref());
            } else {
                keys.insert(content.key.to_vec(), content);
            }
            Ok(())
        })?;
        let leases = file.leases()?;
        Ok(Self { revision, keys, leases, sha256: file.sha256 })
    }
}

/// A snapshot file whose checksum is right.
struct Opened<R> {
    database: Database<R>,
    buckets: BTreeMap<Vec<u8>, Bucket>,
    sha256: String,
}

impl<R: Read + Seek> Opened<R> {
    fn new(mut file: R) -> Result<Self, Error> {
        let length = file.seek(SeekFrom::End(0))?;
        if length % 512 != TRAILER || length == TRAILER {
            return Err(Error::NoTrailer { length });
        }
        let sha256 = verify(&mut file, length - TRAILER)?;
        let mut database = Database::new(file, length - TRAILER)?;
        let mut buckets = BTreeMap::new();
        database.walk(&Bucket::Page(database.root()), &mut |key, value, is_bucket| {
            if is_bucket {
                buckets.insert(key.to_vec(), bucket(value)?);
            }
            Ok(())
        })?;
        Ok(Self { database, buckets, sha256 })
    }

    /// Visits every record in the order of revisions. Answers with the revision of the store.
    fn replay(&mut self, visit: &mut dyn FnMut(&Record<'_>) -> Result<(), Error>) -> Result<i64, Error> {
        let mut newest = 0;
        let find = |name: &'static str| self.buckets.get(name.as_bytes()).ok_or(Error::MissingBucket { name });
        let (records, meta) = (find("key")?, find("meta")?);
        self.database.walk(records, &mut |key, value, _| {
            let revision = revision_of(key)?;
            newest = newest.max(revision);
            visit(&Record { revision, mark: key.get(17..).unwrap_or(&[]), value })
        })?;
        self.database.walk(meta, &mut |key, value, _| {
            if key == b"scheduledCompactRev" || key == b"finishedCompactRev" {
                newest = newest.max(revision_of(value)?);
            }
            Ok(())
        })?;
        Ok(newest)
    }

    /// Granted seconds of each lease.
    fn leases(&mut self) -> Result<BTreeMap<i64, i64>, Error> {
        let mut leases = BTreeMap::new();
        if let Some(bucket) = self.buckets.get(b"lease".as_slice()) {
            self.database.walk(bucket, &mut |_, value, _| {
                let number = |field| wire::varint_of(value, field).map_err(Error::BadLease);
                leases.insert(number(1)?.cast_signed(), number(2)?.cast_signed());
                Ok(())
            })?;
        }
        Ok(leases)
    }
}

/// One record of the bucket `key`: what one revision did to one key.
struct Record<'a> {
    revision: i64,
    /// What follows the revision in the record's key: nothing, or `t` for a deletion.
    mark: &'a [u8],
    value: &'a [u8],
}

impl Record<'_> {
    fn deletes(&self) -> bool {
        self.mark == b"t"
    }

    /// Its content, once it is as etcd writes it.
    fn check(&self) -> Result<KeyValue, Error> {
        let revision = self.revision;
        let bad = |reason| Error::BadRevision { revision, reason };
        let content = KeyValue::decode(self.value).map_err(|source| Error::BadKeyValue { revision, source })?;
        match self.mark {
            b"" if content.mod_revision != revision => Err(bad("its key and its content differ in revision")),
            b"" | b"t" => Ok(content),
            _ => Err(bad("unknown mark behind the revision")),
        }
    }
}

/// The main revision in `<8 bytes> _ <8 bytes>`, big-endian.
fn revision_of(key: &[u8]) -> Result<i64, Error> {
    match (key.first_chunk::<8>(), key.get(8), key.len()) {
        (Some(main), Some(b'_'), 17..) => Ok(i64::from_be_bytes(*main)),
        _ => Err(Error::BadRevision { revision: 0, reason: "no revision in its key" }),
    }
}

/// Compares the checksum behind the first `length` bytes with theirs.
fn verify<R: Read + Seek>(file: &mut R, length: u64) -> Result<String, Error> {
    file.seek(SeekFrom::Start(0))?;
    let (mut hash, mut left, mut buffer) = (Sha256::new(), length, vec![0; 1 << 17]);
    while left > 0 {
        let piece = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        file.read_exact(&mut buffer[..piece])?;
        hash.update(&buffer[..piece]);
        left -= piece as u64;
    }
    let mut stored = [0; TRAILER as usize];
    file.read_exact(&mut stored)?;
    let (stored, computed) = (hex::encode(stored), hex::encode(hash.finalize()));
    if stored == computed { Ok(computed) } else { Err(Error::ChecksumMismatch { stored, computed }) }
}
