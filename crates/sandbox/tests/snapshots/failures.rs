//! What becomes of a snapshot while its driver has trouble.

use serde_json::{Value, json};

use super::bench::Bench;
use super::cluster::{CsiCall, GrpcCode};

#[tokio::test]
async fn no_error_of_the_driver_is_final() {
    for (code, name) in [(GrpcCode::Unavailable, "Unavailable"), (GrpcCode::InvalidArgument, "InvalidArgument")] {
        let bench = Bench::start().await;
        bench.claim("data").await;
        bench.cluster.fail(CsiCall::CreateSnapshot, code, "the disk is busy");
        bench.snapshot("s", "data", Some("drop")).await;
        let error = bench.error("s").await;
        let told = format!("rpc error: code = {name} desc = the disk is busy");
        assert!(error.contains(&told) && error.contains("failed to take snapshot of the volume"), "{error}");
        let content = bench.content_of("s").await;
        let name = content.metadata.name.unwrap();
        bench.event("default", &name, "SnapshotContentCheckandUpdateFailed").await;
        assert_eq!(bench.status("s", |_| true).await["readyToUse"], false);
        bench.cluster.clear_faults();
        assert_eq!(bench.ready("s").await["error"], Value::Null);
    }
}

#[tokio::test]
async fn the_cut_is_told_before_the_snapshot_is_ready() {
    let bench = Bench::start().await;
    let folder = bench.claim("data").await;
    std::fs::write(folder.join("file"), "before").unwrap();
    bench.cluster.set_ready(false).await;
    bench.snapshot("s", "data", Some("keep")).await;
    let cut = bench.status("s", |status| status["creationTime"].is_string()).await;
    assert_eq!(cut["readyToUse"], json!(false));
    std::fs::write(folder.join("file"), "after").unwrap();
    bench.cluster.set_ready(true).await;
    assert_eq!(bench.ready("s").await["creationTime"], cut["creationTime"]);
    let content = bench.snapshot_folder("s").await;
    assert_eq!(std::fs::read_to_string(content.join("file")).unwrap(), "before");
}

#[tokio::test]
async fn what_a_hook_adds_at_the_cut_is_in_the_snapshot() {
    let bench = Bench::start().await;
    bench.claim("data").await;
    bench.cluster.server().csi().on_cut(|volume, folder| std::fs::write(folder.join("volume"), volume));
    bench.snapshot("s", "data", Some("keep")).await;
    let folder = bench.snapshot_folder("s").await;
    let handle = bench.content_of("s").await.data["spec"]["source"]["volumeHandle"].take();
    assert_eq!(std::fs::read_to_string(folder.join("volume")).unwrap(), handle.as_str().unwrap());
    bench.cluster.server().csi().on_cut(|_, _| Err(std::io::Error::other("no space is left")));
    bench.snapshot("full", "data", Some("keep")).await;
    let error = bench.error("full").await;
    assert!(error.contains("rpc error: code = Internal desc = no space is left"), "{error}");
}
