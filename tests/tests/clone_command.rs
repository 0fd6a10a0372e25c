//! `pachsnap clone` as a user runs it, between buckets of an S3 server and folders.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use e2e::{Bench, Ended, Running, assert_said, start};
use sandbox::s3::{Fault, FaultRule, Operation, S3Options, S3Server};
use tempfile::TempDir;
use tokio::process::Command;

/// A source in the layout of Pachyderm, and a place for its clone.
struct Place {
    server: S3Server,
    folder: TempDir,
}

impl Place {
    async fn new(objects: usize) -> Self {
        let server = S3Server::start(S3Options::default()).await.unwrap();
        let source = server.bucket("data");
        for number in 0..objects {
            source.put(&format!("pach/tag/{number:068x}"), vec![1; 40], None);
            source.put(&format!("pach/object/{number:0128x}"), vec![2; 60], None);
            source.put(&format!("pach/block/{number:032x}"), vec![3; 500], None);
        }
        source.put("pach/block/odd key+%&é", "", None);
        drop(server.bucket("clones"));
        Self { server, folder: tempfile::tempdir().unwrap() }
    }

    fn start(&self, arguments: &[&str]) -> Running {
        let endpoint = self.server.endpoint();
        let all = ["clone", "--endpoint", &endpoint, "--store", "minio"].into_iter().chain(arguments.iter().copied());
        let variables =
            [("PATH", "/usr/bin:/bin"), ("AWS_ACCESS_KEY_ID", "sandbox"), ("AWS_SECRET_ACCESS_KEY", "sandbox-secret")];
        start(self.folder.path(), variables, all)
    }

