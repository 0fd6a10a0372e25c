//! One line of text per event.

use orchestrator::event::{Artifact, Event, EventKind};

use super::units::{bytes, seconds};

/// The event as a line, or `None` for what has no line of its own: beginnings that an end will follow, and progress.
pub(crate) fn line(event: &Event) -> Option<String> {
    Some(match &event.kind {
        EventKind::RunStarted { run, cluster } => format!("run {run} of cluster {cluster}"),
        EventKind::StepStarted { .. }
        | EventKind::Progress { .. }
        | EventKind::Changing { .. }
        | EventKind::Surveyed { .. }
        | EventKind::Cloned { .. } => return None,
        EventKind::StepFinished { step, seconds: took, summary } if summary.is_empty() => {
            format!("✓ {:<12} {:>10}", step.as_str(), seconds(*took))
        }
        EventKind::StepFinished { step, seconds: took, summary } => {
            format!("✓ {:<12} {:>10}  {summary}", step.as_str(), seconds(*took))
        }
        EventKind::StepFailed { step, error } => format!("✗ {:<12} {error}", step.as_str()),
        EventKind::ArtifactCaptured { artifact, seconds: took } => {
            format!("  {:<12} {:>10}", artifact.as_str(), seconds(*took))
        }
        EventKind::Changed { action, resource } => format!("  {action} {resource}"),
        EventKind::PauseStarted => "pause begins: nothing must write to the cluster until it ends".to_owned(),
        EventKind::PauseEnded { seconds: took } => format!("pause ended after {}", seconds(*took)),
        EventKind::Checkpoint { at, branches } => {
            format!("checkpoint for loaders: {at}, heads of {branches} input branches")
        }
        EventKind::Warning { message } => format!("warning: {message}"),
        EventKind::Note { message } => format!("  {message}"),
        EventKind::Restored { point, from } => format!("restored from {point} by {from}"),
        EventKind::RunFinished { manifest: Some(manifest), .. } => format!("recovery point: {manifest}"),
        EventKind::RunFinished { manifest: None, .. } => return None,
    })
}

/// How far an artifact is, without a rate.
pub(crate) fn amount(artifact: Artifact, done: u64, total: Option<u64>, with_bytes: Option<u64>) -> String {
    let count = |count: u64| match artifact {
        Artifact::Etcd => bytes(count),
        Artifact::Bucket => format!("{count} objects"),
        Artifact::Metadata => format!("{count} ops"),
        Artifact::EtcdKeys => format!("{count} keys"),
        Artifact::Volume => format!("{count} %"),
    };
    let done = match (artifact, total) {
        (Artifact::Bucket | Artifact::Metadata | Artifact::EtcdKeys, Some(total)) => {
            format!("{done} of {}", count(total))
        }
        (Artifact::Etcd, Some(total)) => format!("{} of {}", count(done), count(total)),
        _ => count(done),
    };
    match with_bytes {
        Some(with_bytes) => format!("{done}, {}", bytes(with_bytes)),
        None => done,
    }
}

#[cfg(test)]
mod tests {
    use orchestrator::event::Step;

    use super::*;

    fn event(kind: EventKind) -> Event {
        Event { time: jiff::Timestamp::UNIX_EPOCH, elapsed: 1.0, kind }
    }

    #[test]
    fn ends_have_lines_and_beginnings_have_none() {
        assert_eq!(line(&event(EventKind::StepStarted { step: Step::Drain })), None);
        let finished = EventKind::StepFinished { step: Step::Drain, seconds: 1.5, summary: "3 jobs".to_owned() };
        let text = line(&event(finished)).unwrap_or_default();
        assert!(text.contains("drain") && text.contains("1.5 s") && text.ends_with("3 jobs"), "{text}");
        assert_eq!(line(&event(EventKind::RunFinished { manifest: None, cluster_running: true })), None);
    }

    #[test]
    fn amounts_have_the_artifacts_unit() {
        assert_eq!(amount(Artifact::Etcd, 2048, Some(4096), None), "2.0 KiB of 4.0 KiB");
        assert_eq!(amount(Artifact::Bucket, 3, Some(9), Some(1024)), "3 of 9 objects, 1.0 KiB");
        assert_eq!(amount(Artifact::Metadata, 12, None, Some(500)), "12 ops, 500 B");
        assert_eq!(amount(Artifact::Volume, 40, Some(100), None), "40 %");
    }
}
