//! What `ListObjectsV2` answers.

use super::document::{Document, Malformed, time};
use super::{Unreadable, fault};
use crate::encoding::decode_owned;
use crate::hot::{ListAnswer, Listed};

/// Reads a page. `most` is how many keys were asked for.
pub(in crate::hot::lean) fn page(body: &[u8], most: usize) -> Result<ListAnswer, Unreadable> {
    let mut document = Document::new(body);
    match document.root()?.local_name().as_ref() {
        b"ListBucketResult" => {}
        b"Error" => return Err(Unreadable::Fault(fault::rest(&mut document)?)),
        _ => return Err(Malformed::Otherwise("no page of a listing").into()),
    }
    let mut answer = ListAnswer { objects: Vec::with_capacity(most.min(1000)), ..ListAnswer::default() };
    let (mut url, mut text) = (false, String::with_capacity(256));
    while let Some(child) = document.child()? {
        match child.local_name().as_ref() {
            b"Contents" => answer.objects.push(object(&mut document, &mut text)?),
            b"IsTruncated" => {
                document.text(&mut text)?;
                answer.truncated = match text.as_str() {
                    "true" => true,
                    "false" => false,
                    _ => return Err(Malformed::Otherwise("XML with a truth value that is none").into()),
                };
            }
            b"NextContinuationToken" => {
                document.text(&mut text)?;
                answer.next = Some(text.clone());
            }
            b"KeyCount" => {
                document.text(&mut text)?;
                answer.key_count = Some(text.parse().map_err(|_| not_a_number())?);
            }
            b"EncodingType" => {
                document.text(&mut text)?;
                url = text == "url";
            }
            _ => document.skip(&child)?,
        }
    }
    if url {
        // Told anywhere in the page, so undone at its end.
        for key in answer.objects.iter_mut().filter_map(|object| object.key.as_mut()) {
            let decoded = decode_owned(std::mem::take(key));
            *key = decoded.ok_or(Malformed::Otherwise("a page with a key that is not encoded"))?;
        }
    }
    Ok(answer)
}

fn object(document: &mut Document<'_>, text: &mut String) -> Result<Listed, Malformed> {
    let mut object = Listed::default();
    while let Some(child) = document.child()? {
        match child.local_name().as_ref() {
            b"Key" => {
                document.text(text)?;
                object.key = Some(text.clone());
            }
            b"Size" => {
                document.text(text)?;
                let size: i64 = text.parse().map_err(|_| not_a_number())?;
                object.size = u64::try_from(size).ok();
            }
            b"ETag" => {
                document.text(text)?;
                object.etag = Some(text.clone());
            }
            b"LastModified" => {
                document.text(text)?;
                object.modified = Some(time(text)?);
            }
            _ => document.skip(&child)?,
        }
    }
    Ok(object)
}

fn not_a_number() -> Malformed {
    Malformed::Otherwise("XML with a number that is none")
}
