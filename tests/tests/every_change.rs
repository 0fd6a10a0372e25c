//! A run that is killed after each single change that it makes, in the cluster or in the vault: between two fences, two stops,
//! two starts, two parts. The changes are those that an undisturbed run tells of, so a new one can't be forgotten.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)]

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

/// The changes that a run made, in order: what was done to what.
fn changes(ended: &Ended) -> Vec<(String, String)> {
    let events = ended.events();
    let changed = events.iter().filter(|event| event["event"] == "changed");
    let text = |field: &serde_json::Value| field.as_str().unwrap().to_owned();
    changed.map(|event| (text(&event["action"]), text(&event["resource"]))).collect()
}

/// A run that was killed.
struct Killed {
    /// Its change of this number was the last that the test waited for.
    number: usize,
    /// The last change that it made.
    last: (String, String),
    /// What it left: nothing, a recovery point that could be finished, or a whole one.
    left: &'static str,
}

/// Kills a run after its change of this number, counted from 1.
async fn kill_after(number: usize) -> Killed {
    let (bench, vault) = bench().await;
    let before = bench.picture().await;
    let mut running = bench.start(&["snapshot", "--output", "json"]);
    running.wait_for_step("pre-copy").await;
    bench.answer_slowly(&vault);
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
    let left = match (bench.run_with("captured.json"), bench.run_with("manifest.json")) {
        (_, Some(_)) => "a recovery point",
        (Some(run), None) => {
            let finished = bench.start_in(elsewhere.path(), &["finish", &run]).end().await;
            assert_eq!(finished.code, Some(0), "{number}: {}", finished.stderr);
            assert!(bench.run_with("manifest.json").is_some(), "{number}: finished without a manifest");
            "a run that was finished"
        }
        (None, None) => "nothing",
    };
    assert_nothing_false_is_claimed(&bench).await;

    bench.end_leases();
    // A clone takes most of a run's work and has no part in this: most of the next runs do without.
    let next: &[&[&str]] = if number.is_multiple_of(10) { &[&["snapshot"]] } else { &[&["pause"], &["resume"]] };
    for command in next {
        let again = bench.run(command).await;
        assert_eq!(again.code, Some(0), "{number}: the next run finds nothing in its way: {}", again.stderr);
    }
    assert_as_before(&before, &bench.picture().await);
    Killed { number, last: made.last().unwrap().clone(), left }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_any_two_changes_the_cluster_comes_back_from_another_folder() {
    let (bench, _vault) = bench().await;
    let ended = bench.run(&["snapshot", "--output", "json"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let all = changes(&ended);
    let actions: BTreeSet<&str> = all.iter().map(|(action, _)| action.as_str()).collect();
    let expected =
        ["take", "create", "pause", "fence", "stop", "snapshot volume", "start", "unfence", "resume", "delete"];
    for action in expected.iter().chain(&["release", "write"]) {
        assert!(actions.contains(action), "{action} is not in {all:?}");
    }
    let kills = (1..=all.len()).map(kill_after);
    let mut killed: Vec<Killed> = stream::iter(kills).buffer_unordered(AT_ONCE).collect().await;
    killed.sort_by_key(|one| one.number);
    println!("killed after change …  which left …; the cluster was as before each time");
    for Killed { number, last: (action, resource), left } in &killed {
        println!("{number:3} {action} {resource}: {left}");
    }
    let last: BTreeSet<&str> = killed.iter().map(|one| one.last.0.as_str()).collect();
    for action in ["pause", "fence", "stop", "start", "unfence", "resume", "write"] {
        assert!(last.contains(action), "no run was killed right after {action}: {last:?}");
    }
    for left in ["nothing", "a run that was finished", "a recovery point"] {
        assert!(killed.iter().any(|one| one.left == left), "no killed run left {left}");
    }
}
