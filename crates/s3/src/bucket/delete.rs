//! `DeleteObjects`, and `DeleteObject` for what the former can't name.

use std::collections::HashMap;

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use futures::StreamExt as _;
use futures::stream;
use provider::{DeleteOutcome, ErrorKind, Key, Result};

use super::S3Bucket;
use crate::error::{from_sdk, of_key};

const MANY: &str = "DeleteObjects";
const ONE: &str = "DeleteObject";

/// Most keys that one call names.
const KEYS: usize = 1000;

/// Single deletes under way at once.
const LANES: usize = 16;

pub(super) async fn delete(bucket: &S3Bucket, keys: &[Key]) -> Result<Vec<DeleteOutcome>> {
    let mut results: Vec<Option<Result<()>>> = keys.iter().map(|_| None).collect();
    let (mut many, mut single) = (Vec::new(), Vec::new());
    for (at, key) in keys.iter().enumerate() {
        let full = bucket.full(key.as_str());
        if key.as_str().is_empty() || !bucket.holds(&full) {
            // It can't be there, and the store might delete another object instead.
            results[at] = Some(Ok(()));
        } else if bucket.quirks().bulk_delete && fits_xml(&full) {
            many.push((at, full));
        } else {
            single.push((at, full));
        }
    }
    for chunk in many.chunks(KEYS) {
        let failed = delete_many(bucket, chunk).await?;
        for (at, full) in chunk {
            let failure = failed.get(full.as_str());
            results[*at] = Some(failure.map_or(Ok(()), |(code, message)| {
                match of_key(MANY, bucket.resource(full), code.as_deref(), message.as_deref()) {
                    error if error.kind() == ErrorKind::NotFound => Ok(()),
                    error => Err(error),
                }
            }));
        }
    }
    let mut calls = stream::iter(single)
        .map(|(at, full)| async move { (at, delete_one(bucket, &full).await) })
        .buffer_unordered(LANES);
    while let Some((at, result)) = calls.next().await {
        results[at] = Some(result);
    }
    let outcome = |(key, result): (&Key, Option<Result<()>>)| DeleteOutcome {
        key: key.clone(),
        result: result.unwrap_or(Ok(())),
    };
    Ok(keys.iter().zip(results).map(outcome).collect())
}

/// Code and message of each key that could not be deleted.
async fn delete_many(
    bucket: &S3Bucket,
    keys: &[(usize, String)],
) -> Result<HashMap<String, (Option<String>, Option<String>)>> {
    let invalid = |error: aws_sdk_s3::error::BuildError| {
        provider::Error::new(ErrorKind::Invalid, MANY, bucket.resource("")).with_source(error)
    };
    let objects = keys.iter().map(|(_, full)| ObjectIdentifier::builder().key(full).build());
    let objects = objects.collect::<std::result::Result<Vec<_>, _>>().map_err(invalid)?;
    let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build().map_err(invalid)?;
    let call = bucket.client().delete_objects().bucket(bucket.name()).delete(delete);
    let output = call.send().await.map_err(|error| from_sdk(MANY, bucket.resource(""), error))?;
    let failed = output.errors.unwrap_or_default().into_iter();
    Ok(failed.filter_map(|error| Some((error.key?, (error.code, error.message)))).collect())
}

async fn delete_one(bucket: &S3Bucket, full: &str) -> Result<()> {
    let call = bucket.client().delete_object().bucket(bucket.name()).key(full);
    match call.send().await {
        Ok(_) => Ok(()),
        // A missing bucket is told by a code of its own.
        Err(error) if error.as_service_error().is_some_and(|error| error.meta().code() == Some("NoSuchKey")) => Ok(()),
        Err(error) => Err(from_sdk(ONE, bucket.resource(full), error)),
    }
}

/// Whether XML carries the key: no control characters, and no blanks at its ends, which some readers cut off.
fn fits_xml(key: &str) -> bool {
    let plain = |c: char| !c.is_control() && !matches!(c, '\u{FFFE}' | '\u{FFFF}' | '\u{2028}');
    key.chars().all(plain) && key.trim() == key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_xml_would_change_go_alone() {
        assert!(fits_xml("/a b+c%&<>\"'é//"));
        for key in ["a\nb", "a\u{1}", " a", "a ", "a\r", "\u{FFFF}"] {
            assert!(!fits_xml(key), "{key:?}");
        }
    }
}
