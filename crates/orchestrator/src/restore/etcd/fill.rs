//! Putting keys into the target's etcd, so that a run which dies goes on where it was.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use pachyderm::error::Cause;
use pachyderm::etcd::EtcdClient;
use pachyderm::etcd::proto::{
    Compare, CompareResult, CompareTarget, DeleteRangeRequest, KeyValue, PutRequest, RequestOp, TxnRequest,
};

use super::content::is_of_a_process;
use super::{Content, MARKER, Marker, failed};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Artifact, EventKind, Events};

/// Transactions between two words about the progress.
const TELL_EVERY: u64 = 200;
/// The root keys of an etcd on which a pachd has just started.
const ROOT_KEYS: [&[u8]; 3] = [b"cluster-id", b"gc-generation", b"master_token"];

/// What filling an etcd came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filled {
    /// Keys that this run put; less than all when it went on with another one's work.
    pub keys: u64,
    /// Transactions of this run.
    pub transactions: u64,
    /// Leases that this run granted.
    pub leases: u64,
    /// Groups of keys created together that were too large for one transaction of the target, and were put by several.
    pub divided: u64,
}

/// Whether an etcd holds nothing but what a pachd writes when it starts. Else the first key that says otherwise.
///
/// # Errors
/// Those of etcd.
pub(in crate::restore) async fn is_ours_or_empty(etcd: &EtcdClient, prefix: &str) -> Result<Option<String>> {
    let spec_repo = format!("{prefix}/pachyderm_pfs/repos/__spec__");
    let mut keys = etcd.range_all(b"").await.map_err(|error| failed("listing keys", error))?;
    while let Some(kv) = keys.next().await.map_err(|error| failed("listing keys", error))? {
        let is_of_a_start = ROOT_KEYS.contains(&&kv.key[..])
            || kv.key == spec_repo.as_bytes()
            || kv.key == MARKER
            || is_of_a_process(&kv.key, prefix);
        if !is_of_a_start {
            return Ok(Some(kv.key.escape_ascii().to_string()));
        }
    }
    Ok(None)
}

/// Refuses an etcd that holds more than what a pachd writes when it starts, or another restore's remains.
///
/// # Errors
/// `Busy` naming a key, or the recovery point whose restore is not complete.
pub(in crate::restore) async fn ensure_empty(
    etcd: &EtcdClient,
    prefix: &str,
    content: &Content,
    run: &str,
) -> Result<Option<Marker>> {
    if let Some(marker) = marker(etcd).await? {
        if marker.is_of(run, &content.digest) {
            return Ok(Some(marker));
        }
        let message = format!("the target's etcd is half filled with recovery point {}", marker.run);
        return Err(Error::new(ErrorKind::Busy, message)
            .advise("go on with that restore, or give the target a new, empty etcd (delete its volume)"));
    }
    match is_ours_or_empty(etcd, prefix).await? {
        None => Ok(None),
        Some(key) => Err(Error::new(ErrorKind::Busy, format!("the target's etcd is not empty: it holds {key}"))
            .advise("restore into a new deployment; nothing in use is ever overwritten")),
    }
}

/// Puts the content into an etcd that holds nothing of worth, or goes on with that. Everything else is deleted from it with
/// the first transaction. Nobody else may write to it meanwhile: if somebody else restores, one of both ends.
///
/// # Errors
/// `Unreachable` when etcd stays away for longer than `stall`, `Disturbed` when somebody else wrote the marker, `Failed` with
/// the way out when its quota is used up. What was put stays, and the next call goes on from there.
pub async fn fill(etcd: &EtcdClient, content: &Content, run: &str, stall: Duration, events: &Events) -> Result<Filled> {
    let known = etcd.get(MARKER).await.map_err(|error| failed("reading the marker", error))?;
    let (marker, revision) = match &known {
        Some(kv) => (Marker::read(&kv.value)?, kv.mod_revision),
        None => (Marker::beginning(run, &content.digest), 0),
    };
    if !marker.is_of(run, &content.digest) {
        return Err(Error::new(ErrorKind::Busy, format!("the target's etcd is being filled with {}", marker.run)));
    }
    let mut filling =
        Filling { etcd, content, marker, revision, stall, granted: BTreeSet::new(), filled: Filled::default() };
    if known.is_none() {
        filling.begin().await?;
    }
    if !filling.marker.complete {
        filling.put_all(events).await?;
    }
    Ok(filling.filled)
}

