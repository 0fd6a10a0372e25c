//! Writes that succeed: what is there afterwards.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, future, stream};
use sha2::{Digest, Sha256};
use tokio::sync::Barrier;

use super::calls::{chunked, described, ensure_content, ensure_described, keys, pattern, present, write};
use super::property::{Outcome, Verdict, Violation, ensure, refused, skipped};
use super::{BucketFixture, Report};
use crate::testkit::fault::{Fault, FaultPlan, FaultyBucket, Operation};
use crate::{Bucket, Checksum, ErrorKind, PutMode, PutRequest, Retry};

pub(super) async fn run(fixture: &dyn BucketFixture, report: &mut Report) {
    report.check("put.answers-size-and-version", answers(fixture)).await;
    report.check("put.zero-bytes", zero_bytes(fixture)).await;
    report.check("put.chunks-of-unknown-size", chunks(fixture)).await;
    report.check("put.overwrite", overwrite(fixture)).await;
    report.check("put.headers-and-metadata", headers_and_metadata(fixture)).await;
    report.check("put.checksum-told-is-right", checksum_told(fixture)).await;
    report.check("put.create-only", create_only(fixture)).await;
    report.check("put.create-only-race", create_only_race(fixture)).await;
    report.check("put.create-only-lost-reply", create_only_lost_reply(fixture)).await;
}

async fn answers(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    let bytes = pattern(70_001, 1);
    let mut request = PutRequest::bytes("key", PutMode::Overwrite, bytes.clone());
    request.sha256 = Some(Sha256::digest(&bytes).into());
    let put = bucket.put(request).await?;
    let head = present(&*bucket, "key").await?;
    ensure!(
        put.size == 70_001 && head.size == 70_001,
        "70001 bytes written, put says {}, head {}",
        put.size,
        head.size
    );
    ensure!(put.version == head.version, "put says version {:?}, head {:?}", put.version, head.version);
    ensure_content(&*bucket, "key", &bytes).await?;
    Ok(Verdict::Held)
}

async fn zero_bytes(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    write(&*bucket, "told", b"").await?;
    bucket.put(chunked("untold", PutMode::Overwrite, Vec::new())).await?;
    let blank = vec![Ok(Bytes::new()), Ok(Bytes::new())];
    bucket.put(chunked("blank-chunks", PutMode::Overwrite, blank)).await?;
    for key in ["told", "untold", "blank-chunks"] {
        ensure!(present(&*bucket, key).await?.size == 0, "{key} isn't empty");
        ensure_content(&*bucket, key, b"").await?;
    }
    ensure!(keys(&*bucket).await? == ["blank-chunks", "told", "untold"], "empty objects aren't listed");
    Ok(Verdict::Held)
}

async fn chunks(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    let size = usize::try_from(fixture.largest_object().min(12 << 20)).unwrap_or(12 << 20);
    let bytes = pattern(size, 2);
    // Uneven chunks, some empty, so that no store's block size fits.
    let mut chunks = vec![Ok(Bytes::new())];
    chunks.extend(bytes.chunks(99_991).map(|chunk| Ok(Bytes::copy_from_slice(chunk))));
    chunks.push(Ok(Bytes::new()));
    let put = bucket.put(chunked("chunks", PutMode::Overwrite, chunks)).await?;
    ensure!(put.size == size as u64, "{size} bytes written, put says {}", put.size);
    ensure_content(&*bucket, "chunks", &bytes).await?;
    Ok(Verdict::Held)
}

async fn overwrite(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    write(&*bucket, "key", b"the first, longer content").await?;
    let first = present(&*bucket, "key").await?;
    write(&*bucket, "key", b"the second").await?;
    let second = present(&*bucket, "key").await?;
    ensure!(first.version != second.version, "another content has the same version {:?}", first.version);
    ensure_content(&*bucket, "key", b"the second").await?;
    ensure!(keys(&*bucket).await? == ["key"], "an overwritten key is listed otherwise than once");
    Ok(Verdict::Held)
}

async fn headers_and_metadata(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    if !bucket.capabilities().metadata {
        return skipped("capability metadata is false");
    }
    bucket.put(described(PutRequest::bytes("key", PutMode::Overwrite, "content"))).await?;
    ensure_described(&*bucket, "key").await?;
    write(&*bucket, "key", b"content").await?;
    let found = present(&*bucket, "key").await?;
    let metadata = &found.details().metadata;
    ensure!(metadata.is_empty(), "an overwritten object keeps the metadata of the one before: {metadata:?}");
    Ok(Verdict::Held)
}

