//! Bad days on the sandbox's S3: each fault arrives as the error that the contract names, and leaves nothing behind.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use provider::{
    Bucket, BucketFacts, Checksum, Copied, CopyRequest, CopyToken, Error, ErrorKind, Exposure, GetRequest, Key,
    ListRequest, ObjectMeta, PutMode, PutRequest, Retry,
};
use s3::{ClientKind, QuirkOverrides, S3Bucket, S3Config, StoreKind, Timeouts};
use sandbox::s3::{Fault, FaultRule, Operation, S3Options, S3Server};

const MIB: usize = 1 << 20;

async fn server() -> S3Server {
    let options = S3Options { single_copy_limit: 5 * MIB as u64, ..S3Options::default() };
    S3Server::start(options).await.unwrap()
}

fn config(server: &S3Server) -> S3Config {
    let mib = |n: usize| Some((n * MIB) as u64);
    let quirks = QuirkOverrides {
        single_copy_bytes: mib(5),
        copy_part_bytes: mib(5),
        part_bytes: mib(5),
        ..QuirkOverrides::default()
    };
    let S3Options { access_key, secret_key, .. } = server.options();
    S3Config { quirks, ..S3Config::at(server.endpoint(), StoreKind::Aws, "data", access_key, secret_key) }
}

async fn open(server: &S3Server) -> S3Bucket {
    open_by(server, ClientKind::default()).await
}

async fn open_by(server: &S3Server, client: ClientKind) -> S3Bucket {
    let _ = server.bucket("data");
    S3Bucket::open(&S3Config { client, ..config(server) }).await.unwrap()
}

fn copy<'a>(source: &'a dyn Bucket, from: &str, to: &str, meta: &ObjectMeta) -> CopyRequest<'a> {
    let if_version = Some(meta.version.clone());
    CopyRequest {
        source,
        from: Key::new(from),
        to: Key::new(to),
        size: meta.size,
        class: None,
        if_version,
        token: None,
    }
}

async fn head(bucket: &S3Bucket, key: &str) -> ObjectMeta {
    bucket.head(&Key::new(key)).await.unwrap().unwrap()
}

async fn read(bucket: &S3Bucket, key: &str) -> Result<Vec<u8>, Error> {
    Ok(bucket.get(&GetRequest::whole(key)).await?.body.try_collect::<Vec<Bytes>>().await?.concat())
}

fn large() -> Bytes {
    (0..12 * MIB).map(|at| (at / 7) as u8).collect::<Vec<u8>>().into()
}

/// One call of each kind, and the operation that it sends.
async fn call(bucket: &S3Bucket, operation: Operation) -> Result<(), Error> {
    let meta = || async { head(bucket, "key").await };
    match operation {
        Operation::ListObjectsV2 => bucket.list(&ListRequest::default()).await.map(drop),
        Operation::HeadObject => bucket.head(&Key::new("key")).await.map(drop),
        Operation::GetObject => read(bucket, "key").await.map(drop),
        Operation::PutObject => bucket.put(PutRequest::bytes("new", PutMode::Overwrite, "x")).await.map(drop),
        Operation::CopyObject => bucket.copy_from(&copy(bucket, "key", "copied", &meta().await)).await.map(drop),
        Operation::DeleteObjects => bucket.delete(&[Key::new("absent")]).await.map(drop),
        other => panic!("no call sends {other}"),
    }
}

const CALLS: [Operation; 6] = [
    Operation::ListObjectsV2,
    Operation::HeadObject,
    Operation::GetObject,
    Operation::PutObject,
    Operation::CopyObject,
    Operation::DeleteObjects,
];