/// Notes that everything is there and was compared: from now on it is pachd's.
///
/// # Errors
/// Those of etcd.
pub(in crate::restore) async fn complete(etcd: &EtcdClient, marker: &Marker) -> Result<()> {
    let value = marker.complete().to_value()?.into();
    let request = TxnRequest { success: vec![put(Bytes::from_static(MARKER), value, 0)], ..TxnRequest::default() };
    etcd.transaction(request).await.map(drop).map_err(|error| failed("writing the marker", error))
}

/// The marker that an etcd holds.
///
/// # Errors
/// Those of etcd; a marker of another version.
pub(in crate::restore) async fn marker(etcd: &EtcdClient) -> Result<Option<Marker>> {
    let kv = etcd.get(MARKER).await.map_err(|error| failed("reading the marker", error))?;
    kv.map(|kv| Marker::read(&kv.value)).transpose()
}

/// Deletes the marker: what is left is exactly the source's.
///
/// # Errors
/// Those of etcd.
pub(in crate::restore) async fn forget(etcd: &EtcdClient) -> Result<()> {
    let delete = RequestOp {
        request_delete_range: Some(DeleteRangeRequest { key: Bytes::from_static(MARKER), ..Default::default() }),
        ..RequestOp::default()
    };
    let request = TxnRequest { success: vec![delete], ..TxnRequest::default() };
    etcd.transaction(request).await.map(drop).map_err(|error| failed("deleting the marker", error))
}

struct Filling<'a> {
    etcd: &'a EtcdClient,
    content: &'a Content,
    marker: Marker,
    /// Revision at which the marker was last written by us; 0 when there is none.
    revision: i64,
    stall: Duration,
    granted: BTreeSet<i64>,
    filled: Filled,
}

/// Why a transaction was not done.
enum Refused {
    /// It is larger than the target takes.
    TooLarge(Error),
    Other(Error),
}

