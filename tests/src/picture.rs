//! What a person would compare before and after a run.

use std::collections::BTreeMap;
use std::time::Duration;

use pachyderm::proto::pps::EtcdPipelineInfo;
use sandbox::cluster::NAMESPACE;
use sandbox::pachd::state::{Record, State};

use crate::Bench;

/// What a person would compare before and after: pipelines, provenance, Services, and what pachsnap may leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// State and `stopped` of each pipeline, and the provenance of its output branch.
    pub pipelines: BTreeMap<String, (i32, bool, Vec<String>)>,
    /// Selector and ports of each Service that isn't a pipeline's.
    pub services: BTreeMap<String, String>,
    /// Replicas of each Deployment and StatefulSet, and whether each CronJob is suspended.
    pub workloads: BTreeMap<String, String>,
    /// ConfigMaps, Leases and placeholder Services of pachsnap.
    pub leftovers: Vec<String>,
}

impl Picture {
    /// Whether every pipeline is in the state that its specification asks for.
    pub(crate) fn is_settled(&self) -> bool {
        self.pipelines.values().all(|(state, stopped, _)| *stopped == (*state == 4) && *state != 2)
    }
}

/// State and `stopped` of each pipeline, and the provenance of its output branch.
pub(crate) fn pipelines(state: &State) -> BTreeMap<String, (i32, bool, Vec<String>)> {
    let of_record = |record: &Record<EtcdPipelineInfo>| {
        let specification = record.value.spec_commit.as_ref().and_then(|commit| state.specification(commit));
        let stopped = specification.as_ref().is_some_and(|one| one.stopped);
        let output = specification.map(|one| one.output_branch).filter(|name| !name.is_empty());
        let branch = state.branch(&record.name, output.as_deref().unwrap_or("master"));
        let provenance = branch.iter().flat_map(|info| &info.direct_provenance).map(ToString::to_string).collect();
        (record.name.clone(), (record.value.state, stopped, provenance))
    };
    state.pipelines().iter().map(of_record).collect()
}

impl Bench {
    /// The cluster as a person would compare it. Pipelines that are still settling are waited for.
    pub async fn picture(&self) -> Picture {
        let mut last = self.picture_now();
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = self.picture_now();
            if now == last && now.is_settled() {
                return now;
            }
            last = now;
        }
        last
    }

    fn picture_now(&self) -> Picture {
        let pipelines = pipelines(self.cluster.pachd.state());
        let kubernetes = &self.cluster.kubernetes;
        let name = |object: &serde_json::Value| object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let services = kubernetes
            .objects("services", Some(NAMESPACE))
            .iter()
            .filter(|service| !name(service).starts_with("pipeline-"))
            .map(|service| (name(service), format!("{} {}", service["spec"]["selector"], service["spec"]["ports"])))
            .collect();
        let workloads = ["deployments", "statefulsets", "cronjobs"]
            .into_iter()
            .flat_map(|plural| kubernetes.objects(plural, None))
            .map(|object| {
                let spec = &object["spec"];
                (name(&object), format!("{} replicas, suspended {}", spec["replicas"], spec["suspend"]))
            })
            .collect();
        let leftovers = ["configmaps", "leases"]
            .into_iter()
            .flat_map(|plural| kubernetes.objects(plural, Some(NAMESPACE)))
            .map(|object| name(&object))
            .filter(|name| name.starts_with("pachsnap"))
            .collect();
        Picture { pipelines, services, workloads, leftovers }
    }
}
