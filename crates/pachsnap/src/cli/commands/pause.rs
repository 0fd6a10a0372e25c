//! `pachsnap pause`

use clap::Args;
use orchestrator::outcome::exit_code;
use orchestrator::pause::pause_only;

use crate::cli::options::PauseOptions;
use crate::cli::{Ended, Session};
use crate::render::{EventFormat, stderr_line, stdout_text};

/// Options of `pause`.
#[derive(Debug, Args)]
pub(crate) struct Pause {
    /// Pipelines to stop; all that run by default
    #[arg(value_name = "PIPELINE")]
    pipelines: Vec<String>,
    #[command(flatten)]
    options: PauseOptions,
    /// How to print events; json writes one object per line to stdout
    #[arg(short, long, value_enum, default_value_t)]
    output: EventFormat,
}

impl Pause {
    /// Brings the cluster to rest and leaves it there.
    ///
    /// # Errors
    /// What failed; the cluster has been put back then, unless the failure says otherwise.
    pub(crate) async fn run(self, session: &Session) -> Result<u8, Ended> {
        let config = session.config(&[self.options.flags()])?;
        let target = session.target(&config).await?;
        let settings = config.pause_settings(&target.namespace);
        let stores = session.stores(&config);
        let progress = session.progress(self.output);
        let cancel = session.interruption.token().clone();
        let events = progress.events();
        let paused = pause_only(&target, &settings, stores.as_ref(), &self.pipelines, &events, cancel).await;
        progress.finish();
        let paused = paused.map_err(|failure| session.explain(failure))?;
        let resume = format!("pachsnap resume{}", session.global.cluster_flags());
        let text = format!(
            "The cluster is at rest since {}; checkpoint at {} with {} input branches.\nPut it back with:\n    {resume}\n",
            paused.started,
            paused.checkpoint.at,
            paused.checkpoint.heads.len()
        );
        if self.output == EventFormat::Text
            && let Err(error) = stdout_text(&text)
        {
            stderr_line(&format!("warning: the result can't be written to stdout: {error}"));
        }
        Ok(exit_code::OK)
    }
}
