//! The scratch cluster's bucket: empty before, marked while a drill uses it, empty afterwards.

use pachyderm::layout::{KeyKind, Layout};
use provider::{Bucket, Key, ListRequest, PutMode, PutRequest};

use crate::clone::{DRILL_LOCK, delete_where, is_lock, small_object};
use crate::error::{Error, ErrorKind, Result};
use crate::retry::{RetryPolicy, retrying};
use crate::run_id::RunId;

/// Keys of a bucket in use that are named.
const NAMED: usize = 5;
/// Largest mark that is read, in bytes.
const LARGEST: usize = 1 << 10;

/// Refuses a bucket that holds anything.
///
/// # Errors
/// `Busy` naming keys, or the drill whose bucket it is.
pub(in crate::drill) async fn ensure_free(bucket: &dyn Bucket, url: &str) -> Result<()> {
    if let Some(other) = mark(bucket).await? {
        return Err(Error::new(ErrorKind::Busy, format!("the bucket {url} is that of drill {other}"))
            .advise(format!("wait for its end, or take away what it left: `pachsnap drill --cleanup {other}`")));
    }
    let first = ListRequest { max_keys: NAMED, ..ListRequest::default() };
    let page = retrying(RetryPolicy::default(), || bucket.list(&first)).await?;
    if page.objects.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = page.objects.iter().map(|object| object.key.as_str()).collect();
    Err(Error::new(ErrorKind::Busy, format!("the bucket {url} is not empty: {}", names.join(", ")))
        .advise("a drill needs a bucket of its own: it is emptied in the end"))
}

/// Marks the bucket as this drill's.
///
/// # Errors
/// `Busy` when another drill was faster; those of the store.
pub(super) async fn take(bucket: &dyn Bucket, url: &str, drill: &RunId) -> Result<()> {
    ensure_free(bucket, url).await?;
    let create_only = bucket.capabilities().create_only_put;
    let mode = if create_only { PutMode::CreateOnly } else { PutMode::Overwrite };
    let put = || bucket.put(PutRequest::bytes(DRILL_LOCK, mode, drill.to_string()));
    match retrying(RetryPolicy::default(), put).await {
        Err(error) if error.kind() != provider::ErrorKind::AlreadyExists => Err(error.into()),
        _ => ensure_is_of(bucket, url, drill).await,
    }
}

async fn ensure_is_of(bucket: &dyn Bucket, url: &str, drill: &RunId) -> Result<()> {
    match mark(bucket).await? {
        Some(mark) if mark == drill.as_str() => Ok(()),
        other => {
            let other = other.unwrap_or_default();
            Err(Error::new(ErrorKind::Busy, format!("the bucket {url} is that of drill {other}")).advise("use another"))
        }
    }
}

async fn mark(bucket: &dyn Bucket) -> Result<Option<String>> {
    let mark = small_object::read(bucket, DRILL_LOCK, LARGEST).await?;
    Ok(mark.map(|mark| String::from_utf8_lossy(&mark).into_owned()))
}

/// Deletes what the drill has put into its bucket, the mark last. Answers with how many keys; those that are nobody's known to
/// us stay, and so does the mark of another drill.
///
/// # Errors
/// `Busy` naming keys that stay; those of the store. Done again, it goes on.
pub(in crate::drill) async fn give_back(bucket: &dyn Bucket, layout: &Layout, url: &str, drill: &RunId) -> Result<u64> {
    match mark(bucket).await? {
        Some(mark) if mark == drill.as_str() => {}
        // Killed before it took the bucket, or after it gave it back.
        _ => return Ok(0),
    }
    let mut strange = Vec::new();
    let is_ours = |key: &Key| {
        if key.as_str() == DRILL_LOCK {
            return false;
        }
        let ours = is_lock(key.as_str()) || !matches!(layout.classify(key.as_str()), KeyKind::Foreign);
        if !ours {
            strange.push(key.clone());
        }
        ours
    };
    let deleted = delete_where(bucket, is_ours, drop).await?;
    if !strange.is_empty() {
        let names: Vec<&str> = strange.iter().take(NAMED).map(Key::as_str).collect();
        let message = format!("{} keys in {url} are none of the drill's: {}", strange.len(), names.join(", "));
        return Err(Error::new(ErrorKind::Busy, message).advise("look at them, and delete them if nobody needs them"));
    }
    let mark = [Key::new(DRILL_LOCK)];
    retrying(RetryPolicy::default(), || small_object::delete(bucket, &mark)).await?;
    Ok(deleted)
}
