//! Claims that are made from snapshots.

use super::bench::{Bench, GIB};
use super::cluster::on_both;

async fn a_restored_claim_holds_what_was_there_at_the_cut(bench: Bench) {
    let data = bench.claim("data").await;
    std::fs::create_dir(data.join("folder")).unwrap();
    std::fs::write(data.join("folder/file"), "before").unwrap();
    bench.snapshot("s", "data", Some("keep")).await;
    bench.ready("s").await;
    std::fs::write(data.join("folder/file"), "after").unwrap();
    std::fs::write(data.join("added"), "after").unwrap();
    bench.ask("restored", "2Gi", Some("s")).await;
    let restored = bench.folder("restored").await;
    assert_eq!(std::fs::read_to_string(restored.join("folder/file")).unwrap(), "before");
    assert!(!restored.join("added").exists());
    let status = bench.claims().get("restored").await.unwrap().status.unwrap();
    assert_eq!(status.capacity.unwrap()["storage"].0, "2Gi");
}

async fn a_claim_that_cannot_be_restored_stays_pending(bench: Bench) {
    bench.claim("data").await;
    bench.snapshot("s", "data", Some("keep")).await;
    bench.ready("s").await;
    let small = "requested volume size 1048576 is less than the size 1073741824 for the source snapshot s";
    let missing = "error getting snapshot nosnap from api server: volumesnapshots.snapshot.storage.k8s.io \"nosnap\" \
                   not found";
    for (claim, size, snapshot, why) in [("small", "1Mi", "s", small), ("orphan", GIB, "nosnap", missing)] {
        bench.ask(claim, size, Some(snapshot)).await;
        let (message, kind) = bench.event(&bench.namespace, claim, "ProvisioningFailed").await;
        let why = format!("error getting handle for DataSource Type VolumeSnapshot by Name {snapshot}: {why}");
        assert_eq!((message, kind.as_str()), (why, "Warning"));
        let phase = bench.claims().get(claim).await.unwrap().status.unwrap().phase;
        assert_eq!(phase.as_deref(), Some("Pending"));
    }
    bench.snapshot("nosnap", "data", Some("keep")).await;
    bench.folder("orphan").await;
}

on_both! {
    Real a_restored_claim_holds_what_was_there_at_the_cut
    Real a_claim_that_cannot_be_restored_stays_pending
}
