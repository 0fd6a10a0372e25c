//! `pachsnap verify`

use clap::Args;
use orchestrator::outcome::exit_code;
use orchestrator::vault::RunState;
use orchestrator::verify::{Depth, VerifyReport, verify};

use crate::cli::options::StoreOptions;
use crate::cli::run_name::RunName;
use crate::cli::{Ended, Session};
use crate::render::{DocumentFormat, EventFormat, print_document, stderr_line};

/// Options of `verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The recovery point: a run's id, or `latest`
    run: RunName,
    /// Also list the clone anew and compare it with the inventory
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    stores: StoreOptions,
    /// How to print the result
    #[arg(short, long, value_enum, default_value_t)]
    output: DocumentFormat,
}

impl Verify {
    /// Checks a recovery point. Needs vault and clone, not the cluster.
    ///
    /// # Errors
    /// Those of the stores. Damage is an answer, with an exit code of its own.
    pub(crate) async fn run(self, session: &Session) -> Result<u8, Ended> {
        let config = session.config(&[self.stores.flags()])?;
        let stores = session.stores(&config);
        let depth = if self.full { Depth::Full } else { Depth::Quick };
        let progress = session.progress(EventFormat::Text);
        let events = progress.events();
        let report = session
            .reading(async {
                let vault = session.vault(&config).await?;
                let run = self.run.resolve(&vault, &[RunState::Complete]).await?;
                verify(&vault, &run, stores.as_ref(), depth, &events).await
            })
            .await;
        progress.finish();
        let report = report?;
        print_document(&report, self.output, text)?;
        if report.is_good() {
            return Ok(exit_code::OK);
        }
        stderr_line(&format!("error: recovery point {} is damaged; don't rely on it: take a new one", report.run));
        Ok(exit_code::DAMAGED)
    }
}

/// The report for people: one line per check, then the sum.
pub(crate) fn text(report: &VerifyReport) -> String {
    let width = report.checks.iter().map(|check| check.name.chars().count()).max().unwrap_or_default();
    let mut text: String = report
        .checks
        .iter()
        .map(|check| format!("{} {:<width$}  {}\n", if check.ok { "ok  " } else { "FAIL" }, check.name, check.detail))
        .collect();
    let failed = report.checks.iter().filter(|check| !check.ok).count();
    text.push_str(&format!("{} checks, {failed} failed\n", report.checks.len()));
    text
}
