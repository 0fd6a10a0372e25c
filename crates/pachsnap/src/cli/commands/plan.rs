//! `pachsnap plan`

use clap::Args;
use orchestrator::outcome::exit_code;
use orchestrator::snapshot::plan;

use crate::cli::options::{PauseOptions, SnapshotOptions, StoreOptions};
use crate::cli::{Ended, Session};
use crate::render::{DocumentFormat, EventFormat, print_document};

/// Options of `plan`.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    stores: StoreOptions,
    #[command(flatten)]
    options: SnapshotOptions,
    #[command(flatten)]
    pause: PauseOptions,
    /// How to print the plan
    #[arg(short, long, value_enum, default_value_t)]
    output: DocumentFormat,
}

impl Plan {
    /// Plans a snapshot and prints the plan.
    ///
    /// # Errors
    /// Those of discovery and preflight.
    pub(crate) async fn run(self, session: &Session) -> Result<u8, Ended> {
        print_plan(session, &self.stores, &self.options, &self.pause, self.output).await
    }
}

/// Plans a snapshot and prints the plan: `plan`, and `snapshot --dry-run`.
///
/// # Errors
/// Those of discovery and preflight.
pub(crate) async fn print_plan(
    session: &Session,
    stores: &StoreOptions,
    options: &SnapshotOptions,
    pause: &PauseOptions,
    output: DocumentFormat,
) -> Result<u8, Ended> {
    let config = session.config(&[stores.flags(), options.flags(), pause.flags()])?;
    let target = session.target(&config).await?;
    let settings = config.snapshot_settings(&target.namespace)?;
    let progress = session.progress(EventFormat::Text);
    let events = progress.events();
    let stores = session.stores(&config);
    let plan = session.reading(plan(&target, &settings, stores.as_ref(), &events)).await;
    progress.finish();
    print_document(&plan?, output, |plan| plan.lines().iter().map(|line| format!("{line}\n")).collect())?;
    Ok(exit_code::OK)
}
