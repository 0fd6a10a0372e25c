//! Service `pfs.API`: repos, commits, branches, files.

use bytes::Bytes;

use super::{Client, Messages};
use crate::{
    error::Error,
    proto::{
        method,
        pfs::{
            Branch, BranchInfo, BranchInfos, BuildCommitRequest, Commit, CommitInfo, CommitInfos, CommitState,
            CreateBranchRequest, CreateRepoRequest, DeleteCommitRequest, File, FinishCommitRequest, FlushCommitRequest,
            FsckRequest, FsckResponse, GetFileRequest, InspectBranchRequest, InspectCommitRequest, InspectRepoRequest,
            ListBranchRequest, ListCommitRequest, ListRepoRequest, ListRepoResponse, Repo, RepoInfo,
            StartCommitRequest, SubscribeCommitRequest,
        },
    },
};

impl Client {
    /// All repos but `__spec__`, newest first.
    ///
    /// # Errors
    ///
    /// The answer exceeds 20 MiB, or the call fails.
    pub async fn list_repo(&self) -> Result<Vec<RepoInfo>, Error> {
        let answer: ListRepoResponse = self.caller.unary(method::LIST_REPO, "", ListRepoRequest {}).await?;
        Ok(answer.repo_info)
    }

    /// One repo; also `__spec__`.
    ///
    /// # Errors
    ///
    /// There is no such repo, or the call fails.
    pub async fn inspect_repo(&self, name: &str) -> Result<RepoInfo, Error> {
        let request = InspectRepoRequest { repo: Some(Repo::named(name)) };
        self.caller.unary(method::INSPECT_REPO, name, request).await
    }

    /// Creates a repo, or changes the description of one that exists if the request says so.
    ///
    /// # Errors
    ///
    /// The name cannot be, the repo exists already, or the call fails.
    pub async fn create_repo(&self, request: CreateRepoRequest) -> Result<(), Error> {
        let resource = request.repo.as_ref().map_or(String::new(), |repo| repo.name.clone());
        self.caller.unary(method::CREATE_REPO, &resource, request).await
    }

    /// The commits of a repo, newest first, one by one. An empty name asks for all repos, which servers before 1.9.6
    /// cannot; see [`Self::all_commits`].
    ///
    /// # Errors
    ///
    /// There is no such repo, or the call fails at once or in the middle.
    pub async fn list_commits_stream(&self, repo: &str) -> Result<Messages<CommitInfo>, Error> {
        let request = ListCommitRequest { repo: Some(Repo::named(repo)), ..Default::default() };
        self.caller.stream(method::LIST_COMMIT_STREAM, repo, request).await
    }

    /// The commits that a request asks for, in one message.
    ///
    /// # Errors
    ///
    /// There is no such repo, the answer exceeds 20 MiB, or the call fails.
    pub async fn list_commit(&self, request: ListCommitRequest) -> Result<Vec<CommitInfo>, Error> {
        let resource = request.repo.as_ref().map_or(String::new(), |repo| repo.name.clone());
        let answer: CommitInfos = self.caller.unary(method::LIST_COMMIT, &resource, request).await?;
        Ok(answer.commit_info)
    }

    /// One commit as it is now, by id, branch name or `branch^n`.
    ///
    /// # Errors
    ///
    /// There is no such commit, or the call fails.
    pub async fn inspect_commit(&self, commit: &Commit) -> Result<CommitInfo, Error> {
        let request = InspectCommitRequest { commit: Some(commit.clone()), block_state: CommitState::Started.into() };
        self.caller.unary(method::INSPECT_COMMIT, &commit.to_string(), request).await
    }

    /// The branches of a repo. An empty name asks for all repos, which servers before 1.9.6 cannot; see
    /// [`Self::all_branches`].
    ///
    /// # Errors
    ///
    /// There is no such repo, the answer exceeds 20 MiB, or the call fails.
    pub async fn list_branch(&self, repo: &str) -> Result<Vec<BranchInfo>, Error> {
        let request = ListBranchRequest { repo: Some(Repo::named(repo)), ..Default::default() };
        let answer: BranchInfos = self.caller.unary(method::LIST_BRANCH, repo, request).await?;
        Ok(answer.branch_info)
    }

    /// One branch.
    ///
    /// # Errors
    ///
    /// There is no such branch, or the call fails.
    pub async fn inspect_branch(&self, branch: &Branch) -> Result<BranchInfo, Error> {
        let request = InspectBranchRequest { branch: Some(branch.clone()) };
        self.caller.unary(method::INSPECT_BRANCH, &branch.to_string(), request).await
    }