    async fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).end().await
    }

    /// Keys, ETags and sizes of what lies below a prefix.
    fn content(&self, bucket: &str, prefix: &str) -> BTreeMap<String, (String, usize)> {
        let mut content = BTreeMap::new();
        self.server.bucket(bucket).for_each(prefix, |key, object| {
            content.insert(key[prefix.len()..].to_owned(), (object.etag.to_string(), object.bytes.len()));
        });
        content
    }

    fn assert_exact(&self, prefix: &str) {
        assert_eq!(self.content("data", ""), self.content("clones", prefix));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_is_made_kept_up_to_date_and_costs_one_listing_when_nothing_changed() {
    let place = Place::new(700).await;
    let dry = place.run(&["s3://data", "s3://clones/a/", "--dry-run"]).await;
    assert_said(&dry, 0, &[]);
    assert!(dry.stdout.contains("to copy    2101 objects"), "{}", dry.stdout);
    assert!(place.content("clones", "").is_empty(), "a dry run writes nothing");

    let first = place.run(&["s3://data", "s3://clones/a/"]).await;
    assert_said(&first, 0, &[]);
    assert!(first.stdout.contains("2101 copied"), "{}", first.stdout);
    place.assert_exact("a/");

    let before = (place.server.request_count(Operation::CopyObject), place.server.request_count(Operation::HeadObject));
    let second = place.run(&["s3://data", "s3://clones/a/"]).await;
    assert!(second.stdout.contains("0 copied (0 B), 2101 were there"), "{}", second.stdout);
    let after = (place.server.request_count(Operation::CopyObject), place.server.request_count(Operation::HeadObject));
    assert_eq!(before, after, "an unchanged bucket costs no copy and no look");

    let data = place.server.bucket("data");
    data.put(&format!("pach/tag/{:068x}", 7), vec![9; 40], None);
    data.put("pach/block/new", "new", None);
    data.remove(&format!("pach/object/{:0128x}", 8));
    let third = place.run(&["s3://data", "s3://clones/a/"]).await;
    assert_said(&third, 0, &["1 keys are only in the clone: --delete-extra"]);
    assert!(third.stdout.contains("2 copied"), "{}", third.stdout);
    let fourth = place.run(&["s3://data", "s3://clones/a/", "--delete-extra"]).await;
    assert!(fourth.stdout.contains("0 copied") && fourth.stdout.contains("1 deleted"), "{}", fourth.stdout);
    place.assert_exact("a/");

    // Somebody else's doing is found when it is looked for.
    place.server.bucket("clones").remove("a/pach/block/new");
    place.server.bucket("clones").put("a/pach/object/stray", "stray", None);
    let fifth = place.run(&["s3://data", "s3://clones/a/", "--delete-extra", "--check-destination"]).await;
    assert!(fifth.stdout.contains("1 copied") && fifth.stdout.contains("1 deleted"), "{}", fifth.stdout);
    place.assert_exact("a/");
}

#[tokio::test(flavor = "multi_thread")]
async fn through_this_machine_into_a_folder_and_back() {
    let place = Place::new(100).await;
    let folder = format!("file://{}/copy", place.folder.path().display());
    assert_said(&place.run(&["s3://data", &folder]).await, 0, &[]);
    assert_said(&place.run(&[&folder, "s3://clones/back/", "--exclude", ".pachsnap-tmp*"]).await, 0, &[]);
    place.assert_exact("back/");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_renamed_and_chosen() {
    let place = Place::new(50).await;
    let arguments = ["s3://data", "s3://clones/r/", "--key-map", "reverse", "--include", "pach/block/*"];
    assert_said(&place.run(&arguments).await, 0, &[]);
    let clone = place.content("clones", "r/");
    assert_eq!(clone.len(), 51);
    for key in clone.keys() {
        let straight: String = key.chars().rev().collect();
        assert!(place.server.bucket("data").get(&straight).is_some(), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_work_is_refused_before_anything_is_written() {
    let place = Place::new(20).await;
    let inside = place.run(&["s3://data", "s3://data/clone/"]).await;
    assert_said(&inside, 11, &["lie in one another", "Nothing was changed", "name a place outside"]);
    place.server.bucket("clones").put("f/somebody's", "data", None);
    let foreign = place.run(&["s3://data", "s3://clones/f/"]).await;
    assert_said(&foreign, 11, &["holds what is not of this clone: somebody's", "Nothing was changed"]);
    assert_eq!(place.content("clones", "").len(), 1);
    let unknown = place.run(&["s3://nowhere", "s3://clones/x/"]).await;
    assert_eq!(unknown.code, Some(23), "{}", unknown.stderr);
    let map = place.run(&["s3://data", "s3://clones/x/", "--key-map", "revers"]).await;
    assert_said(&map, 11, &["is no key map"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_deletes_than_allowed_are_refused() {
    let place = Place::new(100).await;
    assert_said(&place.run(&["s3://data", "s3://clones/d/"]).await, 0, &[]);
    for number in 0..100 {
        place.server.bucket("data").remove(&format!("pach/block/{number:032x}"));
        place.server.bucket("data").remove(&format!("pach/object/{number:0128x}"));
    }
    let refused = place.run(&["s3://data", "s3://clones/d/", "--delete-extra"]).await;
    assert_said(&refused, 23, &["200 of the 301 objects", "--max-deletes"]);
    assert_eq!(place.content("clones", "d/").len(), 301);
    let arguments = ["s3://data", "s3://clones/d/", "--delete-extra", "--max-deletes", "70"];
    assert_said(&place.run(&arguments).await, 0, &[]);
    place.assert_exact("d/");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_at_once_one_is_refused_and_a_killed_one_is_replaced_at_once() {
    let place = Place::new(700).await;
    place.server.set_latency(Operation::CopyObject, Duration::from_millis(100));
    let slow = ["s3://data", "s3://clones/t/", "--max-concurrency", "8"];
    let mut first = place.start(&[&slow[..], &["--output", "json"]].concat());
    first.wait_for(|event| event["event"] == "progress").await;
    // Another state: only the clone itself tells that somebody is at work.
    let second = place.run(&["s3://data", "s3://clones/t/", "--state", "elsewhere"]).await;
    assert_said(&second, 14, &["is being written to by pachsnap clone", "Nothing was changed"]);
    first.kill();
    drop(first.end().await);
    place.server.set_latency(Operation::CopyObject, Duration::ZERO);
    let began = std::time::Instant::now();
    assert_said(&place.run(&["s3://data", "s3://clones/t/"]).await, 0, &[]);
    assert!(began.elapsed() < Duration::from_secs(40), "a process that is dead is not waited for");
    place.assert_exact("t/");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_one_says_that_it_goes_on_and_gives_its_lock_back() {
    let place = Place::new(700).await;
    place.server.set_latency(Operation::CopyObject, Duration::from_millis(100));
    let mut first = place.start(&["s3://data", "s3://clones/c/", "--max-concurrency", "8", "--output", "json"]);
    first.wait_for(|event| event["event"] == "progress").await;
    first.signal("INT").await;
    let ended = first.end().await;
    assert_said(&ended, 130, &["The clone is not up to date", "the same command goes on"]);
    assert!(!place.content("clones", "c/").contains_key(".pachsnap-lock"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_throttling_errors_and_broken_answers_is_ridden_out() {
    let place = Place::new(400).await;
    let faults = place.server.faults();
    faults.add(FaultRule::new(Fault::slow_down()).on(Operation::CopyObject).skip(100).times(120));
    faults.add(FaultRule::new(Fault::internal_error()).on(Operation::CopyObject).skip(500).times(20));
    faults.add(FaultRule::new(Fault::ok_with_error()).on(Operation::CopyObject).skip(600).times(20));
    faults.add(FaultRule::new(Fault::slow_down()).on(Operation::ListObjectsV2).times(2));
    let ended = place.run(&["s3://data", "s3://clones/s/"]).await;
    assert_said(&ended, 0, &["asks for fewer requests"]);
    assert!(faults.hits() >= 120, "{} faults", faults.hits());
    place.assert_exact("s/");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clone_of_a_recovery_point_is_never_written_to() {
    let bench = Bench::new().await;
    assert_said(&bench.run(&["snapshot"]).await, 0, &[]);
    let run = bench.run_with("manifest.json").unwrap();
    let clone = bench.folder().join("clones/alpha").join(&run);
    let config = bench.folder().join("pachsnap.toml").display().to_string();
    for place in [clone.clone(), clone.join("deeper"), clone.parent().unwrap().to_owned()] {
        let url = format!("file://{}", place.display());
        let source = format!("file://{}", bench.vault().display());
        for more in [&[][..], &["--delete-extra"], &["--dry-run"]] {
            let arguments = [&["clone", &source, &url, "--config", &config][..], more].concat();
            let ended = start(bench.folder(), [("PATH", "/usr/bin:/bin")], arguments).end().await;
            assert_said(&ended, 15, &["is the clone of recovery point", "never written to", "Nothing was changed"]);
        }
    }
    assert_said(&bench.run(&["verify", "latest", "--full"]).await, 0, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inventory_can_be_read_by_duckdb_and_pandas() {
    let place = Place::new(60).await;
    assert_said(&place.run(&["s3://data", "s3://clones/i/", "--state", "state"]).await, 0, &[]);
    let python = std::env::var("E2E_PYTHON").expect("E2E_PYTHON is not set: run `./test.sh`, which installs DuckDB");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/inventory.py");
    let parts = place.folder.path().join("state/pass-00001");
    let output = Command::new(python).arg(script).arg(parts).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    let wanted: Vec<_> = place
        .content("data", "")
        .into_iter()
        .map(|(key, (etag, size))| serde_json::json!({"key": key, "size": size, "version": etag, "there": key}))
        .collect();
    assert_eq!(rows, wanted);
}
