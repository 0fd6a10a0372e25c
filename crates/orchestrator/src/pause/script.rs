//! The undo record as a shell script: a cluster can be thawed by somebody without this tool.

use std::fmt::Write;

use serde_json::json;

use super::undo_record::UndoRecord;
use super::{FENCE_LABEL, fence_ports};
use crate::job::Loader;

/// Plain kubectl and pachctl calls that put everything back: the fence first, since pachctl may need a Service to reach pachd,
/// then pipelines upstream first, then loaders. The record is deleted only when every line succeeded.
pub(super) fn undo_script(record: &UndoRecord) -> String {
    let mut script = format!(
        "#!/bin/sh\n\
         # Puts back what pachsnap run {} changed. May be repeated; a line that fails never skips the others.\n\
         # pachctl must be logged in to this cluster (pachctl config, or a port-forward to pachd's pod).\n\
         # A pipeline that gets no new jobs afterwards was interrupted while it was stopped: stop it and start it again.\n\
         failed=0\n\
         put_back() {{ \"$@\" || {{ failed=1; echo \"failed: $*\" >&2; }}; }}\n",
        record.run
    );
    for line in fence_lines(record).chain(pipeline_lines(record)).chain(loader_lines(record)) {
        let _ = writeln!(script, "put_back {line}");
    }
    let namespace = quoted(&record.namespace);
    let _ = write!(
        script,
        "if [ \"$failed\" -ne 0 ]; then\n    \
         echo 'Not everything is back: the undo record stays. Run this again, or pachsnap resume.' >&2\n    exit 1\nfi\n\
         kubectl -n {namespace} delete configmap -l pachsnap.io/run={} --ignore-not-found\n\
         kubectl -n {namespace} delete lease pachsnap --ignore-not-found\n",
        quoted(&record.run)
    );
    script
}

fn fence_lines(record: &UndoRecord) -> impl Iterator<Item = String> {
    let namespace = quoted(&record.namespace);
    record.services.iter().flat_map(move |service| {
        let name = quoted(&service.name);
        let mut lines = Vec::new();
        if service.by_selector {
            let patch = json!({"spec": {"selector": {FENCE_LABEL: null}}});
            lines.push(format!(
                "kubectl -n {namespace} patch service {name} --type=merge -p {}",
                quoted(&patch.to_string())
            ));
        }
        if !service.ports.is_empty() {
            let placeholder = quoted(&fence_ports::placeholder_name(&service.name));
            lines.push(format!("kubectl -n {namespace} delete service {placeholder} --ignore-not-found"));
        }
        lines.extend(service.ports.iter().map(|port| {
            // Strategic merge finds the entry by its service port.
            let patch = json!({"spec": {"ports": [{"port": port.port, "nodePort": port.from}]}});
            format!("kubectl -n {namespace} patch service {name} -p {}", quoted(&patch.to_string()))
        }));
        lines
    })
}

fn pipeline_lines(record: &UndoRecord) -> impl Iterator<Item = String> {
    let stopped = record.pipelines.iter().filter(|pipeline| pipeline.to_stop);
    stopped.map(|pipeline| format!("pachctl start pipeline {}", quoted(&pipeline.name)))
}

fn loader_lines(record: &UndoRecord) -> impl Iterator<Item = String> {
    record.loaders.iter().map(|before| {
        let place = |own: &Option<String>| quoted(own.as_deref().unwrap_or(&record.namespace));
        let replicas = before.replicas.unwrap_or(1);
        match &before.loader {
            Loader::Deployment { namespace, name } => {
                format!("kubectl -n {} scale deployment {} --replicas={replicas}", place(namespace), quoted(name))
            }
            Loader::StatefulSet { namespace, name } => {
                format!("kubectl -n {} scale statefulset {} --replicas={replicas}", place(namespace), quoted(name))
            }
            Loader::CronJob { namespace, name } => {
                let patch = json!({"spec": {"suspend": before.suspended.unwrap_or(false)}});
                let patch = quoted(&patch.to_string());
                format!("kubectl -n {} patch cronjob {} --type=merge -p {patch}", place(namespace), quoted(name))
            }
            Loader::Hook { resume, .. } => resume.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "),
        }
    })
}

