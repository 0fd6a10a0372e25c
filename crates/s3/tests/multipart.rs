//! Uploads in parts on the sandbox's S3: continued by another process, raced, cancelled.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod create_only_race;

use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use provider::{
    Bucket, Copied, CopyRequest, CopyToken, Error, ErrorKind, GetRequest, Key, ObjectMeta, PutMode, PutRequest, cleanup,
};
use s3::{QuirkOverrides, S3Bucket, S3Config, StoreKind};
use sandbox::s3::{Fault, FaultRule, Operation, S3Options, S3Server};

const MIB: usize = 1 << 20;
const PART: usize = 5 * MIB;
/// Parts that one call copies.
const PARTS_PER_CALL: usize = 8;

async fn server() -> S3Server {
    let options = S3Options { single_copy_limit: PART as u64, ..S3Options::default() };
    S3Server::start(options).await.unwrap()
}

/// A client of its own, as in a new process.
async fn open(server: &S3Server) -> S3Bucket {
    let _ = server.bucket("data");
    let part = Some(PART as u64);
    let quirks = QuirkOverrides {
        single_copy_bytes: part,
        copy_part_bytes: part,
        part_bytes: part,
        ..QuirkOverrides::default()
    };
    let S3Options { access_key, secret_key, .. } = server.options();
    let config = S3Config::at(server.endpoint(), StoreKind::Aws, "data", access_key, secret_key);
    S3Bucket::open(&S3Config { quirks, ..config }).await.unwrap()
}

/// Ten parts, the last one short, no two of them equal.
fn ten_parts(seed: usize) -> Bytes {
    (0..9 * PART + 12_345)
        .map(|at| ((at * 31) ^ (at / PART * 77) ^ (at >> 11) ^ seed) as u8)
        .collect::<Vec<u8>>()
        .into()
}

fn copy<'a>(source: &'a dyn Bucket, meta: &ObjectMeta, token: Option<CopyToken>) -> CopyRequest<'a> {
    let if_version = Some(meta.version.clone());
    CopyRequest {
        source,
        from: Key::new("large"),
        to: Key::new("copied"),
        size: meta.size,
        class: None,
        if_version,
        token,
    }
}

fn more(copied: Copied) -> (CopyToken, u64) {
    match copied {
        Copied::More { token, bytes } => (token, bytes),
        Copied::Done(meta) => panic!("done at once: {meta:?}"),
    }
}

async fn read(bucket: &S3Bucket, key: &str) -> Result<Vec<u8>, Error> {
    Ok(bucket.get(&GetRequest::whole(key)).await?.body.try_collect::<Vec<Bytes>>().await?.concat())
}

#[tokio::test]
async fn a_copy_goes_on_in_another_process_from_the_middle() {
    let server = server().await;
    let content = ten_parts(0);
    let bucket = open(&server).await;
    server.bucket("data").put("large", content.clone(), None);
    let meta = bucket.head(&Key::new("large")).await.unwrap().unwrap();
    let (token, bytes) = more(bucket.copy_from(&copy(&bucket, &meta, None)).await.unwrap());
    assert_eq!(bytes, (PARTS_PER_CALL * PART) as u64);
    assert_eq!(server.request_count(Operation::UploadPartCopy), PARTS_PER_CALL as u64);

    server.faults().add(FaultRule::new(Fault::internal_error()).on(Operation::UploadPartCopy).skip(1));
    let error = bucket.copy_from(&copy(&bucket, &meta, Some(token.clone()))).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unavailable, "UploadPartCopy"));
    assert_eq!(server.bucket("data").unfinished_uploads(), ["copied"], "the token's upload must stay");
    drop(bucket);

    let bucket = open(&server).await;
    let before = server.request_count(Operation::UploadPartCopy);
    let (token, bytes) = more(bucket.copy_from(&copy(&bucket, &meta, Some(token))).await.unwrap());
    assert_eq!(bytes, meta.size);
    assert_eq!(server.request_count(Operation::UploadPartCopy) - before, 2, "parts that were there are copied again");
    let done = bucket.copy_from(&copy(&bucket, &meta, Some(token))).await.unwrap();
    assert!(matches!(done, Copied::Done(done) if done.size == meta.size));
    assert!(read(&bucket, "copied").await.unwrap() == content, "the copy has other bytes");
    assert!(server.bucket("data").unfinished_uploads().is_empty());
}

#[tokio::test]
async fn a_source_that_changes_between_two_calls_is_refused() {
    for conditional in [true, false] {
        let server = server().await;
        let bucket = open(&server).await;
        server.bucket("data").put("large", ten_parts(0), None);
        let meta = bucket.head(&Key::new("large")).await.unwrap().unwrap();
        let request = |token| {
            let request = copy(&bucket, &meta, token);
            let if_version = request.if_version.clone().filter(|_| conditional);
            CopyRequest { if_version, ..request }
        };
        let (token, _) = more(bucket.copy_from(&request(None)).await.unwrap());
        server.bucket("data").put("large", ten_parts(1), None);
        let error = bucket.copy_from(&request(Some(token.clone()))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Changed, "conditional {conditional}: {error:?}");
        bucket.abandon_copy(&Key::new("copied"), &token).await.unwrap();
        assert_eq!(server.bucket("data").keys(), ["large"]);
        assert!(server.bucket("data").unfinished_uploads().is_empty());
    }
}

#[tokio::test]
async fn one_of_two_writers_of_a_new_key_wins() {
    let server = server().await;
    let bucket = open(&server).await;
    create_only_race::one_of_two_writers_wins(&bucket).await;
    assert_eq!(server.request_count(Operation::CreateMultipartUpload), 2, "the race was decided by the look before");
    assert_eq!(server.request_count(Operation::CompleteMultipartUpload), 2);
    assert!(server.bucket("data").unfinished_uploads().is_empty());
}

/// The id of the upload is in the reply that a cancelled call no longer waits for.
#[tokio::test]
async fn a_write_cancelled_while_its_upload_begins_leaves_none() {
    let server = server().await;
    let bucket = open(&server).await;
    server.set_latency(Operation::CreateMultipartUpload, Duration::from_millis(200));
    let began = async {
        while server.request_count(Operation::CreateMultipartUpload) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = began => {}
        put = bucket.put(PutRequest::bytes("large", PutMode::Overwrite, ten_parts(0))) => panic!("done: {put:?}"),
    }
    assert!(cleanup::finish(Duration::from_secs(60)).await);
    assert_eq!(server.request_count(Operation::AbortMultipartUpload), 1);
    assert!(server.bucket("data").unfinished_uploads().is_empty());
}
