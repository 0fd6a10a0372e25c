//! Events as plain lines on stderr: for logs, and wherever stderr is no terminal.

use std::collections::BTreeMap;

use orchestrator::event::{Artifact, Event, EventKind};

use super::lines::{amount, line};
use super::output::stderr_line;

/// Seconds between two lines about the progress of one artifact.
const PROGRESS_EVERY: f64 = 10.0;

/// Writes events as plain lines.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    told: BTreeMap<Artifact, f64>,
}

impl Plain {
    /// Writes the event's line, if it has one.
    pub(crate) fn event(&mut self, event: &Event) {
        if let Some(text) = self.text(event) {
            stderr_line(&text);
        }
    }

    fn text(&mut self, event: &Event) -> Option<String> {
        let EventKind::Progress { artifact, done, total, bytes } = &event.kind else {
            return line(event).map(|text| format!("{:>8.1}s  {text}", event.elapsed));
        };
        let last = *self.told.entry(*artifact).or_insert(event.elapsed);
        if event.elapsed - last < PROGRESS_EVERY {
            return None;
        }
        self.told.insert(*artifact, event.elapsed);
        Some(format!(
            "{:>8.1}s    {artifact}: {}",
            event.elapsed,
            amount(*artifact, *done, *total, *bytes),
            artifact = artifact.as_str()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_every_ten_seconds() {
        let mut plain = Plain::default();
        let told = |plain: &mut Plain, elapsed| {
            let kind = EventKind::Progress { artifact: Artifact::Bucket, done: 5, total: Some(10), bytes: None };
            plain.text(&Event { time: jiff::Timestamp::UNIX_EPOCH, elapsed, kind })
        };
        assert_eq!(told(&mut plain, 1.0), None);
        assert_eq!(told(&mut plain, 10.9), None);
        assert!(told(&mut plain, 11.0).is_some_and(|text| text.contains("bucket: 5 of 10 objects")));
        assert_eq!(told(&mut plain, 12.0), None);
    }
}
