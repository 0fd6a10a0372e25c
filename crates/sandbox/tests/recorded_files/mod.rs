//! Recorded files of `tests/data`.

use std::collections::BTreeMap;
use std::io::Read;

use bytes::Bytes;

/// A file.
pub fn data(path: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../tests/data/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Files of a `tar.zst` archive.
pub fn unpacked(path: &str) -> BTreeMap<String, Bytes> {
    let mut files = BTreeMap::new();
    let archive = data(path);
    for entry in tar::Archive::new(zstd::Decoder::new(archive.as_slice()).unwrap()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        files.insert(entry.path().unwrap().to_string_lossy().into_owned(), bytes.into());
    }
    files
}
