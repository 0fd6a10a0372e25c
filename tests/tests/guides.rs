//! The commands of the guides, run as they stand there, with the configuration that stands there.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::pachsnap;
use sandbox::cluster::{ClusterOptions, RecordedCluster, Storage};
use sandbox::s3::{S3Options, S3Server};

/// Blocks of a guide, in order: the word behind the fence, and the lines.
fn blocks(guide: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guides").join(guide);
    let text = std::fs::read_to_string(path).unwrap();
    let mut found = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(kind)) => open = Some((kind.to_owned(), String::new())),
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some((_, body)), None) => body.push_str(&format!("{line}\n")),
            (None, None) => {}
        }
    }
    found
}

/// A folder with what a reader of a guide would have: the configuration, a kubeconfig with two contexts, keys of the stores.
struct Reader {
    old: RecordedCluster,
    new: RecordedCluster,
    backups: S3Server,
    folder: tempfile::TempDir,
    kinds: Vec<String>,
}

impl Reader {
    async fn new(old: Storage) -> Self {
        let options = ClusterOptions { storage: old, ..ClusterOptions::default() };
        let old = RecordedCluster::alpha(options).await.unwrap();
        let new = RecordedCluster::gamma(ClusterOptions::default()).await.unwrap();
        let backups = S3Server::start(S3Options::default()).await.unwrap();
        backups.bucket("backups").set_public(false);
        drop(old.s3.bucket("pachyderm-drill"));
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = two_contexts(&old.kubernetes.kubeconfig(), &new.kubernetes.kubeconfig());
        std::fs::write(folder.path().join("kubeconfig"), kubeconfig).unwrap();
        for cluster in [&old, &new] {
            for _ in 0..200 {
                let pods = cluster.kubernetes.objects("pods", None);
                if pods.len() >= 2 && pods.iter().all(|pod| pod["status"]["phase"] == "Running") {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
        Self { old, new, backups, folder, kinds: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a line as a shell does, and answers with what it said on both outputs.
    fn run(&self, line: &str, more: &[(&str, &str)]) -> String {
        let programs = format!("{}:/usr/bin:/bin", pachsnap().parent().unwrap().display());
        let mut command = Command::new("/bin/sh");
        command.args(["-c", line]).current_dir(self.folder.path()).env_clear();
        command.env("PATH", programs).env("HOME", self.folder.path()).env("KUBECONFIG", self.path("kubeconfig"));
        let stores = [
            ("VAULT", self.backups.endpoint(), "sandbox-secret"),
            ("CLONE", self.backups.endpoint(), "sandbox-secret"),
            ("DRILL", self.old.s3.endpoint(), "sandbox-secret-key"),
        ];
        for (section, endpoint, secret) in stores {
            command.env(format!("PACHSNAP_{section}_ENDPOINT"), endpoint);
            command.env(format!("PACHSNAP_{section}_STORE"), "minio");
            command.env(format!("PACHSNAP_{section}_ACCESS_KEY_ID_ENV"), format!("{section}_KEY_ID"));
            command.env(format!("PACHSNAP_{section}_SECRET_ACCESS_KEY_ENV"), format!("{section}_SECRET"));
            command.env(format!("{section}_KEY_ID"), "sandbox");
            command.env(format!("{section}_SECRET"), secret);
        }
        command.env("PACHSNAP_SNAPSHOT_POLL", "50ms").envs(more.iter().copied());
        let ended = command.output().unwrap();
        let said = [ended.stdout, ended.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert!(ended.status.success(), "{line}\n{said}");
        said
    }

    /// Follows a guide from its beginning to its end. `before` may answer with variables that a block needs.
    fn follow(&mut self, guide: &str, before: impl Fn(&Self, &str) -> Vec<(&'static str, String)>) -> String {
        let mut said = String::new();
        for (kind, body) in blocks(guide) {
            match kind.as_str() {
                "toml" => std::fs::write(self.path("pachsnap.toml"), &body).unwrap(),
                "sh" => {
                    // What other programs do is theirs.
                    for line in body.lines().filter(|line| line.starts_with("pachsnap ")) {
                        let variables = before(self, line);
                        let variables: Vec<(&str, &str)> =
                            variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
                        said.push_str(&self.run(line, &variables));
                        self.kinds.push(line.to_owned());
                    }
                }
                _ => {}
            }
        }
        assert!(self.kinds.len() >= 5, "{guide} has commands that are run: {:?}", self.kinds);
        said
    }

    fn assert_moved(&self) {
        e2e::assert_every_file_is_there(self.new.pachd.state());
    }
}

/// One kubeconfig with the contexts `old` and `new`.
fn two_contexts(old: &str, new: &str) -> String {
    let mut merged = serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "old", "clusters": [], "users": [], "contexts": [],
    });
    for (context, kubeconfig) in [("old", old), ("new", new)] {
        let one: serde_json::Value = serde_yaml_ng::from_str(kubeconfig).unwrap();
        let current = &one["contexts"].as_array().unwrap().iter().find(|it| it["name"] == one["current-context"]);
        let mut current = current.unwrap().clone();
        for (list, field) in [("clusters", "cluster"), ("users", "user")] {
            let all = one[list].as_array().unwrap();
            let mut used = all.iter().find(|it| it["name"] == current["context"][field]).unwrap().clone();
            used["name"] = context.into();
            current["context"][field] = context.into();
            merged[list].as_array_mut().unwrap().push(used);
        }
        current["name"] = context.into();
        merged["contexts"].as_array_mut().unwrap().push(current);
    }
    serde_yaml_ng::to_string(&merged).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_to_a_new_cluster() {
    let mut reader = Reader::new(Storage::Minio).await;
    let said = tokio::task::block_in_place(|| reader.follow("migrate-to-a-new-cluster.md", |_, _| Vec::new()));
    reader.assert_moved();
    assert!(said.contains("checkpoint") || said.contains("loaders "), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn move_to_another_cloud() {
    let mut reader = Reader::new(Storage::AmazonReversed).await;
    let said = tokio::task::block_in_place(|| reader.follow("cross-cloud-move.md", |_, _| Vec::new()));
    reader.assert_moved();
    assert!(said.contains("bytes move through this machine") && said.contains("keys renamed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn disaster_recovery_drill() {
    let mut reader = Reader::new(Storage::Minio).await;
    let left = |reader: &Reader, line: &str| {
        // What the refusal of the next drill names.
        let keys = reader.backups.bucket("backups").keys();
        let record = keys.iter().find_map(|key| key.strip_prefix("pachsnap/drills/")?.strip_suffix("/record.json"));
        let needed = line.contains("$DRILL");
        record.filter(|_| needed).map(|drill| ("DRILL", drill.to_owned())).into_iter().collect()
    };
    let said = tokio::task::block_in_place(|| reader.follow("disaster-recovery-drill.md", left));
    assert_eq!(said.matches(" passed: ").count(), 4, "{said}");
    for file in ["drill.html", "drill.json", "drill-by-metadata.html"] {
        assert!(reader.path(file).exists(), "{file}");
    }
    assert_eq!(reader.old.s3.bucket("pachyderm-drill").keys(), Vec::<String>::new());
    let namespaces = reader.old.kubernetes.objects("namespaces", None);
    assert!(!namespaces.iter().any(|one| one["metadata"]["name"].as_str().unwrap().starts_with("pachsnap-drill")));
}
