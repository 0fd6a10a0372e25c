//! The binary from outside, without any cluster: usage, configuration, exit codes, schemas, completions.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The binary in an empty home, with nothing in its environment.
fn pachsnap(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pachsnap"));
    command.env_clear().env("HOME", home).current_dir(home).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    pachsnap(home.path()).args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn published(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn published_schemas_are_current() {
    for (subject, file) in [("manifest", "manifest.schema.json"), ("events", "events.schema.json")] {
        let output = run(&["schema", subject]);
        assert_eq!(output.status.code(), Some(0));
        assert!(
            stdout(&output) == published(file),
            "docs/schema/{file} is old: write it anew with `pachsnap schema {subject}`"
        );
    }
}

#[test]
fn help_and_version_succeed_and_wrong_usage_is_a_configuration_error() {
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    for command in ["discover", "plan", "snapshot", "finish", "pause", "resume", "extract", "list", "show", "verify"] {
        assert!(stdout(&help).contains(command), "{command}");
    }
    assert!(stdout(&run(&["--version"])).starts_with("pachsnap "));
    for wrong in
        [&["snapsho"][..], &["list", "--nothing"], &["show"], &["show", "not-a-run"], &["list", "--timeout", "5"]]
    {
        assert_eq!(run(wrong).status.code(), Some(11), "{wrong:?}");
    }
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0));
        assert!(stdout(&output).contains("pachsnap"), "{shell}");
    }
}

#[test]
fn an_unknown_setting_is_named_with_its_neighbour() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("pachsnap.toml"), "[vault]\nulr = \"file:///x\"\n").unwrap();
    let output = pachsnap(home.path()).arg("list").output().unwrap();
    assert_eq!(output.status.code(), Some(11));
    let text = stderr(&output);
    assert!(text.contains("vault.ulr") && text.contains("did you mean vault.url?"), "{text}");
    assert!(text.contains("Nothing was changed"), "{text}");
}

#[test]
fn config_show_names_origins_and_hides_secrets() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("pachsnap.toml"), "[vault]\nurl = \"file:///vault\"\n").unwrap();
    let output = pachsnap(home.path())
        .args(["config", "show", "--fence", "none", "-n", "pach"])
        .env("PACHSNAP_SNAPSHOT_STALL", "9s")
        .env("PACHSNAP_TOKEN", "hunter2")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    for expected in
        ["flag --fence", "flag --namespace", "environment variable PACHSNAP_SNAPSHOT_STALL", "pachsnap.toml"]
    {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    assert!(!text.contains("hunter2"));
}

#[test]
fn without_a_kubeconfig_nothing_is_changed() {
    for command in ["discover", "plan", "snapshot", "pause"] {
        let home = tempfile::tempdir().unwrap();
        let vault = format!("file://{}/vault", home.path().display());
        let output = pachsnap(home.path())
            .args([command, "--kubeconfig", "/nowhere/config"])
            .env("PACHSNAP_VAULT_URL", &vault)
            .env("PACHSNAP_CLONE_URL", &vault)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(11), "{command}: {}", stderr(&output));
        let text = stderr(&output);
        assert!(text.contains("kubeconfig") && text.contains("Nothing was changed"), "{command}: {text}");
    }
}

#[test]
fn a_vault_that_is_not_named_is_missed_before_anything_else() {
    let output = run(&["list", "-n", "pach"]);
    assert_eq!(output.status.code(), Some(11));
    let text = stderr(&output);
    assert!(text.contains("vault.url is not set") && text.contains("PACHSNAP_VAULT_URL"), "{text}");
}

#[cfg(feature = "onprem")]
#[test]
fn an_empty_vault_has_no_recovery_points() {
    let home = tempfile::tempdir().unwrap();
    let vault = format!("file://{}/vault", home.path().display());
    let list = pachsnap(home.path()).args(["list", "-n", "pach", "--vault", &vault]).output().unwrap();
    assert_eq!(list.status.code(), Some(0), "{}", stderr(&list));
    assert_eq!(stdout(&list), "No recovery points.\n");
    let json = pachsnap(home.path()).args(["list", "-n", "pach", "--vault", &vault, "-o", "json"]).output().unwrap();
    assert_eq!(stdout(&json), "[]\n");
    for command in [&["show", "latest"][..], &["verify", "latest"], &["finish", "20261124t034500z-1f3a9c"]] {
        let output = pachsnap(home.path()).args(command).args(["-n", "pach", "--vault", &vault]).output().unwrap();
        assert_eq!(output.status.code(), Some(12), "{command:?}: {}", stderr(&output));
    }
}

#[test]
fn rights_are_yaml_for_kubectl() {
    for purpose in ["discover", "snapshot", "resume"] {
        let output = run(&["rbac", "--for", purpose]);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(stdout(&output).matches("\nkind: ").count(), 4, "{}", stdout(&output));
    }
}

#[test]
fn a_closed_stdout_ends_nothing() {
    let home = tempfile::tempdir().unwrap();
    let mut child = pachsnap(home.path())
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}
