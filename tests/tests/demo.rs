//! The demo that damages what it has made: whatever part it is, `verify` names it.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use e2e::pachsnap;

/// Runs the demo in a folder of its own, and answers with what it said on stdout.
fn demo(part: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(pachsnap());
    command.args(["demo", "--folder", "made", "--break", part]).current_dir(folder.path());
    let ended = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{part}: {stdout}\n{stderr}");
    stdout.into_owned()
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
