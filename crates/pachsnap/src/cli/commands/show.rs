//! `pachsnap show`

use clap::Args;
use orchestrator::manifest;
use orchestrator::outcome::exit_code;
use orchestrator::vault::RunState;

use crate::cli::options::StoreOptions;
use crate::cli::run_name::RunName;
use crate::cli::{Ended, Session};
use crate::render::{DocumentFormat, print_document, render_manifest};

/// Options of `show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The recovery point: a run's id, or `latest`
    run: RunName,
    #[command(flatten)]
    stores: StoreOptions,
    /// How to print the recovery point
    #[arg(short, long, value_enum, default_value_t)]
    output: DocumentFormat,
}

impl Show {
    /// Shows a recovery point. Needs the vault, not the cluster.
    ///
    /// # Errors
    /// Those of the vault; a manifest that can't be read.
    pub(crate) async fn run(self, session: &Session) -> Result<u8, Ended> {
        let config = session.config(&[self.stores.flags()])?;
        let manifest = session
            .reading(async {
                let vault = session.vault(&config).await?;
                let run = self.run.resolve(&vault, &[RunState::Complete]).await?;
                manifest::read(&vault.read_manifest(&run).await?)
            })
            .await?;
        print_document(&manifest, self.output, render_manifest)?;
        Ok(exit_code::OK)
    }
}
