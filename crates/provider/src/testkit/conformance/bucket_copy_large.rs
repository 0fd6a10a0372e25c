//! Copies above the single-copy limit: in steps, from a token, visible when done.

use super::calls::{
    CANCELLED_AFTER_POLLS, cancel_after, copy, copy_to_end, described, ensure_absent, ensure_content, ensure_described,
    keys, pattern, present, read, write,
};
use super::property::{Outcome, Verdict, Violation, ensure, refused, skipped};
use super::{BucketFixture, BucketPair, Report};
use crate::{Copied, CopyRequest, CopyToken, ErrorKind, GetRequest, Key, PutMode, PutRequest};

pub(super) async fn run(fixture: &dyn BucketFixture, report: &mut Report) {
    report.check("copy-large.at-the-limit", at_the_limit(fixture)).await;
    report.check("copy-large.resumes-from-token", resumes(fixture)).await;
    report.check("copy-large.token-sent-again", sent_again(fixture)).await;
    report.check("copy-large.headers-and-metadata", headers_and_metadata(fixture)).await;
    report.check("copy-large.changed-source", changed_source(fixture)).await;
    report.check("copy-large.abandoned", abandoned(fixture)).await;
    report.check("copy-large.cancelled", cancelled(fixture)).await;
}

/// Two and a half times the largest object that one call copies, if the fixture can make such an object.
async fn large(fixture: &dyn BucketFixture) -> Result<(BucketPair, Vec<u8>), String> {
    let pair = fixture.fresh().await;
    let limit = pair.destination.capabilities().single_copy_bytes;
    let size = limit.saturating_mul(5).div_ceil(2);
    match usize::try_from(size) {
        Ok(size_in_memory) if size <= fixture.largest_object() => Ok((pair, pattern(size_in_memory, 30))),
        _ => Err(format!("an object of 2.5 times single_copy_bytes ({limit}) is larger than the fixture makes")),
    }
}

async fn at_the_limit(fixture: &dyn BucketFixture) -> Outcome {
    let (pair, bytes) = match large(fixture).await {
        Ok(large) => large,
        Err(reason) => return skipped(reason),
    };
    let limit = pair.destination.capabilities().single_copy_bytes;
    let bytes = &bytes[..usize::try_from(limit).unwrap_or(bytes.len())];
    write(&*pair.source, "key", bytes).await?;
    let (_, calls) = copy_to_end(&*pair.destination, copy(&*pair.source, "key", "copy", limit)).await?;
    ensure!(calls == 1, "{limit} bytes, which one call should copy, took {calls}");
    ensure_content(&*pair.destination, "copy", bytes).await?;
    Ok(Verdict::Held)
}

/// One call; the token if the copy isn't done.
async fn step(pair: &BucketPair, request: &CopyRequest<'_>) -> Result<Option<CopyToken>, Violation> {
    match pair.destination.copy_from(request).await? {
        Copied::Done(_) => Ok(None),
        // As another process would find it: the characters and nothing else.
        Copied::More { token, .. } => Ok(Some(CopyToken(token.0.as_str().to_owned()))),
    }
}

async fn first_step(pair: &BucketPair, request: &CopyRequest<'_>) -> Result<CopyToken, Violation> {
    let token = step(pair, request).await?;
    token.ok_or_else(|| Violation("one call finished a copy above the single-copy limit".to_owned()))
}

async fn resumes(fixture: &dyn BucketFixture) -> Outcome {
    let (pair, bytes) = match large(fixture).await {
        Ok(large) => large,
        Err(reason) => return skipped(reason),
    };
    write(&*pair.source, "key", &bytes).await?;
    let source = present(&*pair.source, "key").await?;
    let conditional = pair.destination.capabilities().conditional_copy;
    let mut request = CopyRequest {
        if_version: conditional.then_some(source.version),
        ..copy(&*pair.source, "key", "copy", bytes.len() as u64)
    };
    let mut token = Some(first_step(&pair, &request).await?);
    while token.is_some() {
        ensure_absent(&*pair.destination, "copy").await?;
        ensure!(request.token != token, "a call answered its own token");
        request.token = token;
        token = step(&pair, &request).await?;
    }
    let head = present(&*pair.destination, "copy").await?;
    ensure!(head.size == bytes.len() as u64, "{} bytes were copied as {}", bytes.len(), head.size);
    ensure_content(&*pair.destination, "copy", &bytes).await?;
    ensure!(keys(&*pair.destination).await? == ["copy"], "a large copy left other keys");
    Ok(Verdict::Held)
}

/// The reply of any call may be lost, also that of the last one.
async fn sent_again(fixture: &dyn BucketFixture) -> Outcome {
    let (pair, bytes) = match large(fixture).await {
        Ok(large) => large,
        Err(reason) => return skipped(reason),
    };
    write(&*pair.source, "key", &bytes).await?;
    let mut request = copy(&*pair.source, "key", "copy", bytes.len() as u64);
    let mut token = Some(first_step(&pair, &request).await?);
    while token.is_some() {
        request.token = token;
        step(&pair, &request).await?;
        token = step(&pair, &request).await?;
    }
    ensure_content(&*pair.destination, "copy", &bytes).await?;
    ensure!(keys(&*pair.destination).await? == ["copy"], "a large copy whose calls were repeated left other keys");
    Ok(Verdict::Held)
}

