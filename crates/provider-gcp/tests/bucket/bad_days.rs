//! Bad days: each fault arrives once, as the error that the contract names.

use std::sync::Arc;
use std::time::Duration;

use provider::{Bucket, Error, ErrorKind, Key, ListRequest, PutMode, PutRequest, Retry};
use provider_gcp::{GcsBucket, GcsConfig, GcsRefusal, GcsTimeouts};
use sandbox::gcs::{Fault, FaultRule, GcsOptions, GcsServer, Holds, Operation, Permissions};

use crate::place::{config, copy, head, open, read, server, words};

const CALLS: [Operation; 6] = [
    Operation::ListObjects,
    Operation::GetObject,
    Operation::ReadObject,
    Operation::WriteObject,
    Operation::RewriteObject,
    Operation::DeleteObject,
];

/// One call of each kind.
async fn call(bucket: &GcsBucket, operation: Operation) -> Result<(), Error> {
    match operation {
        Operation::ListObjects => bucket.list(&ListRequest::default()).await.map(drop),
        Operation::GetObject => bucket.head(&Key::new("key")).await.map(drop),
        Operation::ReadObject => read(bucket, "key").await.map(drop),
        Operation::WriteObject => bucket.put(PutRequest::bytes("new", PutMode::Overwrite, "x")).await.map(drop),
        Operation::RewriteObject => {
            let request = copy(bucket, "key", "copied", &head(bucket, "key").await);
            bucket.copy_from(&request).await.map(drop)
        }
        Operation::DeleteObject => {
            bucket.put(PutRequest::bytes("deleted", PutMode::Overwrite, "x")).await?;
            bucket.delete(&[Key::new("deleted")]).await?.remove(0).result
        }
        other => panic!("no call sends {other}"),
    }
}

#[tokio::test]
async fn each_fault_is_told_once_with_its_kind() {
    let server = server().await;
    let bucket = open(&server, "data");
    server.bucket("data").put("key", "content", None);
    let slower = |after| Retry::Slower { after };
    let told = Fault::Error { status: 429, reason: "rateLimitExceeded", retry_after: Some(3) };
    let faults = [
        (Fault::slow_down(), ErrorKind::Throttled, slower(None)),
        (told.clone(), ErrorKind::Throttled, slower(Some(Duration::from_secs(3)))),
        (Fault::unavailable(), ErrorKind::Unavailable, Retry::Again),
        (Fault::internal_error(), ErrorKind::Unavailable, Retry::Again),
        (Fault::error(504, "gatewayTimeout"), ErrorKind::Timeout, Retry::Again),
        (Fault::error(401, "authError"), ErrorKind::Unauthenticated, Retry::Never),
        (Fault::error(403, "forbidden"), ErrorKind::Denied, Retry::Never),
        (Fault::DropBefore, ErrorKind::Unavailable, Retry::Again),
        (Fault::DropAfter, ErrorKind::Unavailable, Retry::Again),
    ];
    for operation in CALLS {
        for (fault, kind, mut retry) in faults.clone() {
            let over_http = matches!(operation, Operation::ReadObject | Operation::WriteObject);
            if fault == told && !over_http {
                // The server tells it over HTTP only.
                retry = slower(None);
            }
            call(&bucket, operation).await.unwrap();
            let before = server.request_count(operation);
            server.faults().add(FaultRule::new(fault.clone()).on(operation));
            let Err(error) = call(&bucket, operation).await else { panic!("{operation} went well with {fault:?}") };
            assert_eq!((error.kind(), error.retry()), (kind, retry), "{operation} {fault:?}: {error:?}");
            assert!(error.resource().starts_with("gs://data/"), "{error}");
            let cause = std::error::Error::source(&error).unwrap();
            assert!(cause.downcast_ref::<GcsRefusal>().is_some(), "{cause:?}");
            assert_eq!(server.request_count(operation) - before, 1, "{operation} with {fault:?}");
        }
        call(&bucket, operation).await.unwrap();
    }
}

#[tokio::test]
async fn a_missing_right_is_named() {
    let server = server().await;
    let bucket = open(&server, "data");
    server.bucket("data").put("key", "content", None);
    server.allow_only(Arc::new(Permissions::of(["storage.objects.list"])));
    let error = bucket.head(&Key::new("key")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(words(&error).contains("storage.objects.get"), "{}", words(&error));
    let error = bucket.put(PutRequest::bytes("new", PutMode::Overwrite, "x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    let asked = ["storage.objects.get", "storage.objects.list", "storage.objects.delete"];
    let missing = bucket.missing_permissions(&asked).await.unwrap();
    assert_eq!(missing, ["storage.objects.get", "storage.objects.delete"]);
    // Who may not list isn't told that the bucket is missing.
    server.allow_only(Arc::new(Permissions::of(["storage.objects.get"])));
    assert!(bucket.head(&Key::new("absent")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_held_object_stays_and_says_why() {
    let server = server().await;
    let bucket = open(&server, "data");
    server.bucket("data").put("held", "content", None);
    server.bucket("data").change("held", |object| object.holds = Holds { temporary: true, ..Holds::default() });
    let keys = [Key::new("held"), Key::new("absent"), Key::new("."), Key::new("a\nb")];
    let outcomes = bucket.delete(&keys).await.unwrap();
    let error = outcomes[0].result.as_ref().unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Denied, Retry::Never));
    assert!(words(error).contains("a hold or a retention policy protects the object"), "{}", words(error));
    assert!(outcomes[1..].iter().all(|outcome| outcome.result.is_ok()));
    assert_eq!(server.bucket("data").keys(), ["held"]);
}

#[tokio::test]
async fn requesters_pay_by_a_project() {
    let server = server().await;
    server.bucket("data").put("key", "content", None);
    server.bucket("data").set(|facts| facts.requester_pays = true);
    let bucket = open(&server, "data");
    for operation in [Operation::ListObjects, Operation::GetObject, Operation::WriteObject] {
        let error = call(&bucket, operation).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
        assert!(words(&error).contains("user_project"), "{}", words(&error));
    }
    let paying = GcsConfig { user_project: Some("payer".to_owned()), ..config(&server, "data") };
    let paying = GcsBucket::open(&paying).unwrap();
    for operation in CALLS {
        call(&paying, operation).await.unwrap();
    }
    assert_eq!(server.user_projects(), ["payer".to_owned()].into());
}

#[tokio::test]
async fn what_does_not_answer_is_left_in_time() {
    let server = GcsServer::start(GcsOptions { anonymous: true, ..GcsOptions::default() }).await.unwrap();
    server.bucket("data").put("key", "content", None);
    let short = Duration::from_millis(200);
    let timeouts = GcsTimeouts { call: short, rewrite: short, transfer: short };
    let bucket = GcsBucket::open(&GcsConfig { timeouts, ..config(&server, "data") }).unwrap();
    call(&bucket, Operation::RewriteObject).await.unwrap();
    let meta = head(&bucket, "key").await;
    server.set_latency(None, Duration::from_secs(3600));
    let error = bucket.list(&ListRequest::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Timeout, Retry::Again), "{error:?}");
    let error = bucket.copy_from(&copy(&bucket, "key", "copy", &meta)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    let error = bucket.put(PutRequest::bytes("new", PutMode::Overwrite, "x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
}
