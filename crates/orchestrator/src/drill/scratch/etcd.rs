//! etcd of the scratch cluster: one member, on storage that goes with its pod, or on a claim where another disk is put under it.

use serde_json::{Value, json};

use super::blueprint::Blueprint;
use crate::manifest::VolumeArtifact;

/// Where etcd keeps its data in every deployment of Pachyderm 1.x.
const DATA_FOLDER: &str = "/var/data/etcd";
/// Flags that a deployment's own etcd has and that decide what it takes (source: `pachctl deploy`).
const KEPT_FLAGS: [&str; 4] =
    ["--auto-compaction-retention", "--max-txn-ops", "--max-request-bytes", "--quota-backend-bytes"];

/// The Service by which pachd finds it.
pub(super) fn service() -> Value {
    json!({
        "metadata": {"name": "etcd", "labels": labels()},
        "spec": {"type": "ClusterIP", "selector": labels(), "ports": [{"name": "client-port", "port": 2379}]},
    })
}

/// Name of etcd's claim, as every deployment with a Deployment for etcd has it.
const CLAIM: &str = "etcd-storage";

/// The claim of a disk like the source's.
pub(super) fn claim(artifact: &VolumeArtifact) -> Value {
    json!({
        "metadata": {"name": CLAIM, "labels": labels()},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": artifact.size.to_string()}},
            "storageClassName": artifact.of.storage_class,
        },
    })
}

/// One pod with the recorded image.
pub(super) fn workload(blueprint: &Blueprint, on_claim: bool) -> Value {
    let volume = if on_claim {
        json!({"name": "data", "persistentVolumeClaim": {"claimName": CLAIM}})
    } else {
        json!({"name": "data", "emptyDir": {}})
    };
    let recorded = &blueprint.etcd;
    let mut command = vec![
        "/usr/local/bin/etcd".to_owned(),
        "--listen-client-urls=http://0.0.0.0:2379".to_owned(),
        "--advertise-client-urls=http://0.0.0.0:2379".to_owned(),
        format!("--data-dir={DATA_FOLDER}"),
    ];
    command.extend(kept_flags(recorded.command.iter().chain(&recorded.args).flatten()));
    let container = json!({
        "name": "etcd",
        "image": recorded.image,
        "imagePullPolicy": recorded.image_pull_policy,
        "command": command,
        "ports": [{"containerPort": 2379, "name": "client-port"}],
        "resources": recorded.resources,
        "volumeMounts": [{"mountPath": DATA_FOLDER, "name": "data"}],
    });
    json!({
        "metadata": {"name": "etcd", "labels": labels()},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels()},
            "template": {
                "metadata": {"labels": labels()},
                "spec": {"containers": [container], "volumes": [volume]},
            },
        },
    })
}

fn labels() -> Value {
    json!({"app": "etcd", "suite": "pachyderm"})
}

/// The flags that are kept, as `--name=value`; also from a command that is a script for a shell.
fn kept_flags<'a>(words: impl Iterator<Item = &'a String>) -> Vec<String> {
    let text = words.map(String::as_str).collect::<Vec<_>>().join(" ");
    let is_end = |c: char| c.is_whitespace() || c == '"' || c == '\'';
    let flag = |name: &&str| {
        let rest = text.split_once(*name)?.1.strip_prefix(['=', ' '])?;
        let value = rest.split(is_end).next().filter(|value| !value.is_empty())?;
        Some(format!("{name}={value}"))
    };
    KEPT_FLAGS.iter().filter_map(flag).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_found_in_lists_and_in_scripts() {
        let words = |all: &[&str]| all.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let list = words(&["/usr/local/bin/etcd", "--data-dir=/x", "--max-txn-ops=10000", "--quota-backend-bytes=5"]);
        assert_eq!(kept_flags(list.iter()), ["--max-txn-ops=10000", "--quota-backend-bytes=5"]);
        let script = words(&["/bin/sh", "-c", "\"etcd\" \"--max-request-bytes=52428800\" \"--initial-cluster=$X\""]);
        assert_eq!(kept_flags(script.iter()), ["--max-request-bytes=52428800"]);
        let apart = words(&["etcd", "--auto-compaction-retention", "1"]);
        assert_eq!(kept_flags(apart.iter()), ["--auto-compaction-retention=1"]);
    }
}
