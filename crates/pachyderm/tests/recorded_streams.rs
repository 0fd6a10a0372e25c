//! The stream codec against dumps that pachd and pachctl 1.13.4 wrote, and against damaged copies of them.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

#[path = "recorded/json.rs"]
mod json;
mod recorded;

use std::fs;

use json::Json;
use pachyderm::{
    proto::admin::Op,
    stream::{
        CommitRef, OpError, OpKind, OpVersion, OpView, RawOp, Reader, RestoreCheck, RestoreDefect, StreamError, Writer,
        object_hashes, view,
    },
};
use prost::Message;
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha512};

fn read_all(file: &[u8]) -> Result<Vec<RawOp>, StreamError> {
    Reader::new(file).collect()
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or("")
}

fn optional<'a>(value: &'a Value, path: &str) -> Option<&'a str> {
    value.pointer(path).and_then(Value::as_str)
}

fn commit<'a>(value: &'a Value, path: &str) -> Option<CommitRef<'a>> {
    value.pointer(path).map(|commit| CommitRef { repo: text(commit, "/repo/name"), id: text(commit, "/id") })
}

fn list<'a>(value: &'a Value, path: &str, inner: &str) -> Vec<&'a str> {
    value.pointer(path).and_then(Value::as_array).into_iter().flatten().map(|entry| text(entry, inner)).collect()
}

/// What the independent decoder saw, put as our view.
fn expected_view<'a>(kind: &str, line: &'a Value) -> OpView<'a> {
    let op = line.pointer(&format!("/op/op1_13/{kind}")).unwrap();
    match kind {
        "block" => OpView::Block {
            id: text(op, "/block/hash"),
            bytes: line.get("value_bytes").and_then(Value::as_u64).unwrap_or(0) as usize,
        },
        "create_object" => {
            OpView::CreateObject { hash: text(op, "/object/hash"), block: text(op, "/block_ref/block/hash") }
        }
        "tag" => OpView::Tag { object: text(op, "/object/hash"), tags: list(op, "/tags", "/name") },
        "repo" => OpView::Repo { name: text(op, "/repo/name") },
        "commit" => OpView::Commit {
            commit: CommitRef { repo: text(op, "/parent/repo/name"), id: text(op, "/ID") },
            parent: optional(op, "/parent/id"),
            tree: optional(op, "/tree/hash"),
            trees: list(op, "/trees", "/hash"),
            datums: optional(op, "/datums/hash"),
            size_bytes: optional(op, "/size_bytes").map_or(0, |size| size.parse().unwrap()),
        },
        "branch" => OpView::Branch {
            repo: text(op, "/branch/repo/name"),
            name: text(op, "/branch/name"),
            head: commit(op, "/head"),
        },
        "pipeline" => OpView::Pipeline { name: text(op, "/pipeline/name"), spec_commit: commit(op, "/spec_commit") },
        "job" => OpView::Job { pipeline: text(op, "/pipeline/name"), output_commit: commit(op, "/output_commit") },
        other => panic!("no view of {other} in the recorded data"),
    }
}

/// The line that the independent decoder wrote about an operation, made of our own messages.
fn line(raw: &RawOp) -> Value {
    let mut op = Op::decode(&raw.bytes[..]).unwrap();
    let block = op.op1_13.as_mut().and_then(|body| body.block.as_mut());
    let value = block.map(|block| std::mem::take(&mut block.value));
    let mut line = json!({
        "version": format!("op1_{}", raw.version.minor()),
        "kind": raw.kind.to_string(),
        "frame_bytes": raw.bytes.len(),
        "frame_sha256": sha256(&raw.bytes),
        "op": op.json(),
    });
    if let Some(value) = value {
        line["value_bytes"] = value.len().into();
        line["value_sha512"] = (!value.is_empty()).then(|| hex::encode(Sha512::digest(&value))).into();
    }
    line
}

