//! How a run ended: exit code, message, and the state of the cluster afterwards.

use sandbox::cluster::NAMESPACE;

use crate::{Bench, Ended, Picture};

/// The run ended with this code, and said all of these words on stderr.
///
/// # Panics
/// When it did not.
pub fn assert_said(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, Some(code), "stdout:\n{}\nstderr:\n{}", ended.stdout, ended.stderr);
    for word in words {
        assert!(ended.stderr.contains(word), "{word:?} is not said:\n{}", ended.stderr);
    }
}

/// A snapshot is refused: nothing was changed, and that is said.
///
/// # Panics
/// When it isn't refused so.
pub async fn assert_refused(bench: &Bench, code: i32, words: &[&str]) {
    let before = bench.picture().await;
    bench.cluster.kubernetes.clear_requests();
    let ended = bench.run(&["snapshot"]).await;
    assert_said(&ended, code, words);
    assert_said(&ended, code, &["Nothing was changed"]);
    assert_eq!(bench.cluster.kubernetes.changes().len(), 0, "{:?}", bench.cluster.kubernetes.changes());
    assert_eq!(before, bench.picture().await);
    assert_eq!(bench.run_with("manifest.json"), None);
}

/// A run failed on the way: no recovery point, and the cluster is as it was.
///
/// # Panics
/// When it didn't fail so.
pub async fn assert_put_back(bench: &Bench, before: &Picture, ended: &Ended, code: i32, words: &[&str]) {
    assert_said(ended, code, words);
    assert_as_before(before, &bench.picture().await);
    assert_eq!(bench.run_with("manifest.json"), None);
    let snapshots = bench.cluster.kubernetes.objects("volumesnapshots", Some(NAMESPACE));
    assert_eq!(snapshots, Vec::<serde_json::Value>::new(), "a snapshot of the disk is left");
}

/// The cluster is as it was, and nothing of a run is left in it. Starting pipelines makes new commits, so heads differ;
/// everything that a person compares does not.
///
/// # Panics
/// When it isn't.
pub fn assert_as_before(before: &Picture, after: &Picture) {
    assert_eq!(before.pipelines, after.pipelines);
    assert_eq!(before.services, after.services);
    assert_eq!(before.workloads, after.workloads);
    assert_eq!(after.leftovers, Vec::<String>::new());
}

/// No manifest, or one that verifies in full.
///
/// # Panics
/// When a recovery point is claimed that doesn't verify.
pub async fn assert_nothing_false_is_claimed(bench: &Bench) {
    if let Some(run) = bench.run_with("manifest.json") {
        let verified = bench.run(&["verify", &run, "--full"]).await;
        assert_eq!(verified.code, Some(0), "{}\n{}", verified.stdout, verified.stderr);
    }
}
