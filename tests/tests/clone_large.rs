//! A large object in a clone: copied in parts by the store, and gone on with after a kill.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::path::PathBuf;
use std::time::Duration;

use e2e::{CloneCommand, Ended, Running, assert_said, start};
use sandbox::s3::{Fault, FaultRule, Operation, S3Options, S3Server};
use tempfile::TempDir;

const MIB: usize = 1 << 20;
/// Twelve parts: eight in the first step of the copy, four in the second one.
const SIZE: usize = 60 * MIB;
const KEY: &str = "pach/block/large";

/// No part of it is like another one.
fn content(seed: usize) -> Vec<u8> {
    (0..SIZE).map(|at| (at / 4096 * 31 + at + seed) as u8).collect()
}

struct Place {
    server: S3Server,
    folder: TempDir,
}

impl Place {
    async fn new() -> Self {
        let server = S3Server::start(S3Options::default()).await.unwrap();
        drop(server.bucket("clone"));
        let place = Self { server, folder: tempfile::tempdir().unwrap() };
        place.write(1);
        place.server.bucket("source").put("pach/block/small", "small", None);
        place
    }

    fn write(&self, seed: usize) {
        self.server.bucket("source").put(KEY, content(seed), None);
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn start(&self) -> Running {
        self.start_with(&["--copy-part-size", "5MiB"])
    }

    fn start_with(&self, more: &[&str]) -> Running {
        let command = CloneCommand::new("source", "clone/c/", &self.server.endpoint(), &self.state());
        let arguments = command.arguments().into_iter().chain(more.iter().map(ToString::to_string));
        start(self.folder.path(), CloneCommand::environment(), arguments)
    }

    async fn run(&self) -> Ended {
        self.start().end().await
    }

    fn kept(&self) -> usize {
        let Ok(files) = std::fs::read_dir(self.state().join("pass-00001")) else { return 0 };
        files.filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().starts_with("copy-")).count()
    }

    fn parts(&self) -> u64 {
        self.server.request_count(Operation::UploadPartCopy)
    }

    /// Kills a run in the second step of the copy.
    async fn kill_half_way(&self) {
        self.server.set_latency(Operation::UploadPartCopy, Duration::from_millis(400));
        let mut running = self.start();
        while self.kept() == 0 || self.parts() < 12 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        running.kill();
        drop(running.end().await);
        self.server.set_latency(Operation::UploadPartCopy, Duration::ZERO);
        assert_eq!(self.server.bucket("clone").unfinished_uploads(), [format!("c/{KEY}")]);
    }

    fn assert_exact(&self) {
        let object = |bucket: &str, key: &str| self.server.bucket(bucket).get(key).unwrap().bytes;
        assert!(object("source", KEY) == object("clone", &format!("c/{KEY}")));
        assert_eq!(self.server.bucket("clone").unfinished_uploads(), Vec::<String>::new());
        assert_eq!(self.kept(), 0, "what was kept of the copy is left");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_were_copied_before_a_kill_are_not_copied_again() {
    let place = Place::new().await;
    place.kill_half_way().await;
    let before = place.parts();
    assert_said(&place.run().await, 0, &[]);
    assert_eq!(place.parts() - before, 4);
    assert_eq!(place.server.request_count(Operation::CreateMultipartUpload), 1);
    place.assert_exact();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_whose_upload_is_gone_begins_again() {
    let place = Place::new().await;
    place.kill_half_way().await;
    let before = place.parts();
    let gone = Fault::error(404, "NoSuchUpload");
    place.server.faults().add(FaultRule::new(gone).on(Operation::UploadPartCopy).times(4));
    assert_said(&place.run().await, 0, &[]);
    // Those that met no upload may have been fewer than four: the first one ends the step.
    assert!((13..=16).contains(&(place.parts() - before)), "{}", place.parts() - before);
    assert_eq!(place.server.request_count(Operation::CreateMultipartUpload), 2);
    place.assert_exact();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_what_is_another_object_by_now_is_given_up() {
    let place = Place::new().await;
    place.kill_half_way().await;
    place.write(2);
    assert_said(&place.run().await, 0, &[]);
    assert_eq!(place.server.request_count(Operation::AbortMultipartUpload), 1);
    place.assert_exact();

    let place = Place::new().await;
    place.kill_half_way().await;
    place.server.bucket("source").remove(KEY);
    assert_said(&place.run().await, 0, &[]);
    assert_eq!(place.server.bucket("clone").unfinished_uploads(), Vec::<String>::new());
    assert_eq!(place.kept(), 0);
}

/// A signal leaves the copy for the next run, as a crash does.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_copy_is_gone_on_with() {
    let place = Place::new().await;
    place.server.set_latency(Operation::UploadPartCopy, Duration::from_millis(400));
    let running = place.start();
    while place.kept() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running.signal("INT").await;
    assert_said(&running.end().await, 130, &["the same command goes on"]);
    place.server.set_latency(Operation::UploadPartCopy, Duration::ZERO);
    let before = place.parts();
    assert_said(&place.run().await, 0, &[]);
    assert_eq!(place.parts() - before, 4);
    place.assert_exact();
}

/// Through this machine, a connection that breaks costs a piece.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_object_on_its_way_through_this_machine_survives_broken_connections() {
    let place = Place::new().await;
    let faults = place.server.faults();
    faults.add(
        FaultRule::new(Fault::TruncatedBody { after: 3 * MIB }).on(Operation::GetObject).key_contains(KEY).times(5),
    );
    let ended = place.start_with(&["--through-here"]).end().await;
    assert_said(&ended, 0, &[]);
    assert_eq!(faults.hits(), 5);
    // Eight pieces and the five that broke; the small object and the lock, if it is looked at.
    let reads = place.server.request_count(Operation::GetObject);
    assert!((14..=15).contains(&reads), "{reads} reads");
    place.assert_exact();

    // What is another object before its last piece is read is read again.
    let place = Place::new().await;
    // Made before the run begins: it takes as long as some pieces.
    let changed = content(2);
    place.server.set_latency(Operation::GetObject, Duration::from_secs(1));
    let running = place.start_with(&["--through-here"]);
    while place.server.request_count(Operation::GetObject) < 5 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    place.server.bucket("source").put(KEY, changed, None);
    assert_said(&running.end().await, 0, &[]);
    place.assert_exact();
}