/// Compares in both directions: a field that only one of the two decoders has shown fails.
fn assert_equals_json(name: &str, file: &[u8], json: &[u8]) {
    let json: Value = serde_json::from_slice(json).unwrap();
    let number = |field: &str| json.get(field).and_then(Value::as_u64).unwrap();
    assert_eq!(
        (file.len() as u64, sha256(file).as_str()),
        (number("file_bytes"), text(&json, "/file_sha256")),
        "{name}"
    );

    let ops = read_all(file).unwrap();
    let lines = json.get("stream").and_then(Value::as_array).unwrap();
    assert_eq!((ops.len(), ops.len() as u64), (lines.len(), number("ops")), "{name}");
    assert_eq!(ops.iter().map(|op| op.bytes.len() as u64 + 8).sum::<u64>(), number("uncompressed_bytes"), "{name}");
    for (index, (op, recorded)) in ops.iter().zip(lines).enumerate() {
        assert_eq!(line(op), *recorded, "{name} op {index}");
        let kind = text(recorded, "/kind");
        assert_eq!(view(op).unwrap(), expected_view(kind, recorded), "{name} op {index}");
    }

    let mut writer = Writer::new(Vec::new());
    for op in &ops {
        writer.write_op(&op.bytes).unwrap();
    }
    let (rewritten, summary) = writer.finish().unwrap();
    assert_eq!(read_all(&rewritten).unwrap(), ops, "{name}");
    assert_eq!(serde_json::to_value(&summary.ops).unwrap(), json["counts"], "{name}");
    assert_eq!(summary.largest_frame, number("largest_frame_bytes"), "{name}");
    assert_eq!((summary.bytes, summary.sha256), (rewritten.len() as u64, sha256(&rewritten)), "{name}");
    assert_eq!(summary.version, Some(OpVersion::V1_13), "{name}");
}

#[test]
fn every_recorded_stream_equals_its_independent_decode() {
    let mut compared = 0;
    for entry in fs::read_dir(recorded::path("extract")).unwrap() {
        let path = entry.unwrap().path();
        let json = path.with_extension("json");
        if path.extension().is_some_and(|extension| extension == "pachd") && json.exists() {
            assert_equals_json(&path.display().to_string(), &fs::read(&path).unwrap(), &fs::read(json).unwrap());
            compared += 1;
        }
    }
    assert_eq!(compared, 6);
}

#[test]
fn the_full_stream_of_alpha_equals_its_independent_decode() {
    let archive = recorded::archive("alpha.tar.zst");
    assert_equals_json("alpha-full", &archive["alpha-full.pachd"], &archive["alpha-full.json"]);
}

#[test]
fn streams_without_a_decode_beside_them_are_read_too() {
    let server = read_all(&recorded::file("extract/alpha-url-server-no-objects.pachd")).unwrap();
    assert_eq!(server.len(), 216);
    assert_eq!(read_all(&recorded::file("extract/odd-computed.pachd")).unwrap().len(), 292);
}

#[test]
fn every_object_of_alphas_commits_is_in_its_bucket() {
    let keys: std::collections::BTreeSet<String> =
        recorded::table("bucket/alpha-keys.tsv").into_iter().map(|mut row| row.swap_remove(0)).collect();
    let ops = read_all(&recorded::file("extract/alpha-no-objects.pachd")).unwrap();
    let hashes: Vec<String> = ops.iter().flat_map(|op| object_hashes(op).unwrap()).collect();
    assert!(hashes.len() > 100, "{}", hashes.len());
    for hash in hashes {
        assert!(keys.contains(&format!("object/{hash}")), "{hash}");
    }
}

fn defects(name: &str) -> Vec<RestoreDefect> {
    let mut check = RestoreCheck::new();
    let ops = read_all(&recorded::file(name)).unwrap();
    ops.iter().filter_map(|op| check.observe(op).unwrap()).collect()
}

#[test]
fn defects_that_stopped_a_real_restore_are_found() {
    let odd = defects("extract/odd-no-objects.pachd");
    assert!(!odd.is_empty() && odd.iter().all(|defect| matches!(defect, RestoreDefect::ChildBeforeParent { .. })));
    assert_eq!(
        defects("restore/odd-branch-name-no-objects.pachd"),
        [RestoreDefect::BadBranchName { repo: "images".into(), name: "master,raw@master".into() }]
    );
    for clean in ["extract/alpha-no-objects.pachd", "extract/odd-computed.pachd", "extract/amazon-no-objects.pachd"] {
        assert_eq!(defects(clean), [], "{clean}");
    }
}

// What can be wrong.

