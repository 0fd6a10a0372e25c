//! What `ListObjectsV2` answers.

use super::document::{Document, Malformed, time, unescaped};
use super::{Unreadable, fault};
use crate::class;
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
    let (mut url, mut text, mut children) = (false, String::with_capacity(256), Vec::with_capacity(8));
    while let Some(child) = document.child()? {
        match child.local_name().as_ref() {
            b"Contents" => answer.objects.push(object(&mut document, &mut text, &mut children)?),
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

fn object<'a>(
    document: &mut Document<'a>,
    text: &mut String,
    children: &mut Vec<(&'a [u8], &'a [u8])>,
) -> Result<Listed, Malformed> {
    let mut object = Listed::default();
    document.plain_children(children);
    for (name, raw) in children.drain(..) {
        if !is_of_interest(name) {
            continue;
        }
        if let (b"Key" | b"ETag", _) | (_, Some(_)) = (name, memchr::memchr(b'&', raw)) {
            set(&mut object, name, &mut unescaped(raw)?)?;
        } else {
            // Kept by nobody, so read where it is.
            let text = std::str::from_utf8(raw).map_err(|_| Malformed::Otherwise("no UTF-8"))?;
            set_read(&mut object, name, text)?;
        }
    }
    // What was told is passed over: this is the end then.
    while let Some(child) = document.child()? {
        if is_of_interest(child.local_name().as_ref()) {
            document.text(text)?;
            set(&mut object, child.local_name().as_ref(), text)?;
        } else {
            document.skip(&child)?;
        }
    }
    Ok(object)
}

fn is_of_interest(name: &[u8]) -> bool {
    matches!(name, b"Key" | b"Size" | b"ETag" | b"LastModified" | b"StorageClass")
}

/// Takes over the text of a child.
fn set(object: &mut Listed, name: &[u8], text: &mut String) -> Result<(), Malformed> {
    match name {
        b"Key" => object.key = Some(std::mem::take(text)),
        b"ETag" => object.etag = Some(std::mem::take(text)),
        _ => set_read(object, name, text)?,
    }
    Ok(())
}

/// Reads the text of a child that is not kept as text.
fn set_read(object: &mut Listed, name: &[u8], text: &str) -> Result<(), Malformed> {
    match name {
        b"Size" => {
            let size: i64 = text.parse().map_err(|_| not_a_number())?;
            object.size = u64::try_from(size).ok();
        }
        b"LastModified" => object.modified = Some(time(text)?),
        b"StorageClass" => object.class = class::told(text),
        _ => {}
    }
    Ok(())
}

fn not_a_number() -> Malformed {
    Malformed::Otherwise("XML with a number that is none")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A comment in it makes that an object is read tag by tag.
    #[test]
    fn an_object_reads_the_same_at_once_and_tag_by_tag() {
        let whole = "<Key>a/b &amp; &#233;</Key><LastModified>2026-01-02T03:04:05.678Z</LastModified>\
                     <ETag>&quot;00ff&quot;</ETag><Size>17</Size><StorageClass>STANDARD</StorageClass>";
        for contents in [
            whole,
            "<Key></Key><Size>-1</Size>",
            "<Key>a</Key><Owner><ID>x</ID><Key>not this</Key></Owner><Size>2</Size>",
            "<Key>a</Key> <Size>3</Size>",
            "<Key>a</Key><Size unit=\"byte\">4</Size>",
            "<Key>a</Key><Size/>",
            "<Key>a</Key><s3:Size xmlns:s3=\"x\">5</s3:Size>",
            "<Key><![CDATA[<a>]]></Key><ETag>\"e\"</ETag>",
            "<Key>a&b</Key>",
            "<Key>a</Kay>",
            "<Key>a</Key><Size>x</Size>",
            "<Key>a</Key><LastModified>yesterday</LastModified>",
            "<Key>a</Key>text",
            "",
        ] {
            let read = |contents: &str| {
                let body = format!("<ListBucketResult><Contents>{contents}</Contents></ListBucketResult>");
                page(body.as_bytes(), 10).map(|page| page.objects).map_err(drop)
            };
            assert_eq!(read(contents), read(&format!("<!-- -->{contents}")), "{contents}");
        }
        let body = format!("<ListBucketResult><Contents>{whole}</Contents></ListBucketResult>");
        let mut document = Document::new(body.as_bytes());
        document.root().unwrap();
        document.child().unwrap();
        let mut children = Vec::new();
        document.plain_children(&mut children);
        assert_eq!(children.len(), 5, "the usual object is read at once");
    }

    #[test]
    fn a_page_that_is_cut_anywhere_is_refused() {
        let body = "<ListBucketResult><Contents><Key>a</Key><Size>1</Size></Contents></ListBucketResult>";
        for length in 0..body.len() {
            page(&body.as_bytes()[..length], 10).unwrap_err();
        }
    }
}
