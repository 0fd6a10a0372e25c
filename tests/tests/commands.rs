//! Commands on their own: pause and resume, plan and dry run, the check of the configuration, limits and signals.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::path::PathBuf;
use std::time::Duration;

use e2e::{Bench, Ended, assert_as_before, assert_said, files_under};

#[tokio::test(flavor = "multi_thread")]
async fn pause_and_resume_are_parts_on_their_own() {
    let bench = Bench::new().await;
    let before = bench.picture().await;
    let paused = bench.run(&["pause"]).await;
    assert_eq!(paused.code, Some(0), "{}\n{}", paused.stdout, paused.stderr);
    let during = bench.picture().await;
    assert!(during.pipelines.values().all(|(state, stopped, _)| *stopped && *state == 4), "{during:?}");
    assert_ne!(during.services, before.services);
    let refused = bench.run(&["snapshot"]).await;
    assert_eq!(refused.code, Some(14), "{}", refused.stderr);
    assert!(refused.stderr.contains("pachsnap resume"), "{}", refused.stderr);
    let resumed = bench.run(&["resume"]).await;
    assert_eq!(resumed.code, Some(0), "{}\n{}", resumed.stdout, resumed.stderr);
    assert_as_before(&before, &bench.picture().await);
    let again = bench.run(&["resume"]).await;
    assert_eq!(again.code, Some(0), "{}", again.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_pipeline_is_paused_and_all_else_runs() {
    let bench = Bench::new().await;
    let before = bench.picture().await;
    let paused = bench.run(&["pause", "count"]).await;
    assert_eq!(paused.code, Some(0), "{}\n{}", paused.stdout, paused.stderr);
    let during = bench.picture().await;
    let mut expected = before.pipelines.clone();
    let (state, stopped, _) = &during.pipelines["count"];
    assert!(*stopped && *state == 4, "{during:?}");
    expected.insert("count".to_owned(), during.pipelines["count"].clone());
    assert_eq!(during.pipelines, expected);
    let resumed = bench.run(&["resume"]).await;
    assert_eq!(resumed.code, Some(0), "{}\n{}", resumed.stdout, resumed.stderr);
    assert_as_before(&before, &bench.picture().await);

    let unknown = bench.run(&["pause", "cuont"]).await;
    assert_said(&unknown, 12, &["no pipeline \"cuont\"", "Nothing was changed"]);
    assert_as_before(&before, &bench.picture().await);
}

/// Nothing was asked of Kubernetes but reading, and nothing is in vault, clone and staging.
async fn assert_changes_nothing(bench: &Bench, command: &[&str]) -> Ended {
    let before = bench.picture().await;
    bench.cluster.kubernetes.clear_requests();
    let ended = bench.run(command).await;
    assert_eq!(bench.cluster.kubernetes.changes().len(), 0, "{:?}", bench.cluster.kubernetes.changes());
    assert_eq!(before, bench.picture().await);
    for folder in [bench.vault(), bench.clones(), bench.folder().join("staging")] {
        assert_eq!(files_under(&folder), Vec::<PathBuf>::new(), "{command:?}");
    }
    ended
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_the_plan_and_changes_nothing() {
    let bench = Bench::new().await;
    let ended = assert_changes_nothing(&bench, &["snapshot", "--dry-run"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("pause"), "{}", ended.stdout);
    let plan = assert_changes_nothing(&bench, &["plan", "-o", "json"]).await;
    let dry = assert_changes_nothing(&bench, &["snapshot", "--dry-run", "-o", "json"]).await;
    let keys = |ended: &Ended| -> Vec<String> {
        let document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        document.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(keys(&plan), keys(&dry));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_is_checked_and_what_is_wrong_is_named() {
    let bench = Bench::new().await;
    let good = assert_changes_nothing(&bench, &["config", "check"]).await;
    assert_eq!(good.code, Some(0), "{}\n{}", good.stdout, good.stderr);
    assert!(!good.stdout.contains("FAIL"), "{}", good.stdout);
    for part in ["kubernetes", "data bucket", "vault", "clone", "can be written, create-only", "pachsnap.toml"] {
        assert!(good.stdout.contains(part), "{part}: {}", good.stdout);
    }

    std::fs::remove_file(bench.folder().join("kubeconfig")).unwrap();
    bench.change_config(&format!("file://{}/clones", bench.folder().display()), "s3://nowhere/clones");
    let bad = bench.run(&["config", "check"]).await;
    assert_said(&bad, 11, &["2 checks of the configuration failed"]);
    let failed: Vec<&str> = bad.stdout.lines().filter(|line| line.starts_with("FAIL")).collect();
    assert_eq!(failed.len(), 2, "{}", bad.stdout);
    assert!(failed[0].contains("kubernetes") && failed[0].contains("kubeconfig"), "{}", failed[0]);
    assert!(failed[1].contains("clone"), "{}", failed[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_does_not_cut_the_undo_short() {
    let bench = Bench::new().await;
    let before = bench.picture().await;
    bench.cluster.pachd.faults().delay_operations(Duration::from_millis(20));
    let mut running = bench.start(&["snapshot", "--output", "json"]);
    running.wait_for_step("capture").await;
    // The undo takes long enough for more signals.
    bench.cluster.pachd.faults().delay_calls(Duration::from_millis(100));
    running.signal("INT").await;
    running.wait_for_step("resume").await;
    running.signal("INT").await;
    running.wait_for(|event| event["event"] == "changed" && event["action"] == "start").await;
    running.signal("TERM").await;
    running.signal("HUP").await;
    let ended = running.end().await;
    assert_said(&ended, 130, &["SIGINT: stopping", "SIGINT: already stopping", "SIGTERM: already stopping"]);
    assert_as_before(&before, &bench.picture().await);
    assert_eq!(bench.run_with("manifest.json"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_stdout_does_not_end_a_run() {
    let bench = Bench::new().await;
    let before = bench.picture().await;
    let mut running = bench.start(&["snapshot", "--output", "json"]);
    running.wait_for_step("stop").await;
    running.close_stdout();
    let ended = running.end().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_as_before(&before, &bench.picture().await);
    assert!(bench.run_with("manifest.json").is_some());

    let running = bench.start(&["show", "latest"]);
    running.close_stdout();
    let ended = running.end().await;
    assert!(matches!(ended.code, Some(0 | 10)) && !ended.stderr.contains("panicked"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_ends_a_run_as_a_signal_does() {
    let bench = Bench::new().await;
    let before = bench.picture().await;
    // The capture would take an hour.
    bench.cluster.pachd.faults().delay_operations(Duration::from_secs(20));
    let ended = bench.run(&["snapshot", "--timeout", "15s"]).await;
    assert_said(&ended, 20, &["the time that --timeout allows has passed", "end of --timeout"]);
    assert_as_before(&before, &bench.picture().await);
    assert_eq!(bench.run_with("manifest.json"), None);

    bench.cluster.pachd.faults().delay_calls(Duration::from_secs(60));
    let ended = bench.run(&["discover", "--timeout", "1s"]).await;
    assert_said(&ended, 10, &["the time that --timeout allows has passed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn resume_waits_for_the_end_of_the_lease_of_a_killed_run() {
    let bench = Bench::new().await;
    let before = bench.picture().await;
    let mut running = bench.start(&["snapshot", "--output", "json"]);
    running.wait_for_step("stop").await;
    running.signal("KILL").await;
    running.end().await;
    let paused = bench.picture().await;
    assert!(paused.leftovers.contains(&"pachsnap".to_owned()), "{paused:?}");
    bench.cluster.kubernetes.clear_requests();
    let refused = bench.run(&["resume"]).await;
    assert_said(&refused, 14, &["is at work in this namespace", "resume --force"]);
    assert_eq!(bench.cluster.kubernetes.changes().len(), 0, "{:?}", bench.cluster.kubernetes.changes());

    bench.end_leases();
    let resumed = bench.run(&["resume"]).await;
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    assert_as_before(&before, &bench.picture().await);
}
