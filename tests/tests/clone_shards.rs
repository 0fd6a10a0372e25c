//! A clone that several processes make together: `pachsnap clone --plan-shards` and `--shard`.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::time::Duration;

use e2e::{CloneCommand, Ended, Running, assert_said, start};
use sandbox::s3::{Operation, S3Options, S3Server};
use tempfile::TempDir;

/// Objects of the source: several for each lane of each process.
const OBJECTS: u64 = 3_000;

/// A source with keys as pachd makes them, a place for its clone, and what is kept of it.
struct Place {
    server: S3Server,
    folder: TempDir,
}

impl Place {
    async fn new() -> Self {
        let server = S3Server::start(S3Options::default()).await.unwrap();
        drop(server.bucket("clone"));
        for number in 0..OBJECTS {
            // Odd, so that every key is another one, and they are spread.
            let name = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let kind = ["block", "object", "tag"][number as usize % 3];
            server.bucket("source").put(&format!("pach/{kind}/{name:016x}{name:016x}"), name.to_string(), None);
        }
        Self { server, folder: tempfile::tempdir().unwrap() }
    }

    fn start(&self, more: &[&str]) -> Running {
        let state = self.folder.path().join("state");
        let command = CloneCommand::new("source", "clone/c/", &self.server.endpoint(), &state);
        let arguments = command.arguments().into_iter().chain(more.iter().map(ToString::to_string));
        start(self.folder.path(), CloneCommand::environment(), arguments)
    }

    async fn run(&self, more: &[&str]) -> Ended {
        self.start(more).end().await
    }

