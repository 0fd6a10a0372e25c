//! A bucket as pachd 1.x fills it: half the keys are blocks, half are objects.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::ObjectServer;

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

/// The key of one object below a root: `block/` with 32 hex digits, or `object/` with 128.
fn key(root: &str, seed: u64, number: u64) -> String {
    let half = |part| hex::encode(digest(seed, "key", number, part));
    if number.is_multiple_of(2) {
        format!("{root}block/{}", &half(0)[..32])
    } else {
        format!("{root}object/{}{}", half(0), half(1))
    }
}

/// The content `number` of those that a bucket's objects share.
pub(crate) fn content<Server: ObjectServer>(seed: u64, number: u64, size: usize) -> Server::Object {
    let mut bytes = Vec::with_capacity(size + 32);
    let mut part = 0;
    while bytes.len() < size {
        bytes.extend_from_slice(&digest(seed, "content", number, part));
        part += 1;
    }
    bytes.truncate(size);
    Server::object(Bytes::from(bytes))
}

/// Writes so many objects; the same ones for the same seed.
pub(crate) fn fill<Server: ObjectServer>(server: &Server, bucket: &str, seed: u64, objects: u64, size: usize) {
    let distinct = (CONTENT_BYTES / size.max(1)).clamp(1, CONTENTS) as u64;
    let contents = (0..distinct.min(objects)).map(|number| content::<Server>(seed, number, size));
    let contents: Vec<_> = contents.collect();
    for (number, object) in (0..objects).zip(contents.iter().cycle()) {
        server.put(bucket, &key(Server::ROOT, seed, number), object.clone());
    }
}
