//! Every recorded call, answered by the sandbox's pachd from the state that the cluster had when the call was recorded:
//! same status code, same text, same messages.
//!
//! The recorded etcd snapshot holds its whole history, so the key space is cut off at the revision of the moment: while
//! pipelines ran, right after all StopPipeline calls, when all were paused, and at the extract.

use std::collections::BTreeMap;
use std::sync::Arc;

use pachyderm::proto::admin;
use sandbox::pachd::etcd::{Store, snapshot};
use sandbox::pachd::objects::{MemoryObjects, ObjectStore};
use sandbox::pachd::recorded::Recorded;
use sandbox::pachd::state::State;
use sandbox::pachd::{ExtractClock, PachdOptions, PachdServer};

use crate::case::{Case, cases, data, unpacked, verdict};
use crate::compare::decoded;

/// The moments of the recording, as etcd revisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// Pipelines run.
    Running = 615,
    /// A commit was started that a later call finishes.
    CommitStarted = 616,
    /// All StopPipeline calls were answered, nothing has settled.
    RightAfterStop = 673,
    /// All pipelines are paused.
    Paused = 717,
    /// The extract.
    Extract = 722,
}

/// Parts of the names of calls that cannot be compared, and why.
const SKIPPED: &[(&str, &str)] = &[
    (
        "-restarted",
        "recorded after the last revision of the snapshot, with ids that no replay gets; tests/pachd compares shapes",
    ),
    ("kubernetes-unreachable", "recorded on another cluster, of which there is no snapshot"),
    ("pfs.API.GetFile/", "the sandbox does not serve files"),
    ("pfs.API.FlushCommit/", "the sandbox does not serve FlushCommit"),
    ("admin.API.Extract/no-objects-running", "it listed one revision after the other while jobs ran"),
    ("transaction.API.ListTransaction/one", "recorded while a transaction was open"),
    ("transaction.API.DeleteTransaction/ok", "recorded while a transaction was open"),
];

fn moment(case: &Case) -> Moment {
    match case.name.as_str() {
        "pfs.API.FinishCommit/ok" => Moment::CommitStarted,
        "pfs.API.Fsck/no-fix-paused" => Moment::Extract,
        name if name.starts_with("admin.API.Extract/") => Moment::Extract,
        name if name.ends_with("-paused") => Moment::Paused,
        name if name.ends_with("-right-after-stop") => Moment::RightAfterStop,
        _ => Moment::Running,
    }
}

/// When open commits are said to have finished: an extract gives them its own time.
fn clock(case: &Case) -> ExtractClock {
    let mut times = BTreeMap::new();
    if case.method == "/admin.API/Extract" {
        for op in decoded::<admin::Op>(&case.responses) {
            let Some(commit) = op.op1_13.and_then(|body| body.commit) else { continue };
            let finished = commit.finished.unwrap();
            times.insert(commit.id, jiff::Timestamp::new(finished.seconds, finished.nanos).unwrap());
        }
    }
    ExtractClock::Recorded(times)
}

/// Why a call is left out, if it is.
fn skipped_part(case: &Case) -> Option<&'static str> {
    SKIPPED.iter().find(|(part, _)| case.name.contains(part)).map(|(part, _)| *part)
}

/// Serves the cluster as it was at the moment of the recording.
async fn serve(case: &Case, bucket: &Arc<MemoryObjects>) -> PachdServer {
    let mut changes = snapshot::load(&data("etcd/alpha.snapshot.db")).unwrap();
    changes.retain(|change| change.kv.mod_revision <= moment(case) as i64);
    let state = State { store: Arc::new(Store::with_history(changes)), bucket: Arc::clone(bucket) as _ };
    let recorded = Recorded { state, stops: BTreeMap::new(), branches: BTreeMap::new() };
    let options = PachdOptions { clock: clock(case), deployment_id: "deploy-alpha".into(), ..PachdOptions::default() };
    PachdServer::start(recorded, options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_call_is_answered_as_recorded() {
    let bucket = Arc::new(MemoryObjects::default());
    for (path, bytes) in unpacked("alpha.tar.zst") {
        if let Some(key) = path.strip_prefix("bucket/") {
            bucket.put(key, bytes);
        }
    }
    let mut failures = Vec::new();
    let mut skipped: BTreeMap<&str, usize> = BTreeMap::new();
    let mut compared = 0;
    for case in cases("grpc/") {
        if let Some(part) = skipped_part(&case) {
            *skipped.entry(part).or_default() += 1;
            continue;
        }
        // A new server for each call: some of them write.
        let server = serve(&case, &bucket).await;
        let address = if case.name.ends_with("/peer-port") { server.peer() } else { server.external() };
        let verdict = verdict(address, &case).await;
        compared += 1;
        if let Err(reason) = verdict {
            failures.push(format!("{}: {reason}", case.name));
        }
    }
    for (part, why) in SKIPPED {
        eprintln!("left out: {} calls named {part}: {why}", skipped.get(part).unwrap_or(&0));
    }
    eprintln!("{compared} recorded calls compared");
    assert!(failures.is_empty(), "{} of {compared} differ:\n{}", failures.len(), failures.join("\n"));
    assert!(SKIPPED.iter().all(|(part, _)| skipped.contains_key(part)), "nothing is left out by one of {SKIPPED:?}");
    assert!(compared >= 129, "only {compared} calls were compared");
}
