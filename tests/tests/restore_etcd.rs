//! A cluster restored from etcd's snapshot: everything comes back, and what can't work is refused with nothing changed.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use e2e::{Pair, assert_every_file_is_there, assert_said, files_under};
use pachyderm::etcd::proto::KeyValue;
use pachyderm::etcd::snapshot_file::SnapshotFile;
use sandbox::cluster::{BUCKET, ClusterOptions, NAMESPACE, Storage};
use sandbox::kubernetes::{Fault, FaultAction};

const PREFIX: &str = "pachyderm/1.7.0";

fn is_of_a_process(key: &[u8]) -> bool {
    String::from_utf8_lossy(key).starts_with(&format!("{PREFIX}/pachyderm_pps/_master_lock"))
}

/// What the recovery point's etcd snapshot holds, without locks.
fn snapshot_keys(pair: &Pair) -> BTreeMap<Vec<u8>, KeyValue> {
    let run = pair.source.run_with("manifest.json").unwrap();
    let file = pair.source.vault().join("alpha").join(run).join("etcd.snapshot.db");
    let mut keys = SnapshotFile::open(&file).unwrap().keys;
    keys.retain(|key, _| !is_of_a_process(key));
    keys
}

/// What an etcd holds, as far as a restore brings it back.
#[derive(Debug, PartialEq)]
struct Content {
    values: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Keys that were created together, in the order of their creation.
    order: Vec<Vec<Vec<u8>>>,
}

fn content(keys: &BTreeMap<Vec<u8>, KeyValue>) -> Content {
    let values = keys.iter().map(|(key, kv)| (key.clone(), kv.value.to_vec())).collect();
    let mut groups: BTreeMap<i64, Vec<Vec<u8>>> = BTreeMap::new();
    for (key, kv) in keys {
        groups.entry(kv.create_revision).or_default().push(key.clone());
    }
    Content { values, order: groups.into_values().collect() }
}

