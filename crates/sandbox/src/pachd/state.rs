//! A Pachyderm cluster as it lies in etcd's key space and in the bucket: everything that pachd answers is read from here.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use pachyderm::etcd::proto::KeyValue;
use pachyderm::hashtree;
use pachyderm::proto::pfs::{BranchInfo, Commit, CommitInfo, RepoInfo};
use pachyderm::proto::pps::{EtcdJobInfo, EtcdPipelineInfo, PipelineInfo};
use prost::Message;

use super::etcd::Store;
use super::objects::{ObjectStore, Objects};

/// The prefix of pachd's keys in etcd.
pub const PREFIX: &str = "pachyderm/1.7.0";
/// The repo of pipeline specifications.
pub const SPEC_REPO: &str = "__spec__";

/// A cluster's state. Cheap to clone.
#[derive(Clone, Debug)]
pub struct State {
    /// etcd's key space.
    pub store: Arc<Store>,
    /// The bucket.
    pub bucket: Arc<dyn ObjectStore>,
}

/// A record of a collection with its key's revisions.
#[derive(Clone, Debug)]
pub struct Record<M> {
    /// What follows the collection's name in the key.
    pub name: String,
    /// Revision at which the key was created: the order of most listings.
    pub created: i64,
    /// The record.
    pub value: M,
}

impl State {
    /// The etcd key of a record.
    pub fn key(collection: &str, name: &str) -> Bytes {
        Bytes::from(format!("{PREFIX}/{collection}/{name}"))
    }

    /// All records of a collection in key order.
    pub fn records<M: Message + Default>(&self, collection: &str) -> Vec<Record<M>> {
        let prefix = format!("{PREFIX}/{collection}/");
        self.store
            .prefix(prefix.as_bytes())
            .into_iter()
            .filter(|kv| !kv.key.windows(8).any(|part| part == b"__index_"))
            .filter_map(|kv| {
                Some(Record {
                    name: String::from_utf8(kv.key[prefix.len()..].to_vec()).ok()?,
                    created: kv.create_revision,
                    value: M::decode(kv.value.clone()).ok()?,
                })
            })
            .collect()
    }

    /// One record.
    pub fn record<M: Message + Default>(&self, collection: &str, name: &str) -> Option<M> {
        self.store.get(&Self::key(collection, name)).and_then(|kv| M::decode(kv.value).ok())
    }

    /// Repos, `__spec__` among them.
    pub fn repos(&self) -> Vec<Record<RepoInfo>> {
        self.records("pachyderm_pfs/repos")
    }

    /// Branches of all repos; names are `repo/branch`.
    pub fn branches(&self) -> Vec<Record<BranchInfo>> {
        self.records("pachyderm_pfs/branches")
    }

    /// One branch.
    pub fn branch(&self, repo: &str, branch: &str) -> Option<BranchInfo> {
        self.record("pachyderm_pfs/branches", &format!("{repo}/{branch}"))
    }

    /// Commits of all repos; names are `repo/id`.
    pub fn commits(&self) -> Vec<Record<CommitInfo>> {
        self.records("pachyderm_pfs/commits")
    }

    /// One commit by its id.
    pub fn commit(&self, repo: &str, id: &str) -> Option<CommitInfo> {
        self.record("pachyderm_pfs/commits", &format!("{repo}/{id}"))
    }

    /// What etcd holds of all pipelines.
    pub fn pipelines(&self) -> Vec<Record<EtcdPipelineInfo>> {
        self.records("pachyderm_pps/pipelines")
    }

    /// What etcd holds of one pipeline.
    pub fn pipeline(&self, name: &str) -> Option<EtcdPipelineInfo> {
        self.record("pachyderm_pps/pipelines", name)
    }

    /// Jobs; names are their ids.
    pub fn jobs(&self) -> Vec<Record<EtcdJobInfo>> {
        self.records("pachyderm_pps/jobs")
    }

    /// All live keys, as the offline computation of a stream takes them.
    pub fn live(&self) -> BTreeMap<Vec<u8>, KeyValue> {
        self.store.live().1.into_iter().map(|kv| (kv.key.to_vec(), kv)).collect()
    }

    /// Reads objects of the bucket by their hashes.
    pub fn objects(&self) -> Objects {
        Objects::new(Arc::clone(&self.bucket))
    }

    /// The specification file that a commit of the spec repo holds, or `None` when the bucket lacks a part of it.
    pub fn specification(&self, spec_commit: &Commit) -> Option<PipelineInfo> {
        let commit = self.commit(SPEC_REPO, &spec_commit.id)?;
        let objects = self.objects();
        let tree = objects.content(&commit.tree?.hash)?;
        let tree = hashtree::read_serialised(&tree).ok()?;
        let file = hashtree::read_file(&objects, &tree, "/spec").ok()?;
        PipelineInfo::decode(file.as_slice()).ok()
    }
}
