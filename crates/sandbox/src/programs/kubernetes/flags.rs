//! The command lines of the programs.

use std::path::Path;

use super::api_server::ApiServerOptions;

/// etcd, without waiting for the disk, and with an election that takes no second.
pub(super) fn etcd(data: &Path, client: u16, peer: u16) -> Vec<String> {
    let (client, peer) = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
    vec![
        "--name=etcd".to_owned(),
        format!("--data-dir={}", data.display()),
        "--unsafe-no-fsync".to_owned(),
        "--heartbeat-interval=10".to_owned(),
        "--election-timeout=100".to_owned(),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=etcd={peer}"),
        "--log-level=warn".to_owned(),
    ]
}

/// kube-apiserver over that etcd. The files are in `folder`.
pub(super) fn api_server(folder: &Path, etcd: u16, port: u16, options: &ApiServerOptions) -> Vec<String> {
    let file = |name: &str| folder.join(name).display().to_string();
    let mut flags = vec![
        format!("--etcd-servers=http://127.0.0.1:{etcd}"),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        format!("--cert-dir={}", file("certificates")),
        "--advertise-address=127.0.0.1".to_owned(),
        "--endpoint-reconciler-type=none".to_owned(),
        // Big enough for the Services of all tests.
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={}", file("service-account.pub")),
        format!("--service-account-signing-key-file={}", file("service-account.key")),
        format!("--token-auth-file={}", file("tokens.csv")),
        "--authorization-mode=RBAC".to_owned(),
        // Without its controller the one refuses every pod; without a kubelet the other keeps the node tainted.
        "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition".to_owned(),
        "--allow-privileged".to_owned(),
    ];
    if options.one_request_at_a_time {
        flags.extend(
            ["--enable-priority-and-fairness=false", "--max-requests-inflight=1", "--max-mutating-requests-inflight=1"]
                .map(str::to_owned),
        );
    }
    if let Some(interval) = options.compaction {
        flags.push(format!("--etcd-compaction-interval={}ms", interval.as_millis()));
        flags.push("--watch-cache=false".to_owned());
    }
    if options.audit {
        flags.push(format!("--audit-policy-file={}", file("audit-policy.yaml")));
        flags.push(format!("--audit-log-path={}", file("audit.jsonl")));
        flags.push("--audit-log-mode=blocking-strict".to_owned());
    }
    flags.extend(options.more_flags.iter().cloned());
    flags
}

/// The controllers that move what tests look at. Those that want heartbeats of nodes or a cloud are left out.
const CONTROLLERS: &str = "deployment-controller,replicaset-controller,replicationcontroller-controller,\
    statefulset-controller,job-controller,cronjob-controller,persistentvolume-binder-controller,\
    persistentvolumeclaim-protection-controller,persistentvolume-protection-controller,garbage-collector-controller,\
    namespace-controller,endpoints-controller,endpointslice-controller,serviceaccount-controller";

/// kube-controller-manager.
pub(super) fn controller_manager(folder: &Path, port: u16) -> Vec<String> {
    let file = |name: &str| folder.join(name).display().to_string();
    vec![
        format!("--kubeconfig={}", file("kubeconfig")),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        format!("--cert-dir={}", file("controller-certificates")),
        "--leader-elect=false".to_owned(),
        format!("--service-account-private-key-file={}", file("service-account.key")),
        format!("--root-ca-file={}", file("certificates/apiserver.crt")),
        "--pvclaimbinder-sync-period=1s".to_owned(),
        "--kube-api-qps=500".to_owned(),
        "--kube-api-burst=1000".to_owned(),
        "--concurrent-gc-syncs=5".to_owned(),
        format!("--controllers={CONTROLLERS}"),
    ]
}

/// How often the snapshot controllers look at everything again, without any event. A snapshot that is deleted in the moment in
/// which it becomes ready is not seen to be deleted until then: 15 minutes by default.
const RESYNC: &str = "--resync-period=5s";

/// snapshot-controller, which binds VolumeSnapshots to contents.
pub(super) fn snapshot_controller(folder: &Path, port: u16) -> Vec<String> {
    vec![
        format!("--kubeconfig={}", folder.join("kubeconfig").display()),
        "--leader-election=false".to_owned(),
        format!("--http-endpoint=127.0.0.1:{port}"),
        "--kube-api-qps=200".to_owned(),
        "--kube-api-burst=400".to_owned(),
        RESYNC.to_owned(),
        "--feature-gates=CSIVolumeGroupSnapshot=true".to_owned(),
    ]
}

/// csi-snapshotter, which asks the CSI driver for snapshots.
pub(super) fn csi_snapshotter(folder: &Path, socket: &Path, port: u16) -> Vec<String> {
    let mut flags = csi_sidecar(folder, socket, port);
    flags.extend(["--extra-create-metadata", RESYNC, "--feature-gates=CSIVolumeGroupSnapshot=true"].map(str::to_owned));
    flags
}

/// csi-provisioner, which asks the CSI driver for volumes; alone it needs no more.
pub(super) fn csi_sidecar(folder: &Path, socket: &Path, port: u16) -> Vec<String> {
    vec![
        format!("--kubeconfig={}", folder.join("kubeconfig").display()),
        format!("--csi-address={}", socket.display()),
        "--leader-election=false".to_owned(),
        format!("--http-endpoint=127.0.0.1:{port}"),
    ]
}

/// kwok, which plays the kubelet of every node.
pub(super) fn kwok(folder: &Path, port: u16) -> Vec<String> {
    vec![
        format!("--kubeconfig={}", folder.join("kubeconfig").display()),
        format!("--config={}", folder.join("stages.yaml").display()),
        "--manage-all-nodes=true".to_owned(),
        format!("--server-address=127.0.0.1:{port}"),
    ]
}
