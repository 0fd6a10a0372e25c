//! A cluster restored from a metadata stream: what it holds comes back, and what pachd's own restore would do wrong is refused.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use e2e::{Pair, assert_every_file_is_there, assert_said, files_under};
use pachyderm::client::{Address, Client, ClientOptions, Token};
use pachyderm::proto::enterprise::EnterpriseRecord;
use pachyderm::stream::{OpView, Reader, view};
use prost::Message;
use sandbox::cluster::{BUCKET, ClusterOptions, NAMESPACE, Storage};
use sandbox::pachd::state::State;

fn data(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data").join(path)
}

/// Files of a recorded archive.
fn unpacked(archive: &str) -> BTreeMap<String, Vec<u8>> {
    let bytes = std::fs::read(data(archive)).unwrap();
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(zstd::Decoder::new(bytes.as_slice()).unwrap()).entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.header().entry_type().is_file() {
            let path = entry.path().unwrap().to_string_lossy().trim_start_matches("./").to_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            files.insert(path, bytes);
        }
    }
    files
}

/// Repos, and commits as `repo@id`, that a stream names.
fn named(stream: &[u8]) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut repos, mut commits) = (BTreeSet::new(), BTreeSet::new());
    for op in Reader::new(stream) {
        let op = op.unwrap();
        match view(&op).unwrap() {
            OpView::Repo { name } => drop(repos.insert(name.to_owned())),
            OpView::Commit { commit, .. } => drop(commits.insert(format!("{}@{}", commit.repo, commit.id))),
            _ => {}
        }
    }
    (repos, commits)
}

/// Everything that a stream names is there.
fn assert_holds(state: &State, stream: &[u8]) {
    let (repos, commits) = named(stream);
    let there: BTreeSet<String> = state.repos().into_iter().map(|record| record.name).collect();
    assert_eq!(repos, there);
    let there: BTreeSet<String> = state.commits().into_iter().map(|record| record.name.replacen('/', "@", 1)).collect();
    assert!(commits.is_subset(&there), "{:?}", commits.difference(&there).collect::<Vec<_>>());
}

fn stream_of(pair: &Pair) -> Vec<u8> {
    let run = pair.source.run_with("manifest.json").unwrap();
    std::fs::read(pair.source.vault().join("alpha").join(run).join("metadata.pachd")).unwrap()
}

fn assert_restored(pair: &Pair) {
    let state = pair.target.pachd.state();
    assert_holds(state, &stream_of(pair));
    assert_every_file_is_there(state);
    for head in pair.source.manifest()["checkpoint"]["heads"].as_array().unwrap() {
        let (repo, branch) = (head["repo"].as_str().unwrap(), head["branch"].as_str().unwrap());
        let there = state.branch(repo, branch).unwrap().head.map(|head| head.id);
        assert_eq!(there.as_deref(), head["commit"].as_str(), "{repo}@{branch}");
    }
    let left = ["configmaps", "leases"].map(|plural| pair.target.kubernetes.objects(plural, Some(NAMESPACE)));
    let ours = |object: &&serde_json::Value| object["metadata"]["name"].as_str().unwrap().starts_with("pachsnap");
    assert_eq!(left.iter().flatten().filter(ours).count(), 0, "{left:?}");
}

/// What a run that was killed after the replay has left: everything, and its record.
fn assert_restored_but_for_the_record(pair: &Pair) {
    assert_holds(pair.target.pachd.state(), &stream_of(pair));
    assert!(pair.target.kubernetes.object("configmaps", NAMESPACE, "pachsnap-restore").is_some());
}

const RESTORE: [&str; 4] = ["restore", "latest", "--from", "metadata"];

#[tokio::test(flavor = "multi_thread")]
async fn what_the_stream_holds_comes_back() {
    let pair = Pair::new().await;
    let own_id = pair.keys()[b"cluster-id".as_slice()].value.clone();
    let ended = pair.restore("metadata").await;
    assert_said(&ended, 0, &[]);
    assert_restored(&pair);
    assert_eq!(pair.keys()[b"cluster-id".as_slice()].value, own_id);
    for words in ["ops applied", "job ids", "open commits", "come back paused", "raw@master"] {
        assert!(ended.stdout.contains(words) || ended.stderr.contains(words), "{words}: {}", ended.stdout);
    }
    assert!(!ended.stdout.contains("root token"), "auth is off");
    assert_said(&pair.restore("metadata").await, 14, &["the target is not empty", "Nothing was changed"]);
    assert_restored(&pair);
}

