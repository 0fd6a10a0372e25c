//! Vaults that can't be used: public, another cluster's, inside the data bucket, not writable, without create-only.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use e2e::{Bench, assert_refused};
use sandbox::cluster::BUCKET;
use sandbox::s3::{Fault, FaultRule, Operation, S3Options};

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_is_public() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new().await;
    std::fs::create_dir_all(bench.vault()).unwrap();
    std::fs::set_permissions(bench.vault(), std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_refused(&bench, 15, &["the vault", "is public", "must be private"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_on_s3_that_is_public() {
    let bench = Bench::new().await;
    let server = bench.move_vault_to_s3(S3Options::default()).await;
    server.bucket("vault").set_public(true);
    assert_refused(&bench, 15, &["the vault s3://vault/points is public", "must be private"]).await;
    assert_eq!(server.bucket("vault").object_count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_for_clones_that_is_public() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new().await;
    std::fs::create_dir_all(bench.clones()).unwrap();
    std::fs::set_permissions(bench.clones(), std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_refused(&bench, 15, &["the clone", "is public", "must be private"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_belongs_to_another_cluster() {
    let bench = Bench::new().await;
    let ended = bench.run(&["snapshot"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let pin = bench.vault().join("alpha/cluster.json");
    let mut identity: serde_json::Value = serde_json::from_slice(&std::fs::read(&pin).unwrap()).unwrap();
    identity["cluster_id"] = "0123456789abcdef0123456789abcdef".into();
    std::fs::write(&pin, identity.to_string()).unwrap();
    std::fs::remove_dir_all(bench.vault().join("alpha").join(bench.run_with("manifest.json").unwrap())).unwrap();
    assert_refused(&bench, 15, &["0123456789abcdef0123456789abcdef"]).await;
}

/// The section of a place in the cluster's own bucket, reached at `endpoint`.
fn in_the_data_bucket(bench: &Bench, folder: &str, endpoint: &str) -> String {
    let S3Options { access_key, secret_key, .. } = bench.cluster.s3.options();
    bench.set_environment(&[("PLACE_ID", access_key), ("PLACE_SECRET", secret_key)]);
    format!(
        "url = \"s3://{BUCKET}/{folder}\"\nendpoint = \"{endpoint}\"\nstore = \"minio\"\n\
         access-key-id-env = \"PLACE_ID\"\nsecret-access-key-env = \"PLACE_SECRET\""
    )
}

/// By the name that pachd uses, and by another one of the same server.
#[tokio::test(flavor = "multi_thread")]
async fn a_vault_or_a_clone_inside_the_data_bucket() {
    for (what, folder) in [("vault", "vault"), ("clone", "clones")] {
        for name in ["127.0.0.1", "localhost"] {
            let bench = Bench::new().await;
            let endpoint = bench.cluster.s3.endpoint().replace("127.0.0.1", name);
            bench.change_config(
                &format!("url = \"file://{}/{folder}\"", bench.folder().display()),
                &in_the_data_bucket(&bench, folder, &endpoint),
            );
            let data = bench.cluster.s3.bucket(BUCKET);
            let keys = data.keys();
            let place = format!("the {what} s3://{BUCKET}/{folder}");
            assert_refused(&bench, 15, &[&place, "inside the cluster's own bucket"]).await;
            assert_eq!(data.keys(), keys, "{what} at {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_on_s3_serves() {
    let bench = Bench::new().await;
    let server = bench.move_vault_to_s3(S3Options::default()).await;
    let ended = bench.run(&["snapshot"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(server.bucket("vault").keys().iter().any(|key| key.ends_with("/manifest.json")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_is_not_writable() {
    let bench = Bench::new().await;
    let server = bench.move_vault_to_s3(S3Options::default()).await;
    let denied = FaultRule::new(Fault::error(403, "AccessDenied")).on(Operation::PutObject).always();
    server.faults().add(denied);
    assert_refused(&bench, 15, &["s3://vault/points", "writable"]).await;
    assert_eq!(server.bucket("vault").object_count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_without_create_only() {
    let bench = Bench::new().await;
    let options = S3Options { conditional_writes: false, ..S3Options::default() };
    let server = bench.move_vault_to_s3(options).await;
    assert_refused(&bench, 15, &["s3://vault/points", "only once"]).await;
    assert_eq!(server.bucket("vault").object_count(), 0, "the probe is removed");
}
