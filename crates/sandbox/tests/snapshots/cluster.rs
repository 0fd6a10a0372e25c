//! The cluster under the tests: all that they know of it beside its API.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kube::api::{DynamicObject, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
pub(crate) use sandbox::kubernetes::{CSI_DRIVER, CsiCall, GrpcCode};
use sandbox::kubernetes::{KubernetesOptions, KubernetesServer};
use sandbox::programs::kubernetes::{DELETE_CLASS, KubernetesBench};
use serde_json::json;
use tokio::sync::{OnceCell, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::time::Instant;

use super::bench::kind;

/// For what is there in a moment, but on a machine that does much else.
const LONGEST: Duration = Duration::from_secs(180);

static REAL: OnceCell<KubernetesBench> = OnceCell::const_new();
/// Written by a test that is alone: it switches the one driver, or changes what belongs to no namespace.
static TURN: RwLock<()> = RwLock::const_new(());

/// Which cluster a case is to run on.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// The sandbox's, one for each case.
    Sandbox,
    /// The real controllers over the real API server, which all cases share.
    Real,
    /// The same, while no other case has them.
    RealAlone,
}

/// Keeps others out of the shared cluster.
pub(crate) enum Turn {
    WithOthers { _turn: RwLockReadGuard<'static, ()> },
    Alone { _turn: RwLockWriteGuard<'static, ()> },
}

/// A cluster with the CSI driver. No VolumeSnapshotClass is the default.
pub(crate) enum Cluster {
    Sandbox(Box<KubernetesServer>),
    Real {
        bench: &'static KubernetesBench,
        /// Whether calls were delayed: a call that waits goes on waiting until its process ends.
        delayed: AtomicBool,
        _turn: Turn,
    },
}

/// A client of the sandbox's server that acts as `user`.
pub(crate) async fn client(server: &KubernetesServer, user: &str) -> Client {
    let kubeconfig = Kubeconfig::from_yaml(&server.kubeconfig_of(user)).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

async fn start_real() -> KubernetesBench {
    let bench = KubernetesBench::start().await.unwrap();
    let client = bench.api().client().await.unwrap();
    let classes = Api::<DynamicObject>::all_with(client, &kind("VolumeSnapshotClass"));
    let not_default = json!({"metadata": {"annotations": {"snapshot.storage.kubernetes.io/is-default-class": null}}});
    classes.patch(DELETE_CLASS, &PatchParams::default(), &Patch::Merge(not_default)).await.unwrap();
    bench
}

impl Cluster {
    pub(crate) async fn start(wanted: Kind) -> (Self, Client) {
        let turn = match wanted {
            Kind::Sandbox => {
                let server = KubernetesServer::start(KubernetesOptions::default()).await.unwrap();
                let client = client(&server, "admin").await;
                return (Self::Sandbox(Box::new(server)), client);
            }
            Kind::Real => Turn::WithOthers { _turn: TURN.read().await },
            Kind::RealAlone => Turn::Alone { _turn: TURN.write().await },
        };
        let bench = REAL.get_or_init(start_real).await;
        let client = bench.api().client().await.unwrap();
        (Self::Real { bench, delayed: AtomicBool::new(false), _turn: turn }, client)
    }

    /// The sandbox's server, for cases that the real controllers can't run.
    pub(crate) fn server(&self) -> &KubernetesServer {
        match self {
            Self::Sandbox(server) => server,
            Self::Real { .. } => panic!("this case asks for what only the sandbox has"),
        }
    }

    /// The node of all pods.
    pub(crate) fn node(&self) -> &'static str {
        match self {
            Self::Sandbox(_) => "sandbox-node",
            Self::Real { .. } => sandbox::programs::kubernetes::NODE,
        }
    }

    pub(crate) fn volume_folder(&self, handle: &str) -> PathBuf {
        match self {
            Self::Sandbox(server) => server.csi().volume_folder(handle).unwrap(),
            Self::Real { bench, .. } => bench.driver().volume_folder(handle),
        }
    }

    pub(crate) fn snapshot_folder(&self, handle: &str) -> PathBuf {
        match self {
            Self::Sandbox(server) => server.csi().snapshot_folder(handle).unwrap(),
            Self::Real { bench, .. } => bench.driver().snapshot_folder(handle),
        }
    }

    pub(crate) fn fail(&self, call: CsiCall, code: GrpcCode, message: &str) {
        match self {
            Self::Sandbox(server) => server.csi().fail(call, code, message),
            Self::Real { bench, .. } => {
                let code = match code {
                    GrpcCode::Unavailable => "UNAVAILABLE",
                    GrpcCode::InvalidArgument => "INVALID_ARGUMENT",
                    GrpcCode::Internal => "INTERNAL",
                    other => panic!("{other:?} has no name here"),
                };
                bench.driver().set_fault(&format!("{call:?}"), code, message).unwrap();
            }
        }
    }

    pub(crate) fn delay(&self, call: CsiCall, delay: Duration) {
        match self {
            Self::Sandbox(server) => server.csi().delay(call, delay),
            Self::Real { bench, delayed, .. } => {
                delayed.store(true, Ordering::SeqCst);
                bench.driver().set_delay(&format!("{call:?}"), delay).unwrap();
            }
        }
    }

    pub(crate) fn set_ready(&self, ready: bool) {
        match self {
            Self::Sandbox(server) => server.csi().set_ready(ready),
            Self::Real { bench, .. } => bench.driver().set_unready(!ready).unwrap(),
        }
    }

    pub(crate) async fn set_served(&self, served: bool) {
        match self {
            Self::Sandbox(server) => server.csi().set_served(served),
            Self::Real { bench, .. } if served => bench.driver().restart().await.unwrap(),
            Self::Real { bench, .. } => bench.driver().kill(),
        }
    }

    /// Switches off what was switched on. A call that waits ends.
    pub(crate) async fn clear_faults(&self) {
        match self {
            Self::Sandbox(server) => server.csi().clear_faults(),
            Self::Real { bench, delayed, .. } => {
                for call in [CsiCall::CreateVolume, CsiCall::CreateSnapshot, CsiCall::DeleteSnapshot] {
                    let call = format!("{call:?}");
                    bench.driver().clear_fault(&call).unwrap();
                    bench.driver().clear_delay(&call).unwrap();
                }
                if delayed.swap(false, Ordering::SeqCst) {
                    bench.driver().restart().await.unwrap();
                }
            }
        }
    }

    /// Looks until there is an answer; as long as there is none, `look` says how things are.
    pub(crate) async fn until<T>(&self, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
        let ends = Instant::now() + LONGEST;
        loop {
            let what = match look().await {
                Ok(found) => return found,
                Err(what) => what,
            };
            let (logs, pace) = match self {
                Self::Real { bench, .. } if Instant::now() >= ends => (bench.api().ends_of_logs(), 20),
                Self::Real { .. } => (String::new(), 20),
                Self::Sandbox(_) => (String::new(), 5),
            };
            assert!(Instant::now() < ends, "{what}\n{logs}");
            tokio::time::sleep(Duration::from_millis(pace)).await;
        }
    }
}

/// Runs each case on the real controllers and on the sandbox's.
macro_rules! on_both {
    ($($kind:ident $case:ident)*) => {
        mod on_real_controllers {
            use crate::bench::Bench;
            use crate::cluster::Kind;
            $(#[tokio::test]
            async fn $case() {
                super::$case(Bench::start(Kind::$kind, stringify!($case)).await).await;
            })*
        }
        mod on_the_sandbox {
            use crate::bench::Bench;
            use crate::cluster::Kind;
            $(#[tokio::test]
            async fn $case() {
                super::$case(Bench::start(Kind::Sandbox, stringify!($case)).await).await;
            })*
        }
    };
}
pub(crate) use on_both;
