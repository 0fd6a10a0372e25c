//! Finding, before a restore, the ops at which pachd's own restore would stop.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::{CommitRef, OpView, RawOp, view};
use crate::wire::WireError;

/// An op at which pachd's restore stops, leaving the cluster half filled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreDefect {
    /// Extract sorts commits by etcd revision with an unstable sort, so two commits of one transaction can come child
    /// first. The restore says "parent commit not found".
    #[error("commit {repo}@{commit} comes before its parent {parent}")]
    ChildBeforeParent {
        /// Repo of both.
        repo: String,
        /// Id of the commit.
        commit: String,
        /// Id of its parent, not seen so far.
        parent: String,
    },
    /// A branch that exists under a name that CreateBranch refuses: made as the provenance of another one.
    #[error("branch name {name:?} in repo {repo:?} is refused by restore")]
    BadBranchName {
        /// Its repo.
        repo: String,
        /// The name.
        name: String,
    },
    /// A repo under a name that CreateRepo refuses.
    #[error("repo name {name:?} is refused by restore")]
    BadRepoName {
        /// The name.
        name: String,
    },
}

/// Looks at the ops of a stream one after another. Keeps 8 bytes for each commit, so it can overlook a child that comes before
/// its parent with a chance of one in 10^12 even among millions.
#[derive(Debug, Default)]
pub struct RestoreCheck {
    commits: HashSet<u64>,
}

impl RestoreCheck {
    /// A check that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at the next op of the stream.
    pub fn observe(&mut self, op: &RawOp) -> Result<Option<RestoreDefect>, WireError> {
        Ok(match view(op)? {
            OpView::Commit { commit, parent, .. } => {
                self.commits.insert(fingerprint(commit));
                parent
                    .filter(|parent| !self.commits.contains(&fingerprint(CommitRef { repo: commit.repo, id: parent })))
                    .map(|parent| RestoreDefect::ChildBeforeParent {
                        repo: commit.repo.to_owned(),
                        commit: commit.id.to_owned(),
                        parent: parent.to_owned(),
                    })
            }
            OpView::Branch { repo, name, .. } if !is_valid_name(name) => {
                Some(RestoreDefect::BadBranchName { repo: repo.to_owned(), name: name.to_owned() })
            }
            OpView::Repo { name } if !is_valid_name(name) => Some(RestoreDefect::BadRepoName { name: name.to_owned() }),
            _ => None,
        })
    }
}

/// Whether Pachyderm accepts `name` for a repo or branch: alphanumeric characters, underscores and dashes, at least one.
pub fn is_valid_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn fingerprint(commit: CommitRef<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    commit.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        proto::{
            admin::{Op, OpBody},
            pfs::{Branch, Commit, CreateBranchRequest},
        },
        stream::OpVersion,
    };
    use prost::Message as _;

    #[test]
    fn branches_of_old_and_new_streams_are_named() {
        let head = Some(Commit::named("images", "abc"));
        let old = CreateBranchRequest { head: head.clone(), s_branch: "master".into(), ..Default::default() };
        let new = CreateBranchRequest { head, branch: Some(Branch::named("images", "master")), ..Default::default() };
        for (version, branch) in [(OpVersion::V1_9, old), (OpVersion::V1_13, new)] {
            let op = Op::new(version, OpBody { branch: Some(Box::new(branch)), ..Default::default() });
            let op = RawOp::parse(op.encode_to_vec()).unwrap();
            let head = Some(CommitRef { repo: "images", id: "abc" });
            assert_eq!(view(&op), Ok(OpView::Branch { repo: "images", name: "master", head }));
            assert_eq!(RestoreCheck::new().observe(&op), Ok(None));
        }
    }
}
