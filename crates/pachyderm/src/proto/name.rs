//! Names of things, made and shown as `pachctl` writes them.

use std::fmt;

use super::{
    pfs::{Branch, Commit, Repo},
    pps::{JobState, Pipeline, PipelineState},
    version::Version,
};

impl Repo {
    /// The repo of this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { name: name.into() }
    }
}

impl Branch {
    /// The branch `name` of `repo`.
    #[must_use]
    pub fn named(repo: &str, name: &str) -> Self {
        Self { repo: Some(Repo::named(repo)), name: name.into() }
    }
}

impl Commit {
    /// The commit `id` of `repo`; in requests `id` may also be a branch name.
    #[must_use]
    pub fn named(repo: &str, id: &str) -> Self {
        Self { repo: Some(Repo::named(repo)), id: id.into() }
    }
}

impl Pipeline {
    /// The pipeline of this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { name: name.into() }
    }
}

/// `repo@branch`
impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.repo.as_ref().map_or("", |repo| &repo.name), self.name)
    }
}

/// `repo@id`
impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.repo.as_ref().map_or("", |repo| &repo.name), self.id)
    }
}

/// `1.13.4`, with what follows it
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}{}", self.major, self.minor, self.micro, self.additional)
    }
}

impl PipelineState {
    /// The name that `pachctl` shows: `running`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Failure => "failure",
            Self::Paused => "paused",
            Self::Standby => "standby",
            Self::Crashing => "crashing",
        }
    }
}

impl JobState {
    /// The name that `pachctl` shows: `running`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Failure => "failure",
            Self::Success => "success",
            Self::Killed => "killed",
            Self::Merging => "merging",
            Self::Egressing => "egressing",
        }
    }

    /// Whether a job in this state has ended.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Failure | Self::Success | Self::Killed)
    }
}

impl fmt::Display for PipelineState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
