//! Writing specification files: a pipeline's description, the tree around it, and the commit that holds it.

use prost::Message;
use prost_types::Timestamp;
use sha2::{Digest, Sha256};

use bytes::Bytes;
use pachyderm::proto::pfs::{BranchInfo, Commit, CommitInfo, CommitOrigin, Object};
use pachyderm::proto::pps::PipelineInfo;

use super::state::{SPEC_REPO, State};

/// Now, as a message.
pub(super) fn now() -> Timestamp {
    let now = jiff::Timestamp::now();
    Timestamp { seconds: now.as_second(), nanos: now.subsec_nanosecond() }
}

/// A new commit id.
pub(super) fn new_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// Writes a specification as a new, finished commit on the pipeline's branch of the spec repo.
pub(super) fn write(state: &State, pipeline: &str, specification: &PipelineInfo) -> Commit {
    let objects = state.objects();
    let bytes = Bytes::from(specification.encode_to_vec());
    let size = bytes.len() as u64;
    let file = objects.write(bytes);
    let tree = objects.write(tree_of(&file, size).into());
    let commit = Commit::named(SPEC_REPO, &new_id());
    let branch_name = format!("{SPEC_REPO}/{pipeline}");
    state.store.write(|transaction| {
        let branch_key = State::key("pachyderm_pfs/branches", &branch_name);
        let mut branch =
            transaction.get(&branch_key).and_then(|kv| BranchInfo::decode(kv.value).ok()).unwrap_or_default();
        let parent = branch.head.replace(commit.clone());
        if let Some(parent) = &parent {
            let parent_key = State::key("pachyderm_pfs/commits", &format!("{SPEC_REPO}/{}", parent.id));
            if let Some(mut info) = transaction.get(&parent_key).and_then(|kv| CommitInfo::decode(kv.value).ok()) {
                info.child_commits.push(commit.clone());
                transaction.put(parent_key, info.encode_to_vec());
            }
        }
        let info = CommitInfo {
            commit: Some(commit.clone()),
            parent_commit: parent,
            started: Some(now()),
            finished: Some(now()),
            size_bytes: size,
            tree: Some(Object { hash: tree.clone() }),
            branch: branch.branch.clone(),
            origin: Some(CommitOrigin::default()),
            ..CommitInfo::default()
        };
        transaction
            .put(State::key("pachyderm_pfs/commits", &format!("{SPEC_REPO}/{}", commit.id)), info.encode_to_vec());
        transaction.put(branch_key, branch.encode_to_vec());
    });
    commit
}

/// A serialised tree with the one file `/spec`, which is one object.
fn tree_of(object: &str, size: u64) -> Vec<u8> {
    let file_hash = Sha256::digest(object.as_bytes());
    let mut of_root = Sha256::new();
    of_root.update(b"spec:");
    of_root.update(file_hash);
    of_root.update(b":");
    let root = Node {
        name: String::new(),
        hash: of_root.finalize().to_vec(),
        subtree_size: size.cast_signed(),
        file: None,
        directory: Some(Directory {}),
    };
    let file = Node {
        name: "spec".to_owned(),
        hash: file_hash.to_vec(),
        subtree_size: size.cast_signed(),
        file: Some(File { objects: vec![Object { hash: object.to_owned() }] }),
        directory: None,
    };
    let mut bytes = Vec::new();
    let mut frame = |content: &[u8]| {
        bytes.extend_from_slice(&(content.len() as i64).to_le_bytes());
        bytes.extend_from_slice(content);
    };
    frame(&BucketHeader { bucket: "fs".to_owned() }.encode_to_vec());
    frame(b"\0");
    frame(&root.encode_to_vec());
    frame(b"\0spec");
    frame(&file.encode_to_vec());
    frame(b"*");
    frame(&BucketHeader { bucket: "changed".to_owned() }.encode_to_vec());
    frame(b"*");
    bytes
}

#[derive(Clone, PartialEq, Message)]
struct BucketHeader {
    #[prost(string, tag = "1")]
    bucket: String,
}

#[derive(Clone, PartialEq, Message)]
struct Node {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(bytes = "vec", tag = "2")]
    hash: Vec<u8>,
    #[prost(int64, tag = "3")]
    subtree_size: i64,
    #[prost(message, optional, tag = "4")]
    file: Option<File>,
    #[prost(message, optional, tag = "5")]
    directory: Option<Directory>,
}

#[derive(Clone, PartialEq, Message)]
struct File {
    #[prost(message, repeated, tag = "4")]
    objects: Vec<Object>,
}

#[derive(Clone, PartialEq, Message)]
struct Directory {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_tree_reads_back_with_its_file() {
        let tree = pachyderm::hashtree::read_serialised(&tree_of(&"a".repeat(128), 253)).unwrap();
        assert_eq!(tree.keys().collect::<Vec<_>>(), ["/", "/spec"]);
    }
}
