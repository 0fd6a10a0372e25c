//! `admin.API/Restore`: a stream of operations, each applied when it arrives.
//!
//! As pachd does it: all operations are of one version; what exists already is passed over; a failure shows late, since the
//! rest of the stream is received and thrown away before it is told, after an empty answer.

mod access;
mod branches;
mod commits;
mod objects;
mod pipelines;

use std::collections::VecDeque;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use pachyderm::proto::admin::{Op, OpBody, RestoreRequest};
use pachyderm::proto::op::{OpKind, OpVersion};
use pachyderm::stream::Reader;
use prost::Message;
use tonic::Status;

use super::{PachdService, pfs_write};
use crate::pachd::grpc::{Answer, Call, one, plain};

/// Where a restore's operations come from.
struct Operations<'a> {
    call: &'a mut Call,
    /// Those of a file, or what the first message held.
    read: VecDeque<Op>,
    /// All come from a file; later messages are not looked at.
    from_file: bool,
    version: Option<OpVersion>,
}

impl Operations<'_> {
    /// The next operation with its kind; `None` at the end. A message without one ends nothing and does nothing.
    async fn next(&mut self) -> Result<Option<Op>, Status> {
        loop {
            let op = match self.read.pop_front() {
                Some(op) => op,
                None if self.from_file => return Ok(None),
                None => match self.call.messages.message().await? {
                    Some(bytes) => match decoded(bytes)?.op {
                        Some(op) => op,
                        None => continue,
                    },
                    None => return Ok(None),
                },
            };
            let Some(version) = op.version() else { return Err(plain("unrecognized stream version: undefined")) };
            match self.version {
                Some(first) if first != version => {
                    return Err(plain(format!(
                        "cannot mix different versions of pachd operation within a metadata dumps (found both {} and {})",
                        version.min(first),
                        version.max(first)
                    )));
                }
                _ => self.version = Some(version),
            }
            return Ok(Some(op));
        }
    }
}

fn decoded(bytes: Bytes) -> Result<RestoreRequest, Status> {
    RestoreRequest::decode(bytes)
        .map_err(|error| Status::internal(format!("grpc: error unmarshalling request: {error}")))
}

/// An error of one step with what pachd puts before it.
fn during(what: &str) -> impl Fn(Status) -> Status {
    move |status| plain(format!("{what}: {}", status.message()))
}

/// What exists already is no error.
fn unless_it_exists(outcome: Result<(), Status>) -> Result<(), Status> {
    outcome.or_else(|status| if status.message().contains("already exists") { Ok(()) } else { Err(status) })
}

/// A 32-digit UUID of version 4: what pachd takes for a commit id. Anything else may be the name of a branch.
fn is_commit_id(id: &str) -> bool {
    id.len() == 32
        && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        && id.as_bytes()[12] == b'4'
        && matches!(id.as_bytes()[16], b'8' | b'9' | b'a' | b'b')
}

/// A field in Go's text form, as far as the one text needs it that shows an operation.
fn text_form(op: &Op) -> String {
    let field = op.version().map(|version| version.to_string().replace('.', "_")).unwrap_or_default();
    let Some(body) = op.body() else { return String::new() };
    let inner = match (&body.repo, body.kind()) {
        (Some(repo), _) => {
            let name = repo.repo.as_ref().map_or("", |repo| repo.name.as_str());
            format!("repo:<repo:<name:\"{name}\" > > ")
        }
        (None, Some(kind)) => format!("{kind}:<> "),
        (None, None) => String::new(),
    };
    format!("op{field}:<{inner}> ")
}

impl PachdService {
    /// Answers a restore. The caller is allowed to.
    pub(super) async fn restore(&self, call: &mut Call) -> Result<Answer, Status> {
        let outcome = self.apply_all(call).await;
        while let Ok(Some(_)) = call.messages.message().await {}
        match outcome {
            Ok(()) => one(&()),
            Err(status) => Ok(stream::iter([Ok(Bytes::new()), Err(status)]).boxed()),
        }
    }

    async fn apply_all(&self, call: &mut Call) -> Result<(), Status> {
        let Some(first) = call.messages.message().await? else { return Ok(()) };
        let RestoreRequest { op, url } = decoded(first)?;
        let from_file = !url.is_empty();
        let read = if from_file { self.file(&url)? } else { op.into_iter().collect() };
        let mut operations = Operations { call, read, from_file, version: None };
        let mut number = 0;
        while let Some(op) = operations.next().await? {
            number += 1;
            if self.faults.failing_restore() == Some(number) {
                return Err(plain("error creating commit: etcdserver: request timed out"));
            }
            let latency = self.faults.operation_latency();
            if !latency.is_zero() {
                tokio::time::sleep(latency).await;
            }
            self.apply(op, &mut operations).await?;
        }
        Ok(())
    }

