//! Lists the keys of one kind, page by page, ahead of who reads them.

use std::sync::Arc;

use provider::{Bucket, Key, ListRequest, ListingStart, ObjectMeta};
use tokio::sync::mpsc;

use super::context::Context;
use super::feed::{Batched, Feed};
use super::order::Kind;
use super::{CloneError, Result};

/// Pages that are read ahead.
const PAGES_AHEAD: usize = 2;
/// The last character there is: no key under a prefix sorts after the prefix and this one.
const LAST_CHARACTER: char = char::MAX;

/// A sorted listing of the keys of some kinds.
#[derive(Debug)]
pub(super) struct Listing(Batched<ObjectMeta>);

impl Listing {
    /// Begins to list the keys of one kind.
    pub(super) fn of_kind(context: Arc<Context>, bucket: Arc<dyn Bucket>, kind: Kind) -> Self {
        Self::start(context, bucket, Some(kind))
    }

    /// Begins to list every key.
    pub(super) fn of_all(context: Arc<Context>, bucket: Arc<dyn Bucket>) -> Self {
        Self::start(context, bucket, None)
    }

    fn start(context: Arc<Context>, bucket: Arc<dyn Bucket>, kind: Option<Kind>) -> Self {
        Self(Batched::new(Feed::start(PAGES_AHEAD, move |pages| list(context, bucket, kind, pages))))
    }

    /// The next object; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<ObjectMeta>> {
        self.0.next().await
    }
}

async fn list(
    context: Arc<Context>,
    bucket: Arc<dyn Bucket>,
    kind: Option<Kind>,
    pages: mpsc::Sender<Vec<ObjectMeta>>,
) -> Result<()> {
    let order = &context.spec.order;
    let after_any_key = bucket.capabilities().listing_start == ListingStart::AfterAnyKey;
    let prefix = kind.map_or("", |kind| order.prefix_of(kind));
    let mut request = ListRequest { prefix: prefix.to_owned(), ..ListRequest::default() };
    let mut last: Option<Key> = None;
    loop {
        let page = context.call(|| bucket.list(&request)).await.map_err(CloneError::at(bucket.location()))?;
        let mut objects = page.objects;
        for object in &objects {
            if last.as_ref().is_some_and(|last| *last >= object.key) {
                return Err(CloneError::Unsorted { location: bucket.location(), key: object.key.to_string() });
            }
            last = Some(object.key.clone());
        }
        let Some(token) = page.next else {
            objects.retain(|object| kind.is_none_or(|kind| order.kind_of(object.key.as_str()) == kind));
            let _ = pages.send(objects).await;
            return Ok(());
        };
        request.token = Some(token);
        if kind == Some(Kind::Other)
            && after_any_key
            && let Some(last) = &last
            && let Some(prefix) = order.whole_prefix_around(last.as_str())
        {
            // The rest of this prefix is of another kind: the listing goes on behind it.
            let behind = Key::new(format!("{prefix}{LAST_CHARACTER}"));
            if behind > *last {
                request.token = None;
                request.after = Some(behind);
            }
        }
        objects.retain(|object| kind.is_none_or(|kind| order.kind_of(object.key.as_str()) == kind));
        if !objects.is_empty() && pages.send(objects).await.is_err() {
            return Ok(());
        }
    }
}