/// The target holds exactly what the recovery point says, and nothing of the restore is left.
fn assert_restored(pair: &Pair) {
    let (expected, restored) = (content(&snapshot_keys(pair)), content(&pair.keys()));
    assert_eq!(expected.values, restored.values);
    assert_eq!(expected.order, restored.order, "created in another order");
    assert_every_file_is_there(pair.target.pachd.state());
    assert_eq!(pair.pachd_replicas(), 1);
    let left = ["configmaps", "leases"].map(|plural| pair.target.kubernetes.objects(plural, Some(NAMESPACE)));
    let ours = |object: &&serde_json::Value| object["metadata"]["name"].as_str().unwrap().starts_with("pachsnap");
    assert_eq!(left.iter().flatten().filter(ours).count(), 0, "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_comes_back_with_its_ids_and_in_its_order() {
    let pair = Pair::new().await;
    let planned = pair.run(&["restore", "latest", "--from", "etcd", "--dry-run"]).await;
    assert_said(&planned, 0, &[]);
    for words in [
        "bytes move through this machine",
        "keys of etcd at revision",
        "not back",
        "shares its tokens",
        "Secrets that pipelines need",
    ] {
        assert!(planned.stdout.contains(words), "{words}: {}", planned.stdout);
    }
    assert_eq!(pair.objects().len(), 0);

    let ended = pair.restore("etcd").await;
    assert_said(&ended, 0, &[]);
    assert_restored(&pair);
    for words in ["raw@master", "come back paused", "shares its tokens", "loaders"] {
        assert!(ended.stdout.contains(words), "{words}: {}{}", ended.stdout, ended.stderr);
    }
    let pipelines = pair.pachd().await;
    let pipelines = pipelines
        .list_pipeline(pachyderm::client::History::Current, pachyderm::client::Unreadable::Refuse)
        .await
        .unwrap();
    assert!(pipelines.len() == 12 && pipelines.iter().all(|info| info.stopped));

    // The same again finds a cluster that is in use.
    pair.assert_refused(&["restore", "latest", "--from", "etcd"], 17, &["the target is the source itself"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelines_that_ran_are_started_and_no_others() {
    let pair = Pair::new().await;
    let ended = pair.run(&["restore", "latest", "--from", "etcd", "--start-pipelines"]).await;
    assert_said(&ended, 0, &[]);
    let source = pair.source.picture().await;
    let state = pair.target.pachd.state();
    for record in state.pipelines() {
        let commit = record.value.spec_commit.as_ref().unwrap();
        let stopped = state.specification(commit).unwrap().stopped;
        assert_eq!(stopped, source.pipelines[&record.name].1, "{}: {}", record.name, ended.stdout);
    }
    let order: Vec<&str> =
        ended.stdout.lines().find_map(|line| line.strip_prefix("started        ")).unwrap().split(", ").collect();
    let place = |name: &str| order.iter().position(|one| *one == name);
    assert!(place("copy") < place("count"), "{order:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_renamed_between_kinds_of_storage() {
    let options = |storage| ClusterOptions { storage, ..ClusterOptions::default() };
    for (source, target) in [(Storage::AmazonReversed, Storage::Minio), (Storage::Minio, Storage::AmazonReversed)] {
        let reversed = target == Storage::AmazonReversed;
        let pair = Pair::with(options(source), options(target)).await;
        assert_said(&pair.restore("etcd").await, 0, &[]);
        assert_restored(&pair);
        let is_named = |key: &String| if reversed { key.ends_with("/hcap") } else { key.starts_with("pach/") };
        assert!(pair.objects().keys().all(is_named));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_takes_small_transactions_only() {
    let pair = Pair::new().await;
    pair.target.pachd.etcd_service().limit_operations(5);
    assert_said(&pair.restore("etcd").await, 0, &[]);
    let (expected, restored) = (content(&snapshot_keys(&pair)), content(&pair.keys()));
    assert_eq!(expected.values, restored.values);
    let flat = |groups: Vec<Vec<Vec<u8>>>| groups.into_iter().flatten().collect::<Vec<_>>();
    assert_eq!(flat(expected.order), flat(restored.order), "keys created together follow one another");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_source_itself_and_targets_in_use_are_refused() {
    let pair = Pair::new().await;
    let before = pair.source.picture().await;
    let ended = pair.source.run(&["restore", "latest", "--from", "etcd"]).await;
    assert_said(&ended, 17, &["the target is the source itself", "Nothing was changed"]);
    assert_eq!(before, pair.source.picture().await);

    let restore = ["restore", "latest", "--from", "etcd"];
    pair.target.pachd.faults().say_version(1, 12, 5);
    pair.assert_refused(&restore, 17, &["pachd 1.12.5", "1.13.4", "same minor version"]).await;
    pair.target.pachd.faults().say_version(1, 13, 4);

    pair.target.s3.bucket(BUCKET).put("somebody/elses", "data", None);
    pair.assert_refused(&restore, 14, &["is not empty", "somebody/elses"]).await;
    pair.target.s3.bucket(BUCKET).clear();

    pair.target.pachd.state().store.put(format!("{PREFIX}/pachyderm_pps/jobs/stray"), "x");
    pair.assert_refused(&restore, 14, &["not empty"]).await;
    pair.target.pachd.state().store.delete(format!("{PREFIX}/pachyderm_pps/jobs/stray").as_bytes());

    pair.pachd()
        .await
        .create_repo(pachyderm::proto::pfs::CreateRepoRequest {
            repo: Some(pachyderm::proto::pfs::Repo { name: "theirs".to_owned() }),
            ..Default::default()
        })
        .await
        .unwrap();
    pair.assert_refused(&restore, 14, &["the target is not empty: it has repo theirs"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_recovery_point_is_refused() {
    let pair = Pair::new().await;
    let run = pair.source.run_with("manifest.json").unwrap();
    let folder = pair.source.vault().join("alpha").join(&run);
    let clone = files_under(&pair.source.clones().join("alpha").join(&run)).into_iter().next().unwrap();
    let damaged: [(PathBuf, &str); 3] = [
        (folder.join("etcd.snapshot.db"), "etcd.snapshot.db"),
        (folder.join("metadata.pachd"), "metadata.pachd"),
        (clone, "clone"),
    ];
    for (path, name) in damaged {
        let whole = std::fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        bytes.push(7);
        std::fs::write(&path, &bytes).unwrap();
        pair.assert_refused(&["restore", "latest", "--from", "etcd"], 18, &[name]).await;
        std::fs::write(&path, &whole).unwrap();
    }
}

/// Killed at each step, the same command goes on.
#[tokio::test(flavor = "multi_thread")]
async fn killed_at_each_step_the_same_command_goes_on() {
    let steps = ["discover", "fill-bucket", "check-bucket", "stop-pachd", "fill-etcd", "check-etcd", "start-pachd"];
    let mut pair = Pair::new().await;
    for step in steps.into_iter().chain(["check-target"]) {
        pair.renew_target().await;
        match step {
            "fill-etcd" => pair.target.pachd.etcd_service().delay_transactions(Duration::from_millis(20)),
            "check-target" => pair.target.pachd.faults().delay_calls(Duration::from_millis(200)),
            _ => {}
        }
        let mut running = pair.start(&["restore", "latest", "--from", "etcd", "--output", "json"]);
        running.wait_for_step(step).await;
        if step == "fill-etcd" {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        running.signal("KILL").await;
        assert_eq!(running.end().await.code, None, "{step}");
        pair.target.pachd.etcd_service().delay_transactions(Duration::ZERO);
        pair.target.pachd.faults().delay_calls(Duration::ZERO);
        pair.end_lease();
        let stopped = ["fill-etcd", "check-etcd"].contains(&step);
        assert!(!stopped || pair.pachd_replicas() == 0, "{step}: pachd must not run on a half-filled etcd");

        // Another recovery point or path is not mixed with it.
        if step == "fill-etcd" {
            let other = pair.run(&["restore", "latest", "--from", "metadata"]).await;
            assert_said(&other, 14, &["by etcd is under way"]);
        }
        let ended = pair.restore("etcd").await;
        assert_said(&ended, 0, &[]);
        assert_restored(&pair);
    }
}

/// A signal ends it, and says in which state the target is.
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_leaves_a_state_that_is_said() {
    let pair = Pair::new().await;
    pair.target.pachd.etcd_service().delay_transactions(Duration::from_millis(20));
    let mut running = pair.start(&["restore", "latest", "--from", "etcd", "--output", "json"]);
    running.wait_for_step("fill-etcd").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    running.signal("INT").await;
    let ended = running.end().await;
    assert_said(&ended, 24, &["etcd is half filled", "pachd stays stopped", "The same command goes on"]);
    pair.target.pachd.etcd_service().delay_transactions(Duration::ZERO);
    assert_said(&pair.restore("etcd").await, 0, &[]);
    assert_restored(&pair);
}

/// An etcd that fills up.
#[tokio::test(flavor = "multi_thread")]
async fn an_etcd_whose_quota_ends() {
    let pair = Pair::new().await;
    pair.target.pachd.etcd_service().delay_transactions(Duration::from_millis(20));
    let mut running = pair.start(&["restore", "latest", "--from", "etcd", "--output", "json"]);
    running.wait_for_step("fill-etcd").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    pair.target.pachd.etcd_service().set_no_space(true);
    assert_said(
        &running.end().await,
        24,
        &["database space exceeded", "quota", "alarm disarm", "The same command goes on"],
    );
    let refused = pair.restore("etcd").await;
    assert_said(&refused, 17, &["has raised an alarm"]);
    pair.target.pachd.etcd_service().set_no_space(false);
    pair.target.pachd.etcd_service().delay_transactions(Duration::ZERO);
    assert_said(&pair.restore("etcd").await, 0, &[]);
    assert_restored(&pair);
}

/// Where the source had auth its own tokens come back, and one of them is needed to look at the result.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_with_auth() {
    let pair = Pair::with_auth().await;
    let restore = ["restore", "latest", "--from", "etcd"];
    pair.assert_refused(&restore, 13, &["the source had auth", "none was given", "--token-file"]).await;
    let token = pair.source.folder().join("token");
    let with_token = [restore.as_slice(), &["--token-file", token.to_str().unwrap()]].concat();
    std::fs::write(&token, "nobody's").unwrap();
    pair.assert_refused(&with_token, 13, &["none of them"]).await;
    std::fs::write(&token, Pair::ADMIN_TOKEN).unwrap();
    let ended = pair.run(&with_token).await;
    assert_said(&ended, 0, &[]);
    assert_eq!(content(&snapshot_keys(&pair)), content(&pair.keys()));
    assert!(!ended.stdout.contains(Pair::ADMIN_TOKEN) && !ended.stderr.contains(Pair::ADMIN_TOKEN));
}

/// etcd's connections break again and again, and with them the answers to transactions that were done.
#[tokio::test(flavor = "multi_thread")]
async fn an_etcd_whose_connections_break() {
    let pair = Pair::new().await;
    pair.target.pachd.etcd_service().delay_transactions(Duration::from_millis(10));
    let mut running = pair.start(&["restore", "latest", "--from", "etcd", "--output", "json"]);
    running.wait_for_step("fill-etcd").await;
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_millis(90)).await;
        pair.target.pachd.drop_etcd_connections();
    }
    assert_said(&running.end().await, 0, &[]);
    assert_restored(&pair);
}

/// The API server refuses some requests, and loses its answers to others.
#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_flaps() {
    let pair = Pair::new().await;
    let kubernetes = &pair.target.kubernetes;
    kubernetes.add_fault(Fault::new(FaultAction::Status(503)).verb("patch").resource("deployments").times(2));
    for verb in ["create", "delete"] {
        kubernetes.add_fault(Fault::new(FaultAction::LoseReply).verb(verb).resource("configmaps"));
    }
    let ended = pair.restore("etcd").await;
    assert_said(&ended, 0, &[]);
    assert_restored(&pair);
}

/// Of two restores into one target the second is refused while the first is at work.
#[tokio::test(flavor = "multi_thread")]
async fn two_restores_at_once() {
    let pair = Pair::new().await;
    pair.target.pachd.etcd_service().delay_transactions(Duration::from_millis(10));
    let mut running = pair.start(&["restore", "latest", "--from", "etcd", "--output", "json"]);
    running.wait_for_step("fill-etcd").await;
    let second = pair.restore("etcd").await;
    assert_said(&second, 14, &["is at work in this namespace", "Nothing was changed"]);
    assert_said(&running.end().await, 0, &[]);
    assert_restored(&pair);
}
