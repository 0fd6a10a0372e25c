//! Access to the recorded data of real Pachyderm 1.13.4 clusters in `tests/data`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Path of a recorded file.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data")).join(name)
}

/// A recorded file as it is.
#[allow(dead_code, reason = "not every test crate reads single files")]
pub(crate) fn file(name: &str) -> Vec<u8> {
    let path = path(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The regular files of a recorded `.tar.zst`, by their path without a leading `./`.
#[allow(dead_code, reason = "not every test crate reads archives")]
pub(crate) fn archive(name: &str) -> BTreeMap<String, Vec<u8>> {
    let unpacked = zstd::decode_all(file(name).as_slice()).unwrap();
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(unpacked.as_slice()).entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.header().entry_type().is_file() {
            let name = entry.path().unwrap().to_str().unwrap().trim_start_matches("./").to_owned();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            files.insert(name, content);
        }
    }
    files
}

/// The lines of a recorded table, split at tabs.
#[allow(dead_code, reason = "not every test crate reads tables")]
pub(crate) fn table(name: &str) -> Vec<Vec<String>> {
    let text = String::from_utf8(file(name)).unwrap();
    text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}
