//! The call `etcdserverpb.Watch/Watch`: many watchers on one stream.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use pachyderm::etcd::proto::{Event, EventType, ResponseHeader, WatchCreateRequest, WatchRequest, WatchResponse};
use prost::Message;
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

use super::mvcc::{Change, RangeEnd, RevisionError, Store};

struct Watcher {
    key: Bytes,
    end: RangeEnd,
    next: i64,
    prev_kv: bool,
    no_put: bool,
    no_delete: bool,
}

impl Watcher {
    fn wants(&self, change: &Change) -> bool {
        change.kv.mod_revision >= self.next
            && !(change.deleted && self.no_delete)
            && (change.deleted || !self.no_put)
            && self.end.holds(&self.key, &change.kv.key)
    }
}

struct Session {
    store: Arc<Store>,
    header: ResponseHeader,
    watchers: BTreeMap<i64, Watcher>,
    out: mpsc::Sender<Result<Bytes, Status>>,
}

/// Serves one watch stream until the client ends it or `out` is dropped.
///
/// Events of one revision are always in one answer; a watcher whose start was compacted away is cancelled with the
/// compaction's revision, as etcd does.
pub async fn serve(
    store: Arc<Store>,
    header: ResponseHeader,
    mut requests: Streaming<Bytes>,
    out: mpsc::Sender<Result<Bytes, Status>>,
) {
    let mut revisions = store.revisions();
    let mut session = Session { store, header, watchers: BTreeMap::new(), out };
    loop {
        let going_on = tokio::select! {
            request = requests.message() => match request {
                Ok(Some(bytes)) => match WatchRequest::decode(bytes) {
                    Ok(request) => session.take(request).await,
                    Err(error) => {
                        let status = Status::invalid_argument(format!("watch request: {error}"));
                        let _ = session.out.send(Err(status)).await;
                        false
                    }
                },
                // A client that half-closes ends its watchers.
                Ok(None) | Err(_) => false,
            },
            changed = revisions.changed() => changed.is_ok(),
        };
        if !going_on || !session.deliver().await {
            return;
        }
    }
}

impl Session {
    async fn send(&self, response: WatchResponse) -> bool {
        let revision = self.store.revision();
        let header = ResponseHeader { revision, ..self.header.clone() };
        let response = WatchResponse { header: Some(header), ..response };
        self.out.send(Ok(Bytes::from(response.encode_to_vec()))).await.is_ok()
    }

    async fn take(&mut self, request: WatchRequest) -> bool {
        if let Some(create) = request.create_request {
            return self.create(create).await;
        }
        if let Some(cancel) = request.cancel_request {
            if self.watchers.remove(&cancel.watch_id).is_some() {
                let response = WatchResponse { watch_id: cancel.watch_id, canceled: true, ..WatchResponse::default() };
                return self.send(response).await;
            }
            return true;
        }
        if request.progress_request.is_some() {
            // Everything up to now goes out first, so that the header's revision is a promise.
            return self.deliver().await && self.send(WatchResponse { watch_id: -1, ..WatchResponse::default() }).await;
        }
        true
    }

    async fn create(&mut self, create: WatchCreateRequest) -> bool {
        let id = match create.watch_id {
            0 => self.watchers.last_key_value().map_or(0, |(last, _)| last + 1),
            given => given,
        };
        // An empty key with an open end is "all keys".
        let key = if create.key.is_empty() { Bytes::from_static(&[0]) } else { create.key };
        let start = create.start_revision;
        let watcher = Watcher {
            key,
            end: RangeEnd::from_field(&create.range_end),
            next: if start > 0 { start } else { self.store.revision() + 1 },
            prev_kv: create.prev_kv,
            no_put: create.filters.contains(&0),
            no_delete: create.filters.contains(&1),
        };
        self.watchers.insert(id, watcher);
        self.send(WatchResponse { watch_id: id, created: true, ..WatchResponse::default() }).await
    }

    /// Sends every watcher what it has not seen yet.
    async fn deliver(&mut self) -> bool {
        let ids: Vec<i64> = self.watchers.keys().copied().collect();
        for id in ids {
            let Some(watcher) = self.watchers.get_mut(&id) else { continue };
            let (revision, changes) = match self.store.changes_since(watcher.next) {
                Ok(found) => found,
                Err(RevisionError::Compacted | RevisionError::Future) => {
                    self.watchers.remove(&id);
                    let response = WatchResponse {
                        watch_id: id,
                        canceled: true,
                        compact_revision: self.store.compacted(),
                        cancel_reason: RevisionError::Compacted.to_string(),
                        ..WatchResponse::default()
                    };
                    if !self.send(response).await {
                        return false;
                    }
                    continue;
                }
            };
            let events: Vec<Event> = changes
                .iter()
                .filter(|change| watcher.wants(change))
                .map(|change| event(&self.store, change, watcher.prev_kv))
                .collect();
            watcher.next = watcher.next.max(revision + 1);
            let response = WatchResponse { watch_id: id, events, ..WatchResponse::default() };
            if !response.events.is_empty() && !self.send(response).await {
                return false;
            }
        }
        true
    }
}

fn event(store: &Store, change: &Change, prev_kv: bool) -> Event {
    let kind = if change.deleted { EventType::Delete } else { EventType::Put };
    let prev_kv = if prev_kv { store.before(&change.kv.key, change.kv.mod_revision) } else { None };
    Event { r#type: kind as i32, kv: Some(change.kv.clone()), prev_kv }
}