    /// Creates a branch, or moves it and replaces its provenance.
    ///
    /// # Errors
    ///
    /// The name, the head or the provenance cannot be, or the call fails.
    pub async fn create_branch(&self, request: CreateBranchRequest) -> Result<(), Error> {
        let resource = request.branch.as_ref().map_or(String::new(), Branch::to_string);
        self.caller.unary(method::CREATE_BRANCH, &resource, request).await
    }

    /// Starts a commit and answers with its name.
    ///
    /// # Errors
    ///
    /// The branch belongs to a pipeline, the parent is open, or the call fails.
    pub async fn start_commit(&self, request: StartCommitRequest) -> Result<Commit, Error> {
        let repo = request.parent.as_ref().and_then(|parent| parent.repo.as_ref());
        let resource = repo.map_or(String::new(), |repo| format!("{}@{}", repo.name, request.branch));
        self.caller.unary(method::START_COMMIT, &resource, request).await
    }

    /// Creates a commit with its content, as a restore does, and answers with its name. Unlike a restore it leaves open what
    /// has no time of finishing.
    ///
    /// # Errors
    ///
    /// The commit exists already, its parent does not exist or is open, or the call fails.
    pub async fn build_commit(&self, request: BuildCommitRequest) -> Result<Commit, Error> {
        let repo = request.parent.as_ref().and_then(|parent| parent.repo.as_ref());
        let resource = repo.map_or(String::new(), |repo| format!("{}@{}", repo.name, request.id));
        self.caller.unary(method::BUILD_COMMIT, &resource, request).await
    }

    /// Deletes a commit, and everything that was made of it.
    ///
    /// # Errors
    ///
    /// There is no such commit, it is an output commit, or the call fails.
    pub async fn delete_commit(&self, commit: &Commit) -> Result<(), Error> {
        let request = DeleteCommitRequest { commit: Some(commit.clone()) };
        self.caller.unary(method::DELETE_COMMIT, &commit.to_string(), request).await
    }

    /// Waits for everything that depends on commits, and shows those commits as they finish; the stream ends with the last
    /// of them. None at all in `to_repos` means every repo.
    ///
    /// Jobs take any time, so no deadline applies, neither until this returns, which is when the first commit has finished,
    /// nor later. Pings notice a server that is gone.
    ///
    /// # Errors
    ///
    /// There is no such commit, or the call fails at once or in the middle.
    pub async fn flush_commit(&self, commits: Vec<Commit>, to_repos: Vec<Repo>) -> Result<Messages<CommitInfo>, Error> {
        let resource = commits.iter().map(Commit::to_string).collect::<Vec<_>>().join(", ");
        let request = FlushCommitRequest { commits, to_repos };
        self.caller.endless_stream(method::FLUSH_COMMIT, &resource, request).await
    }

    /// The commits of a branch, those there are and those to come, as each reaches the state asked for. Does not end by
    /// itself.
    ///
    /// The next commit may come at any time, so no deadline applies, neither until this returns, which is when there is a
    /// first commit, nor later. Pings notice a server that is gone.
    ///
    /// # Errors
    ///
    /// There is no such repo or commit, or the call fails at once or in the middle.
    pub async fn subscribe_commit(&self, request: SubscribeCommitRequest) -> Result<Messages<CommitInfo>, Error> {
        let repo = request.repo.as_ref().map_or("", |repo| &repo.name);
        let resource = format!("{repo}@{}", request.branch);
        self.caller.endless_stream(method::SUBSCRIBE_COMMIT, &resource, request).await
    }

    /// Finishes a commit with the content it has.
    ///
    /// # Errors
    ///
    /// There is no such commit, it is finished already, or the call fails.
    pub async fn finish_commit(&self, commit: &Commit) -> Result<(), Error> {
        let request = FinishCommitRequest { commit: Some(commit.clone()), ..Default::default() };
        self.caller.unary(method::FINISH_COMMIT, &commit.to_string(), request).await
    }

    /// Checks repos, branches and commits, and repairs nothing. Objects are not looked at: a cluster over an empty bucket
    /// shows no finding.
    ///
    /// # Errors
    ///
    /// The call fails at once or in the middle.
    pub async fn fsck(&self) -> Result<Messages<FsckResponse>, Error> {
        self.caller.stream(method::FSCK, "", FsckRequest { fix: false }).await
    }

    /// The bytes of a file, in pieces of at most 2 MiB.
    ///
    /// # Errors
    ///
    /// There is no such file, one of its objects cannot be read, or the call fails at once or in the middle.
    pub async fn get_file(&self, commit: &Commit, path: &str) -> Result<Messages<Bytes>, Error> {
        let resource = format!("{commit}:{path}");
        let file = Some(File { commit: Some(commit.clone()), path: path.into() });
        self.caller.stream(method::GET_FILE, &resource, GetFileRequest { file, ..Default::default() }).await
    }
}
