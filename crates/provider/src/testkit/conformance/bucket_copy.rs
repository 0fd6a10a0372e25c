//! Copies that one call finishes.

use std::sync::Arc;

use super::calls::{
    CANCELLED_AFTER_POLLS, cancel_after, copy, copy_to_end, described, ensure_absent, ensure_content, ensure_described,
    keys, pattern, present, read, write,
};
use super::property::{Outcome, Verdict, Violation, ensure, refused, skipped};
use super::{BucketFixture, Report};
use crate::testkit::fault::{Fault, FaultPlan, FaultyBucket, Operation};
use crate::testkit::memory::MemoryBucket;
use crate::{Bucket, CopyRequest, ErrorKind, GetRequest, PutMode, PutRequest};

pub(super) async fn run(fixture: &dyn BucketFixture, report: &mut Report) {
    report.check("copy.content", content(fixture)).await;
    report.check("copy.over-another", over_another(fixture)).await;
    report.check("copy.inside-a-bucket", inside_a_bucket(fixture)).await;
    report.check("copy.headers-and-metadata", headers_and_metadata(fixture)).await;
    report.check("copy.changed-source", changed_source(fixture)).await;
    report.check("copy.missing-source", missing_source(fixture)).await;
    report.check("copy.foreign-source", foreign_source(fixture)).await;
    report.check("copy.lost-reply", lost_reply(fixture)).await;
    report.check("copy.cancelled", cancelled(fixture)).await;
}

/// A copy that is dropped at any moment shows the whole object or nothing, and does no harm to one that was there.
async fn cancelled(fixture: &dyn BucketFixture) -> Outcome {
    let pair = fixture.fresh().await;
    let (old, new) = (pattern(5_000, 22), pattern(100_000, 23));
    write(&*pair.source, "key", &new).await?;
    write(&*pair.destination, "taken", &old).await?;
    for to in ["free", "taken"] {
        for polls in CANCELLED_AFTER_POLLS {
            let request = copy(&*pair.source, "key", to, new.len() as u64);
            if !cancel_after(polls, pair.destination.copy_from(&request)).await {
                break;
            }
            // In one look, since the store may still carry it out.
            match read(&*pair.destination, &GetRequest::whole(to)).await {
                Ok(found) if found == new || (to == "taken" && found == old) => {}
                Ok(found) => return Err(Violation(format!("a cancelled copy shows {} bytes of {to}", found.len()))),
                Err(error) if error.kind() == ErrorKind::NotFound && to == "free" => {}
                Err(error) => return Err(error.into()),
            }
        }
        copy_to_end(&*pair.destination, copy(&*pair.source, "key", to, new.len() as u64)).await?;
        ensure_content(&*pair.destination, to, &new).await?;
    }
    ensure!(keys(&*pair.destination).await? == ["free", "taken"], "cancelled copies left other keys");
    Ok(Verdict::Held)
}

async fn content(fixture: &dyn BucketFixture) -> Outcome {
    let pair = fixture.fresh().await;
    let conditional = pair.destination.capabilities().conditional_copy;
    for size in [0, 1, 100_000] {
        let (from, to) = (format!("from/{size}"), format!("to/{size}"));
        let bytes = pattern(size, 20);
        write(&*pair.source, &from, &bytes).await?;
        let source = present(&*pair.source, &from).await?;
        let request = CopyRequest {
            if_version: conditional.then(|| source.version.clone()),
            ..copy(&*pair.source, &from, &to, source.size)
        };
        let (copied, _) = copy_to_end(&*pair.destination, request).await?;
        let head = present(&*pair.destination, &to).await?;
        ensure!(copied.key.as_str() == to, "the copy to {to} answers for {:?}", copied.key);
        ensure!(copied.size == size as u64 && head.size == size as u64, "{size} bytes were copied as {}", copied.size);
        ensure!(copied.version == head.version, "copy and head tell different versions of {to}");
        ensure_content(&*pair.destination, &to, &bytes).await?;
        ensure_content(&*pair.source, &from, &bytes).await?;
    }
    ensure!(keys(&*pair.destination).await?.len() == 3, "3 copies, listed otherwise");
    Ok(Verdict::Held)
}

