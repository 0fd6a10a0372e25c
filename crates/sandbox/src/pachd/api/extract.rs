//! Extract: blocks, objects and tags from the bucket, everything else computed from etcd.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use jiff::Timestamp;
use pachyderm::offline::{self, Groups, OfflineError, Options, Ties};
use pachyderm::proto::admin::{ExtractRequest, Op, OpBody};
use pachyderm::proto::op::{OpKind, OpVersion};
use pachyderm::proto::pfs::{Block, CreateObjectRequest, PutBlockRequest, TagObjectRequest};
use pachyderm::stream::Writer;
use prost::Message;
use tonic::Status;

use super::faults::ExtractEnd;
use super::object::PIECE;
use super::{ExtractClock, Faults, PachdService, errors};
use crate::pachd::grpc::{Answer, plain};

type Operations = Box<dyn Iterator<Item = Result<Bytes, Status>> + Send>;

/// Answers an extract: with its operations, or with none and an object in the bucket if the request has a URL.
pub(super) fn answer(service: &PachdService, request: &ExtractRequest) -> Result<Answer, Status> {
    let key = if request.url.is_empty() { None } else { Some(object_of_url(&request.url)?) };
    service.forget_stale_jobs();
    let operations = operations(service, request);
    let faults = Arc::clone(&service.faults);
    let Some(key) = key else { return Ok(send(operations, faults)) };
    let mut writer = Writer::new(Vec::new());
    let mut outcome = Ok(());
    for operation in interrupted(operations, service.faults.extract_end()) {
        match operation {
            Ok(op) => writer.write_op(&op).map_err(|error| plain(error.to_string()))?,
            Err(status) => outcome = Err(status),
        }
    }
    // pachd closes its writer also after a failure, so that a cut-off file is there under the final name.
    let (file, _) = writer.finish().map_err(|error| plain(error.to_string()))?;
    service.state.bucket.put(&key, file.into());
    outcome.map(|()| stream::empty().boxed())
}

fn send(operations: Operations, faults: Arc<Faults>) -> Answer {
    let end = faults.extract_end();
    stream::unfold((interrupted(operations, end), faults), |(mut operations, faults)| async move {
        let operation = operations.next()?;
        let latency = faults.operation_latency();
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        Some((operation, (operations, faults)))
    })
    .boxed()
}

/// Cuts a stream where a fault says so.
fn interrupted(operations: Operations, end: Option<ExtractEnd>) -> Operations {
    let length = |operations: u64| usize::try_from(operations).unwrap_or(usize::MAX);
    match end {
        None => operations,
        Some(ExtractEnd::Truncate(after)) => Box::new(operations.take(length(after))),
        Some(ExtractEnd::Abort(after)) => {
            let broken = Status::unavailable("transport is closing");
            Box::new(operations.take(length(after)).chain(std::iter::once(Err(broken))))
        }
    }
}

fn operations(service: &PachdService, request: &ExtractRequest) -> Operations {
    let (mut rest, failure) = match from_etcd(service, request) {
        Ok(operations) => (operations, None),
        Err(error) => (Vec::new(), Some(status_of(&error))),
    };
    let mut first = Vec::new();
    if !request.no_objects {
        let begins_with_check = rest
            .first()
            .is_some_and(|op| Op::decode(op.as_slice()).is_ok_and(|op| op.kind() == Some(OpKind::CheckAuthToken)));
        if begins_with_check {
            first.push(rest.remove(0));
        }
    }
    let whole = |ops: Vec<Vec<u8>>| ops.into_iter().map(|op| Ok(Bytes::from(op)));
    let objects: Operations =
        if request.no_objects { Box::new(std::iter::empty()) } else { from_bucket(service.clone()) };
    let again: Vec<Bytes> =
        if service.faults.more_rounds() > 0 { rest.iter().cloned().map(Bytes::from).collect() } else { Vec::new() };
    let more = (0..service.faults.more_rounds()).flat_map(move |_| again.clone()).map(Ok);
    Box::new(until_failure(whole(first).chain(objects).chain(whole(rest)).chain(more).chain(failure.map(Err))))
}

