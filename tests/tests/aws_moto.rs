//! The whole job on a moto: a cluster with reversed keys on "Amazon", with its bucket, its vault, its clones and the disk under its
//! etcd played by somebody else's code. Only what a sandbox's pachd writes to itself, the bucket that is restored into, is the
//! sandbox's.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use e2e::{Bench, assert_as_before, assert_every_file_is_there, assert_refused, assert_said};
use sandbox::cluster::{BUCKET, ClusterOptions, RecordedCluster, Storage};
use sandbox::programs::moto::Moto;

const SCRATCH: &str = "pachyderm-drill";

/// A cluster whose bucket was copied to moto.
async fn on_moto() -> (Bench, Moto) {
    let moto = Moto::start().await.unwrap();
    for bucket in [BUCKET, "backups", "way"] {
        moto.create_bucket(bucket).await.unwrap();
    }
    let volume = moto.create_volume("us-east-1a").await.unwrap();
    let options = ClusterOptions { storage: Storage::AmazonReversed, ..ClusterOptions::on_ebs(&volume) };
    let bench = Bench::with(options).await;
    let (s3, endpoint) = (bench.cluster.s3.endpoint(), moto.endpoint());
    drop(bench.cluster.s3.bucket(SCRATCH));
    bench.write_config(&format!(
        "\n[ebs]\nregion = \"us-east-1\"\nendpoint = \"{endpoint}\"\n\n\
         [bucket]\ncredentials = \"environment\"\nendpoint = \"{endpoint}\"\nstore = \"aws\"\n\n\
         [drill]\nurl = \"s3://{SCRATCH}\"\nendpoint = \"{s3}\"\nstore = \"minio\"\n\
         access-key-id-env = \"AWS_ACCESS_KEY_ID\"\nsecret-access-key-env = \"AWS_SECRET_ACCESS_KEY\"\n"
    ));
    for (folder, url) in [("vault", "s3://backups/vault"), ("clones", "s3://backups/clones")] {
        bench.move_place(folder, &format!("url = \"{url}\"\nendpoint = \"{endpoint}\"\nstore = \"aws\""));
    }
    bench.set_environment(&[("AWS_ACCESS_KEY_ID", "sandbox"), ("AWS_SECRET_ACCESS_KEY", "sandbox-secret-key")]);
    // By way of another bucket: two of one name are never copied into one another, for an endpoint may be another name of the same.
    let data = format!("s3://{BUCKET}");
    let way = ["clone", &data, "s3://way", "--source-endpoint", &s3, "--destination-endpoint", &endpoint];
    assert_said(&bench.run(&way).await, 0, &[]);
    let there = ["clone", "s3://way", &data, "--endpoint", &endpoint, "--store", "aws"];
    assert_said(&bench.run(&there).await, 0, &[]);
    (bench, moto)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_with_reversed_keys_is_snapshotted_verified_restored_and_rehearsed() {
    let (bench, moto) = on_moto().await;
    let planned = bench.run(&["plan"]).await;
    assert_said(&planned, 0, &[]);
    assert!(planned.stdout.contains("reversed"), "{}", planned.stdout);
    let checked = bench.run(&["config", "check"]).await;
    assert_said(&checked, 0, &[]);
    assert!(checked.stdout.contains("all that a snapshot needs"), "{}", checked.stdout);
    let before = bench.picture().await;
    assert_said(&bench.run(&["snapshot"]).await, 0, &["lives in region us-east-1"]);
    assert_as_before(&before, &bench.picture().await);
    let shown = bench.run(&["show", "latest", "-o", "json"]).await;
    let manifest: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(manifest["cluster"]["reversed_keys"], true);
    assert_eq!(manifest["cluster"]["backend"], "AMAZON");
    let made = moto.snapshots().await.unwrap();
    assert_eq!(made.len(), 1, "{made:?}");
    assert_eq!(manifest["artifacts"]["volumes"][0]["snapshot"], made[0].as_str());
    let verified = bench.run(&["verify", "latest", "--deep", "--contents", "all"]).await;
    assert_said(&verified, 0, &[]);
    assert!(verified.stdout.contains("1686 objects"), "{}", verified.stdout);

    let drilled = bench.run(&["drill", "latest", "--from", "etcd", "--report", "report.html"]).await;
    assert_said(&drilled, 0, &["report: "]);

    let target = RecordedCluster::gamma(ClusterOptions { storage: Storage::Amazon, ..ClusterOptions::default() });
    let target = target.await.unwrap();
    target.kubernetes.write_kubeconfig(&bench.folder().join("kubeconfig")).unwrap();
    bench.change_config(
        &format!("[bucket]\ncredentials = \"environment\"\nendpoint = \"{}\"\nstore = \"aws\"\n", moto.endpoint()),
        "",
    );
    let restored = bench.run(&["restore", "latest", "--from", "metadata"]).await;
    assert_said(&restored, 0, &[]);
    assert_every_file_is_there(target.pachd.state());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lifecycle_that_would_take_the_clone_is_refused() {
    let (bench, moto) = on_moto().await;
    moto.expire("backups", "clones/").await.unwrap();
    assert_refused(&bench, 15, &["objects expire after 1 days", "snapshot.lifecycle"]).await;
    bench.change_config("[snapshot]\n", "[snapshot]\nlifecycle = \"accept\"\n");
    assert_said(&bench.run(&["snapshot"]).await, 0, &["objects expire after 1 days"]);
}
