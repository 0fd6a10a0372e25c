//! `pachsnap delete`

use clap::Args;
use orchestrator::removal::plan_delete;
use orchestrator::run_id::RunId;

use crate::cli::commands::removal::Removing;
use crate::cli::options::StoreOptions;
use crate::cli::{Ended, Session};
use crate::render::DocumentFormat;

/// Options of `delete`.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// The run's id
    run: RunId,
    /// Remove it; without this, only say what would be removed
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    stores: StoreOptions,
    /// How to print what is removed
    #[arg(short, long, value_enum, default_value_t)]
    output: DocumentFormat,
}

impl Delete {
    /// Removes one run, however far it got.
    ///
    /// # Errors
    /// Those of the stores. What was begun is gone on with by the same command.
    pub(crate) async fn run(self, session: &Session) -> Result<u8, Ended> {
        let config = session.config(&[self.stores.flags()])?;
        let removing = session.reading(Removing::open(session, &config)).await?;
        let plan = async { Ok(vec![plan_delete(&removing.places(), &self.run).await?]) };
        let planned = session.reading(plan).await?;
        removing.carry_out(session, planned, self.yes, self.output).await
    }
}
