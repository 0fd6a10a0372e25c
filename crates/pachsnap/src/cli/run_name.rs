//! Which recovery point is meant: a run's id, or `latest`.

use std::str::FromStr;

use orchestrator::run_id::{InvalidRunId, RunId};
use orchestrator::vault::{RunState, Vault};
use orchestrator::{Error, ErrorKind};

/// A run as it is named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RunName {
    /// The newest one.
    Latest,
    /// This one.
    Id(RunId),
}

impl FromStr for RunName {
    type Err = InvalidRunId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "latest" { Ok(Self::Latest) } else { text.parse().map(Self::Id) }
    }
}

impl RunName {
    /// The run's id; `latest` is the newest run in one of these states.
    ///
    /// # Errors
    /// `NotFound` when there is none; those of the vault.
    pub(crate) async fn resolve(&self, vault: &Vault, states: &[RunState]) -> Result<RunId, Error> {
        match self {
            Self::Id(run) => Ok(run.clone()),
            Self::Latest => {
                let runs = vault.list_runs().await?;
                let newest = runs.into_iter().rev().find(|entry| states.contains(&entry.state));
                newest.map(|entry| entry.run).ok_or_else(|| {
                    let location = format!("{} in {}", vault.cluster(), vault.location());
                    Error::new(ErrorKind::NotFound, format!("there is no such run of {location}"))
                        .advise("`pachsnap list` shows what is there; --cluster-name chooses another cluster")
                })
            }
        }
    }
}
