//! A run that is killed after each single change that it makes: between two fences, two stops, two starts.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeSet;
use std::sync::Arc;

use e2e::{Bench, Ended, assert_as_before, assert_nothing_false_is_claimed};
use futures::{StreamExt, stream};
use sandbox::cluster::NAMESPACE;
use sandbox::s3::{S3Options, S3Server};

/// Runs at the same time: most of each is waiting.
const AT_ONCE: usize = 6;

/// One change after another, so that there is something between any two.
async fn bench() -> (Bench, Arc<S3Server>) {
    let bench = Bench::new().await;
    bench.add_loaders("pipeline-parallelism = 1\n");
    let vault = bench.move_vault_to_s3(S3Options::default()).await;
    (bench, vault)
}

/// The changes to the cluster that a run made, in order: what was done.
fn changes(ended: &Ended) -> Vec<String> {
    let events = ended.events();
    let changed = events.iter().filter(|event| event["event"] == "changed");
    changed.filter_map(|event| event["action"].as_str()).map(str::to_owned).collect()
}

/// Kills a run after its change of this number, counted from 1. Answers with the last change that it made.
async fn kill_after(number: usize) -> String {
    let (bench, vault) = bench().await;
    let before = bench.picture().await;
    let mut running = bench.start(&["snapshot", "--output", "json"]);
    running.wait_for_step("pre-copy").await;
    bench.answer_slowly();
    for _ in 0..number {
        running.wait_for(|event| event["event"] == "changed").await;
    }
    running.signal("KILL").await;
    let ended = running.end().await;
    bench.answer_at_once(&vault);
    let made = changes(&ended);
    assert!(made.len() >= number, "{number}: {made:?}");

    let has_record = bench.cluster.kubernetes.object("configmaps", NAMESPACE, "pachsnap-undo").is_some();
    let elsewhere = tempfile::tempdir().unwrap();
    let resumed = bench.start_in(elsewhere.path(), &["resume", "--force"]).end().await;
    assert_eq!(resumed.code, Some(0), "{number}: {}", resumed.stderr);
    let mut after = bench.picture().await;
    if !has_record {
        // Killed while it held the Lease but no record, before the first change or after the last one: the Lease is left.
        // It keeps the next run out until it ends.
        after.leftovers.retain(|name| name != "pachsnap");
    }
    assert_as_before(&before, &after);
    assert_nothing_false_is_claimed(&bench).await;

    bench.end_leases();
    // A clone takes most of a run's work and has no part in this: most of the next runs do without.
    let next: &[&[&str]] = if number.is_multiple_of(10) { &[&["snapshot"]] } else { &[&["pause"], &["resume"]] };
    for command in next {
        let again = bench.run(command).await;
        assert_eq!(again.code, Some(0), "{number}: the next run finds nothing in its way: {}", again.stderr);
    }
    assert_as_before(&before, &bench.picture().await);
    made.last().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_any_two_changes_the_cluster_comes_back_from_another_folder() {
    let (bench, _vault) = bench().await;
    let ended = bench.run(&["snapshot", "--output", "json"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let all = changes(&ended);
    // Those in the vault come after the cluster is back.
    let count = all.iter().rposition(|action| action == "release").unwrap() + 1;
    let actions: BTreeSet<&str> = all[..count].iter().map(String::as_str).collect();
    for action in ["take", "create", "pause", "fence", "stop", "start", "unfence", "resume", "delete", "release"] {
        assert!(actions.contains(action), "{action} is not in {all:?}");
    }
    let last: BTreeSet<String> = stream::iter((1..=count).map(kill_after)).buffer_unordered(AT_ONCE).collect().await;
    for action in ["pause", "fence", "stop", "start", "unfence", "resume"] {
        assert!(last.contains(action), "no run was killed right after {action}: {last:?}");
    }
}