async fn over_another(fixture: &dyn BucketFixture) -> Outcome {
    let pair = fixture.fresh().await;
    write(&*pair.source, "key", b"new").await?;
    write(&*pair.destination, "key", b"something older and longer").await?;
    copy_to_end(&*pair.destination, copy(&*pair.source, "key", "key", 3)).await?;
    ensure_content(&*pair.destination, "key", b"new").await?;
    Ok(Verdict::Held)
}

async fn inside_a_bucket(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    write(&*bucket, "from", b"content").await?;
    copy_to_end(&*bucket, copy(&*bucket, "from", "to", 7)).await?;
    ensure_content(&*bucket, "to", b"content").await?;
    ensure!(keys(&*bucket).await? == ["from", "to"], "a copy inside a bucket left other keys");
    Ok(Verdict::Held)
}

async fn headers_and_metadata(fixture: &dyn BucketFixture) -> Outcome {
    let pair = fixture.fresh().await;
    if !pair.destination.capabilities().metadata {
        return skipped("capability metadata is false");
    }
    pair.source.put(described(PutRequest::bytes("key", PutMode::Overwrite, "content"))).await?;
    copy_to_end(&*pair.destination, copy(&*pair.source, "key", "copy", 7)).await?;
    ensure_described(&*pair.destination, "copy").await?;
    Ok(Verdict::Held)
}

async fn changed_source(fixture: &dyn BucketFixture) -> Outcome {
    let pair = fixture.fresh().await;
    if !pair.destination.capabilities().conditional_copy {
        return skipped("capability conditional_copy is false");
    }
    write(&*pair.source, "key", b"first").await?;
    let first = present(&*pair.source, "key").await?;
    write(&*pair.source, "key", b"other").await?;
    write(&*pair.destination, "taken", b"kept").await?;
    for to in ["absent", "taken"] {
        let request =
            CopyRequest { if_version: Some(first.version.clone()), ..copy(&*pair.source, "key", to, first.size) };
        refused("a source that changed", pair.destination.copy_from(&request).await, ErrorKind::Changed)?;
    }
    ensure_absent(&*pair.destination, "absent").await?;
    ensure_content(&*pair.destination, "taken", b"kept").await?;
    Ok(Verdict::Held)
}

async fn missing_source(fixture: &dyn BucketFixture) -> Outcome {
    let pair = fixture.fresh().await;
    write(&*pair.source, "key", b"content").await?;
    let listed = present(&*pair.source, "key").await?;
    for outcome in pair.source.delete(&[listed.key]).await? {
        outcome.result?;
    }
    let conditional = pair.destination.capabilities().conditional_copy;
    for if_version in [None, conditional.then_some(listed.version)] {
        let request = CopyRequest { if_version, ..copy(&*pair.source, "key", "copy", 7) };
        refused("a source that is gone", pair.destination.copy_from(&request).await, ErrorKind::NotFound)?;
    }
    ensure_absent(&*pair.destination, "copy").await?;
    Ok(Verdict::Held)
}

/// A bucket of another store is refused before anything is looked up in it.
async fn foreign_source(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    let foreign = MemoryBucket::new("elsewhere");
    write(&foreign, "key", b"content").await?;
    let copied = bucket.copy_from(&copy(&foreign, "key", "copy", 7)).await;
    refused("a source in another store", copied, ErrorKind::Unsupported)?;
    ensure_absent(&*bucket, "copy").await?;
    Ok(Verdict::Held)
}

async fn lost_reply(fixture: &dyn BucketFixture) -> Outcome {
    let pair = fixture.fresh().await;
    write(&*pair.source, "key", b"content").await?;
    let plan = FaultPlan::scripted().at(Operation::CopyFrom, 1, Fault::LostReply);
    let faulty: FaultyBucket<dyn Bucket> = FaultyBucket::new(Arc::clone(&pair.destination), plan);
    let request = copy(&*pair.source, "key", "copy", 7);
    refused("a copy whose reply is lost", faulty.copy_from(&request).await, ErrorKind::Unavailable)?;
    copy_to_end(&faulty, request).await?;
    ensure_content(&*pair.destination, "copy", b"content").await?;
    ensure!(keys(&*pair.destination).await? == ["copy"], "a copy that was sent twice left other keys");
    Ok(Verdict::Held)
}