impl Filling<'_> {
    /// Deletes what the target's pachd wrote when it started, and writes the marker.
    async fn begin(&mut self) -> Result<()> {
        let behind = [MARKER, b"\0"].concat();
        // Around the marker: a transaction must not delete and put the same key.
        let ranges =
            [(Bytes::from_static(b"\0"), Bytes::from_static(MARKER)), (behind.into(), Bytes::from_static(b"\0"))];
        let deletes = ranges.map(|(key, range_end)| RequestOp {
            request_delete_range: Some(DeleteRangeRequest { key, range_end, prev_kv: false }),
            ..RequestOp::default()
        });
        let marker = self.marker.clone();
        match self.send(deletes.into(), marker).await {
            Ok(()) => Ok(()),
            Err(Refused::TooLarge(error) | Refused::Other(error)) => Err(error),
        }
    }

    async fn put_all(&mut self, events: &Events) -> Result<()> {
        let content = self.content;
        let total = content.keys().len() as u64;
        let (mut done, mut most) = (0_u64, usize::MAX);
        for group in content.groups() {
            let Some(created) = group.first().map(|kv| kv.create_revision) else { continue };
            let there = group.partition_point(|kv| self.marker.has(created, &kv.key));
            done += there as u64;
            let mut rest = &group[there..];
            let mut pieces = 0;
            while !rest.is_empty() {
                let (piece, left) = rest.split_at(rest.len().min(most));
                let next = match piece.last() {
                    Some(last) if !left.is_empty() => self.marker.within(&last.key),
                    _ => self.marker.through(created),
                };
                match self.put(piece, next).await {
                    Ok(()) => {}
                    Err(Refused::TooLarge(_)) if piece.len() > 1 => {
                        most = piece.len().div_ceil(2);
                        continue;
                    }
                    Err(Refused::TooLarge(error) | Refused::Other(error)) => return Err(error),
                }
                rest = left;
                pieces += 1;
                done += piece.len() as u64;
                self.filled.keys += piece.len() as u64;
                if self.filled.transactions.is_multiple_of(TELL_EVERY) {
                    tell(events, done, total);
                }
            }
            self.filled.divided += u64::from(pieces > 1);
        }
        tell(events, done, total);
        Ok(())
    }

    /// Puts keys that were created together.
    async fn put(&mut self, keys: &[KeyValue], next: Marker) -> std::result::Result<(), Refused> {
        for kv in keys {
            if let Some(seconds) = self.content.seconds_left(kv.lease).filter(|_| self.granted.insert(kv.lease)) {
                let granted = self.etcd.grant_lease(kv.lease, seconds).await;
                let is_new = granted.map_err(|error| Refused::Other(failed("granting a lease", error)))?;
                self.filled.leases += u64::from(is_new);
            }
        }
        let puts = keys.iter().map(|kv| put(kv.key.clone(), kv.value.clone(), kv.lease)).collect();
        self.send(puts, next).await
    }

    /// Does these operations and writes the marker, together, exactly once.
    async fn send(&mut self, mut operations: Vec<RequestOp>, next: Marker) -> std::result::Result<(), Refused> {
        let value: Bytes = next.to_value().map_err(Refused::Other)?.into();
        operations.push(put(Bytes::from_static(MARKER), value.clone(), 0));
        let unchanged = Compare {
            result: CompareResult::Equal.into(),
            target: CompareTarget::Mod.into(),
            key: Bytes::from_static(MARKER),
            mod_revision: Some(self.revision),
            ..Compare::default()
        };
        let request = TxnRequest { compare: vec![unchanged], success: operations, failure: Vec::new() };
        let began = std::time::Instant::now();
        loop {
            match self.etcd.transaction(request.clone()).await {
                Ok(answer) if answer.succeeded => {
                    self.done(next, answer.header.map_or(0, |header| header.revision));
                    return Ok(());
                }
                Ok(_) => {}
                Err(error) if is_too_large(&error) => return Err(Refused::TooLarge(failed("a transaction", error))),
                Err(error) => {
                    let error = failed("putting keys", error);
                    if error.kind() != ErrorKind::Unreachable || began.elapsed() > self.stall {
                        return Err(Refused::Other(error));
                    }
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
            // Its answer may have been lost; the marker tells.
            match self.etcd.get(MARKER).await {
                Ok(Some(kv)) if kv.value == value && kv.mod_revision != self.revision => {
                    self.done(next, kv.mod_revision);
                    return Ok(());
                }
                Ok(kv) if kv.as_ref().map_or(0, |kv| kv.mod_revision) == self.revision => {}
                Ok(_) => {
                    let message = "somebody else writes to the target's etcd";
                    return Err(Refused::Other(
                        Error::new(ErrorKind::Disturbed, message).advise("let one restore end before the next"),
                    ));
                }
                Err(error) => {
                    let error = failed("reading the marker", error);
                    if error.kind() != ErrorKind::Unreachable || began.elapsed() > self.stall {
                        return Err(Refused::Other(error));
                    }
                }
            }
        }
    }

    fn done(&mut self, marker: Marker, revision: i64) {
        (self.marker, self.revision) = (marker, revision);
        self.filled.transactions += 1;
    }
}

fn put(key: Bytes, value: Bytes, lease: i64) -> RequestOp {
    RequestOp { request_put: Some(PutRequest { key, value, lease, ..PutRequest::default() }), ..RequestOp::default() }
}

/// Whether a target takes only smaller transactions: by operations (`--max-txn-ops`), or by bytes (`--max-request-bytes`, or
/// what a message may hold).
fn is_too_large(error: &pachyderm::error::Error) -> bool {
    let words = ["too many operations", "request is too large", "larger than max"];
    matches!(error.cause(), Cause::TooLarge { .. })
        || error.status().is_some_and(|status| words.iter().any(|words| status.message().contains(words)))
}

fn tell(events: &Events, done: u64, total: u64) {
    events.emit(EventKind::Progress { artifact: Artifact::EtcdKeys, done, total: Some(total), bytes: None });
}
