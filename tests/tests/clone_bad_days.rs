//! Days on which `pachsnap clone` can't go on: what it says, and that it goes on later.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;

use e2e::{CloneCommand, Ended, assert_said, start};
use sandbox::s3::{Fault, FaultRule, Operation, S3Options, S3Server};
use tempfile::TempDir;

const OBJECTS: u32 = 1_500;

struct Place {
    server: S3Server,
    folder: TempDir,
}

impl Place {
    async fn new() -> Self {
        let server = S3Server::start(S3Options::default()).await.unwrap();
        drop(server.bucket("clone"));
        for number in 0..OBJECTS {
            server.bucket("source").put(&format!("pach/block/{number:032x}"), number.to_string(), None);
        }
        Self { server, folder: tempfile::tempdir().unwrap() }
    }

    async fn run(&self, state: &str) -> Ended {
        let endpoint = self.server.endpoint();
        let arguments =
            ["clone", "s3://source", "s3://clone/c/", "--endpoint", &endpoint, "--store", "minio", "--state", state];
        start(self.folder.path(), CloneCommand::environment(), arguments).end().await
    }

    fn assert_exact(&self) {
        let content = |bucket: &str, prefix: &str| {
            let mut content = BTreeMap::new();
            self.server.bucket(bucket).for_each(prefix, |key, object| {
                content.insert(key[prefix.len()..].to_owned(), object.etag.to_string());
            });
            content
        };
        assert_eq!(content("source", ""), content("clone", "c/"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_is_full_half_way() {
    for (status, code) in [(507, "XMinioStorageFull"), (403, "QuotaExceeded"), (507, "InsufficientStorage")] {
        let place = Place::new().await;
        let full = FaultRule::new(Fault::error(status, code)).on(Operation::CopyObject).skip(700).always();
        place.server.faults().add(full);
        let ended = place.run("state").await;
        assert_said(&ended, 23, &["cloning the bucket failed", "s3://clone/c/", "make room there"]);
        assert_said(&ended, 23, &["The clone is not up to date", "the same command goes on"]);
        assert!(!place.server.bucket("clone").keys().iter().any(|key| key.contains(".pachsnap-lock")));
        place.server.faults().clear();
        assert_said(&place.run("state").await, 0, &[]);
        place.assert_exact();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_is_gone_in_the_middle_of_a_clone() {
    for (status, code) in [(404, "NoSuchBucket"), (403, "AccessDenied")] {
        let place = Place::new().await;
        let vault = S3Server::start(S3Options::default()).await.unwrap();
        drop(vault.bucket("vault"));
        let state = format!("s3://vault/kept/?endpoint={}", vault.endpoint().replace(':', "%3A"));
        // The vault takes the clone's description and the pass's beginning, and no part of the inventory.
        let gone = || FaultRule::new(Fault::error(status, code)).key_contains("part-").always();
        vault.faults().add(gone());
        let ended = place.run(&state).await;
        assert_said(&ended, 23, &["cloning the bucket failed", "s3://vault/", code]);
        assert_said(&ended, 23, &["The clone is not up to date", "the same command goes on"]);
        vault.faults().clear();
        assert_said(&place.run(&state).await, 0, &[]);
        place.assert_exact();
    }
}