#[tokio::test(flavor = "multi_thread")]
async fn into_a_folder_of_a_node_and_out_of_reversed_keys() {
    let node = tempfile::tempdir().unwrap();
    let options = |storage| ClusterOptions { storage, ..ClusterOptions::default() };
    let pair = Pair::with(options(Storage::AmazonReversed), options(Storage::Local(node.path().to_owned()))).await;
    let root = node.path().join("pachd");
    std::fs::create_dir_all(&root).unwrap();
    pair.write_config(&format!("\n[bucket]\npath = \"{}\"\n", root.display()));
    assert_said(&pair.restore("metadata").await, 0, &[]);
    assert_restored(&pair);
    assert!(files_under(&root).iter().all(|file| !file.to_string_lossy().ends_with("/hcap")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_pachd_is_refused_and_a_newer_one_is_not() {
    let pair = Pair::new().await;
    pair.target.pachd.faults().say_version(1, 12, 5);
    pair.assert_refused(&RESTORE, 17, &["the stream is of 1.13", "1.12.5", "upgrade the target"]).await;
    pair.target.pachd.faults().say_version(1, 14, 0);
    assert_said(&pair.restore("metadata").await, 0, &[]);
}

/// Killed while pachd replays, the remains can't be gone on with, and that is said until they are wiped.
#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_replay_it_says_what_to_wipe() {
    let pair = Pair::new().await;
    let empty = pair.keys();
    pair.target.pachd.faults().delay_operations(Duration::from_millis(20));
    let mut running = pair.start(&[RESTORE.as_slice(), &["--output", "json"]].concat());
    running.wait_for_step("replay").await;
    tokio::time::sleep(Duration::from_millis(800)).await;
    running.signal("KILL").await;
    assert_eq!(running.end().await.code, None);
    pair.target.pachd.faults().delay_operations(Duration::ZERO);
    pair.end_lease();
    // What was under way in pachd ends.
    tokio::time::sleep(Duration::from_millis(500)).await;

    let words = ["not empty", "remains of an earlier attempt", "pachctl delete all"];
    pair.assert_refused(&RESTORE, 14, &words).await;
    let store = &pair.target.pachd.state().store;
    for key in pair.keys().keys().filter(|key| !empty.contains_key(*key)) {
        store.delete(key);
    }
    assert_said(&pair.restore("metadata").await, 0, &[]);
    assert_restored(&pair);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_replay_the_same_command_goes_on() {
    let mut pair = Pair::new().await;
    for step in ["discover", "preflight", "fill-bucket", "check-bucket"] {
        pair.renew_target().await;
        let mut running = pair.start(&[RESTORE.as_slice(), &["--output", "json"]].concat());
        running.wait_for_step(step).await;
        running.signal("KILL").await;
        assert_eq!(running.end().await.code, None);
        pair.end_lease();
        assert_said(&pair.restore("metadata").await, 0, &[]);
        assert_restored(&pair);
    }
}

/// Everything was replayed: what is left is to be looked at, and a second replay would be wrong.
#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_replay_it_says_what_to_wipe() {
    let pair = Pair::new().await;
    let mut running = pair.start(&[RESTORE.as_slice(), &["--output", "json"]].concat());
    running.wait_for_step("check-target").await;
    running.signal("KILL").await;
    drop(running.end().await);
    pair.end_lease();
    assert_restored_but_for_the_record(&pair);
    // pachd still settles its pipelines, so the target does not stand still.
    let words = ["not empty", "remains of an earlier attempt", "kubectl delete configmap pachsnap-restore"];
    assert_said(&pair.run(&RESTORE).await, 14, &words);
    assert_restored_but_for_the_record(&pair);
}

/// pachd tells only after the last op that one of them failed: which one is found by what it holds.
#[tokio::test(flavor = "multi_thread")]
async fn the_op_at_which_pachd_stopped_is_named() {
    let pair = Pair::new().await;
    pair.target.pachd.faults().fail_restore_at(100);
    let ended = pair.run(&RESTORE).await;
    assert_said(&ended, 24, &["op 100 of 198", "holds a part of the stream", "pachctl delete all"]);
}

/// A plain dump, with the objects in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_dump_of_pachctl_with_its_objects() {
    let pair = Pair::new().await;
    let file = pair.source.folder().join("full.pachd");
    std::fs::write(&file, &unpacked("alpha.tar.zst")["alpha-full.pachd"]).unwrap();
    let url = format!("file://{}", file.display());
    let missing = pair.run(&["restore", "--stream", &format!("{url}.old")]).await;
    assert_said(&missing, 12, &["full.pachd.old", "Nothing was changed"]);
    let ended = pair.run(&["restore", "--stream", &url]).await;
    assert_said(&ended, 0, &[]);
    assert_every_file_is_there(pair.target.pachd.state());
    assert!(ended.stdout.contains("without a manifest"), "{}", ended.stdout);
}

/// pachd would restore it over an empty bucket and say that all is well.
#[tokio::test(flavor = "multi_thread")]
async fn a_dump_whose_objects_are_not_there_is_refused() {
    let pair = Pair::new().await;
    let file = data("extract/alpha-no-objects.pachd");
    pair.assert_refused(&["restore", "--stream", file.to_str().unwrap()], 10, &["lacks objects", "pach/object/"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_at_which_pachd_would_stop_is_refused_before_it_begins() {
    let pair = Pair::new().await;
    let file = data("restore/odd-branch-name-no-objects.pachd");
    let words = ["would stop in the middle", "master,raw@master"];
    pair.assert_refused(&["restore", "--stream", file.to_str().unwrap()], 17, &words).await;
}

/// pachctl's own restore stops at this stream: it has children before their parents.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_with_children_before_their_parents_is_put_in_order() {
    let pair = Pair::new().await;
    let bucket = pair.target.s3.bucket(BUCKET);
    for (key, bytes) in unpacked("bucket/odd.tar.zst") {
        let key = ["block/", "object/", "tag/"].iter().find_map(|kind| key.find(kind).map(|at| key[at..].to_owned()));
        if let Some(key) = key {
            bucket.put(&format!("pach/{key}"), bytes, None);
        }
    }
    let file = data("extract/odd-no-objects.pachd");
    assert_said(&pair.run(&["restore", "--stream", file.to_str().unwrap()]).await, 0, &[]);
    assert_holds(pair.target.pachd.state(), &std::fs::read(&file).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_with_auth_gets_a_root_token_of_our_own() {
    let pair = Pair::with_auth().await;
    pair.assert_refused(&RESTORE, 17, &["turns auth on", "licence", "pachctl enterprise activate"]).await;
    let mut licence = EnterpriseRecord { activation_code: "made up".to_owned(), expires: Some(Default::default()) };
    licence.expires.as_mut().unwrap().seconds = jiff::Timestamp::now().as_second() + 1_000_000;
    let key = "pachyderm/1.7.0/pachyderm_enterprise/token";
    pair.target.pachd.state().store.put(key, licence.encode_to_vec());
    let file = pair.source.folder().join("secrets/root-token");
    let ended = pair.run(&[RESTORE.as_slice(), &["--root-token-file", file.to_str().unwrap()]].concat()).await;
    assert_said(&ended, 0, &[]);
    assert_restored(&pair);
    let kept = std::fs::read_to_string(&file).unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let shown = ended.stdout.lines().find_map(|line| line.strip_prefix("root token     ")).unwrap();
    assert!(shown.starts_with(kept.trim()) && !ended.stderr.contains(kept.trim()));
    let options = ClientOptions { token: Some(Token::new(kept.trim())), ..ClientOptions::default() };
    let address = Address::plaintext("127.0.0.1", pair.target.pachd.external().port());
    let who = Client::connect(&address, &options).await.unwrap().who_am_i().await.unwrap();
    assert_eq!((who.username.as_str(), who.is_admin), ("pach:root", true));
}
