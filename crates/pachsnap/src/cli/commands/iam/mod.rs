//! `pachsnap iam`

#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "gcp")]
mod gcp;

use clap::{Subcommand, ValueEnum};
use orchestrator::outcome::exit_code;
use orchestrator::{Error, ErrorKind};
use provider::Purpose;

use crate::cli::{Ended, Session};
use crate::render::stdout_text;

/// Which cloud's rights to print.
#[derive(Debug, Subcommand)]
pub(crate) enum Iam {
    /// Print an IAM policy for Amazon's S3 and EC2
    #[cfg(feature = "aws")]
    Aws(aws::Aws),
    /// Print custom IAM roles for Google's Cloud Storage and Compute Engine
    #[cfg(feature = "gcp")]
    Gcp(gcp::Gcp),
}

/// What rights are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum For {
    /// `plan`, `snapshot` and `finish`
    Snapshot,
    /// `restore`
    Restore,
    /// `drill`
    Drill,
    /// `delete` and `prune`
    Prune,
}

impl For {
    fn purpose(self) -> Purpose {
        match self {
            Self::Snapshot => Purpose::Snapshot,
            Self::Restore => Purpose::Restore,
            Self::Drill => Purpose::Drill,
            Self::Prune => Purpose::Prune,
        }
    }
}

impl Iam {
    /// Prints the rights. Asks nobody.
    ///
    /// # Errors
    /// What is wrong with the configuration; when stdout can't be written to.
    pub(crate) fn run(self, session: &Session) -> Result<u8, Ended> {
        let config = session.config(&[])?;
        let text = match self {
            #[cfg(feature = "aws")]
            Self::Aws(options) => options.text(&config)?,
            #[cfg(feature = "gcp")]
            Self::Gcp(options) => options.text(&config)?,
        };
        stdout_text(&format!("{text}\n"))
            .map_err(|cause| Error::new(ErrorKind::Failed, "the rights can't be written to stdout").because(cause))?;
        Ok(exit_code::OK)
    }
}
