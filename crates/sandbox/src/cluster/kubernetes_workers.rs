//! pachd's hand in a real Kubernetes: the ReplicationControllers and Services of its pipelines' workers.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use kube::api::{DeleteParams, DynamicObject, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, Config};
use serde_json::{Value, json};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

use crate::kubernetes::worker_objects;
use crate::pachd::pipelines::Workers;
use crate::programs::kubernetes::NODE;

/// How often an API server that is away is asked again, a tenth of a second apart.
const TRIES: u32 = 600;

/// A thread with a runtime of its own, for callers that are not async.
#[derive(Debug)]
pub(super) struct KubernetesWorkers {
    calls: Sender<Call>,
}

enum Call {
    Replace { pipeline: String, objects: Box<[Value; 2]>, done: Sender<()> },
    AnyLeft { pipeline: String, answer: Sender<bool> },
}

impl KubernetesWorkers {
    /// Workers in this namespace. The thread ends when this is dropped.
    pub(super) fn start(kubeconfig: &str, namespace: &str) -> io::Result<Self> {
        let (calls, receiver) = channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (kubeconfig, namespace) = (kubeconfig.to_owned(), namespace.to_owned());
        let serve = move || runtime.block_on(serve(kubeconfig, namespace, receiver));
        std::thread::Builder::new().name("workers".to_owned()).spawn(serve)?;
        Ok(Self { calls })
    }
}

impl Workers for KubernetesWorkers {
    fn replace(&self, pipeline: &str, version: u64, spec_commit: &str, replicas: usize) {
        let (done, wait) = channel();
        let objects = Box::new(worker_objects(pipeline, version, spec_commit, replicas));
        let _ = self.calls.send(Call::Replace { pipeline: pipeline.to_owned(), objects, done });
        let _ = let_others_run(|| wait.recv());
    }

    fn any_left(&self, pipeline: &str) -> bool {
        let (answer, wait) = channel();
        let _ = self.calls.send(Call::AnyLeft { pipeline: pipeline.to_owned(), answer });
        let_others_run(|| wait.recv().unwrap_or(true))
    }
}

/// Waits, while another thread does what this one has to do for its runtime: with all of them waiting no time would pass.
fn let_others_run<T>(wait: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::CurrentThread) | Err(_) => wait(),
        Ok(_) => block_in_place(wait),
    }
}

async fn serve(kubeconfig: String, namespace: String, calls: Receiver<Call>) {
    let cluster = match connect(&kubeconfig).await {
        Ok(client) => Cluster { client, namespace },
        Err(error) => return tracing::error!(error, "pachd has no Kubernetes"),
    };
    while let Ok(call) = calls.recv() {
        match call {
            Call::Replace { pipeline, objects, done } => {
                cluster.replace(&pipeline, &objects).await;
                let _ = done.send(());
            }
            Call::AnyLeft { pipeline, answer } => {
                let _ = answer.send(cluster.any_left(&pipeline).await);
            }
        }
    }
}

async fn connect(kubeconfig: &str) -> Result<Client, Box<dyn std::error::Error>> {
    let kubeconfig = Kubeconfig::from_yaml(kubeconfig)?;
    Ok(Client::try_from(Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?)?)
}

struct Cluster {
    client: Client,
    namespace: String,
}

impl Cluster {
    fn api(&self, kind: &str) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", kind));
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    async fn replace(&self, pipeline: &str, objects: &[Value; 2]) {
        for _ in 0..TRIES {
            match self.try_replace(pipeline, objects).await {
                Ok(()) => return,
                Err(kube::Error::Api(status)) if status.code == 422 => {
                    return tracing::error!(pipeline, status.message, "workers are refused");
                }
                Err(error) => tracing::warn!(pipeline, %error, "workers could not be replaced"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn try_replace(&self, pipeline: &str, [controller, service]: &[Value; 2]) -> kube::Result<()> {
        let of_pipeline = ListParams::default().labels(&format!("component=worker,pipelineName={pipeline}"));
        for kind in ["ReplicationController", "Service"] {
            let api = self.api(kind);
            for old in api.list(&of_pipeline).await? {
                let name = old.metadata.name.unwrap_or_default();
                match api.delete(&name, &DeleteParams::background()).await {
                    Err(kube::Error::Api(status)) if status.code == 404 => {}
                    deleted => drop(deleted?),
                }
            }
        }
        let mut controller = controller.clone();
        controller["spec"]["template"]["spec"]["nodeName"] = json!(NODE);
        for (kind, object) in [("ReplicationController", controller), ("Service", service.clone())] {
            let object = serde_json::from_value(object).map_err(kube::Error::SerdeError)?;
            self.api(kind).create(&PostParams::default(), &object).await?;
        }
        Ok(())
    }

    async fn any_left(&self, pipeline: &str) -> bool {
        let pods = ListParams::default().labels(&format!("component=worker,pipelineName={pipeline}"));
        self.api("Pod").list(&pods).await.map_or(true, |pods| !pods.items.is_empty())
    }
}
