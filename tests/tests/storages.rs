//! Clusters on each kind of storage that this build opens, and on those that it doesn't.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::path::Path;

use e2e::{Bench, assert_as_before, assert_refused, assert_said, files_under};
use sandbox::cluster::{ClusterOptions, RecordedCluster, Storage};

async fn bench(storage: Storage) -> Bench {
    Bench::with(ClusterOptions { storage, ..ClusterOptions::default() }).await
}

/// A snapshot of the cluster is a recovery point, the cluster is as before, and every object of the clone is found again.
async fn assert_recovery_point(bench: &Bench) -> serde_json::Value {
    let before = bench.picture().await;
    assert_said(&bench.run(&["snapshot"]).await, 0, &[]);
    assert_as_before(&before, &bench.picture().await);
    let manifest = bench.manifest();
    assert_eq!(manifest["witness"]["by"], "etcd", "{}", manifest["witness"]);
    let run = manifest["run"].as_str().unwrap();
    let verified = bench.run(&["verify", run, "--deep", "--contents", "all"]).await;
    assert_eq!(verified.code, Some(0), "{}\n{}", verified.stdout, verified.stderr);
    manifest
}

fn clone_keys(bench: &Bench, manifest: &serde_json::Value) -> Vec<String> {
    let clone = bench.clones().join("alpha").join(manifest["run"].as_str().unwrap());
    let key = |file: &Path| file.strip_prefix(&clone).unwrap().to_string_lossy().into_owned();
    files_under(&clone).iter().map(|file| key(file)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn amazon_with_plain_and_with_reversed_keys() {
    for (storage, reversed) in [(Storage::Amazon, false), (Storage::AmazonReversed, true)] {
        let bench = bench(storage).await;
        let manifest = assert_recovery_point(&bench).await;
        assert_eq!(manifest["cluster"]["backend"], "AMAZON");
        assert_eq!(manifest["cluster"]["reversed_keys"], reversed);
        let keys = clone_keys(&bench, &manifest);
        assert_eq!(keys.len(), 1686);
        let is_raw = |key: &String| if reversed { key.ends_with("/hcap") } else { key.starts_with("pach/") };
        assert!(keys.iter().all(is_raw), "keys are cloned as they are");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn local_whose_folder_is_mounted_here() {
    let node = tempfile::tempdir().unwrap();
    let bench = bench(Storage::Local(node.path().to_owned())).await;
    assert_refused(&bench, 11, &["keeps its data in", "bucket.path"]).await;

    let root = node.path().join("pachd");
    bench.change_config("[vault]", &format!("[bucket]\npath = \"{}\"\n\n[vault]", root.display()));
    let block = files_under(&root.join("block")).into_iter().next().unwrap();
    let scratch = [root.join("hashtree/0b841fd8"), block.with_file_name("0026f2e1549f434fb62728646e8fb805-0-0")];
    std::fs::create_dir_all(root.join("hashtree")).unwrap();
    for file in &scratch {
        std::fs::write(file, "pachd's own").unwrap();
    }
    let manifest = assert_recovery_point(&bench).await;
    assert_eq!(manifest["cluster"]["backend"], "LOCAL");
    let keys = clone_keys(&bench, &manifest);
    assert_eq!(keys.len(), 1686, "without what is pachd's own");
    assert!(keys.iter().all(|key| !key.starts_with("hashtree/") && !key.ends_with("-0-0")));
    for file in &scratch {
        assert_eq!(std::fs::read_to_string(file).unwrap(), "pachd's own");
    }
    assert!(!root.join(".pachsnap-tmp").exists(), "the cluster's folder is only read");
}

/// The other recorded cluster, whose pachd wrote to an S3 store itself: nothing is found, by plain keys and by reversed ones.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_pachd_on_amazon_wrote() {
    for storage in [Storage::Amazon, Storage::AmazonReversed, Storage::Minio] {
        let options = ClusterOptions { storage, ..ClusterOptions::default() };
        let bench = Bench::of(RecordedCluster::amazon(options).await.unwrap()).await;
        let manifest = assert_recovery_point(&bench).await;
        let files = bench.folder().join("files.tsv");
        let words =
            ["verify", "latest", "--deep", "--contents", "all", "--files", files.to_str().unwrap(), "-o", "json"];
        let verified = bench.run(&words).await;
        assert_said(&verified, 0, &[]);
        let report: serde_json::Value = serde_json::from_str(&verified.stdout).unwrap();
        for check in report["checks"].as_array().unwrap() {
            assert_eq!((&check["verdict"], check.get("findings")), (&"ok".into(), None), "{check}");
        }
        let listed = std::fs::read_to_string(&files).unwrap();
        assert!(listed.lines().count() > 5 && listed.lines().all(|line| line.split('\t').count() == 4), "{listed}");
        assert!(manifest["artifacts"]["bucket"]["objects"].as_u64().unwrap() > 20);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clouds_that_this_build_does_not_open() {
    let bench = bench(Storage::Microsoft).await;
    assert_refused(&bench, 11, &["az://", "this build has no provider for that cloud"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_no_place_for_the_clone_of_keys_that_begin_with_a_slash() {
    let bench = bench(Storage::Google).await;
    assert_refused(&bench, 11, &["does not keep keys such as \"/pach/block/", "choose another store in [clone]"]).await;
}
