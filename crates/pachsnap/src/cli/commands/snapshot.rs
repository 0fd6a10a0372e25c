//! `pachsnap snapshot`

use clap::Args;
use orchestrator::outcome::exit_code;
use orchestrator::snapshot::{Finished, snapshot};

use super::plan::print_plan;
use crate::cli::options::{PauseOptions, SnapshotOptions, StoreOptions};
use crate::cli::{Ended, Session};
use crate::render::{DocumentFormat, EventFormat, render_manifest, render_still_paused, stderr_line, stdout_text};

/// Options of `snapshot`.
#[derive(Debug, Args)]
pub(crate) struct Snapshot {
    #[command(flatten)]
    stores: StoreOptions,
    #[command(flatten)]
    options: SnapshotOptions,
    #[command(flatten)]
    pause: PauseOptions,
    /// Only plan; change nothing
    #[arg(long)]
    dry_run: bool,
    /// How to print events; json writes one object per line to stdout
    #[arg(short, long, value_enum, default_value_t)]
    output: EventFormat,
}

impl Snapshot {
    /// Takes a recovery point.
    ///
    /// # Errors
    /// What failed, and whether the cluster is as it was.
    pub(crate) async fn run(self, session: &Session) -> Result<u8, Ended> {
        if self.dry_run {
            let format = match self.output {
                EventFormat::Text => DocumentFormat::Table,
                EventFormat::Json => DocumentFormat::Json,
            };
            return print_plan(session, &self.stores, &self.options, &self.pause, format).await;
        }
        let config = session.config(&[self.stores.flags(), self.options.flags(), self.pause.flags()])?;
        let target = session.target(&config).await?;
        let settings = config.snapshot_settings(&target.namespace)?;
        let progress = session.progress(self.output);
        let cancel = session.interruption.token().clone();
        let result = snapshot(&target, &settings, session.stores(&config), &progress.events(), cancel).await;
        progress.finish();
        match result {
            Ok(finished) => Ok(report(session, &finished, self.output)),
            Err(failure) => Err(session.explain(failure).into()),
        }
    }
}

/// Prints a complete recovery point and answers the exit code.
pub(crate) fn report(session: &Session, finished: &Finished, output: EventFormat) -> u8 {
    if output == EventFormat::Text {
        let text = format!("\n{}\nmanifest       {}\n", render_manifest(&finished.manifest), finished.manifest_url);
        if let Err(error) = stdout_text(&text) {
            stderr_line(&format!("warning: the summary can't be written to stdout: {error}"));
        }
    }
    match &finished.still_paused {
        Some(paused) => {
            stderr_line(&render_still_paused(paused, &session.global.cluster_flags()));
            exit_code::STILL_PAUSED
        }
        None => exit_code::OK,
    }
}
