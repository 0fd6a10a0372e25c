//! A namespace with CSI volumes, in a Kubernetes that takes snapshots of them: a real one, or the sandbox.

use std::path::PathBuf;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, PersistentVolume, PersistentVolumeClaim};
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use provider_onprem::{CsiOptions, CsiSnapshots};
use sandbox::kubernetes::{CSI_DRIVER, CsiCall, GrpcCode, KubernetesOptions, KubernetesServer};
use sandbox::programs::kubernetes::{ApiServerOptions, DELETE_CLASS, KubernetesBench, RETAIN_CLASS, STORAGE_CLASS};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use tokio::time::Instant;

/// Somebody whose rights end at asking what they are.
const NOBODY: &str = "nobody";

static BENCH: OnceCell<KubernetesBench> = OnceCell::const_new();
/// Held by every test on the real controllers: the switches of the one driver act on everybody's snapshots.
static TURN: Mutex<()> = Mutex::const_new(());
/// For what is there in a moment, but on a machine that does much else.
const LONGEST: Duration = Duration::from_secs(180);

/// Who takes the snapshots.
enum Server {
    /// The real controllers over a driver, which one test after the other has.
    Real(&'static KubernetesBench),
    /// The sandbox, one for each test.
    Sandbox(Box<KubernetesServer>),
}

/// One test's namespace.
pub(crate) struct Place {
    server: Server,
    pub(crate) client: Client,
    pub(crate) namespace: String,
    _turn: Option<MutexGuard<'static, ()>>,
}

/// As the options are in a test: nobody waits for a second.
pub(crate) fn options() -> CsiOptions {
    CsiOptions {
        class: Some(DELETE_CLASS.to_owned()),
        poll: Duration::from_millis(50),
        delete_limit: LONGEST,
        bind_limit: LONGEST,
        ..CsiOptions::default()
    }
}

impl Place {
    /// A namespace of the real API server, in its turn.
    pub(crate) async fn real(name: &str) -> Self {
        let turn = TURN.lock().await;
        let start = || async {
            let users = ApiServerOptions { users: vec![NOBODY.to_owned()], ..ApiServerOptions::default() };
            KubernetesBench::start_with(users).await.unwrap()
        };
        let bench = BENCH.get_or_init(start).await;
        let client = bench.api().client().await.unwrap();
        let place = Self::of(Server::Real(bench), Some(turn), client, name).await;
        // Of a test that failed.
        place.work_again();
        place.set_ready(true);
        place
    }

    /// A namespace of a sandbox of its own, with the same classes.
    pub(crate) async fn sandbox(name: &str) -> Self {
        let server = KubernetesServer::start(KubernetesOptions::default()).await.unwrap();
        server.add_user("nobodys-token", NOBODY, Vec::new());
        for object in classes() {
            server.create(object).unwrap();
        }
        let client = sandbox_client(&server, "admin").await;
        Self::of(Server::Sandbox(Box::new(server)), None, client, name).await
    }

    /// A sandbox whose cluster knows nothing of snapshots, with the claim `etcd`.
    pub(crate) async fn sandbox_without_snapshots() -> Self {
        let options = KubernetesOptions { snapshots: false, ..KubernetesOptions::default() };
        let server = KubernetesServer::start(options).await.unwrap();
        let [volumes, ..] = classes();
        server.create(volumes).unwrap();
        let client = sandbox_client(&server, "admin").await;
        let place = Self::of(Server::Sandbox(Box::new(server)), None, client, "without-snapshots").await;
        place.claim("etcd").await;
        place
    }

    async fn of(server: Server, turn: Option<MutexGuard<'static, ()>>, client: Client, name: &str) -> Self {
        let mut namespace = name.replace('_', "-");
        namespace.truncate(63);
        let object = object(json!({"metadata": {"name": namespace}}));
        Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &object).await.unwrap();
        Self { server, client, namespace, _turn: turn }
    }

    pub(crate) async fn client_of_nobody(&self) -> Client {
        match &self.server {
            Server::Real(bench) => bench.api().client_of(NOBODY).await.unwrap(),
            Server::Sandbox(server) => sandbox_client(server, NOBODY).await,
        }
    }

    /// From now on calls of this kind fail.
    pub(crate) fn fail(&self, call: CsiCall, code: GrpcCode, message: &str) {
        match &self.server {
            Server::Real(bench) => {
                let code = format!("{code:?}").chars().fold(String::new(), |mut text, letter| {
                    if letter.is_uppercase() && !text.is_empty() {
                        text.push('_');
                    }
                    text.push(letter.to_ascii_uppercase());
                    text
                });
                bench.driver().set_fault(&format!("{call:?}"), &code, message).unwrap();
            }
            Server::Sandbox(server) => server.csi().fail(call, code, message),
        }
    }

