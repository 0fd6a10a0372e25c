//! Any bytes as an etcd snapshot.

use std::io::Cursor;

use pachyderm::etcd::snapshot_file::{SnapshotFile, SnapshotFileError};
use sha2::{Digest as _, Sha256};

/// As a database whose checksum fits: an error or keys, never a panic.
pub fn check(database: &[u8]) -> bool {
    let mut file = database.to_vec();
    file.extend_from_slice(&Sha256::digest(database));
    match SnapshotFile::read(Cursor::new(file)) {
        Ok(snapshot) => {
            assert!(snapshot.keys.values().all(|entry| entry.mod_revision <= snapshot.revision));
            true
        }
        Err(SnapshotFileError::ChecksumMismatch { .. }) => panic!("the checksum is right"),
        Err(SnapshotFileError::Io(error)) => panic!("memory has no errors, but {error}"),
        Err(_) => false,
    }
}
