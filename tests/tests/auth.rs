//! Clusters in which Pachyderm's auth is on: which tokens serve, and what is said of those that don't.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use e2e::{Bench, assert_as_before, assert_refused, assert_said};
use sandbox::cluster::ClusterOptions;
use sandbox::pachd::{AuthOptions, AuthToken};

const ADMIN: &str = "the-token-of-an-administrator";
const USER: &str = "the-token-of-somebody";

async fn bench() -> Bench {
    let token = |token: &str, subject: &str| AuthToken { token: token.to_owned(), subject: subject.to_owned() };
    let auth = AuthOptions {
        root_token: "the-token-of-root".to_owned(),
        admins: vec!["robot:backup".to_owned()],
        tokens: vec![token(ADMIN, "robot:backup"), token(USER, "github:somebody")],
    };
    Bench::with(ClusterOptions { auth: Some(auth), ..ClusterOptions::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_a_wrong_one_and_that_of_somebody_are_refused_before_anything_changes() {
    let bench = bench().await;
    assert_refused(&bench, 13, &["auth is active", "PACHSNAP_TOKEN"]).await;
    bench.set_environment(&[("PACHSNAP_TOKEN", "nobody's")]);
    assert_refused(&bench, 13, &["corrupted or has expired", "PACHSNAP_TOKEN"]).await;
    bench.set_environment(&[("PACHSNAP_TOKEN", USER)]);
    assert_refused(&bench, 13, &["github:somebody is no administrator", "only administrators may extract"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ends_before_the_longest_pause_is_refused() {
    let bench = bench().await;
    bench.set_environment(&[("PACHSNAP_TOKEN", ADMIN)]);
    bench.cluster.pachd.faults().end_tokens_in(1800);
    assert_refused(&bench, 13, &["the Pachyderm token of robot:backup ends in 1800 s", "lower max-pause"]).await;
    bench.write_config("max-pause = \"10m\"\n");
    assert_said(&bench.run(&["snapshot"]).await, 0, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrators_token_makes_a_recovery_point_that_names_no_token() {
    let bench = bench().await;
    bench.set_environment(&[("PACHSNAP_TOKEN", ADMIN)]);
    let before = bench.picture().await;
    let ended = bench.run(&["snapshot", "-vv"]).await;
    assert_said(&ended, 0, &[]);
    assert_as_before(&before, &bench.picture().await);
    let manifest = bench.manifest();
    assert_eq!(manifest["witness"]["by"], "etcd", "{}", manifest["witness"]);
    let ops = &manifest["artifacts"]["metadata"]["ops"];
    assert_eq!(ops["activate_auth"], 1, "{ops}");
    assert_eq!(ops["restore_auth_token"], 1, "pachd extracts the tokens of robots only: {ops}");
    let run = manifest["run"].as_str().unwrap();
    let verified = bench.run(&["verify", run, "--full"]).await;
    assert_eq!(verified.code, Some(0), "{}\n{}", verified.stdout, verified.stderr);
    let shown = bench.run(&["show", run, "-o", "json"]).await;
    for text in [&ended.stdout, &ended.stderr, &shown.stdout, &manifest.to_string()] {
        assert!(!text.contains(ADMIN) && !text.contains(USER), "a token is shown");
    }
}