async fn headers_and_metadata(fixture: &dyn BucketFixture) -> Outcome {
    let (pair, bytes) = match large(fixture).await {
        Ok(large) => large,
        Err(reason) => return skipped(reason),
    };
    if !pair.destination.capabilities().metadata {
        return skipped("capability metadata is false");
    }
    let size = bytes.len() as u64;
    pair.source.put(described(PutRequest::bytes("key", PutMode::Overwrite, bytes))).await?;
    copy_to_end(&*pair.destination, copy(&*pair.source, "key", "copy", size)).await?;
    ensure_described(&*pair.destination, "copy").await?;
    Ok(Verdict::Held)
}

async fn changed_source(fixture: &dyn BucketFixture) -> Outcome {
    let (pair, bytes) = match large(fixture).await {
        Ok(large) => large,
        Err(reason) => return skipped(reason),
    };
    if !pair.destination.capabilities().conditional_copy {
        return skipped("capability conditional_copy is false");
    }
    write(&*pair.source, "key", &bytes).await?;
    write(&*pair.destination, "taken", b"kept").await?;
    let version = present(&*pair.source, "key").await?.version;
    let requests = ["absent", "taken"].map(|to| CopyRequest {
        if_version: Some(version.clone()),
        ..copy(&*pair.source, "key", to, bytes.len() as u64)
    });
    let mut begun = Vec::new();
    for request in requests {
        let token = first_step(&pair, &request).await?;
        begun.push(CopyRequest { token: Some(token), ..request });
    }
    write(&*pair.source, "key", &pattern(bytes.len(), 31)).await?;
    for mut request in begun {
        // A store may tell at the next step or at the last one, but not after.
        let outcome = loop {
            match pair.destination.copy_from(&request).await {
                Ok(Copied::More { token, .. }) => request.token = Some(token),
                outcome => break outcome,
            }
        };
        refused("a source that changed between two steps", outcome, ErrorKind::Changed)?;
        if let Some(token) = &request.token {
            pair.destination.abandon_copy(&request.to, token).await?;
        }
    }
    ensure_absent(&*pair.destination, "absent").await?;
    ensure_content(&*pair.destination, "taken", b"kept").await?;
    Ok(Verdict::Held)
}

/// How many unfinished uploads the destination tells of; `None` where it can't be asked.
async fn unfinished(pair: &BucketPair) -> Result<Option<usize>, Violation> {
    match &pair.facts {
        Some(facts) => Ok(Some(facts.unfinished_uploads().await?.len())),
        None => Ok(None),
    }
}

/// The store may still carry a step out that was dropped.
async fn ensure_whole_or_absent(pair: &BucketPair, bytes: &[u8]) -> Result<(), Violation> {
    match read(&*pair.destination, &GetRequest::whole("copy")).await {
        Ok(found) => {
            ensure!(found == bytes, "a cancelled step shows {} of {} bytes", found.len(), bytes.len());
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A step that is dropped at any moment shows the whole object or nothing, and the copy can be made from its beginning.
async fn cancelled(fixture: &dyn BucketFixture) -> Outcome {
    let (pair, bytes) = match large(fixture).await {
        Ok(large) => large,
        Err(reason) => return skipped(reason),
    };
    write(&*pair.source, "key", &bytes).await?;
    let mut request = copy(&*pair.source, "key", "copy", bytes.len() as u64);
    for polls in CANCELLED_AFTER_POLLS {
        if !cancel_after(polls, pair.destination.copy_from(&request)).await {
            break;
        }
        ensure_whole_or_absent(&pair, &bytes).await?;
    }
    request.token = Some(first_step(&pair, &request).await?);
    for polls in CANCELLED_AFTER_POLLS {
        if !cancel_after(polls, pair.destination.copy_from(&request)).await {
            break;
        }
        ensure_whole_or_absent(&pair, &bytes).await?;
    }
    copy_to_end(&*pair.destination, request).await?;
    ensure_content(&*pair.destination, "copy", &bytes).await?;
    ensure!(keys(&*pair.destination).await? == ["copy"], "cancelled steps left other keys");
    Ok(Verdict::Held)
}

async fn abandoned(fixture: &dyn BucketFixture) -> Outcome {
    let (pair, bytes) = match large(fixture).await {
        Ok(large) => large,
        Err(reason) => return skipped(reason),
    };
    write(&*pair.source, "key", &bytes).await?;
    let request = copy(&*pair.source, "key", "copy", bytes.len() as u64);
    let token = first_step(&pair, &request).await?;
    let kept = unfinished(&pair).await?;
    ensure!(kept != Some(0), "a copy that has begun is not told of as an unfinished upload");
    for _ in 0..2 {
        pair.destination.abandon_copy(&Key::new("copy"), &token).await?;
    }
    // A call whose reply was lost may have begun another one.
    let left = unfinished(&pair).await?;
    ensure!(left < kept || kept.is_none(), "abandoning a copy left {left:?} of {kept:?} unfinished uploads");
    ensure_absent(&*pair.destination, "copy").await?;
    // The place is free for another copy.
    copy_to_end(&*pair.destination, request).await?;
    ensure_content(&*pair.destination, "copy", &bytes).await?;
    Ok(Verdict::Held)
}
