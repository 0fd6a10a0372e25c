//! Every recorded call, answered by the sandbox's pachd from the state that the cluster had when the call was recorded:
//! same status code, same text, same messages.
//!
//! The recorded etcd snapshot holds its whole history, so the key space is cut off at the revision of the moment: while
//! pipelines ran, right after all StopPipeline calls, when all were paused, and at the extract.

#![cfg(feature = "pachd")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, missing_docs)]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use pachyderm::proto::pfs::{
    Block, BranchInfo, BranchInfos, Commit, CommitInfo, CommitInfos, FsckResponse, ListRepoResponse, ListTagsResponse,
    ObjectInfo, Repo, RepoInfo,
};
use pachyderm::proto::pps::{JobInfo, JobInfos, PipelineInfo, PipelineInfos};
use pachyderm::proto::{admin, enterprise, transaction, version};
use prost::Message;
use sandbox::pachd::etcd::{Store, snapshot};
use sandbox::pachd::grpc::RawCodec;
use sandbox::pachd::objects::{MemoryObjects, ObjectStore};
use sandbox::pachd::recorded::Recorded;
use sandbox::pachd::state::State;
use sandbox::pachd::{ExtractClock, PachdOptions, PachdServer};
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

/// The moments of the recording, as etcd revisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// Pipelines run.
    Running = 615,
    /// A commit was started that a later call finishes.
    CommitStarted = 616,
    /// All StopPipeline calls were answered, nothing has settled.
    RightAfterStop = 673,
    /// All pipelines are paused.
    Paused = 717,
    /// The extract.
    Extract = 722,
}

/// Parts of the names of calls that cannot be compared, and why.
const SKIPPED: &[(&str, &str)] = &[
    ("-restarted", "recorded later than the snapshot"),
    ("kubernetes-unreachable", "recorded on another cluster"),
    ("pfs.API.GetFile/", "the sandbox does not serve files"),
    ("pfs.API.FlushCommit/", "the sandbox does not serve FlushCommit"),
    ("admin.API.Extract/no-objects-running", "it listed one revision after the other while jobs ran"),
    ("transaction.API.ListTransaction/one", "recorded while a transaction was open"),
    ("transaction.API.DeleteTransaction/ok", "recorded while a transaction was open"),
];

struct Case {
    name: String,
    method: String,
    code: String,
    message: String,
    metadata: BTreeMap<String, String>,
    request: Bytes,
    responses: Vec<Bytes>,
}

impl Case {
    fn moment(&self) -> Moment {
        match self.name.as_str() {
            "pfs.API.FinishCommit/ok" => Moment::CommitStarted,
            "pfs.API.Fsck/no-fix-paused" => Moment::Extract,
            name if name.starts_with("admin.API.Extract/") => Moment::Extract,
            name if name.ends_with("-paused") => Moment::Paused,
            name if name.ends_with("-right-after-stop") => Moment::RightAfterStop,
            _ => Moment::Running,
        }
    }

    /// When open commits are said to have finished: an extract gives them its own time.
    fn clock(&self) -> ExtractClock {
        let mut times = BTreeMap::new();
        if self.method == "/admin.API/Extract" {
            for op in decoded::<admin::Op>(&self.responses) {
                let Some(commit) = op.op1_13.and_then(|body| body.commit) else { continue };
                let finished = commit.finished.unwrap();
                times.insert(commit.id, jiff::Timestamp::new(finished.seconds, finished.nanos).unwrap());
            }
        }
        ExtractClock::Recorded(times)
    }

    /// Whether this is the recorded text. Which of several pipelines a refused garbage collection names is chance.
    fn says(&self, text: &str) -> bool {
        let stem = "all pipelines must be stopped to run garbage collection, pipeline: ";
        match self.message.strip_prefix(stem) {
            Some(_) => text.strip_prefix(stem).is_some_and(|rest| rest.ends_with(" is not")),
            None => text == self.message,
        }
    }

    fn skipped(&self) -> Option<&'static str> {
        SKIPPED.iter().find(|(part, _)| self.name.contains(part)).map(|(part, _)| *part)
    }
}

fn data(path: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../tests/data/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn unpacked(path: &str) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let archive = data(path);
    for entry in tar::Archive::new(zstd::Decoder::new(archive.as_slice()).unwrap()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        files.insert(entry.path().unwrap().to_string_lossy().into_owned(), bytes);
    }
    files
}

/// Splits the messages of a stream, each behind its length in big endian.
fn split(mut bytes: &[u8]) -> Vec<Bytes> {
    let mut messages = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let (message, after) = rest.split_at(u32::from_be_bytes(*length) as usize);
        messages.push(Bytes::copy_from_slice(message));
        bytes = after;
    }
    messages
}

