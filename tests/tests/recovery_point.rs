//! The whole job on the recorded cluster: a snapshot makes a recovery point that verifies, and leaves the cluster as it was.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;

use e2e::{Bench, assert_as_before, files_under};
use prost::Message;
use sandbox::cluster::ETCD_DATABASE;

fn counted(ops: impl IntoIterator<Item = Vec<u8>>) -> BTreeMap<Vec<u8>, usize> {
    let mut counts = BTreeMap::new();
    for op in ops {
        *counts.entry(op).or_default() += 1;
    }
    counts
}

/// The ops that `others` lacks, readable.
fn without(ops: &BTreeMap<Vec<u8>, usize>, others: &BTreeMap<Vec<u8>, usize>) -> Vec<String> {
    let lacking = ops.iter().filter(|(op, count)| others.get(*op) != Some(count));
    lacking.map(|(op, _)| format!("{:?}", pachyderm::proto::admin::Op::decode(&op[..]).unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_a_recovery_point_and_the_cluster_runs_as_before() {
    let bench = Bench::new().await;
    let before = bench.picture().await;
    assert_eq!(before.pipelines.values().filter(|(_, stopped, _)| !stopped).count(), 11);

    let ended = bench.run(&["snapshot"]).await;
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    assert_as_before(&before, &bench.picture().await);

    let manifest = bench.manifest();
    let run = bench.vault().join("alpha").join(manifest["run"].as_str().unwrap());

    // The stream holds the recorded ops, byte for byte.
    let mut reader = pachyderm::stream::Reader::new(BufReader::new(File::open(run.join("metadata.pachd")).unwrap()));
    let mut ops = Vec::new();
    while let Some(op) = reader.next_op().unwrap() {
        ops.push(op.bytes.to_vec());
    }
    assert_eq!(ops.len(), 198);
    let (ours, recorded) = (counted(ops), counted(sandbox::pachd::recorded::alpha_ops().unwrap()));
    assert_eq!(without(&ours, &recorded), without(&recorded, &ours), "ops that only one of both has");

    // etcd's snapshot is whole, and its revision is the manifest's.
    let etcd = pachyderm::etcd::snapshot_file::SnapshotFile::open(&run.join("etcd.snapshot.db")).unwrap();
    assert_eq!(manifest["artifacts"]["etcd"]["revision"].as_i64(), Some(etcd.revision));
    assert_eq!(manifest["consistency"]["proof"]["by"], "etcd-watch");
    assert_eq!(manifest["witness"]["by"], "etcd");
    for step in ["discover", "pre-copy", "fence", "stop", "capture", "resume", "store", "compare", "read-back"] {
        assert!(manifest["steps"][step].is_f64(), "{step}: {}", manifest["steps"]);
    }

    // So is the disk's, cut while nothing was written.
    let volume = &manifest["artifacts"]["volumes"][0];
    assert_eq!(volume["details"]["deletion-policy"], "Retain");
    let disk = bench.cluster.kubernetes.csi().snapshot_folder(volume["details"]["snapshot-handle"].as_str().unwrap());
    let disk = std::fs::read(disk.unwrap().join(ETCD_DATABASE)).unwrap();
    let snapshot = std::fs::read(run.join("etcd.snapshot.db")).unwrap();
    // etcd's snapshot is the database and its SHA-256.
    assert!(disk == snapshot[..snapshot.len() - 32], "the disk held something else than etcd's snapshot");

    // The clone holds what the bucket held while the cluster was paused: every object that the stream names and more.
    let clone = bench.clones().join("alpha").join(manifest["run"].as_str().unwrap());
    assert_eq!(files_under(&clone).len() as u64, manifest["artifacts"]["bucket"]["objects"].as_u64().unwrap());
    assert_eq!(manifest["open_work"]["user_commits"][0]["repo"], "raw");

    // Everything in the vault is private.
    use std::os::unix::fs::PermissionsExt;
    for file in files_under(&bench.vault()) {
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0, "{}", file.display());
    }

    let name = manifest["run"].as_str().unwrap();
    let verified = bench.run(&["verify", name, "--full"]).await;
    assert_eq!(verified.code, Some(0), "{}\n{}", verified.stdout, verified.stderr);
    let shown = bench.run(&["show", name]).await;
    assert_eq!(shown.code, Some(0));
    assert!(shown.stdout.contains("raw"), "{}", shown.stdout);
    let listed = bench.run(&["list"]).await;
    assert!(listed.stdout.contains(name), "{}", listed.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_flipped_byte_of_any_part_is_found_and_named() {
    let bench = Bench::new().await;
    let ended = bench.run(&["snapshot"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let name = bench.manifest()["run"].as_str().unwrap().to_owned();
    let run = bench.vault().join("alpha").join(&name);
    let parts = files_under(&run);
    assert!(parts.len() >= 7, "{parts:?}");
    for part in parts {
        let whole = std::fs::read(&part).unwrap();
        let mut damaged = whole.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        std::fs::write(&part, &damaged).unwrap();
        let verified = bench.run(&["verify", &name]).await;
        std::fs::write(&part, &whole).unwrap();
        let short = part.strip_prefix(&run).unwrap().to_string_lossy().into_owned();
        assert_eq!(verified.code, Some(18), "{short}: {}\n{}", verified.stdout, verified.stderr);
        assert!(verified.stdout.contains(&short), "{short} is not named: {}", verified.stdout);
    }
    let clone = bench.clones().join("alpha").join(&name);
    let object = files_under(&clone).into_iter().find(|path| std::fs::metadata(path).unwrap().len() > 0).unwrap();
    let key = object.strip_prefix(&clone).unwrap().to_string_lossy().into_owned();
    let mut bytes = std::fs::read(&object).unwrap();
    bytes[0] ^= 1;
    std::fs::write(&object, bytes).unwrap();
    let verified = bench.run(&["verify", &name, "--full"]).await;
    assert_eq!(verified.code, Some(18), "{}", verified.stdout);
    assert!(verified.stdout.contains(&key), "{key} is not named: {}", verified.stdout);
    std::fs::remove_file(&object).unwrap();
    let verified = bench.run(&["verify", &name, "--full"]).await;
    assert_eq!(verified.code, Some(18), "{}", verified.stdout);
    assert!(verified.stdout.contains(&key), "{key} is not named: {}", verified.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_changes_nothing() {
    let bench = Bench::new().await;
    let before = bench.picture().await;
    bench.cluster.kubernetes.clear_requests();
    let ended = bench.run(&["plan"]).await;
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("pause"), "{}", ended.stdout);
    assert_eq!(bench.cluster.kubernetes.changes().len(), 0);
    assert_eq!(before, bench.picture().await);
    assert!(!bench.vault().join("alpha").exists());
}
