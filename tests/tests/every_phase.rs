//! A run that is ended in each of its phases: by every signal a person or a machine sends, and by `kill -9`.
//!
//! The phases are those that an undisturbed run tells of, so a new one can't be forgotten. A run is held in its phase by
//! late answers, and its own events say that it was there when it was ended.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::sync::Arc;

use e2e::{Bench, Ended, assert_as_before, assert_nothing_false_is_claimed};
use futures::{StreamExt, stream};
use sandbox::s3::{S3Options, S3Server};

/// Phases of which nothing may be left, whatever comes later: the content of some artifact isn't fixed yet.
const BEFORE_CAPTURE: [&str; 9] =
    ["discover", "preflight", "pre-copy", "undo-record", "loaders", "fence", "drain", "stop", "capture"];
/// Runs at the same time: most of each is waiting.
const AT_ONCE: usize = 6;

async fn bench() -> (Bench, Arc<S3Server>) {
    let bench = Bench::new().await;
    bench.add_loaders("");
    let vault = bench.move_vault_to_s3(S3Options::default()).await;
    (bench, vault)
}

/// The phases of an undisturbed run, in order.
async fn phases() -> Vec<String> {
    let (bench, _vault) = bench().await;
    let ended = bench.run(&["snapshot", "--output", "json"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let phases = ended.steps();
    for expected in BEFORE_CAPTURE.iter().chain(&["gate", "resume", "store", "compare", "read-back", "commit"]) {
        assert!(phases.iter().any(|phase| phase == expected), "{expected} is not in {phases:?}");
    }
    phases
}

/// Whether the run was in this phase when it was ended: it started no later one, except for its own undo, and for what
/// follows on a phase that asks nobody for anything and so can't be held.
fn was_in(phases: &[String], step: &str, ended: &Ended) -> bool {
    let at = |step: &str| phases.iter().position(|phase| phase == step).unwrap();
    let later = match step {
        "gate" => "resume",
        "compare" | "await" => "read-back",
        _ => step,
    };
    let steps = ended.steps();
    let last = steps.iter().rfind(|one| *one != "resume" || at("resume") <= at(later)).unwrap();
    (at(step)..=at(later)).contains(&at(last))
}

/// Ends runs until one was in its phase: on a busy machine the end may come too late, and such a run proves nothing.
async fn until_met<F: Future<Output = bool>>(step: &str, run: impl Fn() -> F) {
    for _ in 0..5 {
        if run().await {
            return;
        }
    }
    panic!("five runs were over {step} before they could be ended in it");
}

async fn signal(phases: &[String], step: &str, signal: &str) -> bool {
    println!("SIG{signal} in {step}");
    let (bench, vault) = bench().await;
    let before = bench.picture().await;
    let running = bench.snapshot_held_in(step, &vault).await;
    running.signal(signal).await;
    bench.answer_at_once(&vault);
    let ended = running.end().await;
    if !was_in(phases, step, &ended) {
        return false;
    }
    if step == "commit" {
        // Writing the manifest is one request: it is sent or it isn't.
        assert!(matches!(ended.code, Some(0 | 130)), "{step}: {:?} {}", ended.code, ended.stderr);
    } else {
        assert_eq!(ended.code, Some(130), "{step}: {}", ended.stderr);
    }
    assert_eq!(ended.code == Some(0), bench.run_with("manifest.json").is_some(), "{step}: {}", ended.stderr);
    assert_as_before(&before, &bench.picture().await);
    assert_nothing_false_is_claimed(&bench).await;
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn every_signal_in_every_phase_puts_everything_back() {
    let phases = phases().await;
    let phases = &phases;
    let runs = phases
        .iter()
        .flat_map(|step| ["INT", "TERM", "HUP"].map(|name| until_met(step, move || signal(phases, step, name))));
    stream::iter(runs).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}

async fn kill(phases: &[String], step: &str) -> bool {
    println!("SIGKILL in {step}");
    let (bench, vault) = bench().await;
    let before = bench.picture().await;
    let running = bench.snapshot_held_in(step, &vault).await;
    running.signal("KILL").await;
    let ended = running.end().await;
    bench.answer_at_once(&vault);
    if !was_in(phases, step, &ended) {
        return false;
    }
    assert!(ended.code.is_none() || (step == "commit" && ended.code == Some(0)), "{step}: {ended:?}");

    let elsewhere = tempfile::tempdir().unwrap();
    let resumed = bench.start_in(elsewhere.path(), &["resume", "--force"]).end().await;
    assert_eq!(resumed.code, Some(0), "{step}: {}", resumed.stderr);
    assert_as_before(&before, &bench.picture().await);
    if BEFORE_CAPTURE.contains(&step) {
        assert_eq!(bench.run_with("manifest.json"), None, "{step}");
    }
    assert_nothing_false_is_claimed(&bench).await;
    if let Some(run) = bench.run_with("captured.json").filter(|_| bench.run_with("manifest.json").is_none()) {
        let finished = bench.start_in(elsewhere.path(), &["finish", &run]).end().await;
        assert_eq!(finished.code, Some(0), "{step}: {}", finished.stderr);
        assert_eq!(bench.run_with("manifest.json").as_ref(), Some(&run), "{step}");
        let shown = bench.run(&["show", &run, "-o", "json"]).await;
        let manifest: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
        assert_eq!(manifest["witness"]["by"], "etcd", "{step}: `finish` compares as `snapshot` does");
        assert_nothing_false_is_claimed(&bench).await;
    }
    let again = bench.run(&["snapshot"]).await;
    assert_eq!(again.code, Some(0), "{step}: the next run finds nothing in its way: {}", again.stderr);
    assert_as_before(&before, &bench.picture().await);
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_every_phase_the_cluster_comes_back_from_another_folder() {
    let phases = phases().await;
    let phases = &phases;
    stream::iter(phases.iter().map(|step| until_met(step, move || kill(phases, step))))
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<()>>()
        .await;
}
