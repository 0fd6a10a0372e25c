//! Clusters on Google Cloud: objects in Cloud Storage, etcd on a Persistent Disk.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use e2e::{Bench, Pair, assert_as_before, assert_said, start};
use pachyderm::layout::{KeyMap, Mapped};
use sandbox::cluster::{BUCKET, ClusterOptions, RecordedCluster, Storage};
use sandbox::compute::{ComputeFault, ComputeServer};
use sandbox::gcs::{Fault, FaultRule, GcsOptions, GcsServer, Operation, Permissions};

fn on(storage: Storage) -> ClusterOptions {
    ClusterOptions { storage, ..ClusterOptions::default() }
}

/// The keys of the only recovery point's clone.
fn clone_keys(bench: &Bench) -> Vec<String> {
    let prefix = format!("alpha/{}/", bench.manifest()["run"].as_str().unwrap());
    let clones = bench.google().unwrap().bucket("clones");
    clones.keys().iter().filter_map(|key| key.strip_prefix(&prefix).map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_verified_and_deleted() {
    let (bench, compute, disk) = Bench::on_google_with_disk(ClusterOptions::default()).await;
    let before = bench.picture().await;
    assert_said(&bench.run(&["plan"]).await, 0, &[]);
    assert_said(&bench.run(&["snapshot"]).await, 0, &[]);
    assert_as_before(&before, &bench.picture().await);

    let manifest = bench.manifest();
    assert_eq!(manifest["cluster"]["backend"], "GOOGLE");
    let keys = clone_keys(&bench);
    assert_eq!(keys.len(), 1686);
    assert!(keys.iter().all(|key| key.starts_with("/pach/")), "keys are cloned as they are");
    let volume = &manifest["artifacts"]["volumes"][0];
    let made = compute.snapshots();
    assert_eq!(made.len(), 1, "{made:?}");
    assert!(volume["snapshot"].as_str().unwrap().ends_with(made[0].path.rsplit('/').next().unwrap()), "{volume}");
    assert_eq!(volume["of"]["id"], "gce://us-central1-a/etcd-disk");
    assert_eq!(volume["details"]["disk"], disk);

    let run = manifest["run"].as_str().unwrap();
    let verified = bench.run(&["verify", run, "--deep", "--contents", "all"]).await;
    assert_eq!(verified.code, Some(0), "{}\n{}", verified.stdout, verified.stderr);
    assert_said(&bench.run(&["delete", run, "--yes"]).await, 0, &[]);
    assert_eq!(clone_keys_left(&bench), Vec::<String>::new());
    assert!(compute.snapshots().is_empty(), "{:?}", compute.snapshots());
}

fn clone_keys_left(bench: &Bench) -> Vec<String> {
    bench.google().unwrap().bucket("clones").keys()
}

/// A restored cluster has every object of its source, under the names of its own layout.
fn assert_restored(pair: &Pair, source: Storage, target: Storage) {
    let map = KeyMap::new(source.layout(), target.layout());
    let mut expected = BTreeSet::new();
    // The source has gone on since.
    for key in clone_keys(&pair.source) {
        match map.map(&key) {
            Mapped::Key(key) => assert!(expected.insert(key)),
            Mapped::NotCarried(_) | Mapped::Foreign => panic!("{key} has no name there"),
        }
    }
    let found: BTreeSet<String> = pair.objects().into_keys().collect();
    assert!(expected.is_subset(&found), "{} are missing", expected.difference(&found).count());
    assert!(found.iter().all(|key| key.starts_with(if target == Storage::Google { "/pach/" } else { "" })));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_restored_on_google() {
    let mut pair = Pair::of(Bench::on_google(ClusterOptions::default()).await, on(Storage::Google)).await;
    assert_said(&pair.restore("etcd").await, 0, &[]);
    assert_restored(&pair, Storage::Google, Storage::Google);
    let target = RecordedCluster::gamma(Pair::beside(&pair.source, on(Storage::Minio))).await.unwrap();
    pair.put_target(target).await;
    pair.write_config("");
    assert_said(&pair.restore("metadata").await, 0, &[]);
    assert_restored(&pair, Storage::Google, Storage::Minio);
}

/// From Amazon's reversed keys, with vault and clones on Google already: the move to another cloud.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_moves_from_amazon_to_google() {
    let bench = Bench::with(ClusterOptions { with_google: true, ..on(Storage::AmazonReversed) }).await;
    bench.move_all_to_google();
    let pair = Pair::of(bench, on(Storage::Google)).await;
    assert!(clone_keys(&pair.source).iter().all(|key| key.ends_with("/hcap")), "keys are cloned as they are");
    assert_said(&pair.restore("etcd").await, 0, &[]);
    assert_restored(&pair, Storage::AmazonReversed, Storage::Google);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_is_done_with_an_error_leaves_no_manifest() {
    let (bench, compute, _) = Bench::on_google_with_disk(ClusterOptions::default()).await;
    bench.change_config("volume-provider = \"pd\"\n", "volume-provider = \"pd\"\nvolume = \"require\"\n");
    let before = bench.picture().await;
    let failed = ComputeFault::fail_operation("INVALID_USAGE", 400, "The disk is not what it was.");
    compute.add_fault(failed.on("disks.createSnapshot").times(100));
    let ended = bench.run(&["snapshot"]).await;
    assert_ne!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("The disk is not what it was."), "{}", ended.stderr);
    assert_as_before(&before, &bench.picture().await);
    assert_eq!(bench.run_with("manifest.json"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_of_compute_engine_leaves_one_snapshot() {
    let (bench, compute, _) = Bench::on_google_with_disk(ClusterOptions::default()).await;
    compute.add_fault(ComputeFault::lose_reply().on("disks.createSnapshot").times(1));
    assert_said(&bench.run(&["snapshot"]).await, 0, &[]);
    assert_eq!(compute.snapshots().len(), 1, "{:?}", compute.snapshots());
}

/// Runs with no more permissions than the printed roles have, each where it is said to be granted.
async fn run_with_roles(bench: &Bench, compute: &ComputeServer, purpose: &str, data: &[&str], arguments: &[&str]) {
    let mut of_disks = Vec::new();
    let mut granted = Permissions::of(Vec::<String>::new());
    for (place, buckets) in [("data-bucket", data), ("stores", &["vault", "clones"][..]), ("disks", &[])] {
        let printed = bench.run(&["iam", "gcp", "--for", purpose, "--place", place]).await;
        if printed.code == Some(11) && place == "data-bucket" {
            continue;
        }
        assert_said(&printed, 0, &[]);
        let lines = printed.stdout.lines().filter_map(|line| line.strip_prefix("- ").map(str::to_owned));
        let permissions: Vec<String> = lines.collect();
        assert!(!permissions.is_empty(), "{}", printed.stdout);
        for bucket in buckets {
            granted = granted.on(bucket, permissions.clone());
        }
        if place == "disks" {
            of_disks = permissions;
        }
    }
    let granted = Arc::new(granted);
    bench.google().unwrap().allow_only(Arc::clone(&granted));
    compute.allow_only(&of_disks.iter().map(String::as_str).collect::<Vec<_>>());
    let ended = bench.run(arguments).await;
    assert_eq!(granted.refused(), BTreeSet::new(), "{purpose} asks for more than its roles give");
    assert_said(&ended, 0, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_roles_are_enough() {
    let (bench, compute, _) = Bench::on_google_with_disk(ClusterOptions::default()).await;
    run_with_roles(&bench, &compute, "snapshot", &[BUCKET], &["snapshot"]).await;
    let checked = bench.run(&["config", "check"]).await;
    assert_said(&checked, 0, &[]);
    let run = bench.manifest()["run"].as_str().unwrap().to_owned();
    run_with_roles(&bench, &compute, "prune", &[], &["delete", &run, "--yes"]).await;
    assert_eq!(clone_keys_left(&bench), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_that_is_missing_is_named() {
    let (bench, compute, _) = Bench::on_google_with_disk(ClusterOptions::default()).await;
    let read = ["storage.buckets.get", "storage.objects.get", "storage.objects.list"];
    let granted = Permissions::of(Vec::<String>::new()).on(BUCKET, read).on("vault", read).on("clones", read);
    bench.google().unwrap().allow_only(Arc::new(granted));
    compute.allow_only(&["compute.disks.get"]);
    let checked = bench.run(&["config", "check"]).await;
    assert_said(&checked, 11, &[]);
    for missing in ["storage.objects.create", "compute.disks.createSnapshot"] {
        assert!(checked.stdout.contains(missing), "{missing}: {}", checked.stdout);
    }
    assert_said(&bench.run(&["snapshot"]).await, 15, &["storage.objects.create", "Nothing was changed"]);
}

/// Bytes that one call rewrites.
const STEP: usize = 5 << 20;

/// Five calls copy it.
const LARGE: usize = 5 * STEP;

#[tokio::test(flavor = "multi_thread")]
async fn a_rewrite_that_was_killed_goes_on_with_its_token() {
    let options = GcsOptions {
        rewrite_bytes_per_call: Some(STEP as u64),
        rewrite_always_in_steps: true,
        ..GcsOptions::default()
    };
    let google = GcsServer::start(options).await.unwrap();
    let content: Vec<u8> = (0..LARGE).map(|at| (at / 4096 * 31 + at) as u8).collect();
    google.bucket("source").put("//double//slash", content.clone(), None);
    drop(google.bucket("clone"));
    let folder = tempfile::tempdir().unwrap();
    let endpoint = google.endpoint();
    let state = folder.path().join("state").display().to_string();
    let arguments = [
        "clone",
        "gs://source",
        "gs://clone/c/",
        "--endpoint",
        &endpoint,
        "--state",
        &state,
        "--copy-part-size",
        "5MiB",
        "-o",
        "json",
    ];
    let host = google.metadata_host();
    let run = || start(folder.path(), [("GCE_METADATA_HOST", host.as_str())], arguments.map(str::to_owned));

    // The third call is not answered before the kill.
    let hold = FaultRule::new(Fault::unavailable()).on(Operation::RewriteObject).skip(2).always();
    google.faults().add(hold);
    let mut running = run();
    while google.request_count(Operation::RewriteObject) < 3 {
        assert!(!running.has_ended(), "the clone ended before it was killed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running.kill();
    drop(running.end().await);
    google.faults().clear();
    assert!(google.bucket("clone").get("c///double//slash").is_none(), "nothing is visible before the end");
    let before = google.request_count(Operation::RewriteObject);
    assert_said(&run().end().await, 0, &[]);
    assert_eq!(google.request_count(Operation::RewriteObject) - before, 3, "two of five calls are not made again");
    assert!(google.bucket("clone").get("c///double//slash").unwrap().bytes == content);
}
