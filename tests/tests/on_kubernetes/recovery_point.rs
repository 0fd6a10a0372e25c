//! A recovery point whose disk half is a CSI snapshot.

use e2e::{RealBench, assert_as_before, assert_said};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::PostParams;
use sandbox::programs::kubernetes::STORAGE_CLASS;
use serde_json::json;

use crate::shared;

const FILE: &str = "member/snap/db";

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_half_holds_what_the_disk_held_at_the_cut() {
    let bench = RealBench::new(shared().await, "recovery-point").await;
    let before = bench.picture().await;
    let disk = bench.etcd_disk().await;
    std::fs::create_dir_all(disk.join("member/snap")).unwrap();
    std::fs::write(disk.join(FILE), "at the cut").unwrap();

    bench.write_config("volume = \"require\"\n");
    let mut running = bench.start(&["snapshot", "--output", "json"]);
    running.wait_for(|event| event["event"] == "artifact-captured" && event["artifact"] == "volume").await;
    std::fs::write(disk.join(FILE), "later").unwrap();
    let ended = running.end().await;
    assert_said(&ended, 0, &[]);
    assert_as_before(&before, &bench.picture().await);

    let manifest = bench.manifest();
    let volume = &manifest["artifacts"]["volumes"][0];
    let snapshot = volume["snapshot"].as_str().unwrap();
    assert_eq!(volume["of"]["claim"], "etcd-storage-etcd-0");
    for detail in ["content", "snapshot-handle", "driver", "class", "deletion-policy", "namespace"] {
        assert!(volume["details"][detail].is_string(), "{detail}: {volume}");
    }
    let warnings = manifest["warnings"].to_string();
    assert!(
        warnings.contains("deletionPolicy Delete") && warnings.contains("lives in the storage system"),
        "{warnings}"
    );
    let steps = manifest["steps"].as_object().unwrap();
    assert!(steps.contains_key("await"), "{steps:?}");

    let claim = json!({
        "metadata": {"name": "restored"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": STORAGE_CLASS,
            "resources": {"requests": {"storage": volume["size"].to_string()}},
            "dataSource": {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": snapshot},
        },
    });
    let claims = bench.objects::<PersistentVolumeClaim>();
    claims.create(&PostParams::default(), &serde_json::from_value(claim).unwrap()).await.unwrap();
    let restored = loop {
        if let Some(folder) = bench.disk_of("restored").await {
            break folder;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!(std::fs::read_to_string(restored.join(FILE)).unwrap(), "at the cut");
    let verified = bench.run(&["verify", "latest", "--full"]).await;
    assert_said(&verified, 0, &[]);
}
