//! Extracts: against the recorded streams, broken off, and to a URL.

use std::collections::BTreeSet;

use pachyderm::proto::admin::{ExtractRequest, Op};
use pachyderm::proto::pps::PipelineState;
use prost::Message;
use sandbox::pachd::recorded;
use tonic::Code;

use crate::client::{Client, has_state, metadata_only, serve, serve_at, sorted, unpacked};

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
    let stream = unpacked("alpha.tar.zst").remove("alpha-full.pachd").unwrap();
    let mut reader = pachyderm::stream::Reader::new(&stream[..]);
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
