//! Recorded calls, read from the archive in the test data.

use std::{collections::BTreeMap, fs::File, io::Read as _};

use serde_json::Value;

/// One recorded call.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    /// Messages sent.
    pub(crate) requests: Vec<Vec<u8>>,
    /// Messages answered.
    pub(crate) answers: Vec<Vec<u8>>,
    /// What an independent client made of it.
    pub(crate) json: Value,
}

impl Recording {
    pub(crate) fn status(&self) -> &str {
        self.json["status"].as_str().unwrap()
    }

    pub(crate) fn message(&self) -> &str {
        self.json["message"].as_str().unwrap()
    }

    /// `/pfs.API/ListRepo`
    pub(crate) fn method(&self) -> &str {
        self.json["method"].as_str().unwrap()
    }
}

/// All recorded calls by folder, method and case, such as `grpc/pfs.API.ListRepo/all-paused`.
pub(crate) fn recordings() -> BTreeMap<String, Recording> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/grpc.tar.zst");
    let mut archive = tar::Archive::new(zstd::Decoder::new(File::open(path).unwrap()).unwrap());
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        files.insert(name, content);
    }
    let mut recordings = BTreeMap::new();
    for (name, content) in &files {
        let Some(case) = name.strip_suffix(".json").filter(|case| !case.contains("/timeline/")) else { continue };
        let json: Value = serde_json::from_slice(content).unwrap();
        let (requests_framed, answers_framed) = match json["kind"].as_str().unwrap() {
            "unary" => (false, false),
            "server stream" => (false, true),
            "client stream" => (true, false),
            kind => panic!("{name}: unknown kind {kind}"),
        };
        let part = |suffix: &str, framed: bool| messages(&files[&format!("{case}.{suffix}")], framed);
        let failed = json["status"] != "OK";
        let requests = part("req.bin", requests_framed);
        let answers = if failed && !answers_framed { Vec::new() } else { part("resp.bin", answers_framed) };
        recordings.insert(case.to_owned(), Recording { requests, answers, json });
    }
    recordings
}

/// Splits what was recorded of a stream: each message behind its length, 4 bytes big-endian.
fn messages(mut bytes: &[u8], framed: bool) -> Vec<Vec<u8>> {
    if !framed {
        return vec![bytes.to_vec()];
    }
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<4>().unwrap();
        let (message, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        messages.push(message.to_vec());
        bytes = rest;
    }
    messages
}
