//! Deletes: absent is success, and nothing else goes.

use std::sync::Arc;

use super::calls::{ensure_content, keys, write};
use super::property::{Outcome, Verdict, ensure, refused};
use super::{BucketFixture, Report};
use crate::testkit::fault::{Fault, FaultPlan, FaultyBucket, Operation};
use crate::{Bucket, ErrorKind, Key};

pub(super) async fn run(fixture: &dyn BucketFixture, report: &mut Report) {
    report.check("delete.one-outcome-per-key", outcomes(fixture)).await;
    report.check("delete.absent-is-success", absent(fixture)).await;
    report.check("delete.only-what-is-named", only_named(fixture)).await;
    report.check("delete.frees-the-name", frees_the_name(fixture)).await;
    report.check("delete.lost-reply", lost_reply(fixture)).await;
}

fn named(keys: &[&str]) -> Vec<Key> {
    keys.iter().map(|key| Key::new(*key)).collect()
}

/// Deletes and holds the answer to one success per key, in the order given.
async fn delete(bucket: &dyn Bucket, wanted: &[&str]) -> Result<(), super::property::Violation> {
    let limit = bucket.capabilities().delete_keys;
    for chunk in wanted.chunks(limit.max(1)) {
        let outcomes = bucket.delete(&named(chunk)).await?;
        let order: Vec<_> = outcomes.iter().map(|outcome| outcome.key.as_str()).collect();
        ensure!(order == chunk, "outcomes for {order:?} to a delete of {chunk:?}");
        for outcome in outcomes {
            outcome.result?;
        }
    }
    Ok(())
}

async fn outcomes(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    for key in ["c", "a", "b", "kept"] {
        write(&*bucket, key, b"content").await?;
    }
    delete(&*bucket, &["c", "absent", "a", "b", "folder/absent"]).await?;
    ensure!(keys(&*bucket).await? == ["kept"], "not exactly the named keys are gone");
    ensure!(bucket.delete(&[]).await?.is_empty(), "a delete of nothing has outcomes");
    Ok(Verdict::Held)
}

async fn absent(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    delete(&*bucket, &["never-written", "folder/never-written"]).await?;
    write(&*bucket, "key", b"").await?;
    for _ in 0..3 {
        delete(&*bucket, &["key"]).await?;
    }
    Ok(Verdict::Held)
}

/// A key is neither a pattern nor a folder.
async fn only_named(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    let all = ["folder/a", "folder/b", "folder2", "star", "star*", "star1"];
    for key in all {
        write(&*bucket, key, key.as_bytes()).await?;
    }
    delete(&*bucket, &["folder", "star*", "fold"]).await?;
    if bucket.capabilities().keys.trailing_slash {
        delete(&*bucket, &["folder/"]).await?;
    }
    ensure!(keys(&*bucket).await? == ["folder/a", "folder/b", "folder2", "star", "star1"], "another key is gone");
    ensure_content(&*bucket, "folder/a", b"folder/a").await?;
    Ok(Verdict::Held)
}

/// A name that was a folder of objects can be an object afterwards, and the other way round.
async fn frees_the_name(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    write(&*bucket, "name/below/it", b"1").await?;
    delete(&*bucket, &["name/below/it"]).await?;
    write(&*bucket, "name", b"2").await?;
    ensure_content(&*bucket, "name", b"2").await?;
    delete(&*bucket, &["name"]).await?;
    write(&*bucket, "name/below", b"3").await?;
    ensure!(keys(&*bucket).await? == ["name/below"], "a freed name is still listed");
    Ok(Verdict::Held)
}

async fn lost_reply(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    write(&*bucket, "key", b"content").await?;
    let plan = FaultPlan::scripted().at(Operation::Delete, 1, Fault::LostReply);
    let faulty: FaultyBucket<dyn Bucket> = FaultyBucket::new(Arc::clone(&bucket), plan);
    refused("a delete whose reply is lost", faulty.delete(&named(&["key"])).await, ErrorKind::Unavailable)?;
    delete(&faulty, &["key"]).await?;
    ensure!(keys(&*bucket).await?.is_empty(), "a delete that was sent twice left its key");
    Ok(Verdict::Held)
}
