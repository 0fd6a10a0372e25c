//! Any bytes as a dump file: no panic, no op above the limit, and whatever is read can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pachyderm::stream::{MAX_OP_BYTES, RawOp, Reader, RestoreCheck, Writer, object_hashes, view};

fuzz_target!(|file: &[u8]| {
    let mut reader = Reader::new(file);
    let mut writer = Writer::new(Vec::new());
    let mut check = RestoreCheck::new();
    let mut ops: Vec<RawOp> = Vec::new();
    while let Ok(Some(op)) = reader.next_op() {
        assert!(!op.bytes.is_empty() && op.bytes.len() <= MAX_OP_BYTES);
        let _ = (view(&op), object_hashes(&op), check.observe(&op));
        writer.write_op(&op.bytes).expect("what was read can be written");
        ops.push(op);
    }
    let (copy, summary) = writer.finish().expect("memory takes every write");
    assert_eq!(summary.ops.total(), ops.len() as u64);
    let again: Vec<RawOp> = Reader::new(copy.as_slice()).collect::<Result<_, _>>().expect("our own file is whole");
    assert_eq!(again, ops);

    // The same bytes as a single op, since few inputs get past the checksum.
    if let Ok(op) = RawOp::parse(file.to_vec()) {
        assert_eq!(op.bytes, file);
        let _ = (view(&op), object_hashes(&op), check.observe(&op));
    }
});