/// The published check values of each algorithm for the bytes `123456789`.
async fn checksum_told(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    write(&*bucket, "key", b"123456789").await?;
    let Some(found) = present(&*bucket, "key").await?.checksum else {
        return skipped("the store tells no checksum");
    };
    let wanted = match found {
        Checksum::Crc32c(_) => Checksum::Crc32c(0xe306_9283),
        Checksum::Crc64Nvme(_) => Checksum::Crc64Nvme(0xae8b_1486_0a79_9888),
        Checksum::Md5(_) => Checksum::Md5([
            0x25, 0xf9, 0xe7, 0x94, 0x32, 0x3b, 0x45, 0x38, 0x85, 0xf5, 0x18, 0x1f, 0x1b, 0x62, 0x4d, 0x0b,
        ]),
        Checksum::Sha256(_) => Checksum::Sha256(Sha256::digest(b"123456789").into()),
    };
    ensure!(found == wanted, "head tells {found:?} for bytes whose checksum is {wanted:?}");
    Ok(Verdict::Held)
}

async fn create_only(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    if !bucket.capabilities().create_only_put {
        let request = PutRequest::bytes("key", PutMode::CreateOnly, "content");
        refused("create-only", bucket.put(request).await, ErrorKind::Unsupported)?;
        return skipped("capability create_only_put is false");
    }
    bucket.put(PutRequest::bytes("key", PutMode::CreateOnly, "first")).await?;
    for other in ["first", "second", ""] {
        let request = PutRequest::bytes("key", PutMode::CreateOnly, other);
        let error = refused("create-only over a key", bucket.put(request).await, ErrorKind::AlreadyExists)?;
        ensure!(error.retry() == Retry::Never, "the retry class of already-exists is {:?}", error.retry());
        ensure_content(&*bucket, "key", b"first").await?;
    }
    Ok(Verdict::Held)
}

/// Of eight writers that begin before any has ended, one wins, and its content is there.
async fn create_only_race(fixture: &dyn BucketFixture) -> Outcome {
    const WRITERS: usize = 8;
    let bucket = fixture.fresh().await.destination;
    if !bucket.capabilities().create_only_put {
        return skipped("capability create_only_put is false");
    }
    for round in 0..4 {
        let key = format!("race-{round}");
        let content = |writer: usize| pattern(1000 + writer, writer as u64);
        let barrier = Arc::new(Barrier::new(WRITERS));
        let writers = (0..WRITERS).map(|writer| {
            let (bucket, barrier, key, bytes) =
                (Arc::clone(&bucket), Arc::clone(&barrier), key.clone(), content(writer));
            tokio::spawn(async move {
                let mut request = PutRequest::bytes(key, PutMode::CreateOnly, bytes.clone());
                // Nobody sends its last byte before all have begun; a store that takes one writer at a time goes on.
                request.body = stream::once(async move {
                    drop(tokio::time::timeout(Duration::from_secs(2), barrier.wait()).await);
                    Ok(Bytes::from(bytes))
                })
                .boxed();
                bucket.put(request).await
            })
        });
        let mut winners = Vec::new();
        for (writer, result) in future::join_all(writers).await.into_iter().enumerate() {
            match result.map_err(|error| Violation(format!("a writer ended badly: {error}")))? {
                Ok(_) => winners.push(writer),
                Err(error) if error.kind() == ErrorKind::AlreadyExists || error.retry() != Retry::Never => {}
                Err(error) => return Err(error.into()),
            }
        }
        ensure!(winners.len() == 1, "{} of {WRITERS} writers were told that they created the key", winners.len());
        ensure_content(&*bucket, &key, &content(winners[0])).await?;
    }
    Ok(Verdict::Held)
}

/// The writer can't know whether its write was done. It sends it again and learns that by `AlreadyExists`.
async fn create_only_lost_reply(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    if !bucket.capabilities().create_only_put {
        return skipped("capability create_only_put is false");
    }
    let plan = FaultPlan::scripted().at(Operation::Put, 1, Fault::LostReply);
    let faulty: FaultyBucket<dyn Bucket> = FaultyBucket::new(Arc::clone(&bucket), plan);
    let request = || PutRequest::bytes("key", PutMode::CreateOnly, "content");
    refused("a put whose reply is lost", faulty.put(request()).await, ErrorKind::Unavailable)?;
    refused("the same put again", faulty.put(request()).await, ErrorKind::AlreadyExists)?;
    ensure_content(&*bucket, "key", b"content").await?;
    ensure!(keys(&*bucket).await? == ["key"], "the put that was sent twice left more than one object");
    Ok(Verdict::Held)
}
