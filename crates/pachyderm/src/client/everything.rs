//! Listings over all repos, also of servers that cannot do it in one call.

use futures::{Stream, StreamExt as _, TryStreamExt as _, future, stream, stream::BoxStream};

use super::Client;
use crate::{
    error::{Condition, Error},
    proto::{
        pfs::{BranchInfo, CommitInfo, SPEC_REPO},
        version::Version,
    },
};

impl Client {
    /// The commits of all repos including `__spec__`, one by one; newest first within each repo.
    ///
    /// Servers before 1.9.6 are asked repo by repo; a repo that is deleted meanwhile then counts as empty.
    ///
    /// # Errors
    ///
    /// The version, the repos or the commits cannot be read, at once or in the middle.
    pub async fn all_commits(&self) -> Result<BoxStream<'static, Result<CommitInfo, Error>>, Error> {
        if lists_all_repos(&self.version().await?) {
            return Ok(self.list_commits_stream("").await?.boxed());
        }
        let client = self.clone();
        let commits = stream::iter(self.all_repo_names().await?)
            .then(move |repo| {
                let client = client.clone();
                async move { unless_gone(client.list_commits_stream(&repo).await) }
            })
            .try_filter_map(future::ok)
            .map_ok(skip_gone)
            .try_flatten();
        Ok(commits.boxed())
    }

    /// The branches of all repos including `__spec__`.
    ///
    /// Servers before 1.9.6, and any whose answer for all exceeds 20 MiB, are asked repo by repo; a repo that is deleted
    /// meanwhile then counts as empty.
    ///
    /// # Errors
    ///
    /// The version, the repos or the branches cannot be read, or those of a single repo exceed 20 MiB.
    pub async fn all_branches(&self) -> Result<Vec<BranchInfo>, Error> {
        if lists_all_repos(&self.version().await?) {
            match self.list_branch("").await {
                Err(error) if error.condition() == Condition::MessageTooLarge => {}
                answer => return answer,
            }
        }
        let mut branches = Vec::new();
        for repo in self.all_repo_names().await? {
            branches.extend(unless_gone(self.list_branch(&repo).await)?.into_iter().flatten());
        }
        Ok(branches)
    }

    /// The names of all repos; a listing leaves `__spec__` out.
    async fn all_repo_names(&self) -> Result<Vec<String>, Error> {
        let repos = self.list_repo().await?;
        let names = repos.into_iter().filter_map(|info| Some(info.repo?.name));
        Ok(std::iter::once(SPEC_REPO.to_owned()).chain(names.filter(|name| name != SPEC_REPO)).collect())
    }
}

/// Whether an empty repo name means all repos: from 1.9.6 on.
fn lists_all_repos(version: &Version) -> bool {
    (version.major, version.minor, version.micro) >= (1, 9, 6)
}

fn unless_gone<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Err(error) if error.condition() == Condition::RepoNotFound => Ok(None),
        answer => answer.map(Some),
    }
}

/// A missing repo may also be told only once the stream is read.
fn skip_gone<T>(items: impl Stream<Item = Result<T, Error>>) -> impl Stream<Item = Result<T, Error>> {
    items.filter(|item| future::ready(!matches!(item, Err(error) if error.condition() == Condition::RepoNotFound)))
}