fn cases() -> Vec<Case> {
    let files = unpacked("grpc.tar.zst");
    let descriptions = files.iter().filter_map(|(path, bytes)| {
        let name = path.strip_prefix("grpc/")?.strip_suffix(".json")?;
        (!name.starts_with("timeline/")).then_some((name, bytes))
    });
    descriptions
        .map(|(name, bytes)| {
            let description: serde_json::Value = serde_json::from_slice(bytes).unwrap();
            let text = |field: &str| description[field].as_str().unwrap().to_owned();
            let raw = |suffix: &str| Bytes::from(files[&format!("grpc/{name}.{suffix}")].clone());
            let responses = match text("kind").as_str() {
                "server stream" => split(&raw("resp.bin")),
                _ if text("status") == "OK" => vec![raw("resp.bin")],
                _ => Vec::new(),
            };
            let metadata = description["request_metadata"].as_object().unwrap().iter();
            Case {
                name: name.to_owned(),
                method: text("method"),
                code: text("status"),
                message: text("message"),
                metadata: metadata.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect(),
                request: raw("req.bin"),
                responses,
            }
        })
        .collect()
}

/// Serves the cluster as it was at the moment of the recording.
async fn serve(case: &Case, bucket: &Arc<MemoryObjects>) -> PachdServer {
    let mut changes = snapshot::load(&data("etcd/alpha.snapshot.db")).unwrap();
    changes.retain(|change| change.kv.mod_revision <= case.moment() as i64);
    let state = State { store: Arc::new(Store::with_history(changes)), bucket: Arc::clone(bucket) as _ };
    let recorded = Recorded { state, stops: BTreeMap::new(), branches: BTreeMap::new() };
    let options = PachdOptions { clock: case.clock(), deployment_id: "deploy-alpha".into(), ..PachdOptions::default() };
    PachdServer::start(recorded, options).await.unwrap()
}

async fn call(address: SocketAddr, case: &Case) -> Result<Vec<Bytes>, Status> {
    let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let mut client = tonic::client::Grpc::new(channel).max_decoding_message_size(64 << 20);
    client.ready().await.unwrap();
    let mut request = Request::new(case.request.clone());
    for (key, value) in &case.metadata {
        let key: AsciiMetadataKey = key.parse().unwrap();
        request.metadata_mut().insert(key, value.parse::<AsciiMetadataValue>().unwrap());
    }
    let path = case.method.parse().unwrap();
    let mut stream = client.server_streaming(request, path, RawCodec).await?.into_inner();
    let mut messages = Vec::new();
    while let Some(message) = stream.message().await? {
        messages.push(message);
    }
    Ok(messages)
}

fn name_of(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Unknown => "UNKNOWN",
        Code::Unimplemented => "UNIMPLEMENTED",
        _ => "a code that no recorded call has",
    }
}

/// How two lists of messages have to agree.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Same,
    Any,
    /// The recorded ones are among the others: the bucket was copied later.
    Within,
}

fn decoded<M: Message + Default>(messages: &[Bytes]) -> Vec<M> {
    messages.iter().map(|bytes| M::decode(bytes.clone()).unwrap()).collect()
}

fn agree<M: PartialEq + Debug>(recorded: Vec<M>, answered: Vec<M>, order: Order) -> Result<(), String> {
    if order != Order::Within && recorded.len() != answered.len() {
        return Err(format!("{} messages instead of {}", answered.len(), recorded.len()));
    }
    if order == Order::Same {
        return match recorded.iter().zip(&answered).find(|(a, b)| a != b) {
            None => Ok(()),
            Some((recorded, answered)) => Err(format!("recorded {recorded:?}\n  answered {answered:?}")),
        };
    }
    let mut left = answered;
    for message in recorded {
        match left.iter().position(|other| *other == message) {
            Some(at) => drop(left.swap_remove(at)),
            None => return Err(format!("recorded, not answered: {message:?}")),
        }
    }
    Ok(())
}

/// pachd reads a service's address from Kubernetes, which this test has none of.
fn without_address(mut info: PipelineInfo) -> PipelineInfo {
    if let Some(service) = &mut info.service {
        service.ip.clear();
    }
    info
}

/// The members of lists that come in one message each.
fn flat<L: Message + Default, M>(messages: &[Bytes], members: impl Fn(L) -> Vec<M>) -> Vec<M> {
    decoded::<L>(messages).into_iter().flat_map(members).collect()
}

