//! etcd, its volume and its Services.

use serde_json::{Value, json};

use super::{Backend, CSI_DRIVER, Etcd, EtcdVolume, PachydermDeployment, persistent_disk};

/// The size of etcd's volume, in bytes: `10Gi`.
pub(crate) const VOLUME_BYTES: u64 = 10 << 30;
/// The class of the sandbox's own volumes whose snapshots outlive their VolumeSnapshots.
const SNAPSHOT_CLASS: &str = "pachsnap-retain";
const STORAGE_CLASS: &str = "etcd-storage-class";
const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";
const VOLUME: &str = "etcd-storage";

pub(super) fn objects(deployment: &PachydermDeployment) -> Vec<Value> {
    match &deployment.etcd {
        Etcd::StatefulSet(volumes) => {
            let mut objects = own_classes(deployment);
            objects.extend(storage_class(deployment));
            for (member, volume) in volumes.iter().enumerate() {
                let claim = format!("{VOLUME}-etcd-{member}");
                objects.extend(bound_claim(deployment, &claim, &claim, volume, "Delete"));
            }
            objects.extend([
                headless_service(deployment),
                stateful_set(deployment, volumes.len()),
                service(deployment),
            ]);
            objects
        }
        Etcd::Deployment(volume) => {
            let direct = matches!(volume, EtcdVolume::HostPath(_));
            let mut objects = own_classes(deployment);
            if !direct {
                objects.extend(bound_claim(deployment, VOLUME, "etcd-volume", volume, "Retain"));
            }
            let source =
                if direct { source_of(volume) } else { json!({"persistentVolumeClaim": {"claimName": VOLUME}}) };
            objects.extend([plain_deployment(deployment, source), service(deployment)]);
            objects
        }
    }
}

/// The classes that the sandbox's own CSI driver needs, if etcd's volume is of that driver.
fn own_classes(deployment: &PachydermDeployment) -> Vec<Value> {
    if deployment.own_volumes().is_empty() {
        return Vec::new();
    }
    vec![
        json!({
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": deployment.metadata(STORAGE_CLASS, "etcd"),
            "provisioner": CSI_DRIVER,
            "reclaimPolicy": "Delete",
            "volumeBindingMode": "Immediate",
        }),
        json!({
            "apiVersion": "snapshot.storage.k8s.io/v1",
            "kind": "VolumeSnapshotClass",
            "metadata": {"name": SNAPSHOT_CLASS},
            "driver": CSI_DRIVER,
            "deletionPolicy": "Retain",
        }),
    ]
}

fn storage_class(deployment: &PachydermDeployment) -> Option<Value> {
    if !deployment.own_volumes().is_empty() {
        return None;
    }
    let of_disk = deployment.etcd_volumes().iter().find_map(persistent_disk::class_of);
    let (provisioner, kind) = match (of_disk, &deployment.backend) {
        (Some(class), _) => class,
        (None, Backend::Amazon { .. }) => ("kubernetes.io/aws-ebs", "gp2"),
        (None, Backend::Google { .. }) => ("kubernetes.io/gce-pd", "pd-ssd"),
        _ => return None,
    };
    Some(json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": deployment.metadata(STORAGE_CLASS, "etcd"),
        "provisioner": provisioner,
        "parameters": {"type": kind},
        "allowVolumeExpansion": true,
    }))
}

fn source_of(volume: &EtcdVolume) -> Value {
    match volume {
        EtcdVolume::HostPath(path) => json!({"hostPath": {"path": path}}),
        EtcdVolume::AwsElasticBlockStore(id) => json!({"awsElasticBlockStore": {"fsType": "ext4", "volumeID": id}}),
        EtcdVolume::GcePersistentDisk { name, .. } => json!({"gcePersistentDisk": {"fsType": "ext4", "pdName": name}}),
        EtcdVolume::AzureDisk(uri) => {
            let name = uri.rsplit('/').next().unwrap_or_default();
            json!({"azureDisk": {"fsType": "ext4", "diskName": name, "diskURI": uri, "kind": "Managed"}})
        }
        EtcdVolume::Csi { driver, handle } => {
            json!({"csi": {"driver": driver, "fsType": "ext4", "volumeHandle": handle}})
        }
    }
}

