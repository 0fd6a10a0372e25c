//! `ListObjects`.

use google_cloud_storage::model::ListObjectsResponse;
use google_cloud_wkt::FieldMask;
use provider::{Error, ErrorKind, Key, ListRequest, ListToken, ObjectMeta, Page, Result};

use super::GcsBucket;
use super::call::answer;
use super::meta::listed;
use crate::error::contradiction;

const LIST: &str = "ListObjects";

/// Most keys that Google puts in a page.
pub(super) const PAGE_KEYS: usize = 1000;

/// What a listing tells of an object. Headers and metadata would cost many times as much.
const FIELDS: [&str; 6] = ["name", "size", "generation", "storage_class", "update_time", "checksums"];

pub(super) async fn list(bucket: &GcsBucket, request: &ListRequest) -> Result<Page> {
    let prefix = bucket.full(&request.prefix);
    let resource = || bucket.resource(&prefix);
    let keys = if request.max_keys == 0 { PAGE_KEYS } else { request.max_keys.min(PAGE_KEYS) };
    let client = bucket.inner.connections.control().await?;
    let mut call = client
        .list_objects()
        .set_parent(bucket.parent())
        .set_prefix(&prefix)
        .set_page_size(i32::try_from(keys).unwrap_or(i32::MAX))
        .set_read_mask(FieldMask::default().set_paths(FIELDS));
    // A page goes on by its token, in the bounds of the first page's request.
    if let Some(after) = &request.after {
        call = call.set_lexicographic_start(behind(&bucket.full(after.as_str())));
    }
    if let Some(through) = &request.through {
        call = call.set_lexicographic_end(behind(&bucket.full(through.as_str())));
    }
    if let Some(token) = &request.token {
        call = call.set_page_token(&token.0);
    }
    let limit = bucket.inner.terms.timeouts.call;
    let sent = bucket.on_terms(call, limit).send();
    let answer = answer(LIST, &resource, limit, ErrorKind::Invalid, sent).await?;
    page(bucket, request, answer, &resource)
}

/// The least name that sorts behind another one.
fn behind(full: &str) -> String {
    format!("{full}\0")
}

/// The page that an answer tells of, checked and in the caller's words.
fn page(
    bucket: &GcsBucket,
    request: &ListRequest,
    answer: ListObjectsResponse,
    resource: &impl Fn() -> String,
) -> Result<Page> {
    let broken = |what| contradiction(LIST, resource(), what);
    let through = request.through.as_ref().map(Key::as_str);
    let outer = bucket.inner.place.prefix.as_str();
    let mut objects: Vec<ObjectMeta> = Vec::with_capacity(answer.objects.len());
    for mut object in answer.objects {
        let mut key = std::mem::take(&mut object.name);
        if !key.strip_prefix(outer).is_some_and(|own| own.starts_with(&request.prefix)) {
            return Err(broken("a key outside the prefix"));
        }
        key.drain(..outer.len());
        if through.is_some_and(|through| key.as_str() > through) {
            return Err(broken("a key behind the last one asked for"));
        }
        // The object that stands for the prefix itself, if somebody made one, has no name here.
        if key.is_empty() {
            continue;
        }
        if objects.last().is_some_and(|last| last.key.as_str() >= key.as_str()) {
            return Err(broken("keys that are not sorted"));
        }
        objects.push(listed(Key::new(key), &object).ok_or_else(|| broken("an object without generation or size"))?);
    }
    let next = Some(answer.next_page_token).filter(|token| !token.is_empty());
    if next.is_some() && next.as_ref() == request.token.as_ref().map(|token| &token.0) {
        return Err(broken("a page that names itself as the next"));
    }
    Ok(Page { objects, next: next.map(ListToken) })
}

/// Fails with `NotFound` when the bucket is missing. Not being allowed to look is no sign of that.
pub(super) async fn exists(bucket: &GcsBucket) -> Result<()> {
    let request = ListRequest { max_keys: 1, ..ListRequest::default() };
    match list(bucket, &request).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::Denied => Ok(()),
        Err(error) => Err(error),
    }
}

/// What stands for an error that says `NotFound` of a key: the bucket's absence, or `otherwise`.
pub(super) async fn unless_no_bucket<T>(bucket: &GcsBucket, otherwise: Result<T, Error>) -> Result<T> {
    exists(bucket).await?;
    otherwise
}
