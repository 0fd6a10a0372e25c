//! Events as JSON lines on stdout: one object per line, as `pachsnap schema events` describes.

use orchestrator::event::Event;

use super::output::{stderr_line, stdout_text};

/// Writes events as JSON lines.
#[derive(Debug, Default)]
pub(crate) struct JsonLines {
    failed: bool,
}

impl JsonLines {
    /// Writes one event. A full disk behind stdout is told once; the run goes on.
    pub(crate) fn event(&mut self, event: &Event) {
        let written =
            serde_json::to_string(event).map_err(std::io::Error::other).and_then(|json| stdout_text(&(json + "\n")));
        if let Err(error) = written
            && !self.failed
        {
            self.failed = true;
            stderr_line(&format!("warning: events can't be written to stdout any more: {error}"));
        }
    }
}
