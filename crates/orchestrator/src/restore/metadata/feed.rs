//! The ops of a stream on their way to pachd: parents before children, without tokens that have expired.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use jiff::Timestamp;
use pachyderm::proto::auth::RestoreAuthTokenRequest;
use pachyderm::stream::{OpKind, OpView, RawOp, view};
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::super::stream_content::{StreamContent, commit_name, open};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Artifact, EventKind, Events};

/// Ops that wait for pachd to take them.
const QUEUE: usize = 64;
/// Ops between two words about the progress.
const TELL_EVERY: u64 = 100;

/// Ops to send.
pub(in crate::restore) struct Feed {
    /// The ops.
    pub(in crate::restore) ops: BoxStream<'static, Result<Bytes>>,
    /// How many tokens were left out so far.
    pub(in crate::restore) expired: Arc<AtomicU64>,
}

impl Feed {
    /// Begins to read a stream whose content is known.
    ///
    /// # Errors
    /// The file can't be opened. What goes wrong later comes with the ops.
    pub(in crate::restore) fn begin(
        stream: &Path,
        content: &StreamContent,
        now: Timestamp,
        events: &Events,
    ) -> Result<Self> {
        let mut reader = open(stream)?;
        let (sender, receiver) = mpsc::channel::<Result<Bytes>>(QUEUE);
        let expired = Arc::new(AtomicU64::new(0));
        let (left_out, total) = (Arc::clone(&expired), content.ops);
        let mut order = content.children_first.then(|| ParentsFirst::new(content.commits.clone()));
        let events = events.clone();
        tokio::task::spawn_blocking(move || {
            let mut sent = 0_u64;
            loop {
                let op = match reader.next_op() {
                    Ok(Some(op)) => op,
                    Ok(None) => break,
                    Err(cause) => {
                        let error = Error::new(ErrorKind::Damaged, "the metadata stream can't be read").because(cause);
                        let _ = sender.blocking_send(Err(error));
                        return;
                    }
                };
                if op.kind == OpKind::RestoreAuthToken && has_expired(&op, now) {
                    left_out.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                let ready = match &mut order {
                    Some(order) => order.next(op),
                    None => vec![op],
                };
                for op in ready {
                    // Nobody takes them any more: the call has ended.
                    if sender.blocking_send(Ok(op.bytes)).is_err() {
                        return;
                    }
                    sent += 1;
                    if sent.is_multiple_of(TELL_EVERY) {
                        tell(&events, sent, total);
                    }
                }
            }
            if order.is_some_and(|order| !order.waiting.is_empty()) {
                let error = Error::new(ErrorKind::Damaged, "commits of the metadata stream are their own ancestors");
                let _ = sender.blocking_send(Err(error));
                return;
            }
            tell(&events, sent, total);
        });
        Ok(Self { ops: ReceiverStream::new(receiver).boxed(), expired })
    }
}

fn tell(events: &Events, done: u64, total: u64) {
    events.emit(EventKind::Progress { artifact: Artifact::Metadata, done, total: Some(total), bytes: None });
}

fn has_expired(op: &RawOp, now: Timestamp) -> bool {
    let token = RestoreAuthTokenRequest::decode(op.request()).ok().and_then(|request| request.token);
    token.and_then(|token| token.expiration).is_some_and(|ends| ends.seconds <= now.as_second())
}

/// Holds commits back until their parents have passed.
struct ParentsFirst {
    /// Commits that are still to come, or held back.
    ahead: HashSet<String>,
    /// What waits, by what it waits for.
    waiting: HashMap<String, Vec<RawOp>>,
}

impl ParentsFirst {
    fn new(commits: HashSet<String>) -> Self {
        Self { ahead: commits, waiting: HashMap::new() }
    }

    /// What may be sent now that this op was read.
    fn next(&mut self, op: RawOp) -> Vec<RawOp> {
        let Ok(OpView::Commit { commit, parent, .. }) = view(&op) else { return vec![op] };
        let parent = parent.map(|parent| commit_name(commit.repo, parent));
        if let Some(parent) = parent.filter(|parent| self.ahead.contains(parent)) {
            self.waiting.entry(parent).or_default().push(op);
            return Vec::new();
        }
        let mut ready = Vec::new();
        let mut passing = vec![op];
        while let Some(op) = passing.pop() {
            if let Ok(OpView::Commit { commit, .. }) = view(&op) {
                let name = commit_name(commit.repo, commit.id);
                self.ahead.remove(&name);
                // Last in, first out: of several children the first one is to pass first.
                passing.extend(self.waiting.remove(&name).into_iter().flatten().rev());
            }
            ready.push(op);
        }
        ready
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use pachyderm::proto::admin::{Op, OpBody};
    use pachyderm::proto::auth::HashedAuthToken;
    use pachyderm::proto::pfs::{BuildCommitRequest, Commit};
    use pachyderm::stream::OpVersion;

    use super::*;

    fn commit(id: &str, parent: &str) -> RawOp {
        let request =
            BuildCommitRequest { parent: Some(Commit::named("r", parent)), id: id.to_owned(), ..Default::default() };
        let op = Op::new(OpVersion::V1_13, OpBody { commit: Some(Box::new(request)), ..Default::default() });
        RawOp::parse(op.encode_to_vec()).unwrap()
    }

    #[test]
    fn a_token_whose_end_has_come_is_expired() {
        let token = |ends: Option<i64>| {
            let mut token = HashedAuthToken { expiration: ends.map(|_| Default::default()), ..Default::default() };
            token.expiration.iter_mut().for_each(|time| time.seconds = ends.unwrap());
            let request = RestoreAuthTokenRequest { token: Some(token) };
            let op =
                Op::new(OpVersion::V1_13, OpBody { restore_auth_token: Some(Box::new(request)), ..Default::default() });
            RawOp::parse(op.encode_to_vec()).unwrap()
        };
        let now = Timestamp::from_second(1000).unwrap();
        assert!(has_expired(&token(Some(999)), now) && has_expired(&token(Some(1000)), now));
        assert!(!has_expired(&token(Some(1001)), now) && !has_expired(&token(None), now));
    }

    #[test]
    fn children_wait_for_their_parents() {
        let ops = [("c", "b"), ("d", "c"), ("b", "a"), ("x", "elsewhere"), ("e", "c"), ("a", "")];
        let all = ops.iter().map(|(id, _)| commit_name("r", id)).collect();
        let mut order = ParentsFirst::new(all);
        let mut sent = Vec::new();
        for (id, parent) in ops {
            for op in order.next(commit(id, parent)) {
                let OpView::Commit { commit, .. } = view(&op).unwrap() else { unreachable!() };
                sent.push(commit.id.to_owned());
            }
        }
        assert_eq!(sent, ["x", "a", "b", "c", "d", "e"]);
        assert!(order.waiting.is_empty());
    }
}
