//! `pachsnap resume`

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use orchestrator::event::{EventKind, Events, Step};
use orchestrator::outcome::{Failure, exit_code};
use orchestrator::pause::{ResumeOptions, Resumed, resume};
use orchestrator::{Error, ErrorKind};

use crate::cli::{Ended, Session};
use crate::render::{EventFormat, stderr_line, stdout_text, table};

/// Options of `resume`.
#[derive(Debug, Args)]
pub(crate) struct Resume {
    /// Take over although the run that paused the cluster still shows signs of life
    #[arg(long)]
    force: bool,
    /// How to print events; json writes one object per line to stdout
    #[arg(short, long, value_enum, default_value_t)]
    output: EventFormat,
}

impl Resume {
    /// Puts the cluster back. A signal doesn't cut it short.
    ///
    /// # Errors
    /// What could not be put back; the undo record is still there then. Before anything was tried it is a plain failure,
    /// after that the cluster counts as still paused.
    pub(crate) async fn run(self, session: &Session) -> Result<u8, Ended> {
        let config = session.config(&[])?;
        let target = session.target(&config).await?;
        let settings = config.pause_settings(&target.namespace);
        let options = ResumeOptions { force: self.force, poll: settings.poll, stall: settings.stall };
        let progress = session.progress(self.output);
        let begun = Arc::new(AtomicBool::new(false));
        let resumed = resume(&target, options, &noting(progress.events(), begun.clone())).await;
        progress.finish();
        let resumed = match resumed {
            Ok(resumed) => resumed,
            Err(error) if begun.load(Ordering::Relaxed) => {
                let record = Error::new(ErrorKind::Failed, "not everything is back, so the undo record stays");
                return Err(Failure::after_undo(error, Err(record)).into());
            }
            Err(error) => return Err(error.into()),
        };
        if self.output == EventFormat::Text
            && let Err(error) = stdout_text(&text(&resumed))
        {
            stderr_line(&format!("warning: the result can't be written to stdout: {error}"));
        }
        Ok(exit_code::OK)
    }
}

/// The same events, noting when putting back begins.
fn noting(events: Events, begun: Arc<AtomicBool>) -> Events {
    Events::to(move |event| {
        if matches!(event.kind, EventKind::StepStarted { step: Step::Resume }) {
            begun.store(true, Ordering::Relaxed);
        }
        events.emit(event.kind);
    })
}

fn text(resumed: &Resumed) -> String {
    match resumed {
        Resumed::NothingToDo => "Nothing to put back: no run has left an undo record in this namespace.\n".to_owned(),
        Resumed::Done { run, undone } => {
            let mut text = format!("Everything that run {run} changed is back.\n");
            if !undone.states.is_empty() {
                let rows: Vec<_> =
                    undone.states.iter().map(|(name, state)| vec![name.clone(), state.clone()]).collect();
                text.push_str(&table(&["PIPELINE", "STATE"], &rows));
            }
            for difference in &undone.differences {
                let _ = writeln!(text, "not as before: {difference}");
            }
            text
        }
    }
}