fn compare(case: &Case, answered: &[Bytes]) -> Result<(), String> {
    let recorded = &case.responses;
    macro_rules! same {
        ($message:ty) => {
            same!($message, Order::Same)
        };
        ($message:ty, $order:expr) => {
            agree(decoded::<$message>(recorded), decoded::<$message>(answered), $order)
        };
    }
    match case.method.as_str() {
        "/admin.API/Extract" => same!(admin::Op, Order::Any),
        "/admin.API/ExtractPipeline" => same!(admin::Op),
        "/admin.API/InspectCluster" => same!(admin::ClusterInfo),
        "/versionpb.API/GetVersion" => same!(version::Version),
        "/enterprise.API/GetState" => same!(enterprise::GetStateResponse),
        "/enterprise.API/GetActivationCode" => same!(enterprise::GetActivationCodeResponse),
        "/transaction.API/ListTransaction" => same!(transaction::TransactionInfos),
        // New ids each time, of one length.
        "/transaction.API/StartTransaction" => {
            let ids = |messages| flat(messages, |one: transaction::Transaction| vec![one.id.len()]);
            agree(ids(recorded), ids(answered), Order::Same)
        }
        "/pfs.API/StartCommit" => {
            let ids = |messages| flat(messages, |one: Commit| vec![(one.repo, one.id.len())]);
            agree::<(Option<Repo>, usize)>(ids(recorded), ids(answered), Order::Same)
        }
        // Those made in one transaction come in any order.
        "/pfs.API/ListRepo" => {
            let repos = |messages| flat(messages, |list: ListRepoResponse| list.repo_info);
            agree(repos(recorded), repos(answered), Order::Any)
        }
        "/pfs.API/InspectRepo" => same!(RepoInfo),
        "/pfs.API/ListBranch" => {
            let branches = |messages| flat(messages, |list: BranchInfos| list.branch_info);
            agree(branches(recorded), branches(answered), Order::Any)
        }
        "/pfs.API/InspectBranch" => same!(BranchInfo),
        "/pfs.API/ListCommit" => same!(CommitInfos),
        "/pfs.API/ListCommitStream" => same!(CommitInfo, Order::Any),
        "/pfs.API/InspectCommit" => same!(CommitInfo),
        "/pfs.API/Fsck" => same!(FsckResponse),
        "/pfs.ObjectAPI/ListBlock" => same!(Block, Order::Within),
        "/pfs.ObjectAPI/ListObjects" => same!(ObjectInfo, Order::Within),
        "/pfs.ObjectAPI/ListTags" => same!(ListTagsResponse, Order::Within),
        "/pps.API/ListPipeline" => {
            let infos = |messages| {
                let infos = flat(messages, |list: PipelineInfos| list.pipeline_info);
                infos.into_iter().map(without_address).collect::<Vec<_>>()
            };
            agree(infos(recorded), infos(answered), Order::Any)
        }
        "/pps.API/InspectPipeline" => {
            let infos = |messages| flat(messages, |info: PipelineInfo| vec![without_address(info)]);
            agree(infos(recorded), infos(answered), Order::Same)
        }
        "/pps.API/ListJob" => same!(JobInfos),
        "/pps.API/ListJobStream" => same!(JobInfo),
        "/pps.API/StopPipeline"
        | "/pps.API/StartPipeline"
        | "/pps.API/GarbageCollect"
        | "/pfs.API/FinishCommit"
        | "/health.Health/Health" => same!(()),
        other => Err(format!("{other}: no message type is known for it")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_call_is_answered_as_recorded() {
    let bucket = Arc::new(MemoryObjects::default());
    for (path, bytes) in unpacked("alpha.tar.zst") {
        if let Some(key) = path.strip_prefix("bucket/") {
            bucket.put(key, bytes.into());
        }
    }
    let mut failures = Vec::new();
    let mut skipped: BTreeMap<&str, usize> = BTreeMap::new();
    let mut compared = 0;
    for case in cases() {
        if let Some(part) = case.skipped() {
            *skipped.entry(part).or_default() += 1;
            continue;
        }
        // A new server for each call: some of them write.
        let server = serve(&case, &bucket).await;
        let address = if case.name.ends_with("/peer-port") { server.peer() } else { server.external() };
        let verdict = match call(address, &case).await {
            Ok(messages) if case.code == "OK" => compare(&case, &messages),
            Ok(_) => Err(format!("answered OK instead of {}: {}", case.code, case.message)),
            Err(status) if name_of(status.code()) == case.code && case.says(status.message()) => Ok(()),
            Err(status) => Err(format!("answered {status} instead of {}: {:?}", case.code, case.message)),
        };
        compared += 1;
        if let Err(reason) = verdict {
            failures.push(format!("{}: {reason}", case.name));
        }
    }
    eprintln!("{compared} recorded calls compared, left out: {skipped:?}");
    assert!(failures.is_empty(), "{} of {compared} differ:\n{}", failures.len(), failures.join("\n"));
    assert!(SKIPPED.iter().all(|(part, _)| skipped.contains_key(part)), "nothing is left out by one of {SKIPPED:?}");
    assert!(compared >= 129, "only {compared} calls were compared");
}
