//! Stopping, starting, extracting and breaking the sandbox's pachd, over real sockets.

#![cfg(feature = "pachd")]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pachyderm::proto::admin::{ExtractRequest, Op};
use pachyderm::proto::pfs::{BranchInfo, Commit, CommitInfo, ListCommitRequest, Repo};
use pachyderm::proto::pps::{
    InspectPipelineRequest, JobInfo, ListJobRequest, ListPipelineRequest, Pipeline, PipelineInfo, PipelineInfos,
    PipelineState, StartPipelineRequest, StopPipelineRequest,
};
use prost::Message;
use sandbox::pachd::grpc::RawCodec;
use sandbox::pachd::objects::MemoryObjects;
use sandbox::pachd::pipelines::StopFault;
use sandbox::pachd::recorded;
use sandbox::pachd::{ExtractClock, PachdOptions, PachdServer};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

async fn serve(rewound: bool) -> PachdServer {
    serve_at(rewound, recorded::alpha_clock().unwrap()).await
}

/// With the times at which an extract says that open commits finished.
async fn serve_at(rewound: bool, finished: BTreeMap<String, jiff::Timestamp>) -> PachdServer {
    let recorded = recorded::load_alpha(Arc::new(MemoryObjects::default()), rewound).unwrap();
    let options = PachdOptions {
        clock: ExtractClock::Recorded(finished),
        master_interval: Duration::from_millis(2),
        ..PachdOptions::default()
    };
    PachdServer::start(recorded, options).await.unwrap()
}

struct Client(tonic::client::Grpc<Channel>);

impl Client {
    async fn of(address: SocketAddr) -> Client {
        let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
        Client(tonic::client::Grpc::new(channel).max_decoding_message_size(20 << 20))
    }

    /// All messages that came, and how the call ended.
    async fn stream(&mut self, path: &'static str, request: &impl Message) -> (Vec<Bytes>, Result<(), Status>) {
        let mut messages = Vec::new();
        let outcome = self.collect(path, request, &mut messages).await;
        (messages, outcome)
    }

    async fn collect(
        &mut self,
        path: &'static str,
        request: &impl Message,
        messages: &mut Vec<Bytes>,
    ) -> Result<(), Status> {
        self.0.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let request = Request::new(Bytes::from(request.encode_to_vec()));
        let path = http::uri::PathAndQuery::from_static(path);
        let mut stream = self.0.server_streaming(request, path, RawCodec).await?.into_inner();
        while let Some(message) = stream.message().await? {
            messages.push(message);
        }
        Ok(())
    }

    async fn call<M: Message + Default>(&mut self, path: &'static str, request: &impl Message) -> Result<M, Status> {
        let (messages, outcome) = self.stream(path, request).await;
        outcome?;
        assert_eq!(messages.len(), 1);
        Ok(M::decode(messages[0].clone()).unwrap())
    }

    async fn stop(&mut self, name: &str) -> Result<(), Status> {
        self.call("/pps.API/StopPipeline", &StopPipelineRequest { pipeline: Some(Pipeline::named(name)) }).await
    }

    async fn start(&mut self, name: &str) -> Result<(), Status> {
        self.call("/pps.API/StartPipeline", &StartPipelineRequest { pipeline: Some(Pipeline::named(name)) }).await
    }

    async fn pipeline(&mut self, name: &str) -> PipelineInfo {
        let request = InspectPipelineRequest { pipeline: Some(Pipeline::named(name)) };
        self.call("/pps.API/InspectPipeline", &request).await.unwrap()
    }

    async fn pipelines(&mut self) -> BTreeMap<String, PipelineInfo> {
        let infos: PipelineInfos = self.call("/pps.API/ListPipeline", &ListPipelineRequest::default()).await.unwrap();
        infos.pipeline_info.into_iter().map(|info| (info.pipeline.clone().unwrap().name, info)).collect()
    }

    async fn extract(&mut self, request: &ExtractRequest) -> (Vec<Bytes>, Result<(), Status>) {
        self.stream("/admin.API/Extract", request).await
    }

