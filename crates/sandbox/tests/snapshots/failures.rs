//! What becomes of a snapshot while its driver has trouble.

use serde_json::{Value, json};

use super::bench::Bench;
use super::cluster::{CsiCall, GrpcCode, Kind, on_both};

async fn no_error_of_the_driver_is_final(bench: Bench) {
    bench.claim("data").await;
    for (code, name) in [(GrpcCode::Unavailable, "Unavailable"), (GrpcCode::InvalidArgument, "InvalidArgument")] {
        let snapshot = name.to_lowercase();
        bench.cluster.fail(CsiCall::CreateSnapshot, code, "the disk is busy");
        bench.snapshot(&snapshot, "data", Some("drop")).await;
        let error = bench.error(&snapshot).await;
        let told = format!("rpc error: code = {name} desc = the disk is busy");
        assert!(error.contains(&told) && error.contains("failed to take snapshot of the volume"), "{error}");
        let content = bench.content_of(&snapshot).await.metadata.name.unwrap();
        bench.event("default", &content, "SnapshotContentCheckandUpdateFailed").await;
        assert_eq!(bench.status(&snapshot, |_| true).await["readyToUse"], false);
        bench.cluster.clear_faults().await;
        assert_eq!(bench.ready(&snapshot).await["error"], Value::Null);
    }
}

async fn the_cut_is_told_before_the_snapshot_is_ready(bench: Bench) {
    let folder = bench.claim("data").await;
    std::fs::write(folder.join("file"), "before").unwrap();
    bench.cluster.set_ready(false);
    bench.snapshot("s", "data", Some("keep")).await;
    let cut = bench.status("s", |status| status["creationTime"].is_string()).await;
    assert_eq!(cut["readyToUse"], json!(false));
    std::fs::write(folder.join("file"), "after").unwrap();
    bench.cluster.set_ready(true);
    assert_eq!(bench.ready("s").await["creationTime"], cut["creationTime"]);
    let content = bench.snapshot_folder("s").await;
    assert_eq!(std::fs::read_to_string(content.join("file")).unwrap(), "before");
}

#[tokio::test]
async fn what_a_hook_adds_at_the_cut_is_in_the_snapshot() {
    println!("not on real controllers: only the sandbox's driver has hooks");
    let bench = Bench::start(Kind::Sandbox, "hook").await;
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

on_both! {
    RealAlone no_error_of_the_driver_is_final
    RealAlone the_cut_is_told_before_the_snapshot_is_ready
}
