//! What a cluster holds by its own words: the same things that a stream names.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use futures::TryStreamExt;
use pachyderm::client::{Client, History, Unreadable};
use pachyderm::proto::pfs::SPEC_REPO;

use super::stream_content::commit_name;
use crate::cluster::pachd_error;
use crate::error::Result;

/// Repos, commits, branches, pipelines and jobs of a cluster.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// Repos, without `__spec__`.
    pub(super) repos: BTreeSet<String>,
    /// Commits as `repo@id`.
    pub(super) commits: HashSet<String>,
    /// The head of each branch `repo@branch`.
    pub(super) branches: BTreeMap<String, Option<String>>,
    /// Pipelines.
    pub(super) pipelines: BTreeSet<String>,
    /// Jobs.
    pub(super) jobs: u64,
}

impl Presence {
    /// Asks pachd.
    ///
    /// # Errors
    /// Those of its listings. `unreadable` decides whether a pipeline whose specification can't be read is one.
    pub(super) async fn read(pachd: &Client, unreadable: Unreadable) -> Result<Self> {
        let failed = |what: &'static str| move |error| pachd_error(what, error);
        let mut present = Self::default();
        for info in pachd.list_repo().await.map_err(failed("listing repos"))? {
            let name = info.repo.map(|repo| repo.name).unwrap_or_default();
            if name != SPEC_REPO {
                present.repos.insert(name);
            }
        }
        for info in pachd.all_branches().await.map_err(failed("listing branches"))? {
            if let Some(branch) = &info.branch {
                present.branches.insert(branch.to_string(), info.head.map(|head| head.id));
            }
        }
        let mut commits = pachd.all_commits().await.map_err(failed("listing commits"))?;
        while let Some(info) = commits.try_next().await.map_err(failed("listing commits"))? {
            let commit = info.commit.unwrap_or_default();
            let repo = commit.repo.map(|repo| repo.name).unwrap_or_default();
            present.commits.insert(commit_name(&repo, &commit.id));
        }
        let pipelines = pachd.list_pipeline(History::Current, unreadable).await.map_err(failed("listing pipelines"))?;
        present.pipelines.extend(pipelines.into_iter().filter_map(|info| Some(info.pipeline?.name)));
        let mut jobs = pachd.list_jobs_stream(History::All).await.map_err(failed("listing jobs"))?;
        while jobs.message().await.map_err(failed("listing jobs"))?.is_some() {
            present.jobs += 1;
        }
        Ok(present)
    }

    /// Something that shows that the cluster is in use; `None` for one that has just been installed.
    pub(super) fn anything(&self) -> Option<String> {
        let repo = self.repos.first().map(|name| format!("repo {name}"));
        let pipeline = || self.pipelines.first().map(|name| format!("pipeline {name}"));
        let commit = || self.commits.iter().next().map(|name| format!("commit {name}"));
        repo.or_else(pipeline).or_else(commit).or_else(|| (self.jobs > 0).then(|| format!("{} jobs", self.jobs)))
    }
}
