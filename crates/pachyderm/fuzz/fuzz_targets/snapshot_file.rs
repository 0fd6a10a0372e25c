//! Any bytes as an etcd snapshot, their checksum made to fit: an error or keys, never a panic.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use pachyderm::etcd::snapshot_file::SnapshotFile;
use sha2::{Digest, Sha256};

fuzz_target!(|database: &[u8]| {
    let mut file = database.to_vec();
    file.extend_from_slice(&Sha256::digest(database));
    if let Ok(snapshot) = SnapshotFile::read(Cursor::new(file)) {
        assert!(snapshot.keys.values().all(|entry| entry.mod_revision <= snapshot.revision));
    }
});