/// A PersistentVolume and a claim that are bound to each other.
fn bound_claim(
    deployment: &PachydermDeployment,
    claim: &str,
    volume: &str,
    source: &EtcdVolume,
    reclaim: &str,
) -> Vec<Value> {
    // Volumes are cluster-wide: the namespace keeps two deployments apart.
    let volume = format!("{}-{volume}", deployment.namespace);
    let mut spec = json!({
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "10Gi"},
        "claimRef": {
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": claim, "namespace": deployment.namespace,
        },
        "persistentVolumeReclaimPolicy": reclaim,
        "storageClassName": STORAGE_CLASS,
        "volumeMode": "Filesystem",
    });
    if let (Some(spec), Value::Object(source)) = (spec.as_object_mut(), source_of(source)) {
        spec.extend(source);
    }
    let mut volume_metadata = json!({"name": volume, "labels": {"app": "etcd", "suite": "pachyderm"}});
    persistent_disk::tell_place(source, &mut volume_metadata, &mut spec);
    let mut claim_metadata = deployment.metadata(claim, "etcd");
    claim_metadata["annotations"] = json!({CLASS_ANNOTATION: STORAGE_CLASS, "pv.kubernetes.io/bind-completed": "yes"});
    vec![
        json!({
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": volume_metadata,
            "spec": spec,
            "status": {"phase": "Bound"},
        }),
        json!({
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": claim_metadata,
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "10Gi"}},
                "volumeMode": "Filesystem",
                "volumeName": volume,
            },
            "status": {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "10Gi"}},
        }),
    ]
}

fn container(clustered: bool) -> Value {
    let mut command = vec![
        "/usr/local/bin/etcd",
        "--listen-client-urls=http://0.0.0.0:2379",
        "--advertise-client-urls=http://0.0.0.0:2379",
        "--data-dir=/var/data/etcd",
        "--auto-compaction-retention=1",
        "--max-txn-ops=10000",
        "--max-request-bytes=52428800",
        "--quota-backend-bytes=8589934592",
    ];
    if clustered {
        command.extend(["--listen-peer-urls=http://0.0.0.0:2380", "--initial-cluster-token=pach-cluster"]);
    }
    let mut container = json!({
        "name": "etcd",
        "image": "pachyderm/etcd:v3.3.5",
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "ports": [
            {"containerPort": 2379, "name": "client-port"},
            {"containerPort": 2380, "name": "peer-port"},
        ],
        "resources": {"requests": {"cpu": "1", "memory": "2G"}},
        "volumeMounts": [{"mountPath": "/var/data/etcd", "name": VOLUME}],
    });
    if clustered {
        let field = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}});
        container["env"] = json!([field("ETCD_NAME", "metadata.name"), field("NAMESPACE", "metadata.namespace")]);
    }
    container
}

fn stateful_set(deployment: &PachydermDeployment, members: usize) -> Value {
    let labels = json!({"app": "etcd", "suite": "pachyderm"});
    let mut claim = json!({"metadata": deployment.metadata(VOLUME, "etcd")});
    claim["metadata"]["annotations"] = json!({CLASS_ANNOTATION: STORAGE_CLASS});
    claim["spec"] = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}});
    json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": deployment.metadata("etcd", "etcd"),
        "spec": {
            "replicas": members,
            "selector": {"matchLabels": labels},
            "serviceName": "etcd-headless",
            "template": {"metadata": {"name": "etcd", "labels": labels}, "spec": {"containers": [container(true)]}},
            "volumeClaimTemplates": [claim],
        },
    })
}

fn plain_deployment(deployment: &PachydermDeployment, mut source: Value) -> Value {
    let labels = json!({"app": "etcd", "suite": "pachyderm"});
    source["name"] = json!(VOLUME);
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": deployment.metadata("etcd", "etcd"),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"name": "etcd", "labels": labels},
                "spec": {"containers": [container(false)], "volumes": [source]},
            },
        },
    })
}

fn service(deployment: &PachydermDeployment) -> Value {
    let mut port = json!({"name": "client-port", "port": 2379});
    if matches!(deployment.backend, Backend::Local { .. }) {
        port["nodePort"] = json!(32379);
    }
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": deployment.metadata("etcd", "etcd"),
        "spec": {"type": "NodePort", "selector": {"app": "etcd"}, "ports": [port]},
    })
}

fn headless_service(deployment: &PachydermDeployment) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": deployment.metadata("etcd-headless", "etcd"),
        "spec": {"clusterIP": "None", "selector": {"app": "etcd"}, "ports": [{"name": "peer-port", "port": 2380}]},
    })
}
