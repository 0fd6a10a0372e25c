//! The workers of pipelines, as the sandbox's pachd moves them.

use k8s_openapi::api::core::v1::{Pod, ReplicationController, Service};
use kube::api::ListParams;
use sandbox::kubernetes::Workers;

use crate::cases;
use crate::place::{Place, until};

cases! {
    both: [],
    sandbox: [
        workers_come_and_go_with_their_controller because "it is the hand of the sandbox's pachd",
    ],
}

async fn workers_come_and_go_with_their_controller(place: Place) {
    let server = place.sandbox_server();
    let control = server.worker_control(&place.namespace);
    control.set_worker_rc("My_Edges", 3, "c1", 2).unwrap();
    until(|| async { control.workers("My_Edges").ready == 2 }).await;
    let controllers = place.api::<ReplicationController>();
    let first = controllers.get("pipeline-my-edges-v3").await.unwrap();
    assert_eq!(first.metadata.annotations.as_ref().unwrap()["specCommit"], "c1");
    let workers = ListParams::default().labels("suite=pachyderm,component=worker,pipelineName=My_Edges");
    assert_eq!(place.api::<Pod>().list(&workers).await.unwrap().items.len(), 2);

    control.set_worker_rc("My_Edges", 3, "c1", 1).unwrap();
    let same = controllers.get("pipeline-my-edges-v3").await.unwrap();
    assert_eq!(same.metadata.uid, first.metadata.uid);
    control.set_worker_rc("My_Edges", 3, "c2", 0).unwrap();
    let other = controllers.get("pipeline-my-edges-v3").await.unwrap();
    assert_ne!(other.metadata.uid, first.metadata.uid, "another spec commit makes another controller");
    until(|| async { control.workers("My_Edges").pods == 0 }).await;
    control.set_worker_rc("My_Edges", 4, "c3", 1).unwrap();
    let names: Vec<_> =
        controllers.list(&workers).await.unwrap().items.into_iter().filter_map(|it| it.metadata.name).collect();
    assert_eq!(names, ["pipeline-my-edges-v4"]);
    control.remove_worker_rc("My_Edges").unwrap();
    until(|| async { control.workers("My_Edges") == Workers::default() }).await;
    assert!(place.api::<Service>().get_opt("pipeline-my-edges-v4").await.unwrap().is_none());
}
