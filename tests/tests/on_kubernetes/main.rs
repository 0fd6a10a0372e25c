//! The main job on a real Kubernetes API with the real CSI snapshot controllers. pachd, etcd and the store are the sandbox's.
//! There is no kubelet, so no port-forward: pods are dialled at their own addresses, as inside of a cluster.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod days;
mod disturbed;
mod drill;
mod fence;
mod in_the_cluster;
mod kills;
mod large_record;
mod recovery_point;
mod restore_volume;
mod rights;
mod script;
mod service_account;
mod shapes;
mod two_runs;
mod undo;

use sandbox::programs::kubernetes::{ApiServerOptions, KubernetesBench};
use tokio::sync::OnceCell;

static BENCH: OnceCell<KubernetesBench> = OnceCell::const_new();

/// The Kubernetes that all tests share which don't harm it.
async fn shared() -> &'static KubernetesBench {
    let options = ApiServerOptions { audit: true, ..ApiServerOptions::default() };
    BENCH.get_or_init(|| async { KubernetesBench::start_with(options).await.unwrap() }).await
}
