//! Proof that nothing was written: an etcd watch over all keys, from before the cut to the end of capture.

use pachyderm::etcd::EtcdClient;
use pachyderm::etcd::watch::{Change, ChangeKind, Previous, WatchItem, WatchOptions};
use pachyderm::proto::pps::EtcdPipelineInfo;
use prost::Message;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cluster::etcd_error;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::QuietProof;

/// Whether an event can matter to a recovery point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It can't: locks, leases of dead workers, tokens, stale job records, pipeline states.
    Harmless,
    /// It can: the run is void.
    Disturbing,
}

/// Judges one event. `prefix` is that of pachd's keys, such as `pachyderm/1.7.0`.
///
/// Harmless on a paused Pachyderm 1.13.4 are: deletes under `pachyderm_pps/workers` and expiring leases of dead workers; the
/// master lock; auth tokens and codes; deletes of job records whose output commit is gone (listing jobs does that, so
/// extract itself does); puts of a pipeline that change nothing but its state.
#[must_use]
pub fn classify(prefix: &str, change: &Change) -> Verdict {
    let key = String::from_utf8_lossy(&change.key);
    let Some(rest) = key.strip_prefix(prefix).map(|rest| rest.trim_start_matches('/')) else {
        return Verdict::Disturbing;
    };
    let deleted = change.kind == ChangeKind::Delete;
    let harmless = rest.starts_with("pachyderm_pps/_master_lock")
        || rest.starts_with("pachyderm_auth/tokens")
        || rest.starts_with("pachyderm_auth/auth-codes")
        || (deleted && rest.starts_with("pachyderm_pps/workers"))
        || (deleted && rest.starts_with("pachyderm_pps/jobs"))
        || (!deleted && rest.starts_with("pachyderm_pps/pipelines/") && only_state_changed(change));
    if harmless { Verdict::Harmless } else { Verdict::Disturbing }
}

fn only_state_changed(change: &Change) -> bool {
    let decoded = |bytes: &[u8]| EtcdPipelineInfo::decode(bytes).ok();
    let before = change.previous.as_ref().and_then(|kv| decoded(&kv.value));
    let (Some(before), Some(after)) = (before, decoded(&change.value)) else { return false };
    let neutral = |info: EtcdPipelineInfo| EtcdPipelineInfo { state: 0, reason: String::new(), ..info };
    neutral(before) == neutral(after)
}

/// What the watch has seen so far.
#[derive(Clone, Debug, Default)]
struct Seen {
    revision: i64,
    harmless: u64,
    disturbance: Option<String>,
    broken: Option<String>,
}

impl Seen {
    /// Why quiet isn't proven, if it can't be any more.
    fn objection(&self) -> Option<Error> {
        let disturbed = self.disturbance.as_deref().map(disturbance);
        disturbed.or_else(|| self.broken.as_deref().map(not_proven))
    }
}

/// A watch that is under way.
pub struct QuietWatch {
    etcd: EtcdClient,
    from: i64,
    seen: watch::Receiver<Seen>,
    task: JoinHandle<()>,
}

impl QuietWatch {
    /// Begins to watch: everything after the revision that etcd has now will be seen.
    ///
    /// # Errors
    /// Those of etcd.
    pub async fn begin(etcd: &EtcdClient, prefix: &str) -> Result<Self> {
        let from = etcd.revision().await.map_err(|error| etcd_error("reading the revision", error))?;
        let options =
            WatchOptions { start_revision: from + 1, previous: Previous::Reported, ..WatchOptions::default() };
        let mut watch = etcd.watch(&options).await.map_err(|error| etcd_error("watching", error))?;
        let (sender, seen) = watch::channel(Seen { revision: from, ..Seen::default() });
        let prefix = prefix.to_owned();
        let task = tokio::spawn(async move {
            loop {
                match watch.next().await {
                    Ok(WatchItem::Change(change)) => sender.send_modify(|seen| note(seen, &prefix, &change)),
                    Ok(WatchItem::Progress { .. }) => {}
                    Err(error) => {
                        sender.send_modify(|seen| seen.broken = Some(crate::error::chain(&error)));
                        return;
                    }
                }
            }
        });
        Ok(Self { etcd: etcd.clone(), from, seen, task })
    }