/// Snappy-frames `content` in chunks of `chunk` bytes, uncompressed as far as the format allows it.
fn snappy(content: &[u8], chunk: usize) -> Vec<u8> {
    let mut file = b"\xff\x06\x00\x00sNaPpY".to_vec();
    for piece in content.chunks(chunk) {
        let checksum = crc32c::crc32c(piece).rotate_right(15).wrapping_add(0xa282_ead8);
        file.push(1);
        file.extend_from_slice(&(piece.len() as u32 + 4).to_le_bytes()[..3]);
        file.extend_from_slice(&checksum.to_le_bytes());
        file.extend_from_slice(piece);
    }
    file
}

fn frame(length: i64, body: &[u8]) -> Vec<u8> {
    [&length.to_le_bytes(), body].concat()
}

const REPO: &[u8] = b"\x3a\x0e\x22\x0c\x0a\x0a\x0a\x08__spec__";
const REPO_1_12: &[u8] = b"\x32\x0e\x22\x0c\x0a\x0a\x0a\x08__spec__";

fn error_in(content: &[u8]) -> StreamError {
    read_all(&snappy(content, 1000)).unwrap_err()
}

#[test]
fn no_ops_are_no_bytes() {
    let (file, summary) = Writer::new(Vec::new()).finish().unwrap();
    assert_eq!((file.len(), summary.bytes, summary.ops.total(), summary.version), (0, 0, 0, None));
    assert_eq!(summary.sha256, sha256(b""));
    assert_eq!(read_all(b"").unwrap(), []);
}

#[test]
fn gamma_is_written_as_golang_writes_it() {
    let mut writer = Writer::new(Vec::new());
    writer.write_op(REPO).unwrap();
    assert_eq!(writer.finish().unwrap().0, recorded::file("extract/gamma-no-objects.pachd"));
}

#[test]
fn truncation_is_told_apart_by_place() {
    let whole = frame(16, REPO);
    assert!(matches!(error_in(&whole[..5]), StreamError::TruncatedLength { op: 0, got: 5 }));
    assert!(matches!(error_in(&whole[..20]), StreamError::TruncatedBody { op: 0, length: 16, got: 12 }));
    assert!(matches!(error_in(&[&whole[..], &[1, 0]].concat()), StreamError::TruncatedLength { op: 1, got: 2 }));
    let file = snappy(&whole, 1000);
    assert!(matches!(read_all(&file[..30]).unwrap_err(), StreamError::TruncatedChunk { offset: 10 }));
    assert!(matches!(read_all(&file[..12]).unwrap_err(), StreamError::TruncatedChunk { offset: 10 }));
    assert!(matches!(read_all(&file[..7]).unwrap_err(), StreamError::TruncatedChunk { offset: 0 }));
    assert!(matches!(read_all(&file[..10]).unwrap_err(), StreamError::TruncatedAfterIdentifier));
    assert!(read_all(&file[..30]).unwrap_err().is_truncation());
}

#[test]
fn lengths_that_cannot_be_are_refused_before_anything_is_allocated() {
    assert!(matches!(error_in(&frame(-1, b"")), StreamError::NegativeLength { op: 0, length: -1 }));
    assert!(matches!(error_in(&frame(i64::MAX, b"")), StreamError::AbsurdLength { op: 0, length: i64::MAX }));
    assert!(matches!(error_in(&frame(21 * 1024 * 1024 + 1, b"")), StreamError::AbsurdLength { op: 0, .. }));
    assert!(matches!(error_in(&frame(0, b"")), StreamError::Op { op: 0, source: OpError::ZeroLength }));
}

#[test]
fn versions_are_checked() {
    let mixed = [frame(16, REPO), frame(16, REPO_1_12)].concat();
    let expected = (OpVersion::V1_13, OpVersion::V1_12);
    assert!(
        matches!(error_in(&mixed), StreamError::MixedVersions { op: 1, first, found } if (first, found) == expected)
    );
    let unknown = frame(2, b"\x42\x00");
    assert!(matches!(error_in(&unknown), StreamError::Op { op: 0, source: OpError::UnknownVersion { field: 8 } }));
    assert!(matches!(error_in(&frame(2, b"\x3a\x05")), StreamError::Op { op: 0, source: OpError::Wire(_) }));

    let mut writer = Writer::new(Vec::new());
    writer.write_op(REPO).unwrap();
    assert!(matches!(writer.write_op(REPO_1_12), Err(StreamError::MixedVersions { op: 1, .. })));
    assert!(matches!(writer.write_op(b""), Err(StreamError::Op { op: 1, source: OpError::ZeroLength })));
    let (file, summary) = writer.finish().unwrap();
    assert_eq!((read_all(&file).unwrap().len(), summary.ops.of(OpKind::Repo)), (1, 1));
}

