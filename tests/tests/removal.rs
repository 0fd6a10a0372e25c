//! `delete` and `prune`: what nobody needs goes, and no manifest ever points to what is gone.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::path::PathBuf;
use std::time::Duration;

use e2e::{Bench, Ended, assert_said, files_under};
use sandbox::cluster::NAMESPACE;
use sandbox::s3::Operation;
use serde_json::Value;

async fn rows(bench: &Bench) -> Vec<(String, String)> {
    let listed = bench.run(&["list", "--all", "-o", "json"]).await;
    assert_said(&listed, 0, &[]);
    let rows: Vec<Value> = serde_json::from_str(&listed.stdout).unwrap();
    let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
    rows.iter().map(|row| (text(row, "run"), text(row, "state"))).collect()
}

fn clone_of(bench: &Bench, run: &str) -> PathBuf {
    bench.clones().join("alpha").join(run)
}

fn vault_of(bench: &Bench, run: &str) -> PathBuf {
    bench.vault().join("alpha").join(run)
}

fn snapshots(bench: &Bench) -> usize {
    bench.cluster.kubernetes.objects("volumesnapshots", Some(NAMESPACE)).len()
}

fn removals(ended: &Ended) -> Vec<Value> {
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    let answer: Value = serde_json::from_str(&ended.stdout).unwrap();
    answer["removals"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_goes_whole_and_the_other_stays() {
    let bench = Bench::new().await;
    for _ in 0..2 {
        assert_said(&bench.run(&["snapshot"]).await, 0, &[]);
    }
    let runs: Vec<String> = rows(&bench).await.into_iter().map(|(run, _)| run).collect();
    assert_eq!(snapshots(&bench), 2);
    let before = (files_under(&bench.vault()), files_under(&bench.clones()));

    let planned = bench.run(&["delete", &runs[0]]).await;
    assert_said(&planned, 0, &[]);
    for said in [&runs[0], "1686 objects", "snapshot  ", "Nothing was removed", "--yes"] {
        assert!(planned.stdout.contains(said), "{said}: {}", planned.stdout);
    }
    assert_eq!(before, (files_under(&bench.vault()), files_under(&bench.clones())));
    assert_eq!(snapshots(&bench), 2);

    let removed = bench.run(&["delete", &runs[0], "--yes"]).await;
    assert_said(&removed, 0, &[]);
    assert!(removed.stdout.contains("removed, 1686 objects and 1 snapshots"), "{}", removed.stdout);
    assert_eq!(files_under(&vault_of(&bench, &runs[0])), Vec::<PathBuf>::new());
    assert_eq!(files_under(&clone_of(&bench, &runs[0])), Vec::<PathBuf>::new());
    assert_eq!(snapshots(&bench), 1);
    assert_eq!(rows(&bench).await, [(runs[1].clone(), "recovery-point".to_owned())]);
    assert_said(&bench.run(&["verify", &runs[1], "--deep"]).await, 0, &[]);
    assert_said(&bench.run(&["delete", &runs[0], "--yes"]).await, 12, &["there is no run"]);
    assert_eq!(removals(&bench.run(&["prune", "--older-than", "0s", "-o", "json"]).await), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_nothing_points_to_what_is_gone_and_prune_goes_on() {
    let bench = Bench::new().await;
    assert_said(&bench.run(&["snapshot"]).await, 0, &[]);
    let run = rows(&bench).await.remove(0).0;
    let mut killed = false;
    for after in [5, 10, 20, 40, 80, 160, 320, 640] {
        let mut running = bench.start(&["delete", &run, "--yes"]);
        tokio::time::sleep(Duration::from_millis(after)).await;
        running.kill();
        drop(running.end().await);
        let state = rows(&bench).await.first().map(|(_, state)| state.clone());
        let objects = files_under(&clone_of(&bench, &run)).len();
        match state.as_deref() {
            Some("recovery-point") => {
                assert_said(&bench.run(&["verify", &run, "--full"]).await, 0, &[]);
                continue;
            }
            // Its files went last, so nothing else is left.
            None => {
                assert_eq!((objects, snapshots(&bench)), (0, 0));
                break;
            }
            Some(state) => {
                assert!(state == "being-removed" || objects == 0, "{state} with {objects} objects");
                killed = true;
                assert_said(&bench.run(&["verify", &run]).await, 12, &["no recovery point", "prune"]);
                assert_said(&bench.run(&["finish", &run]).await, 12, &["prune"]);
            }
        }
    }
    assert!(killed, "no kill came in the middle");
    // A removal that was begun is gone on with whatever its age.
    assert_said(&bench.run(&["prune", "--yes"]).await, 0, &[]);
    assert_eq!(rows(&bench).await, []);
    assert_eq!(files_under(&vault_of(&bench, &run)), Vec::<PathBuf>::new());
    assert_eq!(files_under(&clone_of(&bench, &run)), Vec::<PathBuf>::new());
    assert_eq!(snapshots(&bench), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_dead_left_goes_and_what_lives_stays() {
    let bench = Bench::new().await;
    assert_said(&bench.run(&["snapshot"]).await, 0, &[]);
    let point = rows(&bench).await.remove(0).0;

    // One died in the pause: its clone is there, a snapshot of the disk perhaps, no file in the vault.
    let mut running = bench.start(&["snapshot", "--output", "json"]);
    running.wait_for_step("capture").await;
    running.kill();
    drop(running.end().await);
    assert_said(&bench.run(&["resume", "--force"]).await, 0, &[]);

    assert_eq!(removals(&bench.run(&["prune", "-o", "json"]).await), Vec::<Value>::new(), "all of it is young");
    let planned = removals(&bench.run(&["prune", "--older-than", "0s", "-o", "json"]).await);
    let planned: Vec<&str> = planned.iter().map(|removal| removal["run"].as_str().unwrap()).collect();
    assert_eq!(planned.len(), 1, "{planned:?}");
    assert_ne!(planned[0], point, "a recovery point is spared");

    // One lives, and fills its clone.
    bench.cluster.s3.set_latency(Operation::GetObject, Duration::from_secs(3));
    let mut living = bench.start(&["snapshot", "--output", "json"]);
    living.wait_for_step("pre-copy").await;
    let began = std::time::Instant::now();
    while !files_under(&bench.clones()).iter().any(|file| file.ends_with(".pachsnap-lock")) {
        assert!(began.elapsed() < Duration::from_secs(30), "the living one writes nothing");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let done = removals(&bench.run(&["prune", "--older-than", "0s", "--yes", "-o", "json"]).await);
    assert_eq!(done.len(), 2, "{done:?}");
    assert_eq!(done[0]["removed"]["objects"].as_u64().map(|objects| objects > 0), Some(true), "{}", done[0]);
    assert!(done[1]["left"].as_str().unwrap().contains("is being written"), "{}", done[1]);
    assert_eq!(files_under(&clone_of(&bench, done[0]["run"].as_str().unwrap())), Vec::<PathBuf>::new());

    bench.cluster.s3.set_latency(Operation::GetObject, Duration::ZERO);
    let ended = living.end().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let points = rows(&bench).await;
    assert_eq!(points.len(), 2, "{points:?}");
    for (run, state) in points {
        assert_eq!(state, "recovery-point");
        assert_said(&bench.run(&["verify", &run, "--full"]).await, 0, &[]);
    }
    assert_eq!(snapshots(&bench), 2);
}

/// Large copies that a dead run began: no listing shows them, and they cost money until somebody gives them up.
#[tokio::test(flavor = "multi_thread")]
async fn copies_that_were_never_finished_go_with_their_clone() {
    let bench = Bench::new().await;
    let clones = format!("file://{}/clones", bench.folder().display());
    let store = format!("s3://clones\"\nendpoint = \"{}\"\nstore = \"other\"\n", bench.cluster.s3.endpoint());
    let keys = "access-key-id-env = \"CLONE_ID\"\nsecret-access-key-env = \"CLONE_SECRET";
    bench.change_config(&clones, &format!("{store}{keys}"));
    bench.set_environment(&[("CLONE_ID", "sandbox"), ("CLONE_SECRET", "sandbox-secret-key")]);
    let bucket = bench.cluster.s3.bucket("clones");
    assert_said(&bench.run(&["snapshot"]).await, 0, &[]);
    let point = rows(&bench).await.remove(0).0;
    let mut running = bench.start(&["snapshot", "--output", "json"]);
    running.wait_for_step("capture").await;
    running.kill();
    drop(running.end().await);
    assert_said(&bench.run(&["resume", "--force"]).await, 0, &[]);
    let planned = removals(&bench.run(&["prune", "--older-than", "0s", "-o", "json"]).await);
    let dead = planned[0]["run"].as_str().unwrap().to_owned();
    bucket.begin_upload(&format!("alpha/{dead}/pach/block/0123"));
    bucket.begin_upload(&format!("alpha/{point}/pach/block/4567"));

    let told = bench.run(&["prune", "--older-than", "0s"]).await;
    assert!(told.stdout.contains("1 large ones that were begun and never finished"), "{}", told.stdout);
    assert_eq!(bucket.unfinished_uploads().len(), 2);
    let done = removals(&bench.run(&["prune", "--older-than", "0s", "--yes", "-o", "json"]).await);
    assert_eq!(done[0]["removed"]["uploads"], 1, "{done:?}");
    assert_eq!(bucket.unfinished_uploads(), [format!("alpha/{point}/pach/block/4567")], "that clone is in use");
    assert!(!bucket.keys().iter().any(|key| key.contains(&dead)));
    assert_said(&bench.run(&["verify", &point, "--full"]).await, 0, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_that_a_later_run_took_over_stays() {
    let bench = Bench::new().await;
    for _ in 0..3 {
        assert_said(&bench.run(&["snapshot", "--mirror", "a,b"]).await, 0, &[]);
    }
    let rows_before = rows(&bench).await;
    assert_eq!(rows_before[0].1, "superseded");
    let removed = bench.run(&["delete", &rows_before[0].0, "--yes"]).await;
    assert_said(&removed, 0, &[]);
    assert!(removed.stdout.contains("stays"), "{}", removed.stdout);
    for (run, _) in &rows_before[1..] {
        assert_said(&bench.run(&["verify", run, "--full"]).await, 0, &[]);
    }
    assert_said(&bench.run(&["snapshot", "--mirror", "a,b"]).await, 0, &[]);
}