    async fn plan(&self, shards: usize) -> Vec<String> {
        let planned = self.run(&["--plan-shards", &shards.to_string()]).await;
        assert_said(&planned, 0, &[]);
        let lines: Vec<String> = planned.stdout.lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), shards, "{}", planned.stdout);
        std::fs::write(self.folder.path().join("plan.jsonl"), planned.stdout).unwrap();
        lines
    }

    fn copies(&self) -> u64 {
        self.server.request_count(Operation::CopyObject)
    }

    fn content(&self, bucket: &str, prefix: &str) -> BTreeMap<String, String> {
        let mut content = BTreeMap::new();
        self.server.bucket(bucket).for_each(prefix, |key, object| {
            content.insert(key[prefix.len()..].to_owned(), object.etag.to_string());
        });
        content
    }

    /// The clone is the source, no lock is left, and a run finds nothing to do, with and without a look at the clone.
    async fn assert_exact(&self) {
        assert_eq!(self.content("source", ""), self.content("clone", "c/"));
        let before = self.copies();
        for more in [&[][..], &["--check-destination"]] {
            let again = self.run(more).await;
            assert_said(&again, 0, &[]);
            assert!(again.stdout.contains("0 copied (0 B)"), "{}", again.stdout);
        }
        assert_eq!(self.copies(), before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_shards_at_once_and_a_last_run_make_one_clone() {
    let place = Place::new().await;
    let plan = place.plan(3).await;
    assert_eq!(place.copies(), 0, "a plan copies nothing");
    assert!(place.content("clone", "").is_empty(), "a plan leaves nothing in the clone");
    place.server.set_latency(Operation::CopyObject, Duration::from_millis(20));
    let running = [place.start(&["--shard", &plan[0]]), place.start(&["--shard", "@plan.jsonl:1"]), {
        place.start(&["--shard", &plan[2], "--output", "json"])
    }];
    let mut copied = Vec::new();
    for running in running {
        let ended = running.end().await;
        assert_said(&ended, 0, &[]);
        copied.push(ended.stdout);
    }
    assert!(copied[0].starts_with("shard 0: ") && copied[1].starts_with("shard 1: "), "{copied:?}");
    assert_eq!(place.copies(), OBJECTS);
    assert_eq!(place.content("source", ""), place.content("clone", "c/"));

    let lists = place.server.request_count(Operation::ListObjectsV2);
    assert_said(&place.run(&[]).await, 0, &[]);
    assert_eq!(place.copies(), OBJECTS, "the last run copies again");
    let lists = place.server.request_count(Operation::ListObjectsV2) - lists;
    assert!(lists < 30, "the last run lists again, with {lists} requests");
    let state = place.folder.path().join("state/pass-00001");
    assert!(state.join("done.json").exists());
    place.assert_exact().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_bring_a_clone_up_to_date_and_the_last_run_deletes() {
    let place = Place::new().await;
    assert_said(&place.run(&[]).await, 0, &[]);
    let source = place.server.bucket("source");
    let keys = source.keys();
    for key in keys.iter().step_by(100) {
        source.remove(key);
    }
    for key in keys.iter().skip(1).step_by(100) {
        source.put(key, "changed", None);
    }
    let copies = place.copies();
    for shard in place.plan(4).await {
        assert_said(&place.run(&["--shard", &shard]).await, 0, &[]);
    }
    assert_eq!(place.copies(), copies + OBJECTS / 100, "only what changed is copied");
    let last = place.run(&["--delete-extra"]).await;
    assert!(last.stdout.contains("30 deleted"), "{}\n{}", last.stdout, last.stderr);
    assert_eq!(place.copies(), copies + OBJECTS / 100);
    place.assert_exact().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_shard_is_done_again_and_nothing_else_is() {
    let place = Place::new().await;
    let plan = place.plan(3).await;
    assert_said(&place.run(&["--shard", &plan[0]]).await, 0, &[]);
    place.server.set_latency(Operation::CopyObject, Duration::from_millis(50));
    let mut killed = place.start(&["--shard", &plan[1], "--max-concurrency", "8", "--output", "json"]);
    killed.wait_for(|event| event["event"] == "progress").await;

    // While it is at work, nobody writes to the whole clone, plans it again, or does the same shard.
    for more in [&[][..], &["--plan-shards", "2"], &["--shard", &plan[1]]] {
        let refused = place.run(more).await;
        assert_said(&refused, 14, &["is being written to by pachsnap clone to s3://clone/c/"]);
    }
    killed.kill();
    drop(killed.end().await);
    place.server.set_latency(Operation::CopyObject, Duration::ZERO);
    let (before, there) = (place.copies(), place.content("clone", "c/").len() as u64);
    assert_said(&place.run(&["--shard", &plan[1]]).await, 0, &[]);
    assert_said(&place.run(&["--shard", &plan[1]]).await, 0, &[]);
    assert_said(&place.run(&["--shard", &plan[2]]).await, 0, &[]);
    let since = place.copies() - before;
    assert!(since <= OBJECTS - OBJECTS / 4, "{since} copies after {there} objects were there");
    assert_said(&place.run(&[]).await, 0, &[]);
    place.assert_exact().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_run_does_the_shards_that_nobody_did() {
    let place = Place::new().await;
    let plan = place.plan(5).await;
    assert_said(&place.run(&["--shard", &plan[3]]).await, 0, &[]);
    place.server.set_latency(Operation::CopyObject, Duration::from_millis(50));
    let mut killed = place.start(&["--shard", &plan[4], "--max-concurrency", "8", "--output", "json"]);
    killed.wait_for(|event| event["event"] == "progress").await;
    killed.kill();
    drop(killed.end().await);
    place.server.set_latency(Operation::CopyObject, Duration::ZERO);
    assert_said(&place.run(&[]).await, 0, &[]);
    place.assert_exact().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_wait_for_a_whole_run_to_end_and_are_of_one_plan() {
    let place = Place::new().await;
    let first = place.plan(2).await;
    let second = place.plan(2).await;
    let other = place.run(&["--shard", &first[0]]).await;
    assert_said(&other, 11, &["has no such shard", "Nothing was changed", "make a new one with --plan-shards"]);
    assert!(place.content("clone", "").is_empty());
    place.server.set_latency(Operation::CopyObject, Duration::from_millis(50));
    let mut whole = place.start(&["--max-concurrency", "8", "--output", "json"]);
    whole.wait_for(|event| event["event"] == "progress").await;
    let refused = place.run(&["--shard", &second[1]]).await;
    assert_said(&refused, 14, &["is being written to by pachsnap clone to s3://clone/c/", "Nothing was changed"]);
    place.server.set_latency(Operation::CopyObject, Duration::ZERO);
    assert_said(&whole.end().await, 0, &[]);
    // The pass has ended, and its plan with it.
    assert_said(&place.run(&["--shard", &second[1]]).await, 11, &["has no such shard"]);
    for more in [&["--shard", "{}"][..], &["--shard", "@nowhere:0"], &["--plan-shards", "0"]] {
        assert_eq!(place.run(more).await.code, Some(11), "{more:?}");
    }
    place.assert_exact().await;
}
