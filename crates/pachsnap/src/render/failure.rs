//! A failure for people: what failed and why, whether anything was changed, whether the cluster runs, what to do next.

use std::error::Error as StdError;
use std::fmt::Write as _;

use orchestrator::outcome::{Failure, Unfinished};
use orchestrator::{Error, ErrorKind};

/// What the reader has to know beyond the failure itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Situation {
    /// Flags that lead to the same cluster, each with a space before it: ` -n pachyderm --context prod`.
    pub(crate) cluster_flags: String,
    /// Whether the command could have changed the cluster at all.
    pub(crate) changes_cluster: bool,
    /// Whether the command only puts a cluster back: then a failure leaves open whether it is paused.
    pub(crate) resumes_cluster: bool,
    /// Whether the command fills a new cluster.
    pub(crate) restores_cluster: bool,
}

/// The failure as text, with a line break at its end.
pub(crate) fn render_failure(failure: &Failure, situation: &Situation) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "error: {}", failure.error);
    write_causes(&mut text, &failure.error);
    let resume = format!("pachsnap resume{}", situation.cluster_flags);
    match &failure.still_paused {
        Some(paused) => {
            let point = if situation.resumes_cluster { "" } else { ", and there is no recovery point" };
            let _ = writeln!(text, "\nTHE CLUSTER IS STILL PAUSED{point}: {paused}");
            write_causes(&mut text, paused);
            write_advice(&mut text, &failure.error);
            write_advice(&mut text, paused);
            let _ = writeln!(text, "Next, from any machine that reaches the cluster:\n    {resume}");
        }
        None => {
            let _ = writeln!(text, "\n{}", state(failure, situation));
            for difference in &failure.differences {
                let _ = writeln!(text, "Not as before: {difference}");
            }
            write_advice(&mut text, &failure.error);
            if failure.error.kind() == ErrorKind::Busy && situation.restores_cluster {
                // What is in the way is said; nothing of it is a pause.
            } else if failure.error.kind() == ErrorKind::Busy && !situation.resumes_cluster {
                let _ = writeln!(text, "Next, if no other run is at work:\n    {resume}");
            } else if situation.resumes_cluster {
                let _ = writeln!(text, "Next, once the cause is removed:\n    {resume}");
            }
        }
    }
    text
}

/// A warning that a recovery point exists although the cluster is still paused.
pub(crate) fn render_still_paused(paused: &Error, cluster_flags: &str) -> String {
    let mut text = format!("\nTHE CLUSTER IS STILL PAUSED; the recovery point is complete: {paused}\n");
    write_causes(&mut text, paused);
    write_advice(&mut text, paused);
    let _ = write!(text, "Next, from any machine that reaches the cluster:\n    pachsnap resume{cluster_flags}");
    text
}

fn state<'a>(failure: &'a Failure, situation: &Situation) -> &'a str {
    if let Some(Unfinished::Restore(state)) = &failure.unfinished {
        state
    } else if situation.resumes_cluster {
        "The cluster may still be paused."
    } else if failure.unfinished == Some(Unfinished::Clone) {
        "The clone is not up to date. What was copied stays: the same command goes on from there."
    } else if failure.unfinished == Some(Unfinished::Removal) {
        "The removal is not finished. No manifest points to what is gone: the same command goes on from there."
    } else if failure.changed && !failure.differences.is_empty() {
        "No recovery point was made. Everything that was changed has been put back, but the cluster is not as before:"
    } else if failure.changed {
        "No recovery point was made. Everything that was changed has been put back: the cluster runs as before."
    } else if situation.changes_cluster {
        "Nothing was changed: the cluster runs as before."
    } else {
        "Nothing was changed."
    }
}

fn write_causes(text: &mut String, error: &Error) {
    let mut cause = StdError::source(error);
    let mut last = error.to_string();
    while let Some(error) = cause {
        let message = error.to_string();
        if message != last {
            let _ = writeln!(text, "  because: {message}");
        }
        last = message;
        cause = error.source();
    }
}

/// The way out that the error names, or that a cause of the same type names.
fn write_advice(text: &mut String, error: &Error) {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(advice) = error.downcast_ref::<Error>().and_then(Error::advice) {
            let _ = writeln!(text, "Advice: {advice}");
            return;
        }
        cause = error.source();
    }
}

#[cfg(test)]
mod tests {
    use orchestrator::pause::Undone;

    use super::*;

    fn denied() -> Error {
        let cause = std::io::Error::other("403 Forbidden");
        Error::new(ErrorKind::Denied, "services can't be patched").because(cause).advise("see `pachsnap rbac`")
    }

    fn snapshot() -> Situation {
        Situation {
            cluster_flags: " -n pachyderm".to_owned(),
            changes_cluster: true,
            resumes_cluster: false,
            restores_cluster: false,
        }
    }

    #[test]
    fn untouched() {
        let text = render_failure(&Failure::untouched(denied()), &snapshot());
        let expected = "error: services can't be patched\n  because: 403 Forbidden\n\n\
                        Nothing was changed: the cluster runs as before.\nAdvice: see `pachsnap rbac`\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn put_back() {
        let failure = Failure::after_undo(denied(), Ok(Undone::default()));
        assert!(render_failure(&failure, &snapshot()).contains("has been put back"));
    }

    #[test]
    fn what_is_not_as_before_is_named() {
        let undone = Undone { differences: vec!["Service dash is gone".to_owned()], ..Undone::default() };
        let text = render_failure(&Failure::after_undo(denied(), Ok(undone)), &snapshot());
        assert!(text.contains("Not as before: Service dash is gone") && !text.contains("runs as before"), "{text}");
    }

    #[test]
    fn still_paused_names_the_command() {
        let paused = Error::new(ErrorKind::Unreachable, "pachd does not answer");
        let failure = Failure::after_undo(denied(), Err(paused));
        let text = render_failure(&failure, &snapshot());
        assert!(text.contains("STILL PAUSED") && text.contains("pachd does not answer"), "{text}");
        assert!(text.ends_with("    pachsnap resume -n pachyderm\n"), "{text}");
    }

    #[test]
    fn an_unfinished_run_is_named_with_its_way_out() {
        let failure = Failure::untouched(Error::new(ErrorKind::Busy, "an undo record is there"));
        assert!(render_failure(&failure, &snapshot()).contains("pachsnap resume -n pachyderm"));
    }

    #[test]
    fn a_restore_says_in_which_state_it_leaves_its_target() {
        let situation = Situation { restores_cluster: true, changes_cluster: false, ..snapshot() };
        let text = render_failure(&Failure::of_restore(denied(), "etcd is half filled."), &situation);
        assert!(
            text.contains("\netcd is half filled.\nAdvice: see `pachsnap rbac`") && !text.contains("resume"),
            "{text}"
        );
    }

    #[test]
    fn a_failed_resume_never_says_that_the_cluster_runs() {
        let situation = Situation { resumes_cluster: true, ..snapshot() };
        let text = render_failure(&Failure::untouched(denied()), &situation);
        assert!(text.contains("may still be paused") && !text.contains("runs as before"), "{text}");
    }
}
