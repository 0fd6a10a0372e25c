//! pachsnap: consistent recovery points of Pachyderm 1.x clusters on Kubernetes.

mod cli;
mod config;
mod kubernetes;
mod logging;
mod open_files;
mod process;
mod render;
mod signals;
mod stores;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use clap::error::ErrorKind as UsageErrorKind;
use orchestrator::outcome::{Failure, exit_code};
use orchestrator::{Error, ErrorKind};

use crate::cli::{Cli, Ended, Session};
use crate::config::Environment;
use crate::render::{render_failure, stderr_line};
use crate::signals::Interruption;

/// How long the process waits at its end for calls to a store to undo what their cancellation left there.
const CLEAN_UP: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            let _ = usage.print();
            return match usage.kind() {
                UsageErrorKind::DisplayHelp | UsageErrorKind::DisplayVersion => ExitCode::from(exit_code::OK),
                _ => ExitCode::from(exit_code::CONFIGURATION),
            };
        }
    };
    logging::start(cli.global.verbose);
    open_files::allow_all();
    let situation = cli.command.situation(&cli.global);
    match run(cli) {
        Ok(code) => ExitCode::from(code),
        Err(Ended(failure)) => {
            stderr_line(render_failure(&failure, &situation).trim_end());
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run(cli: Cli) -> Result<u8, Ended> {
    let cannot_start =
        |what: &str| Failure::untouched(Error::new(ErrorKind::Failed, format!("{what} can't be started")));
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|cause| {
        let mut failure = cannot_start("the runtime");
        failure.error = failure.error.because(cause);
        failure
    })?;
    let code = runtime.block_on(async {
        let interruption = Interruption::listen(cli.global.timeout).map_err(|cause| {
            let mut failure = cannot_start("listening for signals");
            failure.error = failure.error.because(cause);
            failure
        })?;
        let session = Session { global: cli.global, environment: Environment::of_process(), interruption };
        let code = cli.command.run(&session).await;
        if !provider::cleanup::finish(CLEAN_UP).await {
            tracing::warn!("what was under way at a store isn't all cleaned up: uploads may be left unfinished");
        }
        code
    });
    runtime.shutdown_background();
    code
}