    /// The operations of a file in the bucket.
    fn file(&self, url: &str) -> Result<VecDeque<Op>, Status> {
        let key = super::extract::object_of_url(url)?;
        let missing =
            || plain(format!("open /{}: no such file or directory", url.split_once("://").unwrap_or(("", url)).1));
        let file = self.state.bucket.get(&key).ok_or_else(missing)?;
        let mut operations = VecDeque::new();
        for op in Reader::new(&file[..]) {
            let op = op.map_err(|error| plain(error.to_string()))?;
            operations.push_back(Op::decode(op.bytes).map_err(|error| plain(error.to_string()))?);
        }
        Ok(operations)
    }

    async fn apply(&self, op: Op, operations: &mut Operations<'_>) -> Result<(), Status> {
        let Some(body) = op.body().cloned() else { return Ok(()) };
        let token = || access::caller_token(&operations.call.metadata);
        match body {
            OpBody { block: Some(first), .. } => {
                let block = first.block.clone().unwrap_or_default().hash;
                let run = self.run(op, operations, OpKind::Block).await.map_err(during("error putting block"))?;
                self.state.bucket.put(&format!("block/{block}"), run);
                Ok(())
            }
            OpBody { object: Some(first), .. } => {
                let run = self.run(op, operations, OpKind::Object).await.map_err(during("error putting object"))?;
                self.put_object(run, &first.tags);
                Ok(())
            }
            OpBody { create_object: Some(request), .. } => {
                self.create_object(*request).map_err(during("error creating object"))
            }
            OpBody { tag: Some(request), .. } => self.tag_object(*request).map_err(during("error tagging object")),
            OpBody { repo: Some(request), .. } => {
                let created = pfs_write::create_repo(&self.state, *request).map(drop);
                unless_it_exists(created).map_err(during("error creating repo"))
            }
            OpBody { commit: Some(request), .. } => {
                unless_it_exists(self.build_commit(*request)).map_err(during("error creating commit"))
            }
            OpBody { branch: Some(request), .. } => {
                unless_it_exists(self.create_branch(*request)).map_err(during("error creating branch"))
            }
            OpBody { pipeline: Some(request), .. } => {
                unless_it_exists(self.create_pipeline(*request)).map_err(during("error creating pipeline"))
            }
            OpBody { job: Some(request), .. } => self.create_job(*request).map_err(during("error creating job")),
            OpBody { check_auth_token: Some(_), .. } => token().map(drop),
            OpBody { activate_enterprise: Some(request), .. } => {
                self.activate_enterprise(*request).map_err(during("error activating enterprise license"))
            }
            OpBody { activate_auth: Some(_), .. } => {
                let token = token()?;
                self.activate_auth(&token).map_err(during("error activating authentication"))
            }
            OpBody { restore_auth_token: Some(request), .. } => {
                self.restore_auth_token(*request).map_err(during("error restoring auth token"))
            }
            OpBody { set_cluster_role_binding: Some(request), .. } => {
                self.set_cluster_role_binding(&request).map_err(during("error setting cluster role bindings"))
            }
            OpBody { set_auth_config: Some(request), .. } => {
                self.set_auth_config(*request).map_err(during("error setting authorization config"))
            }
            OpBody { set_acl: Some(request), .. } => {
                self.set_acl(*request).map_err(during("error setting ACL for repo"))
            }
            _ => Ok(()),
        }
    }

    /// The bytes of a run of blocks or objects: up to an operation with an empty value, or the end of the stream.
    async fn run(&self, first: Op, operations: &mut Operations<'_>, kind: OpKind) -> Result<Bytes, Status> {
        let mut bytes = Vec::new();
        let mut next = Some(first);
        while let Some(op) = next {
            let body = op.body().cloned().unwrap_or_default();
            let value = match (kind, body.block, body.object) {
                (OpKind::Block, Some(block), _) => block.value,
                (OpKind::Object, _, Some(object)) => object.value,
                _ => return Err(plain(format!("CopyBuffer: expected a {kind}, but got: {}", text_form(&op)))),
            };
            if value.is_empty() {
                break;
            }
            bytes.extend_from_slice(&value);
            next = operations.next().await?;
        }
        Ok(bytes.into())
    }
}
