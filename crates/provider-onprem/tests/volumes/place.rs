//! A namespace with CSI volumes, in a Kubernetes that takes snapshots of them.

use std::path::PathBuf;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, PersistentVolume, PersistentVolumeClaim};
use kube::api::PostParams;
use kube::{Api, Client};
use provider_onprem::{CsiOptions, CsiSnapshots};
use sandbox::programs::kubernetes::{ApiServerOptions, CsiDriver, DELETE_CLASS, KubernetesBench, STORAGE_CLASS};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// Somebody whose rights end at asking what they are.
const NOBODY: &str = "nobody";

static BENCH: OnceCell<KubernetesBench> = OnceCell::const_new();

/// One test's namespace.
pub(crate) struct Place {
    bench: &'static KubernetesBench,
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

/// As the options are in a test: nobody waits for a second.
pub(crate) fn options() -> CsiOptions {
    CsiOptions {
        class: Some(DELETE_CLASS.to_owned()),
        poll: Duration::from_millis(50),
        delete_limit: Duration::from_secs(30),
        bind_limit: Duration::from_secs(30),
        ..CsiOptions::default()
    }
}

impl Place {
    /// A namespace of the real API server that all tests of this file share.
    pub(crate) async fn real(namespace: &str) -> Self {
        let start = || async {
            let users = ApiServerOptions { users: vec![NOBODY.to_owned()], ..ApiServerOptions::default() };
            KubernetesBench::start_with(users).await.unwrap()
        };
        let bench = BENCH.get_or_init(start).await;
        let client = bench.api().client().await.unwrap();
        let object = object(json!({"metadata": {"name": namespace}}));
        Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &object).await.unwrap();
        Self { bench, client, namespace: namespace.to_owned() }
    }

    pub(crate) fn driver(&self) -> &CsiDriver {
        self.bench.driver()
    }

    pub(crate) async fn client_of_nobody(&self) -> Client {
        self.bench.api().client_of(NOBODY).await.unwrap()
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
        until(|| async {
            let claim = self.claims().get(name).await.unwrap();
            (claim.status?.phase.as_deref() == Some("Bound")).then_some(())
        })
        .await;
    }

    /// The folder that is the content of a claim's volume.
    pub(crate) async fn folder(&self, claim: &str) -> Option<PathBuf> {
        let volume = self.claims().get_opt(claim).await.unwrap()?.spec?.volume_name?;
        let volume = Api::<PersistentVolume>::all(self.client.clone()).get(&volume).await.unwrap();
        Some(self.driver().volume_folder(&volume.spec?.csi?.volume_handle))
    }
}

pub(crate) fn object<K: DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).unwrap()
}

/// Looks until there is an answer.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(mut look: impl FnMut() -> F) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), looking).await.expect("what was waited for never came")
}
