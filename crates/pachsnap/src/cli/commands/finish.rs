//! `pachsnap finish`

use clap::Args;
use orchestrator::snapshot::finish;
use orchestrator::vault::RunState;

use super::snapshot::report;
use crate::cli::options::StoreOptions;
use crate::cli::run_name::RunName;
use crate::cli::{Ended, Session};
use crate::render::EventFormat;

/// Options of `finish`.
#[derive(Debug, Args)]
pub(crate) struct Finish {
    /// The run: its id, or `latest` for the newest one that has no manifest yet
    run: RunName,
    #[command(flatten)]
    stores: StoreOptions,
    /// How to print events; json writes one object per line to stdout
    #[arg(short, long, value_enum, default_value_t)]
    output: EventFormat,
}

impl Finish {
    /// Completes a captured run. Needs the vault and the clone; the cluster only where it holds a snapshot of the disk.
    ///
    /// # Errors
    /// Those of the vault; a part that is not as it was captured.
    pub(crate) async fn run(self, session: &Session) -> Result<u8, Ended> {
        let config = session.config(&[self.stores.flags()])?;
        let stores = session.stores(&config);
        let progress = session.progress(self.output);
        let events = progress.events();
        let finished = session
            .reading(async {
                let vault = session.vault(&config).await?;
                let run = self.run.resolve(&vault, &[RunState::Captured]).await?;
                let cluster = session.target(&config).await.ok();
                let kubernetes = cluster.as_ref().map(|target| &target.kubernetes);
                finish(&vault, &run, kubernetes, stores.as_ref(), &config.finish_settings(), &events).await
            })
            .await;
        progress.finish();
        Ok(report(session, &finished?, self.output))
    }
}