    /// Calls that failed work again.
    pub(crate) fn work_again(&self) {
        match &self.server {
            Server::Real(bench) => {
                for call in ["CreateSnapshot", "DeleteSnapshot"] {
                    bench.driver().clear_fault(call).unwrap();
                }
            }
            Server::Sandbox(server) => server.csi().clear_faults(),
        }
    }

    pub(crate) fn set_ready(&self, ready: bool) {
        match &self.server {
            Server::Real(bench) => bench.driver().set_unready(!ready).unwrap(),
            Server::Sandbox(server) => server.csi().set_ready(ready),
        }
    }

    pub(crate) async fn set_served(&self, served: bool) {
        match &self.server {
            Server::Real(bench) if served => bench.driver().restart().await.unwrap(),
            Server::Real(bench) => bench.driver().kill(),
            Server::Sandbox(server) => server.csi().set_served(served),
        }
    }

    pub(crate) fn snapshot_folder(&self, handle: &str) -> PathBuf {
        match &self.server {
            Server::Real(bench) => bench.driver().snapshot_folder(handle),
            Server::Sandbox(server) => server.csi().snapshot_folder(handle).unwrap(),
        }
    }

    fn volume_folder(&self, handle: &str) -> PathBuf {
        match &self.server {
            Server::Real(bench) => bench.driver().volume_folder(handle),
            Server::Sandbox(server) => server.csi().volume_folder(handle).unwrap(),
        }
    }

    pub(crate) fn snapshots(&self, options: CsiOptions) -> CsiSnapshots {
        CsiSnapshots::new(&self.client, &self.namespace, options)
    }

    pub(crate) fn claims(&self) -> Api<PersistentVolumeClaim> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Makes a claim of 1 GiB that has a volume.
    pub(crate) async fn claim(&self, name: &str) {
        let claim = json!({
            "metadata": {"name": name},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": STORAGE_CLASS,
                "resources": {"requests": {"storage": "1Gi"}},
            },
        });
        self.claims().create(&PostParams::default(), &object(claim)).await.unwrap();
        self.until(|| async {
            let claim = self.claims().get(name).await.unwrap();
            let phase = claim.status.and_then(|status| status.phase);
            if phase.as_deref() == Some("Bound") { Ok(()) } else { Err(format!("claim {name} is {phase:?}")) }
        })
        .await;
    }

    /// Looks until there is an answer; as long as there is none, `look` says how things are.
    pub(crate) async fn until<T, F: Future<Output = Result<T, String>>>(&self, mut look: impl FnMut() -> F) -> T {
        if let Server::Real(bench) = &self.server {
            return bench.wait_for(look).await.unwrap();
        }
        let ends = Instant::now() + LONGEST;
        loop {
            match look().await {
                Ok(found) => return found,
                Err(what) => assert!(Instant::now() < ends, "{what}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The folder that is the content of a claim's volume.
    pub(crate) async fn folder(&self, claim: &str) -> Option<PathBuf> {
        let volume = self.claims().get_opt(claim).await.unwrap()?.spec?.volume_name?;
        let volume = Api::<PersistentVolume>::all(self.client.clone()).get(&volume).await.unwrap();
        Some(self.volume_folder(&volume.spec?.csi?.volume_handle))
    }
}

async fn sandbox_client(server: &KubernetesServer, user: &str) -> Client {
    let kubeconfig = Kubeconfig::from_yaml(&server.kubeconfig_of(user)).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

/// The classes that the real bench has from its start.
fn classes() -> [Value; 3] {
    let snapshots = |name: &str, policy: &str, default: &str| {
        json!({
            "apiVersion": "snapshot.storage.k8s.io/v1",
            "kind": "VolumeSnapshotClass",
            "metadata": {"name": name, "annotations": {"snapshot.storage.kubernetes.io/is-default-class": default}},
            "driver": CSI_DRIVER,
            "deletionPolicy": policy,
        })
    };
    let volumes = json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": STORAGE_CLASS},
        "provisioner": CSI_DRIVER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    });
    [volumes, snapshots(DELETE_CLASS, "Delete", "true"), snapshots(RETAIN_CLASS, "Retain", "false")]
}

pub(crate) fn object<K: DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).unwrap()
}