#[test]
fn damaged_chunks_are_told_apart() {
    let good = snappy(&frame(16, REPO), 1000);
    let damaged = |at: usize, byte: u8| {
        let mut file = good.clone();
        file[at] = byte;
        read_all(&file).unwrap_err()
    };
    assert!(matches!(damaged(0, 0x50), StreamError::NotSnappy { offset: 0 }));
    assert!(matches!(damaged(5, b'X'), StreamError::NotSnappy { offset: 0 }));
    assert!(matches!(damaged(10, 0x02), StreamError::UnknownChunk { offset: 10, chunk_type: 2 }));
    assert!(matches!(damaged(14, !good[14]), StreamError::BadChecksum { offset: 10, .. }));
    assert!(matches!(damaged(40, b'X'), StreamError::BadChecksum { offset: 10, .. }));
    assert!(matches!(damaged(13, 0xff), StreamError::BadChunkSize { offset: 10, .. }));
    assert!(matches!(damaged(10, 0x00), StreamError::BadCompression { offset: 10, .. }));
    let short = [b"\xff\x06\x00\x00sNaPpY", &[1u8, 3, 0, 0, 1, 2, 3][..]].concat();
    assert!(matches!(read_all(&short).unwrap_err(), StreamError::BadChunkSize { offset: 10, length: 3 }));
    assert!(matches!(read_all(b"PK\x03\x04").unwrap_err(), StreamError::NotSnappy { offset: 0 }));
}

#[test]
fn padding_skippable_chunks_and_joined_files_are_read() {
    let one = snappy(&frame(16, REPO), 7);
    let padding = [0xfe, 2, 0, 0, 0, 0, 0x80, 1, 0, 0, 9];
    let joined = [&one[..], &padding, &one].concat();
    assert_eq!(read_all(&joined).unwrap().len(), 2);
}

#[test]
fn a_failed_reader_returns_nothing_more() {
    let content = [frame(16, REPO), frame(0, b""), frame(16, REPO)].concat();
    let file = snappy(&content, 1000);
    let mut reader = Reader::new(file.as_slice());
    assert!(reader.next_op().unwrap().is_some());
    assert!(reader.next_op().is_err());
    assert!(reader.next_op().unwrap().is_none());
    assert_eq!(reader.ops(), 1);
}

#[test]
fn a_cut_stream_is_never_taken_for_a_whole_one() {
    let content = [frame(16, REPO), frame(16, REPO), frame(16, REPO)].concat();
    // Chunks of 8 bytes, so that chunk ends fall on frame ends (24, 48) and elsewhere.
    let file = snappy(&content, 8);
    let chunk = 8 + 8;
    for length in 0..file.len() {
        let chunks = length.saturating_sub(10) / chunk;
        let on_boundary =
            length == 0 || length > 10 && (length - 10).is_multiple_of(chunk) && (chunks * 8).is_multiple_of(24);
        match read_all(&file[..length]) {
            Ok(ops) => assert!(on_boundary && ops.len() == chunks / 3, "{length}"),
            Err(error) => assert!(!on_boundary && error.is_truncation(), "{length}: {error}"),
        }
    }
    // A recorded stream fits in one chunk, so that no cut may pass.
    let recorded = recorded::file("extract/gamma-no-objects.pachd");
    for length in 1..recorded.len() {
        assert!(read_all(&recorded[..length]).unwrap_err().is_truncation(), "{length}");
    }
}

#[test]
fn no_flipped_byte_of_a_recorded_stream_yields_other_ops() {
    let good = recorded::file("extract/amazon-no-objects.pachd");
    let ops = read_all(&good).unwrap();
    for flip in [0x01, 0x55, 0x80, 0xff] {
        let mut noticed = 0;
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= flip;
            match read_all(&bad) {
                // A back-reference may point to another place with the same text.
                Ok(read) => assert_eq!(read, ops, "{at}"),
                Err(_) => noticed += 1,
            }
        }
        assert!(noticed > good.len() * 99 / 100, "{noticed} of {}", good.len());
    }
}
