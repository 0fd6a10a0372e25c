//! Connections that break, calls that are refused, and what calls leave behind in etcd.

use std::time::Duration;

use pachyderm::proto::pfs::{Commit, ListCommitRequest, Repo};
use pachyderm::proto::pps::{ListPipelineRequest, PipelineInfos};
use tonic::Code;

use crate::client::{Client, metadata_only, serve};

#[tokio::test(flavor = "multi_thread")]
async fn connections_break_and_pachd_may_be_unavailable() {
    let server = serve(false).await;
    let mut client = Client::of(server.external()).await;
    server.faults().set_unavailable(true);
    let list = ListPipelineRequest::default();
    let status = client.call::<PipelineInfos>("/pps.API/ListPipeline", &list).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    server.faults().set_unavailable(false);
    client.pipelines().await;

    server.faults().delay_operations(Duration::from_millis(20));
    let mut second = Client::of(server.external()).await;
    let extract = tokio::spawn(async move { second.extract(&metadata_only()).await });
    while !server.faults().calls().contains_key("admin.API/Extract") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.drop_connections();
    let (ops, outcome) = extract.await.unwrap();
    assert!(outcome.is_err(), "an extract of {} ops ended well over a dropped connection", ops.len());
    // New connections work.
    Client::of(server.external()).await.pipelines().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_moves_no_revision_and_writing_does() {
    let server = serve(true).await;
    let mut client = Client::of(server.external()).await;
    let revision = server.state().store.revision();
    client.pipelines().await;
    client.extract(&metadata_only()).await.1.unwrap();
    let request = ListCommitRequest { repo: Some(Repo { name: String::new() }), ..ListCommitRequest::default() };
    client.stream("/pfs.API/ListCommitStream", &request).await.1.unwrap();
    assert_eq!(server.state().store.revision(), revision);
    let request = pachyderm::proto::pfs::StartCommitRequest {
        parent: Some(Commit { repo: Some(Repo { name: "empty-repo".into() }), id: String::new() }),
        branch: "master".into(),
        ..Default::default()
    };
    let commit: Commit = client.call("/pfs.API/StartCommit", &request).await.unwrap();
    assert_eq!(commit.id.len(), 32);
    assert!(server.state().store.revision() > revision);
}