#[tokio::test]
async fn each_fault_is_told_once_with_its_kind() {
    for client in [ClientKind::Lean, ClientKind::Sdk] {
        let server = server().await;
        let bucket = open_by(&server, client).await;
        server.bucket("data").put("key", "content", None);
        let after = |seconds| Retry::Slower { after: Some(Duration::from_secs(seconds)) };
        let slow_down = Fault::Error { status: 503, code: "SlowDown".into(), retry_after: Some(3) };
        let faults = [
            (Fault::slow_down(), ErrorKind::Throttled, Retry::Slower { after: None }),
            (slow_down, ErrorKind::Throttled, after(3)),
            (Fault::error(429, "TooManyRequests"), ErrorKind::Throttled, Retry::Slower { after: None }),
            (Fault::internal_error(), ErrorKind::Unavailable, Retry::Again),
            (Fault::error(403, "AccessDenied"), ErrorKind::Denied, Retry::Never),
            (Fault::DropBefore, ErrorKind::Unavailable, Retry::Again),
            (Fault::DropAfter, ErrorKind::Unavailable, Retry::Again),
        ];
        for operation in CALLS {
            for (fault, kind, retry) in &faults {
                call(&bucket, operation).await.unwrap();
                let before = server.request_count(operation);
                server.faults().add(FaultRule::new(fault.clone()).on(operation));
                let error = call(&bucket, operation).await.unwrap_err();
                assert_eq!((error.kind(), error.retry()), (*kind, *retry), "{operation} {fault:?}: {error:?}");
                assert!(error.resource().starts_with("s3://data/"), "{error}");
                assert!(std::error::Error::source(&error).is_some(), "{error}");
                let sent = server.request_count(operation) - before;
                // The copy of this test asks for its source's version first, the others send nothing else.
                assert_eq!(sent, 1, "{operation} with {fault:?}");
            }
            call(&bucket, operation).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_status_200_with_an_error_is_an_error() {
    for client in [ClientKind::Lean, ClientKind::Sdk] {
        let server = server().await;
        let bucket = open_by(&server, client).await;
        server.bucket("data").put("key", "content", None);
        server.bucket("data").put("large", large(), None);
        let (small_meta, large_meta) = (head(&bucket, "key").await, head(&bucket, "large").await);

        server.faults().add(FaultRule::new(Fault::ok_with_error()).on(Operation::CopyObject));
        let error = bucket.copy_from(&copy(&bucket, "key", "copied", &small_meta)).await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Unavailable, "CopyObject"));
        assert!(server.bucket("data").get("copied").is_none());

        let slow = Fault::OkWithError { code: "SlowDown".into() };
        server.faults().add(FaultRule::new(slow).on(Operation::UploadPartCopy).skip(1));
        let error = bucket.copy_from(&copy(&bucket, "large", "copied", &large_meta)).await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Throttled, "UploadPartCopy"));
        assert!(server.bucket("data").unfinished_uploads().is_empty(), "the upload of a copy without a token is left");

        server.faults().add(FaultRule::new(Fault::ok_with_error()).on(Operation::CompleteMultipartUpload));
        let error = bucket.put(PutRequest::bytes("put", PutMode::Overwrite, large())).await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Unavailable, "CompleteMultipartUpload"));
        assert!(server.bucket("data").get("put").is_none());
        assert!(server.bucket("data").unfinished_uploads().is_empty());
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_or_is_wrong_ends_with_an_error() {
    for client in [ClientKind::Lean, ClientKind::Sdk] {
        let server = server().await;
        let bucket = open_by(&server, client).await;
        bucket.put(PutRequest::bytes("key", PutMode::Overwrite, vec![7; 100_000])).await.unwrap();
        let on = |fault| FaultRule::new(fault).on(Operation::GetObject);
        for after in [0, 1, 99_999] {
            server.faults().add(on(Fault::TruncatedBody { after }));
            let error = read(&bucket, "key").await.unwrap_err();
            assert_eq!(
                (error.kind(), error.retry()),
                (ErrorKind::Unavailable, Retry::Again),
                "after {after}: {error:?}"
            );
        }
        server.faults().add(on(Fault::TruncatedBody { after: 5 }));
        let request = GetRequest { range: Some(10..100), ..GetRequest::whole("key") };
        let stream = bucket.get(&request).await.unwrap();
        assert!(stream.body.try_collect::<Vec<Bytes>>().await.is_err());

        server.faults().add(on(Fault::FlippedByte));
        let error = read(&bucket, "key").await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Corrupt, Retry::Again), "{error:?}");
        assert_eq!(read(&bucket, "key").await.unwrap(), vec![7; 100_000]);

        let page = Fault::TruncatedBody { after: 200 };
        server.faults().add(FaultRule::new(page).on(Operation::ListObjectsV2));
        let error = bucket.list(&ListRequest::default()).await.unwrap_err();
        assert_eq!(error.retry(), Retry::Again, "{error:?}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_times_out() {
    let server = server().await;
    server.bucket("data").put("key", vec![7; 1000], None);
    let timeouts = Timeouts { answer_seconds: 1, stall_seconds: 1, copy_seconds: 1, ..Timeouts::default() };
    let bucket = S3Bucket::open(&S3Config { timeouts, ..config(&server) }).await.unwrap();
    let meta = head(&bucket, "key").await;
    server.set_latency(None, Duration::from_secs(60));
    for operation in [Operation::ListObjectsV2, Operation::GetObject, Operation::PutObject] {
        let error = call(&bucket, operation).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Timeout, Retry::Again), "{operation}: {error:?}");
    }
    let error = bucket.copy_from(&copy(&bucket, "key", "copied", &meta)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    server.set_latency(None, Duration::ZERO);

    let stalled = Fault::SlowBody { chunk: 10, pause: Duration::from_secs(60) };
    server.faults().add(FaultRule::new(stalled).on(Operation::GetObject));
    let error = read(&bucket, "key").await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Timeout, Retry::Again), "{error:?}");
}

