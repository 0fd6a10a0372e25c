//! Listings: sorted by raw key, complete across pages, exact at their ends.

use super::calls::{copy_to_end, ensure_content, keys as listed_keys, list, present, write};
use super::keys;
use super::property::{Outcome, Verdict, ensure, refused};
use super::{BucketFixture, Report};
use crate::testkit::conformance::calls::copy;
use crate::{Bucket, ErrorKind, Key, ListRequest, ListingStart};

pub(super) async fn run(fixture: &dyn BucketFixture, report: &mut Report) {
    report.check("listing.empty", empty(fixture)).await;
    report.check("listing.sorted-and-complete", sorted_and_complete(fixture)).await;
    report.check("listing.facts", facts(fixture)).await;
    report.check("listing.after-any-key", after_any_key(fixture)).await;
    report.check("listing.through", through(fixture)).await;
    report.check("listing.prefix", prefix(fixture)).await;
    report.check("listing.stable-under-change", stable_under_change(fixture)).await;
    report.check("keys.exact", keys_exact(fixture)).await;
}

/// Page sizes: one, two, an odd one, and as many as the store gives.
const PAGE_SIZES: [usize; 4] = [1, 2, 7, 0];

async fn fill(bucket: &dyn Bucket) -> crate::Result<Vec<String>> {
    let mut keys = keys::held(&bucket.capabilities().keys);
    for key in &keys {
        write(bucket, key, key.as_bytes()).await?;
    }
    keys.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    Ok(keys)
}

async fn names(bucket: &dyn Bucket, request: ListRequest) -> Result<Vec<String>, super::property::Violation> {
    Ok(list(bucket, request).await?.into_iter().map(|object| object.key.into_string()).collect())
}

async fn empty(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    let page = bucket.list(&ListRequest::default()).await?;
    ensure!(page.objects.is_empty() && page.next.is_none(), "an empty bucket lists {page:?}");
    write(&*bucket, "present", b"").await?;
    let absent = ListRequest { prefix: "absent/".to_owned(), ..ListRequest::default() };
    let page = bucket.list(&absent).await?;
    ensure!(page.objects.is_empty() && page.next.is_none(), "an absent prefix lists {page:?}");
    Ok(Verdict::Held)
}

async fn sorted_and_complete(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    let wanted = fill(&*bucket).await?;
    for max_keys in PAGE_SIZES {
        let found = names(&*bucket, ListRequest { max_keys, ..ListRequest::default() }).await?;
        ensure!(found == wanted, "pages of {max_keys}: {}", difference(&found, &wanted));
    }
    Ok(Verdict::Held)
}

async fn facts(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    for size in [0_usize, 1, 70_000] {
        write(&*bucket, &format!("size-{size}"), &vec![7; size]).await?;
    }
    let found = list(&*bucket, ListRequest::default()).await?;
    ensure!(found.len() == 3, "3 objects, {} listed", found.len());
    for object in found {
        let head = present(&*bucket, object.key.as_str()).await?;
        let size = object.key.as_str().strip_prefix("size-").and_then(|size| size.parse().ok());
        ensure!(size == Some(object.size), "{} is listed with {} bytes", object.key, object.size);
        ensure!(object.version == head.version, "list and head tell different versions of {}", object.key);
        ensure!(
            object.modified == head.modified
                || head.modified.is_none()
                || object.modified.is_none()
                || object.modified.map(jiff::Timestamp::as_second) == head.modified.map(jiff::Timestamp::as_second),
            "list and head tell different times of {}",
            object.key
        );
    }
    Ok(Verdict::Held)
}

async fn after_any_key(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    if bucket.capabilities().listing_start == ListingStart::AtPrefix {
        write(&*bucket, "a", b"").await?;
        let request = ListRequest { after: Some(Key::new("a")), ..ListRequest::default() };
        refused("listing after a key", bucket.list(&request).await, ErrorKind::Unsupported)?;
        return super::property::skipped("capability listing_start is at-prefix");
    }
    let all = fill(&*bucket).await?;
    // Keys that exist, keys between others, and both ends.
    let mut starts: Vec<String> = all.clone();
    starts.extend(["a", "folder", "folder/", "folder/b", "order-", "zzzz", "é", "\u{10ffff}"].map(str::to_owned));
    for (number, start) in starts.iter().enumerate() {
        let wanted: Vec<_> = all.iter().filter(|key| key.as_bytes() > start.as_bytes()).cloned().collect();
        let max_keys = PAGE_SIZES[number % PAGE_SIZES.len()].saturating_mul(8);
        let request = ListRequest { after: Some(Key::new(start.as_str())), max_keys, ..ListRequest::default() };
        let found = names(&*bucket, request).await?;
        ensure!(found == wanted, "after {start:?}: {}", difference(&found, &wanted));
    }
    for (after, prefix) in
        [("folder", "folder/"), ("folder/a", "folder/"), ("a", "order"), ("z", "order"), ("order-a", "order-a")]
    {
        let wanted: Vec<_> =
            all.iter().filter(|key| key.as_str() > after && key.starts_with(prefix)).cloned().collect();
        let request =
            ListRequest { after: Some(Key::new(after)), prefix: prefix.to_owned(), max_keys: 1, ..Default::default() };
        let found = names(&*bucket, request).await?;
        ensure!(found == wanted, "after {after:?} under {prefix:?}: {}", difference(&found, &wanted));
    }
    Ok(Verdict::Held)
}

