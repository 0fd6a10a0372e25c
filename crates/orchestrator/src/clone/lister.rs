//! Lists keys, page by page, ahead of who reads them.

use std::sync::Arc;

use provider::{Bucket, Key, ListRequest, ListingStart, ObjectMeta};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;

use super::context::{Context, Sort};
use super::feed::{Batched, Feed};
use super::range::KeyRange;
use super::ranges::{Ranges, Taken};
use super::stock::Stock;
use super::{CloneError, Result};

/// Pages that are read ahead.
const PAGES_AHEAD: usize = 1;

/// A page, with the room that its keys take of the worker's stock.
pub(super) type Stocked = (Vec<ObjectMeta>, OwnedSemaphorePermit);

/// Lists a range that others may take the end of, as there is room in the worker's stock. Sends nothing that lies behind the range's end
/// at that time.
pub(super) fn list_shared(context: &Context, ranges: &Arc<Ranges>, taken: &Taken, stock: &Stock) -> Feed<Stocked> {
    let (context, ranges, taken, stock) = (context.clone(), Arc::clone(ranges), taken.clone(), stock.clone());
    Feed::start(PAGES_AHEAD, move |pages| async move {
        let (bucket, distance) = (Arc::clone(&context.spec.source), Arc::clone(&context.distance));
        let full = bucket.capabilities().page_keys;
        let mut pages_of = Pages::new(context, bucket, taken.range);
        // A page is asked for when there is room for it, so that none waits in memory beside the channel's.
        while let Ok(place) = pages.reserve().await {
            let mut room = stock.room_for_a_page().await;
            let asked = Instant::now();
            let Some((mut page, was_last)) = pages_of.next().await? else { break };
            distance.listed(asked.elapsed(), page.len() * 2 > full);
            let ended = ranges.advance(taken.id, &mut page, was_last);
            drop(room.split(full.saturating_sub(page.len())));
            place.send((page, room));
            if ended {
                break;
            }
        }
        Ok(())
    })
}

/// A sorted listing of a range.
#[derive(Debug)]
pub(super) struct Listing(Batched<ObjectMeta>);

impl Listing {
    /// Begins to list a range of a bucket.
    pub(super) fn of_range(context: Context, bucket: Arc<dyn Bucket>, range: KeyRange) -> Self {
        Self(Batched::new(Feed::start(PAGES_AHEAD, move |pages| list(context, bucket, range, pages))))
    }

    /// Begins to list every key.
    pub(super) fn of_all(context: Context, bucket: Arc<dyn Bucket>) -> Self {
        Self::of_range(context, bucket, KeyRange::default())
    }

    /// The next object; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<ObjectMeta>> {
        self.0.next().await
    }
}

async fn list(
    context: Context,
    bucket: Arc<dyn Bucket>,
    range: KeyRange,
    pages: mpsc::Sender<Vec<ObjectMeta>>,
) -> Result<()> {
    let through = range.through.clone();
    let mut pages_of = Pages::new(context, bucket, range);
    while let Ok(room) = pages.reserve().await {
        let Some((mut page, was_last)) = pages_of.next().await? else { break };
        let fetched = page.len();
        if let Some(through) = &through {
            page.truncate(page.partition_point(|object| object.key <= *through));
        }
        let ended = was_last || page.len() < fetched;
        room.send(page);
        if ended {
            break;
        }
    }
    Ok(())
}

/// The pages of one range, asked for one after the other.
///
/// Where the store can begin a listing anywhere, each page is asked for by the last key before it: a token that has expired, or
/// that leads a store astray, can't lose keys then.
#[derive(Debug)]
struct Pages {
    context: Context,
    bucket: Arc<dyn Bucket>,
    range: KeyRange,
    after_any_key: bool,
    last: Option<Key>,
    request: ListRequest,
    ended: bool,
}

impl Pages {
    fn new(context: Context, bucket: Arc<dyn Bucket>, range: KeyRange) -> Self {
        let after_any_key = bucket.capabilities().listing_start == ListingStart::AfterAnyKey;
        let request = ListRequest {
            prefix: range.prefix.clone(),
            after: range.after.clone().filter(|_| after_any_key),
            through: None,
            token: None,
            max_keys: 0,
        };
        Self { context, bucket, range, after_any_key, last: None, request, ended: false }
    }

    /// The next page, and whether it is the last one.
    async fn next(&mut self) -> Result<Option<(Vec<ObjectMeta>, bool)>> {
        if self.ended {
            return Ok(None);
        }
        let (bucket, request) = (&self.bucket, &self.request);
        let page =
            self.context.call(Sort::List, || bucket.list(request)).await.map_err(CloneError::at(bucket.location()))?;
        let mut objects = page.objects;
        let mut previous = self.last.as_ref().or(self.request.after.as_ref());
        for object in &objects {
            if previous.is_some_and(|previous| *previous >= object.key) {
                return Err(CloneError::Unsorted { location: bucket.location(), key: object.key.to_string() });
            }
            previous = Some(&object.key);
        }
        self.last = objects.last().map(|object| object.key.clone()).or(self.last.take());
        self.ended = page.next.is_none();
        match (&self.last, self.after_any_key && !objects.is_empty()) {
            (Some(last), true) => {
                self.request.after = Some(last.clone());
                self.request.token = None;
            }
            _ => self.request.token = page.next,
        }
        if let Some(after) = &self.range.after {
            objects.drain(..objects.partition_point(|object| object.key <= *after));
        }
        Ok(Some((objects, self.ended)))
    }
}
