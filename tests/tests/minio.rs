//! Vault and clone on a real MinIO: the whole job, and what a damaged or missing object leads to.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use e2e::{Bench, assert_as_before, assert_said};
use sandbox::programs::minio::{MINIO_SECRET, MINIO_USER, Minio};

/// A place on MinIO as a section of the configuration has it.
fn place(url: &str, minio: &Minio) -> String {
    format!(
        "url = \"{url}\"\nendpoint = \"{}\"\nstore = \"minio\"\n\
         access-key-id-env = \"MINIO_ID\"\nsecret-access-key-env = \"MINIO_KEY\"",
        minio.endpoint()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_point_on_a_real_minio() {
    let minio = Minio::start(&["vault", "clones"]).await.unwrap();
    let bench = Bench::new().await;
    bench.set_environment(&[("MINIO_ID", MINIO_USER), ("MINIO_KEY", MINIO_SECRET)]);
    for (folder, url) in [("vault", "s3://vault/points"), ("clones", "s3://clones/of")] {
        bench.move_place(folder, &place(url, &minio));
    }
    assert_said(&bench.run(&["config", "check"]).await, 0, &[]);
    let before = bench.picture().await;
    assert_said(&bench.run(&["snapshot"]).await, 0, &[]);
    assert_as_before(&before, &bench.picture().await);
    let verified = bench.run(&["verify", "latest", "--full"]).await;
    assert_eq!(verified.code, Some(0), "{}\n{}", verified.stdout, verified.stderr);
    assert!(verified.stdout.contains("1686 objects"), "{}", verified.stdout);
    let shown = bench.run(&["show", "latest", "-o", "json"]).await;
    let manifest: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(manifest["witness"]["by"], "etcd");
    assert!(manifest["artifacts"]["bucket"]["url"].as_str().unwrap().starts_with("s3://clones/of/alpha/"));

    // The next one finds nothing in its way, and leaves the first as it is.
    let first = manifest["run"].as_str().unwrap();
    assert_said(&bench.run(&["snapshot"]).await, 0, &[]);
    for run in [first, "latest"] {
        let verified = bench.run(&["verify", run, "--full"]).await;
        assert_eq!(verified.code, Some(0), "{}\n{}", verified.stdout, verified.stderr);
    }
}