    async fn wait_for(&mut self, what: &str, settled: impl Fn(&BTreeMap<String, PipelineInfo>) -> bool) {
        for _ in 0..2000 {
            if settled(&self.pipelines().await) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("it never came to: {what}; {:?}", self.pipelines().await);
    }
}

fn metadata_only() -> ExtractRequest {
    ExtractRequest { no_objects: true, ..ExtractRequest::default() }
}

fn sorted(ops: Vec<impl AsRef<[u8]>>) -> Vec<Vec<u8>> {
    let mut ops: Vec<Vec<u8>> = ops.into_iter().map(|op| op.as_ref().to_vec()).collect();
    ops.sort();
    ops
}

fn has_state(info: &PipelineInfo, state: PipelineState) -> bool {
    info.state == state as i32
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_again_the_rewound_cluster_extracts_the_recorded_bytes() {
    let server = serve(true).await;
    let mut client = Client::of(server.external()).await;
    let before = client.pipelines().await;
    let running: BTreeSet<&str> =
        before.values().filter(|p| !p.stopped).map(|p| p.pipeline.as_ref().unwrap().name.as_str()).collect();
    assert_eq!(running.len(), 11);
    assert!(before["halted"].stopped && has_state(&before["halted"], PipelineState::Paused));
    assert!(has_state(&before["Stand_By"], PipelineState::Standby));
    assert!(has_state(&before["copy"], PipelineState::Running));
    // Downstream first: the order of the stops must not matter.
    for name in running.iter().rev() {
        client.stop(name).await.unwrap();
    }
    client.wait_for("all paused", |all| all.values().all(|p| p.stopped && has_state(p, PipelineState::Paused))).await;
    let (ops, outcome) = client.extract(&metadata_only()).await;
    outcome.unwrap();
    assert!(sorted(ops) == sorted(recorded::alpha_ops().unwrap()), "an op differs from the recorded one");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_rewinding_the_extract_has_the_recorded_ops_in_pachds_order() {
    let server = serve(false).await;
    let mut client = Client::of(server.external()).await;
    let (ops, outcome) = client.extract(&metadata_only()).await;
    outcome.unwrap();
    let recorded = recorded::alpha_ops().unwrap();
    assert_eq!(ops.len(), recorded.len());
    // Groups come in the same places; inside a group, ties and pipelines have no fixed order.
    let kinds = |ops: &[Vec<u8>]| {
        let kind = |op: &Vec<u8>| Op::decode(op.as_slice()).unwrap().kind();
        ops.iter()
            .map(kind)
            .map(|kind| format!("{kind:?}"))
            .filter(|k| !k.contains("Job") && !k.contains("Pipeline"))
            .collect::<Vec<_>>()
    };
    let ops: Vec<Vec<u8>> = ops.into_iter().map(|op| op.to_vec()).collect();
    assert_eq!(kinds(&ops), kinds(&recorded));
    assert_eq!(ops[0], recorded[0]);
    assert!(sorted(ops) == sorted(recorded));
}

/// The ops of the recorded full extract. What pachd's cache leaves behind on a LOCAL backend is left out: copies of blocks,
/// under the name of the block with the range that was read.
fn full_ops() -> Vec<Vec<u8>> {
    let archive = include_bytes!("../../../tests/data/alpha.tar.zst");
    let mut archive = tar::Archive::new(zstd::Decoder::new(&archive[..]).unwrap());
    let entries = archive.entries().unwrap().map(Result::unwrap);
    let entry = { entries }.find(|entry| entry.path().unwrap().to_str() == Some("alpha-full.pachd")).unwrap();
    let mut reader = pachyderm::stream::Reader::new(entry);
    let (mut ops, mut cached) = (Vec::new(), 0);
    while let Some(op) = reader.next_op().unwrap() {
        let block = Op::decode(op.bytes.clone()).unwrap().op1_13.and_then(|body| body.block).and_then(|put| put.block);
        if block.is_some_and(|block| block.hash.matches('-').count() >= 2) {
            cached += 1;
        } else {
            ops.push(op.bytes.to_vec());
        }
    }
    assert_eq!((ops.len(), cached), (2770 - CACHED, CACHED));
    ops
}

/// The environment of a pipeline is a map, which pachd writes in any order.
fn with_maps_sorted(op: &impl AsRef<[u8]>) -> Vec<u8> {
    let decoded = Op::decode(op.as_ref()).unwrap();
    let is_pipeline = decoded.op1_13.as_ref().is_some_and(|body| body.pipeline.is_some());
    if is_pipeline { decoded.encode_to_vec() } else { op.as_ref().to_vec() }
}

/// Ops of the 44 copies of blocks in the recorded full extract: two for each of the 22 that hold something, else one.
const CACHED: usize = 66;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_extract_has_the_recorded_ops() {
    let recorded = full_ops();
    let commits = recorded.iter().filter_map(|op| Op::decode(&op[..]).unwrap().op1_13?.commit);
    let finished = commits.map(|commit| (commit.finished.unwrap(), commit.id));
    let finished = finished.map(|(at, id)| (id, jiff::Timestamp::new(at.seconds, at.nanos).unwrap())).collect();
    let server = serve_at(false, finished).await;
    let mut client = Client::of(server.external()).await;
    let (ops, outcome) = client.extract(&ExtractRequest::default()).await;
    outcome.unwrap();
    assert_eq!(ops.len(), recorded.len());
    let (seen, recorded) =
        (sorted(ops.iter().map(with_maps_sorted).collect()), sorted(recorded.iter().map(with_maps_sorted).collect()));
    if let Some((seen, recorded)) = seen.iter().zip(&recorded).find(|(seen, recorded)| seen != recorded) {
        let op = |bytes: &[u8]| format!("{:?}", Op::decode(bytes).unwrap()).chars().take(2000).collect::<String>();
        panic!("recorded {}\nanswered {}", op(recorded), op(seen));
    }
}

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
    for _ in 0..400 {
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
async fn extracts_break_off_as_told() {
    let server = serve(false).await;
    let mut client = Client::of(server.external()).await;
    server.faults().abort_extract_after(50);
    let (ops, outcome) = client.extract(&metadata_only()).await;
    assert_eq!((ops.len(), outcome.unwrap_err().code()), (50, Code::Unavailable));
    server.faults().truncate_extract_after(50);
    let (ops, outcome) = client.extract(&metadata_only()).await;
    assert_eq!((ops.len(), outcome.is_ok()), (50, true));
    server.faults().complete_extracts();
    assert_eq!(client.extract(&metadata_only()).await.0.len(), 198);
}

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
async fn an_extract_to_a_url_answers_no_ops_and_leaves_a_readable_file() {
    let server = serve(false).await;
    let mut client = Client::of(server.external()).await;
    let url = "s3://pachyderm-data/dumps/today.pachd".to_owned();
    let (ops, outcome) = client.extract(&ExtractRequest { url, ..metadata_only() }).await;
    outcome.unwrap();
    assert!(ops.is_empty());
    let file = server.state().bucket.get("dumps/today.pachd").unwrap();
    let mut reader = pachyderm::stream::Reader::new(&file[..]);
    let mut read = 0;
    while reader.next_op().unwrap().is_some() {
        read += 1;
    }
    assert_eq!(read, 198);
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
