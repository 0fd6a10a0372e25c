//! Reads: ranges, versions, and never a mix of two objects.

use futures::TryStreamExt;

use super::calls::{pattern, present, read, write};
use super::property::{Outcome, Verdict, ensure, refused};
use super::{BucketFixture, Report};
use crate::{ErrorKind, GetRequest, Key, ObjectVersion, Retry};

pub(super) async fn run(fixture: &dyn BucketFixture, report: &mut Report) {
    report.check("get.whole", whole(fixture)).await;
    report.check("get.ranges", ranges(fixture)).await;
    report.check("get.range-beyond-end", range_beyond_end(fixture)).await;
    report.check("get.if-version", if_version(fixture)).await;
    report.check("get.never-mixes", never_mixes(fixture)).await;
    report.check("get.missing", missing(fixture)).await;
}

async fn whole(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    for size in [0, 1, 65_536, 3 << 20] {
        let bytes = pattern(size, 10);
        write(&*bucket, "key", &bytes).await?;
        let stream = bucket.get(&GetRequest::whole("key")).await?;
        let head = present(&*bucket, "key").await?;
        ensure!(stream.meta.key.as_str() == "key", "get tells key {:?}", stream.meta.key);
        ensure!(stream.meta.size == size as u64, "get tells size {} for {size} bytes", stream.meta.size);
        ensure!(stream.meta.version == head.version, "get and head tell different versions");
        let found = stream.body.try_collect::<Vec<_>>().await?.concat();
        ensure!(found == bytes, "{size} bytes were read as {} others", found.len());
    }
    Ok(Verdict::Held)
}

async fn ranges(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    let bytes = pattern(200_000, 11);
    write(&*bucket, "key", &bytes).await?;
    for (start, end) in [(0, 1), (0, 1000), (5, 6), (65_535, 65_537), (1000, 150_000), (199_999, 200_000), (0, 200_000)]
    {
        let range = Some(start as u64..end as u64);
        let found = read(&*bucket, &GetRequest { range, ..GetRequest::whole("key") }).await?;
        ensure!(found == bytes[start..end], "bytes {start}..{end} were read as {} others", found.len());
    }
    for (start, end) in [(0, 200_001), (199_990, 200_100), (1, u64::MAX)] {
        let request = GetRequest { range: Some(start..end), ..GetRequest::whole("key") };
        let stream = bucket.get(&request).await?;
        ensure!(stream.meta.size == 200_000, "a range's facts tell size {}", stream.meta.size);
        let found = stream.body.try_collect::<Vec<_>>().await?.concat();
        let wanted = &bytes[usize::try_from(start).unwrap_or(usize::MAX)..];
        ensure!(found == wanted, "bytes {start}..{end} were read as {}, not cut at the end", found.len());
    }
    Ok(Verdict::Held)
}

async fn range_beyond_end(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    write(&*bucket, "key", &pattern(100, 12)).await?;
    write(&*bucket, "empty", b"").await?;
    for (key, start) in [("key", 100), ("key", 101), ("key", 1 << 40), ("empty", 1)] {
        let request = GetRequest { range: Some(start..start + 10), ..GetRequest::whole(key) };
        refused(&format!("{key} from {start}"), bucket.get(&request).await, ErrorKind::Invalid)?;
    }
    Ok(Verdict::Held)
}

async fn if_version(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    write(&*bucket, "key", b"first").await?;
    let first = present(&*bucket, "key").await?.version;
    let request =
        |version: &ObjectVersion, range| GetRequest { key: Key::new("key"), range, if_version: Some(version.clone()) };
    ensure!(read(&*bucket, &request(&first, None)).await? == b"first", "the version asked for isn't the one read");
    ensure!(read(&*bucket, &request(&first, Some(1..3))).await? == b"ir", "a range of a version is another one");
    write(&*bucket, "key", b"other").await?;
    for range in [None, Some(1..3)] {
        let error = refused("a version that is gone", bucket.get(&request(&first, range)).await, ErrorKind::Changed)?;
        ensure!(error.retry() == Retry::Never, "the retry class of changed is {:?}", error.retry());
    }
    let second = present(&*bucket, "key").await?.version;
    ensure!(read(&*bucket, &request(&second, None)).await? == b"other", "the new version can't be read");
    Ok(Verdict::Held)
}

/// A reader that began before an overwrite gets the old object, the new one, or an error.
async fn never_mixes(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    let (old, new) = (pattern(4 << 20, 13), pattern(4 << 20, 14));
    write(&*bucket, "key", &old).await?;
    let mut stream = bucket.get(&GetRequest::whole("key")).await?;
    let mut found = stream.body.try_next().await?.unwrap_or_default().to_vec();
    write(&*bucket, "key", &new).await?;
    let rest: Result<Vec<_>, _> = stream.body.try_collect().await;
    if let Ok(rest) = rest {
        found.extend(rest.concat());
        ensure!(found == old || found == new, "a reader got a mix of two objects, or a part without an error");
    }
    Ok(Verdict::Held)
}

async fn missing(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    write(&*bucket, "folder/key", b"content").await?;
    for key in ["missing", "folder", "folder/ke", "folder/key2", "folder/missing"] {
        let error = refused(key, bucket.get(&GetRequest::whole(key)).await, ErrorKind::NotFound)?;
        ensure!(error.retry() == Retry::Never, "the retry class of not-found is {:?}", error.retry());
        let version = Some(ObjectVersion("0".to_owned()));
        let conditional = GetRequest { if_version: version, ..GetRequest::whole(key) };
        refused(key, bucket.get(&conditional).await, ErrorKind::NotFound)?;
        let head = bucket.head(&Key::new(key)).await?;
        ensure!(head.is_none(), "head of {key}, which was never written, tells {head:?}");
    }
    Ok(Verdict::Held)
}