/// A word that the shell takes as it is.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::process::Command;

    use jiff::Timestamp;

    use super::*;
    use crate::pause::{FencedPort, LoaderBefore, PipelineBefore, ServiceBefore};

    fn pipeline(name: &str, to_stop: bool) -> PipelineBefore {
        PipelineBefore {
            name: name.to_owned(),
            version: 1,
            state: 1,
            stopped: !to_stop,
            to_stop,
            output_branch: "master".to_owned(),
            provenance: Vec::new(),
        }
    }

    fn record() -> UndoRecord {
        let service = |name: &str, by_selector, ports| ServiceBefore {
            name: name.to_owned(),
            uid: "u".to_owned(),
            by_selector,
            ports,
        };
        let port = FencedPort { name: "api-grpc-port".to_owned(), port: 650, from: 30650, to: 30649 };
        UndoRecord {
            format: UndoRecord::FORMAT,
            run: "20261124t000000z-000000".to_owned(),
            written: Timestamp::UNIX_EPOCH,
            namespace: "pach".to_owned(),
            pipelines: vec![pipeline("up", true), pipeline("left-alone", false), pipeline("it's", true)],
            services: vec![service("pachd", true, Vec::new()), service("dash", false, vec![port])],
            loaders: vec![LoaderBefore {
                loader: Loader::Deployment { namespace: Some("etl".to_owned()), name: "ingest".to_owned() },
                replicas: Some(3),
                suspended: None,
            }],
        }
    }

    /// Runs the script with programs that write down how they were called; one of them may fail at a word.
    fn run(folder: &Path, fails_at: &str) -> (bool, Vec<String>) {
        let calls = folder.join("calls");
        let _ = std::fs::remove_file(&calls);
        for program in ["kubectl", "pachctl"] {
            let path = folder.join(program);
            let text = format!(
                "#!/bin/sh\necho \"{program} $*\" >> '{}'\ncase \"$*\" in *'{fails_at}'*) exit 1;; esac\n",
                calls.display()
            );
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let script = folder.join("undo.sh");
        std::fs::write(&script, undo_script(&record())).unwrap();
        let path = format!("{}:/usr/bin:/bin", folder.display());
        let output = Command::new("sh").arg(&script).env("PATH", path).output().unwrap();
        let calls = std::fs::read_to_string(calls).unwrap();
        (output.status.success(), calls.lines().map(str::to_owned).collect())
    }

    #[test]
    fn the_script_puts_everything_back_in_order_and_then_removes_the_record() {
        let folder = tempfile::tempdir().unwrap();
        let (good, calls) = run(folder.path(), "nothing fails at this");
        assert!(good);
        let expected = [
            r#"kubectl -n pach patch service pachd --type=merge -p {"spec":{"selector":{"pachsnap.io/fence":null}}}"#,
            "kubectl -n pach delete service pachsnap-hold-dash --ignore-not-found",
            r#"kubectl -n pach patch service dash -p {"spec":{"ports":[{"port":650,"nodePort":30650}]}}"#,
            "pachctl start pipeline up",
            "pachctl start pipeline it's",
            "kubectl -n etl scale deployment ingest --replicas=3",
            "kubectl -n pach delete configmap -l pachsnap.io/run=20261124t000000z-000000 --ignore-not-found",
            "kubectl -n pach delete lease pachsnap --ignore-not-found",
        ];
        assert_eq!(calls, expected);
    }

    #[test]
    fn a_line_that_fails_skips_nothing_and_keeps_the_record() {
        let folder = tempfile::tempdir().unwrap();
        let (good, calls) = run(folder.path(), "start pipeline up");
        assert!(!good);
        assert!(calls.iter().any(|call| call.contains("scale deployment ingest")), "{calls:?}");
        assert!(!calls.iter().any(|call| call.contains("configmap") || call.contains("lease")), "{calls:?}");
    }
}
