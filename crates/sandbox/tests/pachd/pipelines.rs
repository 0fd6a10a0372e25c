//! Stopping and starting pipelines, and what goes wrong with it.

use std::collections::BTreeSet;
use std::time::Duration;

use pachyderm::proto::pfs::{BranchInfo, CommitInfo};
use pachyderm::proto::pps::{JobInfo, ListJobRequest, ListPipelineRequest, Pipeline, PipelineInfos, PipelineState};
use prost::Message;
use sandbox::pachd::pipelines::StopFault;
use tonic::Code;

use crate::client::{Client, has_state, metadata_only, serve};

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_takes_the_provenance_away_and_a_start_gives_it_back() {
    let server = serve(true).await;
    let mut client = Client::of(server.external()).await;
    let branch = |repo: &str, name: &str| -> BranchInfo { server.state().branch(repo, name).unwrap() };
    let before = branch("copy", "master");
    let downstream = branch("count", "master");
    assert_eq!(before.direct_provenance.len(), 2);
    client.stop("copy").await.unwrap();
    assert!(branch("copy", "master").provenance.is_empty());
    assert_eq!(branch("copy", "master").head, before.head);
    assert!(branch("count", "master").provenance.len() < downstream.provenance.len());
    assert!(client.pipeline("copy").await.stopped);
    client.wait_for("copy paused", |all| has_state(&all["copy"], PipelineState::Paused)).await;

    client.start("copy").await.unwrap();
    let after = branch("copy", "master");
    assert_eq!((&after.provenance, &after.direct_provenance), (&before.provenance, &before.direct_provenance));
    assert_eq!(branch("count", "master").provenance, downstream.provenance);
    assert_ne!(after.head, before.head);
    client
        .wait_for("copy running", |all| !all["copy"].stopped && has_state(&all["copy"], PipelineState::Running))
        .await;

    // Its new job is the only one of this specification, and ends.
    let request = ListJobRequest { pipeline: Some(Pipeline::named("copy")), ..ListJobRequest::default() };
    for _ in 0..12_000 {
        let (jobs, outcome) = client.stream("/pps.API/ListJobStream", &request).await;
        outcome.unwrap();
        let jobs: Vec<JobInfo> = jobs.into_iter().map(|job| JobInfo::decode(job).unwrap()).collect();
        assert_eq!(jobs.len(), 1);
        if jobs[0].finished.is_some() {
            let commit: CommitInfo =
                server.state().commit("copy", &jobs[0].output_commit.as_ref().unwrap().id).unwrap();
            assert!(commit.finished.is_some());
            assert_eq!(commit.size_bytes, 12585);
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the job never ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_stop_makes_a_new_specification_in_the_bucket() {
    let server = serve(true).await;
    let mut client = Client::of(server.external()).await;
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        client.stop("grouped").await.unwrap();
        assert!(seen.insert(client.pipeline("grouped").await.spec_commit.unwrap().id));
        client.start("grouped").await.unwrap();
        let info = client.pipeline("grouped").await;
        assert!(!info.stopped);
        assert!(seen.insert(info.spec_commit.unwrap().id));
    }
    assert_eq!(seen.len(), 6);
    // Each can be read, and extract accepts them.
    let request = ListPipelineRequest {
        pipeline: Some(Pipeline::named("grouped")),
        history: -1,
        ..ListPipelineRequest::default()
    };
    let all: PipelineInfos = client.call("/pps.API/ListPipeline", &request).await.unwrap();
    assert!(all.pipeline_info.len() >= 6);
    client.extract(&metadata_only()).await.1.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ok_may_mean_not_stopped() {
    let server = serve(true).await;
    let mut client = Client::of(server.external()).await;
    server.pipelines().add_fault("svc", StopFault::OkButNotStopped);
    client.stop("svc").await.unwrap();
    let info = client.pipeline("svc").await;
    assert!(!info.stopped && has_state(&info, PipelineState::Running));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pachd_that_dies_after_the_provenance_leaves_a_running_pipeline_without_it() {
    let server = serve(true).await;
    let mut client = Client::of(server.external()).await;
    server.pipelines().add_fault("joined", StopFault::DiedAfterProvenance);
    assert_eq!(client.stop("joined").await.unwrap_err().code(), Code::Unavailable);
    let info = client.pipeline("joined").await;
    assert!(!info.stopped && has_state(&info, PipelineState::Running));
    assert!(server.state().branch("joined", "master").unwrap().provenance.is_empty());
    client.start("joined").await.unwrap();
    assert!(!server.state().branch("joined", "master").unwrap().provenance.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_specification_fails_the_list_unless_incomplete_ones_are_allowed() {
    let server = serve(false).await;
    let mut client = Client::of(server.external()).await;
    let spec = server.state().pipeline("copy").unwrap().spec_commit.unwrap();
    let tree = server.state().commit("__spec__", &spec.id).unwrap().tree.unwrap().hash;
    server.state().bucket.delete(&format!("object/{tree}"));
    let strict = ListPipelineRequest::default();
    let status = client.call::<PipelineInfos>("/pps.API/ListPipeline", &strict).await.unwrap_err();
    assert_eq!(status.code(), Code::Unknown);
    assert!(status.message().contains("could not retrieve pipeline spec file from PFS for pipeline 'copy'"));
    let lenient = ListPipelineRequest { allow_incomplete: true, ..strict };
    let all: PipelineInfos = client.call("/pps.API/ListPipeline", &lenient).await.unwrap();
    assert_eq!(all.pipeline_info.iter().filter(|info| info.transform.is_none()).count(), 1);
    assert!(client.extract(&metadata_only()).await.1.is_err());
}
