//! The scratch cluster of a drill on a real API server, by an account that has no other rights than those that are printed: it is
//! made, and nothing of it stays. No node runs its pods here, so it never answers.

use e2e::{Ended, RealBench, assert_said, start};
use k8s_openapi::api::core::v1::{Namespace, PersistentVolume};
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use crate::rights::{printed, used};
use crate::{service_account, shared};

const SCRATCH: &str = "pachyderm-drill";

async fn run(bench: &RealBench<'_>, words: &[&str]) -> Ended {
    let config = bench.folder().join("pachsnap.toml").display().to_string();
    let environment = [("PATH", "/usr/bin:/bin"), ("DRILL_ID", "sandbox"), ("DRILL_SECRET", "sandbox-secret-key")];
    start(bench.folder(), environment, words.iter().copied().chain(["--config", &config])).end().await
}

/// Namespaces of drills, and volumes that were made for claims in them.
async fn left(bench: &RealBench<'_>) -> Vec<String> {
    let namespaces: Api<Namespace> = Api::all(bench.client.clone());
    let namespaces = namespaces.list(&ListParams::default()).await.unwrap();
    let volumes: Api<PersistentVolume> = Api::all(bench.client.clone());
    let volumes = volumes.list(&ListParams::default()).await.unwrap();
    let of_volume = |volume: &PersistentVolume| volume.spec.clone()?.claim_ref?.namespace;
    let names = namespaces.iter().map(ResourceExt::name_any).chain(volumes.iter().filter_map(of_volume));
    names.filter(|name| name.starts_with("pachsnap-drill")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scratch_cluster_is_made_and_taken_away_with_the_printed_rights() {
    let bench = RealBench::new(shared().await, "drill").await;
    assert_said(&bench.run(&["snapshot"]).await, 0, &[]);
    drop(bench.cluster.s3.bucket(SCRATCH));
    let section = format!(
        "stall = \"8s\"\n\n[drill]\nurl = \"s3://{SCRATCH}\"\nendpoint = \"{}\"\nstore = \"minio\"\n\
         access-key-id-env = \"DRILL_ID\"\nsecret-access-key-env = \"DRILL_SECRET\"\n",
        bench.cluster.s3.endpoint()
    );
    bench.write_config(&section);
    let (token, yaml) = service_account::make(&bench, "drill").await;
    bench.write_kubeconfig(&service_account::kubeconfig(&bench, &token));
    for from in ["etcd", "volume"] {
        let ended = run(&bench, &["drill", "latest", "--from", from, "--report", "drill.html"]).await;
        assert_said(&ended, 26, &[]);
        let report = std::fs::read_to_string(bench.folder().join("drill.json")).unwrap();
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        let detail = |name: &str| {
            let checks = report["checks"].as_array().unwrap();
            let check = checks.iter().find(|check| check["name"] == name).unwrap();
            (check["verdict"].as_str().unwrap().to_owned(), check["detail"].as_str().unwrap().to_owned())
        };
        let (verdict, why) = detail("drill");
        assert_eq!(verdict, "failed");
        assert!(why.contains("the scratch cluster does not answer after 8 s"), "{why}");
        assert!(why.contains("pod pachd-") && why.contains("pod etcd-"), "what its pods wait for is told: {why}");
        assert_eq!(detail("teardown").0, "ok", "{report:#}");
        assert_eq!(bench.cluster.s3.bucket(SCRATCH).keys(), Vec::<String>::new());
        // Volumes go a moment after their claims.
        for _ in 0..600 {
            if left(&bench).await.is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert_eq!(left(&bench).await, Vec::<String>::new());
    }
    let (printed, used) = (printed(&yaml), used(&bench));
    let beyond: Vec<_> = used.difference(&printed).collect();
    assert!(beyond.is_empty(), "used without being printed: {beyond:?}");
    let made = ["namespaces", "serviceaccounts", "roles", "rolebindings", "secrets", "services", "deployments"];
    for resource in made {
        assert!(used.iter().any(|(verb, _, it)| verb == "create" && it == resource), "no {resource} were made");
    }
}
