//! Errors arrive with the right kind and retry class.

use std::time::Duration;

use super::calls::copy;
use super::property::{Outcome, Verdict, Violation, ensure, skipped};
use super::{BucketFixture, Report, VolumeFixture};
use crate::{
    Bucket, CutRequest, Error, ErrorKind, GetRequest, Key, ListRequest, Notices, Owner, PutMode, PutRequest, Retry,
    SnapshotId,
};

pub(super) async fn run(fixture: &dyn BucketFixture, report: &mut Report) {
    report.check("errors.missing-bucket", missing_bucket(fixture)).await;
    report.check("errors.wrong-credentials", wrong_credentials(fixture)).await;
}

pub(super) async fn run_volumes(fixture: &dyn VolumeFixture, report: &mut Report) {
    report.check("errors.wrong-credentials", volumes_wrong_credentials(fixture)).await;
}

/// Every call that reads or writes, with its name and its error.
async fn all_calls(bucket: &dyn Bucket) -> Vec<(&'static str, Option<Error>)> {
    let key = Key::new("key");
    let put = PutRequest::bytes("key", PutMode::Overwrite, "content");
    let delete = bucket.delete(&[Key::new("key")]).await;
    let delete = delete.and_then(|outcomes| outcomes.into_iter().try_for_each(|outcome| outcome.result));
    vec![
        ("list", bucket.list(&ListRequest::default()).await.err()),
        ("head", bucket.head(&key).await.err()),
        ("get", bucket.get(&GetRequest::whole("key")).await.err()),
        ("put", bucket.put(put).await.err()),
        ("copy", bucket.copy_from(&copy(bucket, "key", "copy", 7)).await.err()),
        ("delete", delete.err()),
    ]
}

fn ensure_refused(call: &str, error: Option<Error>, kinds: &[ErrorKind]) -> Result<(), Violation> {
    let Some(error) = error else {
        return Err(Violation(format!("{call} succeeded")));
    };
    ensure!(kinds.contains(&error.kind()), "{call} failed with {} ({error}), not with one of {kinds:?}", error.kind());
    ensure!(error.retry() == Retry::Never, "the retry class of {call} is {:?}", error.retry());
    ensure!(!error.operation().is_empty() && !error.resource().is_empty(), "the error of {call} doesn't say where");
    Ok(())
}

async fn missing_bucket(fixture: &dyn BucketFixture) -> Outcome {
    let Some(bucket) = fixture.missing_bucket().await else {
        return skipped("the fixture has no missing bucket");
    };
    for (call, error) in all_calls(&*bucket).await {
        ensure_refused(call, error, &[ErrorKind::NotFound])?;
    }
    Ok(Verdict::Held)
}

async fn wrong_credentials(fixture: &dyn BucketFixture) -> Outcome {
    let Some(bucket) = fixture.wrong_credentials().await else {
        return skipped("the fixture has no wrong credentials");
    };
    for (call, error) in all_calls(&*bucket).await {
        ensure_refused(call, error, &[ErrorKind::Unauthenticated, ErrorKind::Denied])?;
    }
    Ok(Verdict::Held)
}

async fn volumes_wrong_credentials(fixture: &dyn VolumeFixture) -> Outcome {
    let Some(service) = fixture.wrong_credentials().await else {
        return skipped("the fixture has no wrong credentials");
    };
    let owner = Owner { cluster: "conformance".to_owned(), run: "credentials".to_owned() };
    let cut = CutRequest {
        volume: fixture.volume().await,
        identity: "conformance-credentials".to_owned(),
        owner: owner.clone(),
        description: "conformance".to_owned(),
        limit: Duration::from_secs(180),
        notices: Notices::to_nobody(),
    };
    let kinds = [ErrorKind::Unauthenticated, ErrorKind::Denied];
    ensure_refused("cut", service.cut(&cut).await.err(), &kinds)?;
    ensure_refused("list", service.list(&owner).await.err(), &kinds)?;
    // No snapshot has this name, and a service may say that first; it must not answer with facts.
    let kinds = [ErrorKind::Unauthenticated, ErrorKind::Denied, ErrorKind::NotFound, ErrorKind::Invalid];
    ensure_refused("status", service.status(&SnapshotId("none".to_owned())).await.err(), &kinds)?;
    Ok(Verdict::Held)
}