#[tokio::test]
async fn a_server_that_is_gone_is_unavailable() {
    let server = server().await;
    let bucket = open(&server).await;
    server.stop().await;
    let error = bucket.list(&ListRequest::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Again), "{error:?}");
}

#[tokio::test]
async fn wrong_credentials_are_refused() {
    let server = server().await;
    let _ = server.bucket("data");
    let right = server.options();
    for (id, secret) in [("nobody", right.secret_key.as_str()), (right.access_key.as_str(), "wrong")] {
        let config = S3Config::at(server.endpoint(), StoreKind::Aws, "data", id, secret);
        let bucket = S3Bucket::open(&config).await.unwrap();
        let errors = [
            bucket.list(&ListRequest::default()).await.unwrap_err(),
            bucket.get(&GetRequest::whole("key")).await.unwrap_err(),
            bucket.put(PutRequest::bytes("key", PutMode::Overwrite, "x")).await.unwrap_err(),
            bucket.facts().await.unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error.kind(), ErrorKind::Unauthenticated | ErrorKind::Denied), "{error:?}");
            assert_eq!(error.retry(), Retry::Never);
            assert!(!format!("{error:?}").contains(right.secret_key.as_str()));
        }
    }
}

#[tokio::test]
async fn a_lost_reply_of_a_write_is_found_by_sending_it_again() {
    let server = server().await;
    let bucket = open(&server).await;
    for (key, operation, bytes) in [
        ("small", Operation::PutObject, Bytes::from_static(b"x")),
        ("large", Operation::CompleteMultipartUpload, large()),
    ] {
        let request = || PutRequest::bytes(key, PutMode::CreateOnly, bytes.clone());
        server.faults().add(FaultRule::new(Fault::DropAfter).on(operation));
        assert_eq!(bucket.put(request()).await.unwrap_err().kind(), ErrorKind::Unavailable, "{key}");
        assert_eq!(bucket.put(request()).await.unwrap_err().kind(), ErrorKind::AlreadyExists, "{key}");
        assert_eq!(read(&bucket, key).await.unwrap(), bytes, "{key}");
    }
    assert!(server.bucket("data").unfinished_uploads().is_empty());
}

async fn to_end(bucket: &S3Bucket, mut request: CopyRequest<'_>) -> Result<(ObjectMeta, usize), Error> {
    for calls in 1.. {
        match bucket.copy_from(&request).await? {
            Copied::Done(meta) => return Ok((meta, calls)),
            Copied::More { token, .. } => request.token = Some(token),
        }
    }
    panic!("a copy without an end");
}