async fn through(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    let all = fill(&*bucket).await?;
    let any_start = bucket.capabilities().listing_start == ListingStart::AfterAnyKey;
    let middle = all.len() / 2;
    for (through, max_keys) in [
        (all[0].as_str(), 1),
        (all[middle].as_str(), 7),
        ("folder/", 2),
        ("folder/b/b", 2),
        ("\u{10ffff}", 0),
        (" ", 0),
    ] {
        let upto: Vec<_> = all.iter().filter(|key| key.as_str() <= through).cloned().collect();
        let request = ListRequest { through: Some(Key::new(through)), max_keys, ..ListRequest::default() };
        let found = names(&*bucket, request.clone()).await?;
        ensure!(found == upto, "through {through:?}: {}", difference(&found, &upto));
        if any_start {
            let after = Some(Key::new(all[2].as_str()));
            let found = names(&*bucket, ListRequest { after, ..request }).await?;
            let wanted: Vec<_> = upto.into_iter().filter(|key| *key > all[2]).collect();
            ensure!(found == wanted, "after {:?} through {through:?}: {}", all[2], difference(&found, &wanted));
        }
    }
    Ok(Verdict::Held)
}

async fn prefix(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    let all = fill(&*bucket).await?;
    let mut prefixes: Vec<String> = [
        "order",
        "order-a",
        "folder",
        "folder/",
        "folder/b",
        "folder/b/",
        "/",
        "//",
        "mid/",
        "two-byte-é",
        "🦀",
        "é/日",
    ]
    .map(str::to_owned)
    .to_vec();
    prefixes.extend(all.iter().cloned());
    for prefix in prefixes {
        let wanted: Vec<_> = all.iter().filter(|key| key.starts_with(&prefix)).cloned().collect();
        let found = names(&*bucket, ListRequest { prefix: prefix.clone(), max_keys: 3, ..Default::default() }).await?;
        ensure!(found == wanted, "prefix {prefix:?}: {}", difference(&found, &wanted));
    }
    Ok(Verdict::Held)
}

/// Objects that exist during the whole listing are in it exactly once, whatever comes and goes beside them.
async fn stable_under_change(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    let steady: Vec<String> = (0..20).map(|number| format!("steady-{number:02}")).collect();
    for key in &steady {
        write(&*bucket, key, b"").await?;
        write(&*bucket, &format!("{key}-leaves"), b"").await?;
    }
    let mut found = Vec::new();
    let mut request = ListRequest { max_keys: 3, ..ListRequest::default() };
    for number in 0.. {
        let page = bucket.list(&request).await?;
        found.extend(page.objects.into_iter().map(|object| object.key.into_string()));
        request.token = page.next;
        if request.token.is_none() {
            break;
        }
        ensure!(number < 1000, "the listing has no end");
        if let Some(key) = steady.get(number) {
            let gone = bucket.delete(&[Key::new(format!("{key}-leaves"))]).await?;
            gone.into_iter().try_for_each(|outcome| outcome.result)?;
            write(&*bucket, &format!("{key}-arrives"), b"").await?;
            write(&*bucket, &format!("a-arrives-{number}"), b"").await?;
        }
    }
    let sorted = found.windows(2).all(|pair| pair[0] < pair[1]);
    ensure!(sorted, "keys came twice or unsorted: {found:?}");
    let missing = steady.iter().find(|key| !found.contains(key));
    ensure!(missing.is_none(), "a key that was there all the time is missing: {missing:?}");
    Ok(Verdict::Held)
}

/// A strange key is the same key for every call.
async fn keys_exact(fixture: &dyn BucketFixture) -> Outcome {
    let pair = fixture.fresh().await;
    let all = fill(&*pair.source).await?;
    for key in &all {
        ensure_content(&*pair.source, key, key.as_bytes()).await?;
        let head = present(&*pair.source, key).await?;
        ensure!(head.key.as_str() == key, "head of {key:?} answers for {:?}", head.key);
        let request = copy(&*pair.source, key, key, head.size);
        let (copied, _) = copy_to_end(&*pair.destination, request).await?;
        ensure!(copied.key.as_str() == key, "the copy of {key:?} is {:?}", copied.key);
        ensure_content(&*pair.destination, key, key.as_bytes()).await?;
    }
    let found = listed_keys(&*pair.destination).await?;
    ensure!(found == all, "copied keys: {}", difference(&found, &all));
    for key in &all {
        for outcome in pair.destination.delete(&[Key::new(key.as_str())]).await? {
            ensure!(outcome.key.as_str() == key, "delete of {key:?} answers for {:?}", outcome.key);
            outcome.result?;
        }
        let head = pair.destination.head(&Key::new(key.as_str())).await?;
        ensure!(head.is_none(), "{key:?} is there after its delete");
    }
    let left = listed_keys(&*pair.destination).await?;
    ensure!(left.is_empty(), "keys left after their delete: {left:?}");
    Ok(Verdict::Held)
}

fn difference(found: &[String], wanted: &[String]) -> String {
    let missing: Vec<_> = wanted.iter().filter(|key| !found.contains(key)).take(5).collect();
    let extra: Vec<_> = found.iter().filter(|key| !wanted.contains(key)).take(5).collect();
    let turn = found.windows(2).find(|pair| pair[0] >= pair[1]);
    format!("{} keys for {}; missing {missing:?}, extra {extra:?}, out of order {turn:?}", found.len(), wanted.len())
}
