//! How a run ended: whether there is a recovery point, and whether the cluster is as it was.

use crate::error::{Error, ErrorKind};
use crate::pause::Undone;

/// Exit codes: public and stable.
pub mod exit_code {
    /// A recovery point (or whatever was asked for) exists and the cluster runs.
    pub const OK: u8 = 0;
    /// Nothing was changed: refused or failed before the first change.
    pub const NOTHING_CHANGED: u8 = 10;
    /// Nothing was changed: the configuration or an argument can't work.
    pub const CONFIGURATION: u8 = 11;
    /// Nothing was changed: something can't be reached or does not exist.
    pub const UNREACHABLE: u8 = 12;
    /// Nothing was changed: a right or a credential is missing.
    pub const DENIED: u8 = 13;
    /// Nothing was changed: another run is at work, or its undo record is still there.
    pub const BUSY: u8 = 14;
    /// Nothing was changed: the vault or the clone's place can't be used.
    pub const VAULT: u8 = 15;
    /// Nothing was changed: open work would be lost.
    pub const OPEN_WORK: u8 = 16;
    /// Nothing was changed: the cluster can't be backed up, or isn't the one that it seems to be.
    pub const CLUSTER: u8 = 17;
    /// Nothing was changed: a recovery point was checked and is damaged.
    pub const DAMAGED: u8 = 18;
    /// No recovery point, but the cluster runs as before.
    pub const NO_RECOVERY_POINT: u8 = 20;
    /// A recovery point exists, but the cluster is still paused.
    pub const STILL_PAUSED: u8 = 21;
    /// No recovery point, and the cluster is still paused.
    pub const NO_RECOVERY_POINT_STILL_PAUSED: u8 = 22;
    /// A clone was begun and is not up to date; the same command goes on.
    pub const UNFINISHED_CLONE: u8 = 23;
    /// A restore was begun and is not complete; what is to be done is said.
    pub const UNFINISHED_RESTORE: u8 = 24;
    /// A removal was begun and is not finished; the same command goes on.
    pub const UNFINISHED_REMOVAL: u8 = 25;
    /// A drill did not pass, or has left something behind: its report says what.
    pub const DRILL_NOT_PASSED: u8 = 26;
    /// Cancelled; the cluster runs as before.
    pub const CANCELLED: u8 = 130;
}

/// What was begun and is not finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// A clone is not up to date; the same command goes on.
    Clone,
    /// Something is removed in part; the same command goes on.
    Removal,
    /// A restore has changed its target, which is in this state; how to go on is in it.
    Restore(String),
}

/// A run that did not reach its end.
#[derive(Debug)]
pub struct Failure {
    /// Why the run ended.
    pub error: Error,
    /// Whether anything in the cluster had been changed by then.
    pub changed: bool,
    /// Why the cluster could not be put back, if it could not.
    pub still_paused: Option<Error>,
    /// What was begun and is not finished, beside the pause of a cluster.
    pub unfinished: Option<Unfinished>,
    /// What is not as it was although everything of ours was put back: somebody else's changes, pipelines that newly fail.
    pub differences: Vec<String>,
}

impl Failure {
    /// A failure before the first change.
    #[must_use]
    pub fn untouched(error: Error) -> Self {
        Self { error, changed: false, still_paused: None, unfinished: None, differences: Vec::new() }
    }

    /// A failure after the first change, and how the undo went.
    #[must_use]
    pub fn after_undo(error: Error, undone: Result<Undone, Error>) -> Self {
        let changed = Self { changed: true, ..Self::untouched(error) };
        match undone {
            Ok(undone) => Self { differences: undone.differences, ..changed },
            Err(paused) => Self { still_paused: Some(paused), ..changed },
        }
    }

    /// A clone that was begun and is not up to date.
    #[must_use]
    pub fn of_clone(error: Error) -> Self {
        Self { unfinished: Some(Unfinished::Clone), ..Self::untouched(error) }
    }

    /// A removal that was begun.
    #[must_use]
    pub fn of_removal(error: Error) -> Self {
        Self { unfinished: Some(Unfinished::Removal), ..Self::untouched(error) }
    }

    /// A restore that had begun to change its target, which is left in this state.
    #[must_use]
    pub fn of_restore(error: Error, state: impl Into<String>) -> Self {
        Self { unfinished: Some(Unfinished::Restore(state.into())), ..Self::untouched(error) }
    }

    /// The exit code of this end.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if self.still_paused.is_some() {
            return exit_code::NO_RECOVERY_POINT_STILL_PAUSED;
        }
        if let Some(Unfinished::Restore(_)) = self.unfinished {
            return exit_code::UNFINISHED_RESTORE;
        }
        match self.error.kind() {
            ErrorKind::Cancelled => exit_code::CANCELLED,
            _ if self.changed => exit_code::NO_RECOVERY_POINT,
            _ if self.unfinished == Some(Unfinished::Clone) => exit_code::UNFINISHED_CLONE,
            _ if self.unfinished == Some(Unfinished::Removal) => exit_code::UNFINISHED_REMOVAL,
            ErrorKind::Configuration => exit_code::CONFIGURATION,
            ErrorKind::Unreachable | ErrorKind::NotFound => exit_code::UNREACHABLE,
            ErrorKind::Denied => exit_code::DENIED,
            ErrorKind::Busy => exit_code::BUSY,
            ErrorKind::Vault => exit_code::VAULT,
            ErrorKind::OpenWork => exit_code::OPEN_WORK,
            ErrorKind::UnsupportedCluster | ErrorKind::WrongCluster => exit_code::CLUSTER,
            ErrorKind::Damaged => exit_code::DAMAGED,
            _ => exit_code::NOTHING_CHANGED,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::untouched(error)
    }
}