#[tokio::test]
async fn a_large_copy_survives_faults_at_each_step() {
    let server = server().await;
    let bucket = open(&server).await;
    server.bucket("data").put("large", large(), None);
    let meta = head(&bucket, "large").await;
    let mut request = copy(&bucket, "large", "copied", &meta);
    for (operation, fault) in [
        (Operation::UploadPartCopy, Fault::slow_down()),
        (Operation::CompleteMultipartUpload, Fault::internal_error()),
        (Operation::CompleteMultipartUpload, Fault::DropAfter),
    ] {
        server.faults().add(FaultRule::new(fault).on(operation));
    }
    let mut failures = 0;
    let done = loop {
        match bucket.copy_from(&request).await {
            Ok(Copied::Done(meta)) => break meta,
            Ok(Copied::More { token, bytes }) => {
                assert!(bytes > 0 && bytes <= meta.size);
                request.token = Some(token);
            }
            Err(error) => {
                assert_ne!(error.retry(), Retry::Never, "{error:?}");
                failures += 1;
            }
        }
    };
    assert_eq!(failures, 3);
    assert_eq!(done.size, meta.size);
    assert_eq!(read(&bucket, "copied").await.unwrap(), large());
    assert!(server.bucket("data").unfinished_uploads().is_empty());

    // A token whose upload was given up is told from a source that is gone.
    let mut request = copy(&bucket, "large", "again", &meta);
    let Copied::More { token, .. } = bucket.copy_from(&request).await.unwrap() else { panic!("done at once") };
    bucket.abandon_copy(&Key::new("again"), &token).await.unwrap();
    request.token = Some(token);
    assert_eq!(bucket.copy_from(&request).await.unwrap_err().kind(), ErrorKind::Invalid);
    request.token = Some(CopyToken("{}".to_owned()));
    assert_eq!(bucket.copy_from(&request).await.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_copy_that_reads_back_as_another_object_is_corrupt() {
    let server = server().await;
    let bucket = open(&server).await;
    server.bucket("data").put("large", large(), None);
    let meta = head(&bucket, "large").await;
    server.faults().add(FaultRule::new(Fault::WrongETag).on(Operation::CompleteMultipartUpload));
    let error = to_end(&bucket, copy(&bucket, "large", "copied", &meta)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
}

#[tokio::test]
async fn a_write_that_fails_or_is_cancelled_leaves_no_upload() {
    let server = server().await;
    let bucket = open(&server).await;
    let broken = || Error::new(ErrorKind::Exhausted, "read", "elsewhere");
    let mut request = PutRequest::bytes("failed", PutMode::Overwrite, Bytes::new());
    request.size = None;
    request.body = stream::iter([Ok(large()), Err(broken())]).boxed();
    assert_eq!(bucket.put(request).await.unwrap_err().kind(), ErrorKind::Exhausted);
    assert!(server.bucket("data").unfinished_uploads().is_empty());

    server.faults().add(FaultRule::new(Fault::internal_error()).on(Operation::UploadPart).skip(1));
    let request = PutRequest::bytes("failed", PutMode::Overwrite, large());
    assert_eq!(bucket.put(request).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(server.bucket("data").unfinished_uploads().is_empty());

    let mut request = PutRequest::bytes("cancelled", PutMode::Overwrite, Bytes::new());
    request.size = None;
    request.body = stream::iter([Ok(large())]).chain(stream::pending()).boxed();
    let put = bucket.put(request);
    assert!(tokio::time::timeout(Duration::from_millis(500), put).await.is_err());
    for _ in 0..100 {
        if server.request_count(Operation::AbortMultipartUpload) == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(server.request_count(Operation::CreateMultipartUpload), 3);
    assert!(server.bucket("data").unfinished_uploads().is_empty(), "a cancelled write leaves its upload");
    assert_eq!(server.bucket("data").object_count(), 0);
}

#[tokio::test]
async fn a_stream_of_unknown_size_is_cut_into_parts() {
    let server = server().await;
    let bucket = open(&server).await;
    let whole = large();
    for (key, size) in [("below", 5 * MIB - 1), ("exactly", 5 * MIB), ("above", 5 * MIB + 1), ("twice", 10 * MIB)] {
        let bytes = whole.slice(..size);
        let chunks: Vec<Result<Bytes, Error>> = bytes.chunks(700_001).map(|c| Ok(bytes.slice_ref(c))).collect();
        let mut request = PutRequest::bytes(key, PutMode::CreateOnly, Bytes::new());
        request.size = None;
        request.body = stream::iter(chunks).boxed();
        let put = bucket.put(request).await.unwrap();
        assert_eq!(put.size, size as u64);
        let meta = head(&bucket, key).await;
        assert_eq!((meta.version, meta.size), (put.version, put.size), "{key}");
        assert_eq!(read(&bucket, key).await.unwrap(), bytes, "{key}");
    }
    assert_eq!(server.request_count(Operation::PutObject), 2);
    assert_eq!(server.request_count(Operation::UploadPart), 4);
}

#[tokio::test]
async fn the_store_keeps_a_checksum_of_what_was_written() {
    let server = server().await;
    let bucket = open(&server).await;
    bucket.put(PutRequest::bytes("key", PutMode::Overwrite, "abc")).await.unwrap();
    let meta = head(&bucket, "key").await;
    assert!(matches!(meta.checksum, Some(Checksum::Sha256(sum)) if sum.starts_with(&[0xba, 0x78, 0x16, 0xbf])));
}

#[tokio::test]
async fn control_characters_survive_listing_copy_and_delete() {
    for client in [ClientKind::Lean, ClientKind::Sdk] {
        let server = server().await;
        let bucket = open_by(&server, client).await;
        let keys =
            ["\u{1}", "a\nb", "a\rb", "a\tb", " lead", "trail ", "\u{7f}", "a\u{85}", "\u{ffff}", "&<>\"'", "//"];
        for key in keys {
            bucket.put(PutRequest::bytes(key, PutMode::Overwrite, key)).await.unwrap();
            let meta = head(&bucket, key).await;
            let to = format!("copy/{key}");
            to_end(&bucket, copy(&bucket, key, &to, &meta)).await.unwrap();
            assert_eq!(read(&bucket, &to).await.unwrap(), key.as_bytes(), "{key:?}");
        }
        let mut wanted: Vec<String> = keys.iter().flat_map(|key| [(*key).to_owned(), format!("copy/{key}")]).collect();
        wanted.sort();
        let page = bucket.list(&ListRequest::default()).await.unwrap();
        let listed: Vec<&str> = page.objects.iter().map(|object| object.key.as_str()).collect();
        assert_eq!(listed, wanted);
        let all: Vec<Key> = wanted.iter().map(Key::new).collect();
        for outcome in bucket.delete(&all).await.unwrap() {
            outcome.result.unwrap();
        }
        assert_eq!(server.bucket("data").keys(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn keys_that_the_protocol_cannot_carry_are_refused_before_anything_is_sent() {
    let server = server().await;
    let bucket = open(&server).await;
    let error = bucket.put(PutRequest::bytes("a\u{1}", PutMode::Overwrite, large())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let error = bucket.put(PutRequest::bytes(" ", PutMode::Overwrite, "x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    // Where the bucket is was asked when it was opened.
    let sent: Vec<Operation> = server.requests().into_keys().filter(|sent| *sent != Operation::HeadBucket).collect();
    assert_eq!(sent, []);
}

#[tokio::test]
async fn what_a_store_lacks_is_refused_or_done_otherwise() {
    let server = server().await;
    let quirks = QuirkOverrides {
        create_only_put: Some(false),
        conditional_copy: Some(false),
        bulk_delete: Some(false),
        start_after: Some(false),
        checksums: Some(false),
        ..QuirkOverrides::default()
    };
    server.bucket("data").put("key", "first", None);
    let bucket = S3Bucket::open(&S3Config { quirks, ..config(&server) }).await.unwrap();
    let put = bucket.put(PutRequest::bytes("new", PutMode::CreateOnly, "x")).await;
    assert_eq!(put.unwrap_err().kind(), ErrorKind::Unsupported);
    assert!(server.bucket("data").get("new").is_none());
    let list = bucket.list(&ListRequest { after: Some(Key::new("a")), ..ListRequest::default() }).await;
    assert_eq!(list.unwrap_err().kind(), ErrorKind::Unsupported);

    let meta = head(&bucket, "key").await;
    server.bucket("data").put("key", "other", None);
    let error = bucket.copy_from(&copy(&bucket, "key", "copied", &meta)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Changed);
    assert!(server.bucket("data").get("copied").is_none());

    bucket.delete(&[Key::new("key"), Key::new("absent")]).await.unwrap();
    assert_eq!(server.bucket("data").object_count(), 0);
    assert_eq!(server.request_count(Operation::DeleteObjects), 0);
}

#[tokio::test]
async fn a_source_in_another_store_is_unsupported() {
    let (here, there) = (server().await, server().await);
    let (here, there_bucket) = (open(&here).await, open(&there).await);
    there.bucket("data").put("key", "content", None);
    let meta = head(&there_bucket, "key").await;
    let error = here.copy_from(&copy(&there_bucket, "key", "copied", &meta)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_key_that_cannot_be_deleted_is_in_its_outcome() {
    let server = server().await;
    let bucket = open(&server).await;
    // This one goes alone: XML can't name it.
    server.bucket("data").put("a\u{1}", "x", None);
    server.bucket("data").put("b", "x", None);
    server.faults().add(FaultRule::new(Fault::error(403, "AccessDenied")).on(Operation::DeleteObject));
    let outcomes = bucket.delete(&[Key::new("b"), Key::new("a\u{1}")]).await.unwrap();
    assert!(outcomes[0].result.is_ok());
    assert_eq!(outcomes[1].result.as_ref().unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!(server.bucket("data").keys(), ["a\u{1}"]);
}

#[tokio::test]
async fn facts_tell_what_is_known() {
    let server = server().await;
    let bucket = open(&server).await;
    let facts = bucket.facts().await.unwrap();
    assert_eq!(facts.region.as_deref(), Some("us-east-1"));
    assert_eq!((facts.versioning, facts.object_lock), (Some(false), Some(false)));
    assert_eq!((facts.lifecycle, facts.encryption.as_deref()), (Some(Vec::new()), Some("none")));
    assert_eq!(facts.exposure, Some(Exposure::Private));

    server.set_public("data", true);
    server.bucket("data").set_versioning(true);
    let facts = bucket.facts().await.unwrap();
    assert_eq!((facts.exposure, facts.versioning), (Some(Exposure::Public), Some(true)));

    // What may not be asked isn't known; what may pass is an error.
    let denied = |operation| FaultRule::new(Fault::error(403, "AccessDenied")).on(operation);
    server.set_public("data", false);
    server.faults().add(denied(Operation::GetBucketPolicyStatus).always());
    server.faults().add(denied(Operation::GetPublicAccessBlock).always());
    server.faults().add(denied(Operation::GetBucketVersioning).always());
    let facts = bucket.facts().await.unwrap();
    assert_eq!((facts.exposure, facts.versioning), (None, None));
    server.faults().clear();
    server.faults().add(FaultRule::new(Fault::slow_down()).on(Operation::GetPublicAccessBlock));
    assert_eq!(bucket.facts().await.unwrap_err().kind(), ErrorKind::Throttled);

    // A store whose word on policies isn't relied on: its policy is read.
    let config = S3Config { store: Some(StoreKind::Other), ..config(&server) };
    let other = S3Bucket::open(&config).await.unwrap();
    assert_eq!(other.facts().await.unwrap().exposure, Some(Exposure::Private));
    server.set_public("data", true);
    assert_eq!(other.facts().await.unwrap().exposure, Some(Exposure::Public));

    let missing = bucket.sibling("missing", "");
    assert_eq!(missing.facts().await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn unfinished_uploads_are_found_and_ended() {
    let server = server().await;
    let bucket = open(&server).await;
    server.bucket("data").put("large", large(), None);
    let meta = head(&bucket, "large").await;
    let own = bucket.sibling("data", "own/é +/");
    for (at, key) in [(&bucket, "left"), (&own, "a&<+ é")] {
        at.copy_from(&copy(&bucket, "large", key, &meta)).await.unwrap();
    }
    let found = own.unfinished_uploads().await.unwrap();
    assert_eq!(found.iter().map(|upload| upload.key.as_str()).collect::<Vec<_>>(), ["a&<+ é"]);
    assert!(found[0].started.is_some());
    for _ in 0..2 {
        own.abandon_copy(&found[0].key, &found[0].token).await.unwrap();
    }
    assert_eq!(server.bucket("data").unfinished_uploads(), ["left"]);
    assert_eq!(bucket.unfinished_uploads().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_hundred_thousand_keys_are_listed_page_by_page_and_in_ranges() {
    for client in [ClientKind::Lean, ClientKind::Sdk] {
        let server = server().await;
        let bucket = open_by(&server, client).await;
        let data = server.bucket("data");
        for at in 0..100_000 {
            data.put(&format!("block/{at:08x}"), Bytes::new(), None);
        }
        let mut request = ListRequest {
            after: Some(Key::new("block/00004e20")),
            through: Some(Key::new("block/00009c40")),
            ..ListRequest::default()
        };
        let mut found = Vec::new();
        loop {
            let page = bucket.list(&request).await.unwrap();
            found.extend(page.objects.into_iter().map(|object| object.key));
            request.token = page.next;
            if request.token.is_none() {
                break;
            }
        }
        assert_eq!(found.len(), 20_000);
        assert_eq!(found.first().map(Key::as_str), Some("block/00004e21"));
        assert_eq!(found.last().map(Key::as_str), Some("block/00009c40"));
        assert_eq!(server.request_count(Operation::ListObjectsV2), 20);
    }
}
