//! `pachsnap prune`

use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use orchestrator::removal::{OlderThan, plan_prune};

use crate::cli::commands::removal::Removing;
use crate::cli::options::StoreOptions;
use crate::cli::{Ended, Session};
use crate::config::parse_span;
use crate::render::DocumentFormat;

/// Options of `prune`.
#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// Leave what runs younger than this have left; a run that is at work is left in any case
    #[arg(long, value_name = "SPAN", default_value = "7d", value_parser = parse_span)]
    older_than: Duration,
    /// Remove it; without this, only say what would be removed
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    stores: StoreOptions,
    /// How to print what is removed
    #[arg(short, long, value_enum, default_value_t)]
    output: DocumentFormat,
}

impl Prune {
    /// Removes what dead runs have left. Recovery points, and runs that `finish` can make one, are spared.
    ///
    /// # Errors
    /// Those of the stores. What was begun is gone on with by the same command.
    pub(crate) async fn run(self, session: &Session) -> Result<u8, Ended> {
        let config = session.config(&[self.stores.flags()])?;
        let removing = session.reading(Removing::open(session, &config)).await?;
        let plan = async { plan_prune(&removing.places(), OlderThan(self.older_than), Timestamp::now()).await };
        let planned = session.reading(plan).await?;
        removing.carry_out(session, planned, self.yes, self.output).await
    }
}