    /// Ends as soon as something disturbing was seen, or the watch broke; otherwise never. To be raced against the capture.
    pub async fn disturbed(&self) -> Error {
        let mut seen = self.seen.clone();
        loop {
            if let Some(objection) = seen.borrow_and_update().objection() {
                return objection;
            }
            if seen.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Ends the watch once it has seen everything up to now.
    ///
    /// # Errors
    /// `Disturbed`, naming key, operation and revision of what was written, or saying that the watch broke: then quiet
    /// isn't proven.
    pub async fn finish(self) -> Result<QuietProof> {
        let to = self.etcd.revision().await.map_err(|error| etcd_error("reading the revision", error))?;
        let mut seen = self.seen.clone();
        let caught_up = async {
            loop {
                let now = seen.borrow_and_update().clone();
                if now.objection().is_some() || now.revision >= to {
                    return now;
                }
                if seen.changed().await.is_err() {
                    return now;
                }
            }
        };
        let last = tokio::time::timeout(std::time::Duration::from_secs(60), caught_up).await;
        self.task.abort();
        let last = last.map_err(|_| not_proven("the watch did not catch up within 60 s"))?;
        match last.objection() {
            Some(objection) => Err(objection),
            None => {
                Ok(QuietProof::EtcdWatch { from_revision: self.from, to_revision: to, harmless_events: last.harmless })
            }
        }
    }
}

impl Drop for QuietWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn note(seen: &mut Seen, prefix: &str, change: &Change) {
    let revision = change.mod_revision;
    seen.revision = seen.revision.max(revision);
    if classify(prefix, change) == Verdict::Harmless {
        seen.harmless += 1;
        return;
    }
    seen.disturbance
        .get_or_insert_with(|| format!("{} of key {} at revision {revision}", change.kind, printable(&change.key)));
}

/// A key in words: index keys hold binary parts.
fn printable(key: &[u8]) -> String {
    key.escape_ascii().to_string()
}

fn disturbance(what: &str) -> Error {
    Error::new(ErrorKind::Disturbed, format!("something wrote to the paused cluster: {what}"))
        .advise("find the writer (an established connection outlives a fence; a cron job may run garbage collection), stop it or list it as a [[loader]], and run again")
}

fn not_proven(why: &str) -> Error {
    Error::new(ErrorKind::Disturbed, format!("quiet could not be proven: {why}")).advise("run again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use pachyderm::etcd::proto::KeyValue;

    fn change(kind: ChangeKind, key: &str, before: &EtcdPipelineInfo, after: &EtcdPipelineInfo) -> Change {
        let previous = KeyValue { value: before.encode_to_vec().into(), ..KeyValue::default() };
        Change {
            kind,
            key: key.as_bytes().to_vec().into(),
            value: after.encode_to_vec().into(),
            mod_revision: 2,
            create_revision: 1,
            previous: Some(previous),
        }
    }

    #[test]
    fn states_and_locks_are_harmless_and_everything_else_is_not() {
        let running = EtcdPipelineInfo { state: 1, ..EtcdPipelineInfo::default() };
        let paused = EtcdPipelineInfo { state: 4, ..EtcdPipelineInfo::default() };
        let respecified = EtcdPipelineInfo { last_job_state: 3, ..paused.clone() };
        let judge = |kind, key: &str, before, after| classify("pachyderm/1.7.0", &change(kind, key, before, after));
        use ChangeKind::{Create, Delete, Update};
        let pipelines = "pachyderm/1.7.0/pachyderm_pps/pipelines/p";
        assert_eq!(judge(Update, pipelines, &running, &paused), Verdict::Harmless);
        assert_eq!(judge(Update, pipelines, &running, &respecified), Verdict::Disturbing);
        assert_eq!(judge(Delete, pipelines, &running, &paused), Verdict::Disturbing);
        assert_eq!(judge(Create, "pachyderm/1.7.0/pachyderm_pps/_master_lock/1", &running, &paused), Verdict::Harmless);
        assert_eq!(judge(Delete, "pachyderm/1.7.0/pachyderm_pps/jobs/x", &running, &paused), Verdict::Harmless);
        assert_eq!(judge(Update, "pachyderm/1.7.0/pachyderm_pps/jobs/x", &running, &paused), Verdict::Disturbing);
        assert_eq!(judge(Create, "pachyderm/1.7.0/pachyderm_pfs/commits/r/c", &running, &paused), Verdict::Disturbing);
        assert_eq!(judge(Create, "gc-generation", &running, &paused), Verdict::Disturbing);
    }
}
