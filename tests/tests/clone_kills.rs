//! `pachsnap clone` killed at random moments and started again, until it ends by itself: then the clone is the source.
//!
//! Twenty kills by default; a thousand with
//!
//! ```sh
//! PACHSNAP_KILLS=1000 ./test.sh -p e2e --test clone_kills -- --nocapture
//! ```
//!
//! The moments come from a seed, which is printed; `PACHSNAP_SEED` takes it. What the machine does meanwhile it can't repeat.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::{Duration, Instant};

use e2e::{CloneCommand, Ended, start};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use sandbox::s3::{Operation, S3Options, S3Server};
use tempfile::TempDir;

/// Objects of the source: enough for several pages, and for moments in the middle of each step.
const OBJECTS: u32 = 3_000;

fn variable<T: FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

/// A server with a source that changes, and clones of it.
struct Story {
    server: S3Server,
    folder: TempDir,
    random: StdRng,
    number: u32,
    kills: u32,
    /// How long a run takes that nobody ends.
    whole: Duration,
}

impl Story {
    async fn new(seed: u64) -> Self {
        let server = S3Server::start(S3Options::default()).await.unwrap();
        // So that a run lasts long enough to be met in each of its steps.
        server.set_latency(None, Duration::from_millis(2));
        server.set_latency(Operation::ListObjectsV2, Duration::from_millis(10));
        // It is there once it was asked for.
        let _ = server.bucket("clone");
        let random = StdRng::seed_from_u64(seed);
        let folder = tempfile::tempdir().unwrap();
        let mut story = Self { server, folder, random, number: 0, kills: 0, whole: Duration::ZERO };
        for _ in 0..OBJECTS {
            story.add();
        }
        story
    }

    /// Writes an object of a new key, as pachd lays them out.
    fn add(&mut self) {
        let name: [u128; 4] = self.random.random();
        let key = match self.random.random_range(0..3) {
            0 => format!("pach/block/{:032x}", name[0]),
            1 => format!("pach/object/{:032x}{:032x}{:032x}{:032x}", name[0], name[1], name[2], name[3]),
            _ => format!("pach/tag/{:032x}", name[0]),
        };
        self.write(&key);
    }

    fn write(&mut self, key: &str) {
        let size = self.random.random_range(0..200);
        let content: Vec<u8> = (0..size).map(|_| self.random.random()).collect();
        self.server.bucket("source").put(key, content, None);
    }

    /// What a cluster does to its bucket between two runs: new keys, other contents under old keys, keys that are gone.
    fn change_source(&mut self) {
        for key in self.server.bucket("source").keys() {
            match self.random.random_range(0..50) {
                0 => drop(self.server.bucket("source").remove(&key)),
                1 => self.write(&key),
                2 => self.add(),
                _ => {}
            }
        }
    }

    fn command(&self) -> CloneCommand {
        let (endpoint, state) = (self.server.endpoint(), self.folder.path().join(format!("state-{}", self.number)));
        CloneCommand::new("source", &format!("clone/{}/", self.number), &endpoint, &state)
    }

    async fn run(&self, arguments: Vec<String>, kill_after: Option<Duration>) -> Ended {
        let mut running = start(self.folder.path(), CloneCommand::environment(), arguments);
        if let Some(after) = kill_after {
            tokio::time::sleep(after).await;
            running.kill();
        }
        running.end().await
    }

    /// Kills so many runs of the clone, then lets one end.
    async fn clone_with_kills(&mut self, kills: u32) {
        for _ in 0..kills {
            let after = self.whole.mul_f64(self.random.random_range(0.0..1.0));
            let ended = self.run(self.command().deleting(), Some(after)).await;
            if ended.code.is_some() {
                // It was faster than the kill.
                assert_eq!(ended.code, Some(0), "{}", ended.stderr);
                break;
            }
            self.kills += 1;
            println!("clone {}: killed after {} ms", self.number, after.as_millis());
        }
        let ended = self.run(self.command().deleting(), None).await;
        assert_eq!(ended.code, Some(0), "clone {}: {}", self.number, ended.stderr);
        self.assert_exact().await;
    }

    /// The clone is the source, as the server's own store has them, and a run finds nothing to do.
    async fn assert_exact(&self) {
        let objects = |bucket: &str, prefix: &str| {
            let mut found = BTreeMap::new();
            self.server.bucket(bucket).for_each(prefix, |key, object| {
                found.insert(key[prefix.len()..].to_owned(), (object.bytes.clone(), object.etag.clone()));
            });
            found
        };
        let (source, clone) = (objects("source", ""), objects("clone", &format!("{}/", self.number)));
        let differing = source.iter().find(|(key, object)| clone.get(*key) != Some(object));
        assert_eq!(differing, None, "clone {} differs", self.number);
        let extra = clone.keys().find(|key| !source.contains_key(*key));
        assert_eq!(extra, None, "clone {} has a key more", self.number);

        // What it kept of the clone is what is there, and all that is there: else a listing of the clone would say so.
        let ended = self.run(self.command().checking_dry_run(), None).await;
        assert_eq!(ended.code, Some(0), "clone {}: {}", self.number, ended.stderr);
        for nothing in ["to copy    0 objects", "only there 0 objects"] {
            assert!(ended.stdout.contains(nothing), "clone {}: {}", self.number, ended.stdout);
        }
        // And by itself it is enough: a run writes nothing but its lock, which it deletes in the end.
        let writes = || [Operation::CopyObject, Operation::DeleteObjects].map(|call| self.server.request_count(call));
        let [copies, deletes] = writes();
        let ended = self.run(self.command().deleting(), None).await;
        assert_eq!(ended.code, Some(0), "clone {}: {}", self.number, ended.stderr);
        assert_eq!(writes(), [copies, deletes + 1], "clone {}: copied or deleted once more", self.number);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_moments_a_clone_becomes_its_source() {
    let kills: u32 = variable("PACHSNAP_KILLS").unwrap_or(20);
    let seed: u64 = variable("PACHSNAP_SEED").unwrap_or_else(rand::random);
    println!("PACHSNAP_SEED={seed}, {kills} kills");
    let mut story = Story::new(seed).await;
    let began = Instant::now();
    story.clone_with_kills(0).await;
    // Three runs: the clone, and two that find nothing to do.
    story.whole = began.elapsed() / 3;
    while story.kills < kills {
        // Clones never all end before they are killed; a machine that says so would loop here for ever.
        assert!(story.number < 10 * kills + 10, "{} kills in {} clones", story.kills, story.number);
        story.number += 1;
        let first = story.random.random_range(1..=4);
        story.clone_with_kills(first).await;
        story.change_source();
        let second = story.random.random_range(1..=4);
        story.clone_with_kills(second).await;
        story.server.bucket("clone").clear();
    }
    println!("{} kills, {} clones", story.kills, story.number);
}
