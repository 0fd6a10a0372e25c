//! Events on a terminal: a line for what is done, a spinner for the running step, bars for the parallel phase.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use orchestrator::event::{Artifact, Event, EventKind, Step};

use super::lines::line;
use super::units::bytes;

/// Draws events on stderr.
#[derive(Debug, Default)]
pub(crate) struct Terminal {
    drawing: MultiProgress,
    steps: BTreeMap<Step, ProgressBar>,
    bars: BTreeMap<Artifact, ProgressBar>,
}

impl Terminal {
    /// Draws one event.
    pub(crate) fn event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::StepStarted { step } => {
                if matches!(step, Step::Capture) {
                    for artifact in [Artifact::Etcd, Artifact::Bucket, Artifact::Metadata] {
                        self.bar(artifact);
                    }
                }
                let spinner = self.drawing.add(ProgressBar::new_spinner());
                spinner.set_style(style("{spinner} {msg} {elapsed}"));
                spinner.set_message(step.as_str());
                spinner.enable_steady_tick(Duration::from_millis(120));
                self.steps.insert(*step, spinner);
            }
            EventKind::StepFinished { step, .. } | EventKind::StepFailed { step, .. } => {
                if let Some(spinner) = self.steps.remove(step) {
                    spinner.finish_and_clear();
                    self.drawing.remove(&spinner);
                }
                if matches!(step, Step::Capture | Step::PreCopy | Step::FillBucket | Step::FillEtcd | Step::Replay) {
                    self.clear_bars();
                }
            }
            EventKind::Progress { artifact, done, total, bytes: with_bytes } => {
                let bar = self.bar(*artifact);
                if let Some(total) = total
                    && bar.length() != Some(*total)
                {
                    bar.set_length(*total);
                    bar.set_style(style(with_total(*artifact)));
                }
                bar.set_position(*done);
                if let Some(with_bytes) = with_bytes {
                    bar.set_message(bytes(*with_bytes));
                }
            }
            EventKind::Changing { action, resource } => {
                if let Some(spinner) = self.steps.values().last() {
                    spinner.set_message(format!("{action} {resource}"));
                }
            }
            EventKind::RunFinished { .. } | EventKind::Restored { .. } => self.clear(),
            _ => {}
        }
        if let Some(text) = line(event) {
            self.drawing.suspend(|| super::output::stderr_line(&text));
        }
    }

    /// Removes everything that is drawn; lines stay.
    pub(crate) fn clear(&mut self) {
        self.clear_bars();
        for (_, spinner) in std::mem::take(&mut self.steps) {
            spinner.finish_and_clear();
        }
        let _ = self.drawing.clear();
    }

    fn bar(&mut self, artifact: Artifact) -> ProgressBar {
        let drawing = &self.drawing;
        self.bars
            .entry(artifact)
            .or_insert_with(|| {
                let bar = drawing.add(ProgressBar::no_length());
                bar.set_style(style(without_total(artifact)));
                bar.set_prefix(artifact.as_str());
                bar.enable_steady_tick(Duration::from_millis(200));
                bar
            })
            .clone()
    }

    fn clear_bars(&mut self) {
        for (_, bar) in std::mem::take(&mut self.bars) {
            bar.finish_and_clear();
            self.drawing.remove(&bar);
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("=> ").with_key("rate", |state: &ProgressState, text: &mut dyn Write| {
        // A terminal that can't be written to shows nothing anyway.
        let _ = write!(text, "{:.0}/s", state.per_sec());
    })
}

fn with_total(artifact: Artifact) -> &'static str {
    match artifact {
        Artifact::Etcd => {
            "  {prefix:<9} [{bar:30}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} eta {eta}"
        }
        Artifact::Bucket => "  {prefix:<9} [{bar:30}] {human_pos}/{human_len} objects {rate} {msg} eta {eta}",
        Artifact::Metadata => "  {prefix:<9} [{bar:30}] {human_pos}/{human_len} ops {rate} {msg} eta {eta}",
        Artifact::EtcdKeys => "  {prefix:<9} [{bar:30}] {human_pos}/{human_len} keys {rate} {msg} eta {eta}",
        Artifact::Volume => "  {prefix:<9} [{bar:30}] {percent} % eta {eta}",
    }
}

fn without_total(artifact: Artifact) -> &'static str {
    match artifact {
        Artifact::Etcd => "  {prefix:<9} {spinner} {binary_bytes} {binary_bytes_per_sec} {elapsed}",
        Artifact::Bucket => "  {prefix:<9} {spinner} {human_pos} objects {rate} {msg} {elapsed}",
        Artifact::Metadata => "  {prefix:<9} {spinner} {human_pos} ops {rate} {msg} {elapsed}",
        Artifact::EtcdKeys => "  {prefix:<9} {spinner} {human_pos} keys {rate} {msg} {elapsed}",
        Artifact::Volume => "  {prefix:<9} {spinner} {elapsed}",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_template_is_valid() {
        for artifact in [Artifact::Etcd, Artifact::Bucket, Artifact::Metadata, Artifact::EtcdKeys, Artifact::Volume] {
            ProgressStyle::with_template(with_total(artifact)).unwrap();
            ProgressStyle::with_template(without_total(artifact)).unwrap();
        }
    }
}
