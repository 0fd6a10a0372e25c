//! Any bytes as a dump file and as an operation.

use std::io::Write as _;

use pachyderm::{
    proto::{admin::Op, op::OpKind},
    stream::{MAX_OP_BYTES, RawOp, Reader, RestoreCheck, StreamError, Writer, object_hashes, view},
};
use prost::Message as _;

/// As a dump file, as the content of one whose checksums are right (few inputs get past them otherwise), and as a single
/// operation: no panic, no operation above the limit, and whatever is read can be written and read again, byte for byte.
pub fn check(bytes: &[u8]) -> bool {
    let mut content = snap::write::FrameEncoder::new(Vec::new());
    content.write_all(bytes).expect("memory takes every write");
    let content = content.into_inner().expect("memory takes every write");
    let (as_file, as_content) = (check_file(bytes), check_file(&content));
    if let Some(error) = &as_content {
        assert!(
            matches!(
                error,
                StreamError::TruncatedLength { .. }
                    | StreamError::TruncatedBody { .. }
                    | StreamError::NegativeLength { .. }
                    | StreamError::AbsurdLength { .. }
                    | StreamError::MixedVersions { .. }
                    | StreamError::Op { .. }
            ),
            "{error}: the chunks are right"
        );
    }
    let as_op = check_op(bytes);
    as_file.is_none() || as_content.is_none() || as_op
}

/// Why the file cannot be read to its end.
fn check_file(file: &[u8]) -> Option<StreamError> {
    let mut reader = Reader::new(file);
    let mut writer = Writer::new(Vec::new());
    let mut check = RestoreCheck::new();
    let mut ops: Vec<RawOp> = Vec::new();
    let error = loop {
        match reader.next_op() {
            Ok(Some(op)) => {
                assert!(!op.bytes.is_empty() && op.bytes.len() <= MAX_OP_BYTES);
                let _ = (view(&op), object_hashes(&op), check.observe(&op));
                writer.write_op(&op.bytes).expect("what was read can be written");
                ops.push(op);
            }
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    assert!(!matches!(error, Some(StreamError::Io(_))), "memory has no errors");
    assert_eq!(reader.ops(), ops.len() as u64);
    assert!(reader.next_op().is_ok_and(|op| op.is_none()), "something follows the end");
    let (copy, summary) = writer.finish().expect("memory takes every write");
    assert_eq!(summary.ops.total(), ops.len() as u64);
    let again: Vec<RawOp> = Reader::new(copy.as_slice()).collect::<Result<_, _>>().expect("our own file is whole");
    assert!(again == ops, "the copy holds other operations");
    error
}

/// Whether the bytes are an operation. The walker and the decoder of whole messages must agree about which.
fn check_op(bytes: &[u8]) -> bool {
    let Ok(raw) = RawOp::parse(bytes.to_vec()) else { return false };
    assert_eq!(raw.bytes, bytes);
    assert_eq!(raw.kind.to_string().parse(), Ok(raw.kind));
    assert_eq!(raw.version.to_string().parse(), Ok(raw.version));
    let _ = (view(&raw), object_hashes(&raw), RestoreCheck::new().observe(&raw));
    if let Ok(op) = Op::decode(bytes) {
        assert_eq!(op.version(), Some(raw.version));
        match raw.kind {
            OpKind::Empty | OpKind::Unknown(_) => assert_eq!(op.kind(), None),
            kind => assert_eq!(op.kind(), Some(kind)),
        }
    }
    true
}
