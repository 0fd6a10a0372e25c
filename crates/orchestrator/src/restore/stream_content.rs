//! What a metadata stream says a cluster holds: read before anything else, and held against what came back.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use pachyderm::proto::pps::CreatePipelineRequest;
use pachyderm::stream::{CommitRef, OpKind, OpVersion, OpView, Reader, RestoreCheck, RestoreDefect, view};
use prost::Message;

use crate::error::{Error, ErrorKind, Result};

/// What a stream says. Memory is that of the names: some hundred bytes for each commit.
#[derive(Debug, Default)]
pub(crate) struct StreamContent {
    /// Version of its ops.
    pub(super) version: Option<OpVersion>,
    /// Ops in all.
    pub(super) ops: u64,
    /// Repos, `__spec__` among them.
    pub(crate) repos: BTreeSet<String>,
    /// Commits as `repo@id`.
    pub(crate) commits: HashSet<String>,
    /// The head of each branch `repo@branch`.
    pub(super) branches: BTreeMap<String, Option<String>>,
    /// Pipelines.
    pub(super) pipelines: BTreeSet<String>,
    /// Secrets that pipelines name, for their programs and for pulling images.
    pub(super) secrets: BTreeSet<String>,
    /// Jobs.
    pub(super) jobs: u64,
    /// Whether a commit comes before its parent, where pachd's restore would stop.
    pub(super) children_first: bool,
    /// Names at which pachd's restore stops, in words.
    pub(super) refused_names: Vec<String>,
    /// Whether it brings objects along.
    pub(super) with_objects: bool,
    /// Whether it turns auth on.
    pub(super) activates_auth: bool,
    /// Whether it brings the licence that auth needs.
    pub(super) brings_licence: bool,
}

/// A commit's name in [`StreamContent`].
pub(super) fn commit_name(repo: &str, id: &str) -> String {
    format!("{repo}@{id}")
}

/// Reads a stream from its beginning to its end.
///
/// # Errors
/// `Damaged` when it isn't one, or is cut off within an op.
pub(crate) async fn read(path: &Path) -> Result<StreamContent> {
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || read_blocking(&path)).await;
    read.map_err(|cause| Error::new(ErrorKind::Failed, "reading the metadata stream ended early").because(cause))?
}

/// Opens a stream.
///
/// # Errors
/// `NotFound` when the file can't be opened.
pub(super) fn open(path: &Path) -> Result<Reader<BufReader<File>>> {
    let file = File::open(path).map_err(|cause| {
        Error::new(ErrorKind::NotFound, format!("the stream {} can't be opened", path.display())).because(cause)
    })?;
    Ok(Reader::new(BufReader::new(file)))
}

fn read_blocking(path: &Path) -> Result<StreamContent> {
    let damaged = |cause: Box<dyn std::error::Error + Send + Sync>| {
        Error::new(ErrorKind::Damaged, "the metadata stream can't be read").because(cause)
    };
    let mut reader = open(path)?;
    let mut check = RestoreCheck::new();
    let mut content = StreamContent::default();
    while let Some(op) = reader.next_op().map_err(|cause| damaged(Box::new(cause)))? {
        match check.observe(&op).map_err(|cause| damaged(Box::new(cause)))? {
            Some(RestoreDefect::ChildBeforeParent { .. }) => content.children_first = true,
            Some(defect) => content.refused_names.push(defect.to_string()),
            None => {}
        }
        content.add(&view(&op).map_err(|cause| damaged(Box::new(cause)))?, op.kind);
        if op.kind == OpKind::Pipeline {
            content.secrets.extend(secrets(op.request()).map_err(|cause| damaged(Box::new(cause)))?);
        }
    }
    content.ops = reader.ops();
    content.version = reader.version();
    Ok(content)
}

/// The Secrets that a pipeline needs.
fn secrets(request: &[u8]) -> std::result::Result<Vec<String>, prost::DecodeError> {
    let transform = CreatePipelineRequest::decode(request)?.transform.unwrap_or_default();
    let own = transform.secrets.into_iter().map(|secret| secret.name);
    Ok(own.chain(transform.image_pull_secrets).filter(|name| !name.is_empty()).collect())
}

impl StreamContent {
    fn add(&mut self, op: &OpView<'_>, kind: OpKind) {
        match op {
            OpView::Repo { name } => drop(self.repos.insert((*name).to_owned())),
            OpView::Commit { commit: CommitRef { repo, id }, .. } => drop(self.commits.insert(commit_name(repo, id))),
            OpView::Branch { repo, name, head } => {
                let head = head.as_ref().map(|head| head.id.to_owned()).filter(|id| !id.is_empty());
                self.branches.insert(format!("{repo}@{name}"), head);
            }
            OpView::Pipeline { name, .. } => drop(self.pipelines.insert((*name).to_owned())),
            OpView::Job { .. } => self.jobs += 1,
            OpView::Block { .. } | OpView::CreateObject { .. } => self.with_objects = true,
            OpView::Tag { .. } | OpView::Other(_) => {}
        }
        self.with_objects |= kind == OpKind::Object;
        self.activates_auth |= kind == OpKind::ActivateAuth;
        self.brings_licence |= kind == OpKind::ActivateEnterprise;
    }
}
