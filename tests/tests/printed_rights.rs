//! With the rights that `pachsnap rbac` prints for them, and no others, a restore by each path and a drill run to their ends. That
//! they ask for no more of a real API server is held in `on_kubernetes`.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use e2e::{Pair, assert_said};
use sandbox::cluster::ClusterOptions;
use sandbox::kubernetes::{KubernetesServer, Rule};
use serde_yaml_ng::Value;

/// Rules of the Roles in what was printed.
fn rules(yaml: &str) -> Vec<Rule> {
    let words = |value: &Value| -> Vec<String> {
        value.as_sequence().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let mut rules = vec![Rule::new(&["authorization.k8s.io"], &["selfsubjectaccessreviews"], &["create"])];
    for document in yaml.split("---\n").filter(|document| !document.is_empty()) {
        let document: Value = serde_yaml_ng::from_str(document).unwrap();
        for rule in document["rules"].as_sequence().into_iter().flatten() {
            let [groups, resources, verbs] = ["apiGroups", "resources", "verbs"].map(|field| words(&rule[field]));
            let texts = |all: &'_ Vec<String>| all.iter().map(|text| text.clone().leak() as &str).collect::<Vec<_>>();
            rules.push(Rule::new(&texts(&groups), &texts(&resources), &texts(&verbs)));
        }
    }
    rules
}

fn limited(kubernetes: &KubernetesServer, yaml: &str) -> String {
    kubernetes.add_user("limited-token", "limited", rules(yaml));
    kubernetes.kubeconfig_of("limited")
}

#[tokio::test(flavor = "multi_thread")]
async fn restores_by_each_path() {
    let mut pair = Pair::on_one_storage(ClusterOptions::default(), ClusterOptions::default()).await;
    let printed = pair.run(&["rbac", "--for", "restore"]).await;
    assert_said(&printed, 0, &[]);
    for from in ["volume", "etcd", "metadata"] {
        pair.renew_target_on_one_storage().await;
        let kubeconfig = pair.source.folder().join("target.kubeconfig");
        std::fs::write(&kubeconfig, limited(&pair.target.kubernetes, &printed.stdout)).unwrap();
        assert_said(&pair.restore(from).await, 0, &[]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_by_the_disk() {
    let bench = e2e::Bench::new().await;
    assert_said(&bench.run(&["snapshot"]).await, 0, &[]);
    drop(bench.cluster.s3.bucket("pachyderm-drill"));
    bench.set_environment(&[("DRILL_ID", "sandbox"), ("DRILL_SECRET", "sandbox-secret-key")]);
    bench.write_config(&format!(
        "\n[drill]\nurl = \"s3://pachyderm-drill\"\nendpoint = \"{}\"\nstore = \"minio\"\n\
         access-key-id-env = \"DRILL_ID\"\nsecret-access-key-env = \"DRILL_SECRET\"\n",
        bench.cluster.s3.endpoint()
    ));
    let printed = bench.run(&["rbac", "--for", "drill"]).await;
    let kubeconfig = limited(&bench.cluster.kubernetes, &printed.stdout);
    std::fs::write(bench.folder().join("kubeconfig"), kubeconfig).unwrap();
    let ended = bench.run(&["drill", "latest", "--from", "volume", "--report", "drill.html"]).await;
    assert_said(&ended, 0, &[]);
    assert!(ended.stdout.contains(" passed: "), "{}", ended.stdout);
}