fn from_etcd(service: &PachdService, request: &ExtractRequest) -> Result<Vec<Vec<u8>>, OfflineError> {
    let now = Timestamp::now();
    let finished = |commit: pachyderm::stream::CommitRef<'_>| match &service.clock {
        ExtractClock::Now => now,
        ExtractClock::Recorded(times) => times.get(commit.id).copied().unwrap_or(now),
    };
    let groups = Groups {
        repos: !request.no_repos,
        pipelines: !request.no_pipelines,
        enterprise: !request.no_enterprise,
        auth: !request.no_auth,
    };
    let options =
        Options { finished_at: Some(&finished), ties: Ties::AsPachd, groups, ..Options::new(OpVersion::V1_13, now) };
    offline::compute(&service.state.live(), &service.state.objects(), &options)
}

fn status_of(error: &OfflineError) -> Status {
    match error {
        OfflineError::SpecTree { pipeline, .. } | OfflineError::Spec { pipeline, .. } => {
            errors::unreadable_specification(pipeline)
        }
        OfflineError::JobWithoutSpec { .. } => plain("couldn't find spec commit for job"),
        other => plain(other.to_string()),
    }
}

fn encoded(body: OpBody) -> Bytes {
    Op::new(OpVersion::V1_13, body).encode_to_vec().into()
}

/// Blocks, objects and tags, each read when its turn comes.
fn from_bucket(service: PachdService) -> Operations {
    let bucket = Arc::clone(&service.state.bucket);
    let blocks = bucket.list("block/").into_iter().flat_map(move |key| {
        let hash = key["block/".len()..].to_owned();
        let value = bucket.get(&key);
        let Some(value) = value else { return vec![Err(plain(format!("object {key} not found")))] };
        let pieces = (0..value.len()).step_by(PIECE).map(|at| value.slice(at..value.len().min(at + PIECE)));
        let pieces = pieces.chain(std::iter::once(Bytes::new()));
        let request = |value| PutBlockRequest { block: Some(Block { hash: hash.clone() }), value };
        pieces
            .map(|piece| Ok(encoded(OpBody { block: Some(Box::new(request(piece))), ..Default::default() })))
            .collect()
    });
    let (of_objects, of_tags) = (service.clone(), service.clone());
    let objects = service.state.bucket.list("object/").into_iter().map(move |key| {
        let info = of_objects.object_info(key["object/".len()..].to_owned())?;
        let request = CreateObjectRequest { object: info.object, block_ref: info.block_ref };
        Ok(encoded(OpBody { create_object: Some(Box::new(request)), ..Default::default() }))
    });
    // Listed only when it is their turn, as pachd does.
    let tags = std::iter::once_with(move || of_tags.tags("")).flat_map(|tags| match tags {
        Err(status) => vec![Err(status)],
        Ok(tags) => tags
            .into_iter()
            .map(|tag| TagObjectRequest { object: tag.object, tags: tag.tag.into_iter().collect() })
            .map(|request| Ok(encoded(OpBody { tag: Some(Box::new(request)), ..Default::default() })))
            .collect(),
    });
    Box::new(blocks.chain(objects).chain(tags))
}

/// Nothing follows a failure.
fn until_failure(
    operations: impl Iterator<Item = Result<Bytes, Status>> + Send,
) -> impl Iterator<Item = Result<Bytes, Status>> + Send {
    let mut failed = false;
    operations.take_while(move |operation| {
        let wanted = !failed;
        failed |= operation.is_err();
        wanted
    })
}

/// The object that a URL names. The sandbox has one bucket, so the URL's own bucket is not looked at.
pub(super) fn object_of_url(url: &str) -> Result<String, Status> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    if !matches!(scheme, "s3" | "gs" | "gcs" | "as" | "wasb" | "local") {
        return Err(plain(format!("error parsing url {url}: unrecognized object store: {scheme}")));
    }
    match rest.split_once('/') {
        Some((_, object)) if !object.is_empty() => Ok(object.to_owned()),
        _ => Err(plain(format!("URL must be <svc>://<bucket>/<object> (no object in {url})"))),
    }
}
