//! The demo that damages what it has made: whatever part it is, `verify` names it.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::path::Path;

use e2e::pachsnap;

/// Runs the demo in a folder, and answers with what it said on stdout.
fn run(folder: &Path, more: &[&str]) -> String {
    let mut command = std::process::Command::new(pachsnap());
    command.args(["demo", "--folder", "made"]).args(more).current_dir(folder);
    let ended = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{more:?}: {stdout}\n{stderr}");
    stdout.into_owned()
}

fn demo(part: &str) -> String {
    run(tempfile::tempdir().unwrap().path(), &["--break", part])
}

/// The whole job: taken, verified, and rehearsed by both paths.
#[test]
fn a_recovery_point_is_taken_verified_and_rehearsed() {
    let folder = tempfile::tempdir().unwrap();
    let said = run(folder.path(), &[]);
    assert_eq!(said.matches(" passed: ").count(), 2, "{said}");
    assert_eq!(said.matches("96 commits have the trees").count(), 2, "{said}");
    assert_eq!(said.matches("nothing of the drill is left").count(), 2, "{said}");
    for file in ["pachsnap.toml", "vault", "clones", "drill-by-etcd.html", "drill-by-metadata.json"] {
        assert!(folder.path().join("made").join(file).exists(), "{file}");
    }
}

fn assert_failed(said: &str, words: &[&str]) {
    let failed: Vec<&str> = said.lines().filter(|line| line.starts_with("FAIL ")).collect();
    for word in words {
        assert!(failed.iter().any(|line| line.contains(word)), "no failed check names {word:?}: {said}");
    }
}

#[test]
fn a_damaged_vault_is_named() {
    assert_failed(&demo("stream"), &["metadata.pachd", "metadata stream"]);
    assert_failed(&demo("inventory"), &["inventory/part-"]);
}

#[test]
fn a_damaged_clone_is_named() {
    assert_failed(&demo("tree"), &["1 missing: pach/object/", "commit"]);
    assert_failed(&demo("content"), &["contents"]);
}
