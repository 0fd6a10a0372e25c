//! Every change of keys, as it happens.

use std::collections::VecDeque;

use bytes::Bytes;
use futures::{Stream, stream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{
    client::EtcdClient,
    proto::{
        Event, EventType, KeyValue, WatchCreateRequest, WatchProgressRequest, WatchRequest, WatchResponse, method,
    },
    range::prefix_range,
};
use crate::{
    client::Messages,
    error::{Cause, Error},
    proto::known,
};

/// Requests of ours that may wait to be sent on one watch.
const QUEUE: usize = 4;

/// What to watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchOptions {
    /// Only keys that begin with it; empty for all keys.
    pub prefix: Bytes,
    /// The first revision to report; 0 reports only what happens after the watch has begun.
    pub start_revision: i64,
    /// Whether to report what a key was before.
    pub previous: Previous,
}

/// Whether a watch reports what a key was before a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Previous {
    /// No.
    #[default]
    LeftOut,
    /// Yes, as far as it has not been compacted away.
    Reported,
}

/// Changes of keys, in order of revision.
///
/// It never ends by itself: if the server ends it, or the connection breaks, that is an error, since a watch that is gone
/// proves nothing about what happened later. Dropping it ends it.
#[derive(Debug)]
pub struct Watch {
    answers: Messages<WatchResponse>,
    requests: mpsc::Sender<WatchRequest>,
    resource: Box<str>,
    queue: VecDeque<WatchItem>,
}

/// What a watch reports.
#[derive(Clone, Debug, PartialEq)]
pub enum WatchItem {
    /// A key changed.
    Change(Change),
    /// Nothing but what has been reported happened up to this revision. etcd sends it about every 10 minutes while nothing
    /// happens, and when asked by [`Watch::request_progress`].
    ///
    /// etcd before 3.4.25 and 3.5.8 may answer a request before it has sent changes up to that revision that are on their
    /// way; with those, a progress is only proof once a change of one's own with a higher revision has come.
    Progress {
        /// That revision.
        revision: i64,
    },
}

/// A change of a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What happened.
    pub kind: ChangeKind,
    /// The key.
    pub key: Bytes,
    /// Its new value; empty if it was deleted.
    pub value: Bytes,
    /// The revision of the change. Changes made together have the same.
    pub mod_revision: i64,
    /// The revision at which the key was created; 0 if it was deleted.
    pub create_revision: i64,
    /// What the key was before, if it was asked for, existed, and is known.
    pub previous: Option<KeyValue>,
}

/// What happened to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// It was created.
    Create,
    /// It existed and was put again, maybe with the same value.
    Update,
    /// It was deleted, by a client or by the end of its lease.
    Delete,
}

impl std::fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        })
    }
}

impl EtcdClient {
    /// Begins a watch. When this returns the watch has begun: every change that is made from now on will be reported.
    ///
    /// # Errors
    ///
    /// The start revision is compacted away, or the call fails.
    pub async fn watch(&self, options: &WatchOptions) -> Result<Watch, Error> {
        let (key, range_end) = prefix_range(&options.prefix);
        let create = WatchCreateRequest {
            key,
            range_end,
            start_revision: options.start_revision,
            progress_notify: true,
            prev_kv: options.previous == Previous::Reported,
            ..Default::default()
        };
        let resource: Box<str> = String::from_utf8_lossy(&options.prefix).into();
        let (requests, queue) = mpsc::channel(QUEUE);
        let created = requests.send(WatchRequest { create_request: Some(create), ..Default::default() }).await;
        created.map_err(|_| ended(&resource))?;
        let answers = self.caller.duplex(method::WATCH, &resource, ReceiverStream::new(queue)).await?;
        let mut watch = Watch { answers, requests, resource, queue: VecDeque::new() };
        while !watch.receive().await? {}
        Ok(watch)
    }
}

impl Watch {
    /// The next change or progress; waits for as long as it takes.
    ///
    /// # Errors
    ///
    /// The watch is over: [`Condition::Compacted`](crate::error::Condition::Compacted) if changes were lost to a
    /// compaction, otherwise because the server ended it or the connection broke.
    pub async fn next(&mut self) -> Result<WatchItem, Error> {
        loop {
            if let Some(item) = self.queue.pop_front() {
                return Ok(item);
            }
            self.receive().await?;
        }
    }

    /// Asks the server for a [`WatchItem::Progress`] (3.4 and later; older ones never answer it).
    ///
    /// # Errors
    ///
    /// The watch is over.
    pub async fn request_progress(&self) -> Result<(), Error> {
        let request = WatchRequest { progress_request: Some(WatchProgressRequest {}), ..Default::default() };
        self.requests.send(request).await.map_err(|_| ended(&self.resource))
    }

    /// What the watch reports as a stream that never ends but by an error.
    pub fn into_stream(self) -> impl Stream<Item = Result<WatchItem, Error>> + Send {
        stream::try_unfold(self, |mut watch| async move { Ok(Some((watch.next().await?, watch))) })
    }

    /// Takes one answer; whether it says that the watch has begun.
    async fn receive(&mut self) -> Result<bool, Error> {
        let Some(answer) = self.answers.message().await? else { return Err(ended(&self.resource)) };
        if answer.canceled || answer.compact_revision != 0 {
            return Err(self.answers.error(Cause::WatchEnded {
                reason: answer.cancel_reason.into(),
                compact_revision: answer.compact_revision,
            }));
        }
        if answer.created {
            return Ok(true);
        }
        if answer.events.is_empty() {
            if let Some(header) = answer.header {
                self.queue.push_back(WatchItem::Progress { revision: header.revision });
            }
            return Ok(false);
        }
        for event in answer.events {
            let change = change(event).map_err(|problem| self.answers.error(Cause::Protocol(problem.into())))?;
            self.queue.push_back(WatchItem::Change(change));
        }
        Ok(false)
    }
}

fn ended(resource: &str) -> Error {
    Error::new(method::WATCH, resource, Cause::WatchEnded { reason: "".into(), compact_revision: 0 })
}

fn change(event: Event) -> Result<Change, &'static str> {
    let Some(key) = event.kv else { return Err("an event has no key") };
    let kind = match known::<EventType>(event.r#type) {
        Some(EventType::Put) if key.create_revision == key.mod_revision => ChangeKind::Create,
        Some(EventType::Put) => ChangeKind::Update,
        Some(EventType::Delete) => ChangeKind::Delete,
        None => return Err("an event is of an unknown type"),
    };
    Ok(Change {
        kind,
        key: key.key,
        value: key.value,
        mod_revision: key.mod_revision,
        create_revision: key.create_revision,
        previous: event.prev_kv,
    })
}
