//! A bucket as pachd 1.x fills it on Google Cloud: half the keys are blocks, half are objects, all begin with a slash.

use bytes::Bytes;
use sandbox::gcs::{BucketHandle, Object};
use sha2::{Digest as _, Sha256};

/// Most distinct contents, and most bytes of all of them: objects share their content, so that a million stay small.
const CONTENTS: usize = 1024;
const CONTENT_BYTES: usize = 64 << 20;

fn digest(seed: u64, what: &str, number: u64, part: u64) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(what);
    for number in [seed, number, part] {
        hash.update(number.to_le_bytes());
    }
    hash.finalize().into()
}

/// The key of one object: `/pach/block/` with 32 hex digits, or `/pach/object/` with 128.
fn key(seed: u64, number: u64) -> String {
    let half = |part| hex::encode(digest(seed, "key", number, part));
    if number.is_multiple_of(2) {
        format!("/pach/block/{}", &half(0)[..32])
    } else {
        format!("/pach/object/{}{}", half(0), half(1))
    }
}

/// The content `number` of those that a bucket's objects share.
pub(crate) fn content(seed: u64, number: u64, size: usize) -> Object {
    let mut bytes = Vec::with_capacity(size + 32);
    let mut part = 0;
    while bytes.len() < size {
        bytes.extend_from_slice(&digest(seed, "content", number, part));
        part += 1;
    }
    bytes.truncate(size);
    Object::plain(Bytes::from(bytes))
}

/// Writes so many objects; the same ones for the same seed.
pub(crate) fn fill(bucket: &BucketHandle, seed: u64, objects: u64, size: usize) {
    let distinct = (CONTENT_BYTES / size.max(1)).clamp(1, CONTENTS) as u64;
    let contents: Vec<Object> = (0..distinct.min(objects)).map(|number| content(seed, number, size)).collect();
    for (number, object) in (0..objects).zip(contents.iter().cycle()) {
        bucket.put_object(&key(seed, number), object.clone());
    }
}
