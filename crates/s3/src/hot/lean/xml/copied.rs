//! What `CopyObject` answers.

use super::document::{Document, Malformed, time};
use super::{Unreadable, fault};
use crate::bucket::checksum;
use crate::hot::CopyAnswer;

/// Reads the answer to a copy. With status 200 it may still tell of an error.
pub(in crate::hot::lean) fn copied(body: &[u8]) -> Result<CopyAnswer, Unreadable> {
    let mut document = Document::new(body);
    match document.root()?.local_name().as_ref() {
        b"CopyObjectResult" => {}
        b"Error" => return Err(Unreadable::Fault(fault::rest(&mut document)?)),
        _ => return Err(Malformed::Otherwise("no answer to a copy").into()),
    }
    let (mut answer, mut text) = (CopyAnswer::default(), String::new());
    let (mut sha256, mut crc64, mut crc32c) = (None, None, None);
    while let Some(child) = document.child()? {
        match child.local_name().as_ref() {
            b"ETag" => {
                document.text(&mut text)?;
                answer.etag = Some(text.clone());
            }
            b"LastModified" => {
                document.text(&mut text)?;
                answer.modified = Some(time(&text)?);
            }
            name => {
                let sum = match name {
                    b"ChecksumSHA256" => &mut sha256,
                    b"ChecksumCRC64NVME" => &mut crc64,
                    b"ChecksumCRC32C" => &mut crc32c,
                    _ => {
                        document.skip(&child)?;
                        continue;
                    }
                };
                document.text(&mut text)?;
                *sum = Some(text.clone());
            }
        }
    }
    answer.checksum = checksum(sha256.as_deref(), crc64.as_deref(), crc32c.as_deref());
    Ok(answer)
}
