//! Watches: one JSON document per line, until the client leaves or its time is over.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use http::{HeaderValue, header};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::request::RequestInfo;
use super::resource_types::ResourceType;
use super::selector::Selector;
use super::status::StatusError;
use super::store::{Change, State, Store};

/// The longest watch when the client names no time.
const LONGEST: Duration = Duration::from_secs(1800);

struct Watch {
    store: Arc<Store>,
    resource: &'static ResourceType,
    namespace: Option<String>,
    selector: Selector,
    /// The newest version that was looked at.
    version: u64,
    pending: VecDeque<Bytes>,
    changed: watch::Receiver<u64>,
    /// Counts up when all watches shall break off.
    cut: watch::Receiver<u64>,
    bookmarks: Option<Duration>,
    next_bookmark: Instant,
    end: Instant,
    finished: bool,
}

/// Opens a watch.
///
/// From a version whose history is gone the stream holds one `ERROR` event with a 410; a version that does not exist
/// yet is refused with 504.
pub(crate) fn open(
    store: &Arc<Store>,
    cut: watch::Receiver<u64>,
    resource: &'static ResourceType,
    request: &RequestInfo,
    bookmark_interval: Duration,
) -> Result<Response, StatusError> {
    let selector = Selector::parse(request.parameter("labelSelector"), request.parameter("fieldSelector"))?;
    let mut cut = cut;
    cut.mark_unchanged();
    let seconds = request.parameter("timeoutSeconds").parse().ok();
    let mut watch = Watch {
        store: store.clone(),
        resource,
        namespace: Some(request.namespace().to_owned()).filter(|it| !it.is_empty()),
        selector,
        version: 0,
        pending: VecDeque::new(),
        changed: store.subscribe(),
        cut,
        bookmarks: request.flag("allowWatchBookmarks").then_some(bookmark_interval),
        next_bookmark: Instant::now() + bookmark_interval,
        end: Instant::now() + seconds.map_or(LONGEST, Duration::from_secs),
        finished: false,
    };
    store.with(|state| watch.begin(state, request))?;
    let lines = stream::unfold(watch, |mut watch| async move {
        let line = watch.next_line().await?;
        Some((line, watch))
    });
    let mut response = Response::new(Body::from_stream(lines));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

fn line(kind: &str, object: &Value) -> Bytes {
    let mut text = json!({"type": kind, "object": object}).to_string();
    text.push('\n');
    Bytes::from(text)
}

impl Watch {
    fn begin(&mut self, state: &mut State, request: &RequestInfo) -> Result<(), StatusError> {
        let asked = match request.parameter("resourceVersion") {
            "" => 0,
            text => text.parse().map_err(|_| StatusError::new(500, "", format!("invalid resourceVersion: {text}")))?,
        };
        if asked > state.version() {
            return Err(StatusError::version_in_the_future(asked, state.version()));
        }
        let streams_list = request.flag("sendInitialEvents");
        if asked == 0 || streams_list {
            for (_, object) in state.list(self.resource, self.namespace.as_deref()) {
                if self.selector.matches(object) {
                    self.pending.push_back(line("ADDED", object));
                }
            }
            self.version = state.version();
            if streams_list {
                self.pending.push_back(self.bookmark(Some(json!({"k8s.io/initial-events-end": "true"}))));
            }
        } else if asked < state.compacted() {
            let error = StatusError::expired(format!("too old resource version: {asked} ({})", state.compacted()));
            self.pending.push_back(line("ERROR", &error.to_value()));
            self.finished = true;
        } else {
            self.version = asked;
            self.collect(state);
        }
        Ok(())
    }

    fn bookmark(&self, annotations: Option<Value>) -> Bytes {
        let mut metadata = json!({"resourceVersion": self.version.to_string(), "creationTimestamp": null});
        if let Some(annotations) = annotations {
            metadata["annotations"] = annotations;
        }
        let object =
            json!({"kind": self.resource.kind, "apiVersion": self.resource.api_version(), "metadata": metadata});
        line("BOOKMARK", &object)
    }

    fn concerns(&self, change: &Change) -> bool {
        change.key.group == self.resource.group
            && change.key.plural == self.resource.plural
            && self.namespace.as_ref().is_none_or(|namespace| *namespace == change.key.namespace)
    }

    /// Takes over what happened since the last look. An object that leaves the selector is a deletion to the watcher.
    fn collect(&mut self, state: &State) {
        if self.version < state.compacted() {
            let error = StatusError::expired(format!("too old resource version: {}", self.version));
            self.pending.push_back(line("ERROR", &error.to_value()));
            self.finished = true;
            return;
        }
        let lines: Vec<Bytes> = state
            .changes_after(self.version)
            .iter()
            .filter(|change| self.concerns(change))
            .filter_map(|change| {
                let before = change.previous.as_ref().is_some_and(|previous| self.selector.matches(previous));
                let after = !change.deleted && self.selector.matches(&change.object);
                match (before, after) {
                    (false, true) => Some(line("ADDED", &change.object)),
                    (true, true) => Some(line("MODIFIED", &change.object)),
                    (true, false) => Some(line("DELETED", &change.object)),
                    (false, false) => None,
                }
            })
            .collect();
        self.pending.extend(lines);
        self.version = state.version();
    }

    async fn next_line(&mut self) -> Option<io::Result<Bytes>> {
        loop {
            if let Some(line) = self.pending.pop_front() {
                return Some(Ok(line));
            }
            if self.finished {
                return None;
            }
            let bookmark = self.bookmarks.map_or(self.end, |_| self.next_bookmark.min(self.end));
            tokio::select! {
                _ = self.cut.changed() => {
                    self.finished = true;
                    return Some(Err(io::Error::new(io::ErrorKind::ConnectionReset, "the watch was cut")));
                }
                changed = self.changed.changed() => {
                    if changed.is_err() {
                        return None;
                    }
                    let store = self.store.clone();
                    store.with(|state| self.collect(state));
                }
                () = tokio::time::sleep_until(bookmark) => {
                    if Instant::now() >= self.end {
                        self.finished = true;
                    }
                    if let Some(interval) = self.bookmarks {
                        self.next_bookmark = Instant::now() + interval;
                        return Some(Ok(self.bookmark(None)));
                    }
                }
            }
        }
    }
}
