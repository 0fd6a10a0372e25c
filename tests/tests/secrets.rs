//! No secret shows in what a run prints, logs, or leaves in the clear, at the most verbose level.
//!
//! Not looked into: the metadata stream, etcd's snapshot and the clone. They hold secrets, as the cluster itself does.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::io::{Cursor, Read};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use e2e::Bench;
use sandbox::cluster::{ClusterOptions, NAMESPACE};
use sandbox::s3::{S3Options, S3Server};
use serde_json::{Value, json};

/// A value of the pipeline `secret-env`'s environment, as it was recorded.
const RECORDED: &str = "not-really-secret";
const LITERAL: &str = "proxy-password-90be";
const TOKEN: &str = "pachyderm-token-5dcd4f";

/// Everything that was written, by what it is.
#[derive(Default)]
struct Written(Vec<(String, String)>);

impl Written {
    fn add(&mut self, what: impl Into<String>, text: impl Into<String>) {
        self.0.push((what.into(), text.into()));
    }

    /// Runs a command to its end, at the most verbose level, with both of its outputs.
    async fn run(&mut self, bench: &Bench, command: &[&str]) {
        let words: Vec<&str> = command.iter().copied().chain(["-vvv"]).collect();
        let ended = bench.run(&words).await;
        assert_eq!(ended.code, Some(0), "{command:?}: {}\n{}", ended.stdout, ended.stderr);
        self.add(format!("stdout of {command:?}"), ended.stdout);
        self.add(format!("stderr of {command:?}"), ended.stderr);
    }
}

/// Everything secret that the cluster and the configuration hold: name and value, plain and as Kubernetes writes it.
fn secrets(bench: &Bench) -> Vec<(String, String)> {
    let mut secrets = vec![
        ("recorded environment".to_owned(), RECORDED.to_owned()),
        ("token".to_owned(), TOKEN.to_owned()),
        ("literal".to_owned(), LITERAL.to_owned()),
    ];
    for secret in bench.cluster.kubernetes.objects("secrets", None) {
        for (key, value) in secret["data"].as_object().into_iter().flatten() {
            // Where the bucket is isn't secret, and is in every recovery point.
            if ["bucket", "endpoint", "secure", "signature"].iter().any(|plain| key.ends_with(plain)) {
                continue;
            }
            let plain = STANDARD.decode(value.as_str().unwrap()).unwrap();
            secrets.push((format!("{} {key}", secret["metadata"]["name"]), String::from_utf8(plain).unwrap()));
        }
    }
    let kubeconfig = std::fs::read_to_string(bench.folder().join("kubeconfig")).unwrap();
    let token = kubeconfig.lines().find_map(|line| line.trim().strip_prefix("token: ")).unwrap().trim_matches('"');
    secrets.push(("kubeconfig's token".to_owned(), token.to_owned()));
    secrets.push(("vault's key".to_owned(), "vault-secret-81cc07".to_owned()));
    assert!(secrets.len() >= 7 && secrets.iter().all(|(_, value)| value.len() >= 10), "{secrets:?}");
    let encoded: Vec<_> =
        secrets.iter().map(|(name, value)| (format!("{name} in base64"), STANDARD.encode(value))).collect();
    secrets.into_iter().chain(encoded).collect()
}

/// The undo record as it is in the cluster, its packed part unpacked.
fn undo_record(bench: &Bench) -> String {
    let map = bench.cluster.kubernetes.object("configmaps", NAMESPACE, "pachsnap-undo").expect("the cluster is paused");
    let packed = STANDARD.decode(map["binaryData"]["record.json.gz"].as_str().unwrap()).unwrap();
    let mut record = String::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut record).unwrap();
    let names: Value = serde_json::from_str(&record).unwrap();
    assert!(names["pipelines"].as_array().is_some_and(|pipelines| !pipelines.is_empty()), "{record}");
    format!("{map}\n{record}")
}

/// A cluster with a secret in every place that has one.
async fn bench_with_secrets() -> (Bench, Arc<S3Server>) {
    let bench = Bench::with(ClusterOptions {
        access_key: ("bucket-key-id-2f9e".to_owned(), "bucket-secret-7ab3".to_owned()),
        ..ClusterOptions::default()
    })
    .await;
    let kubernetes = &bench.cluster.kubernetes;
    let database = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": "my-db-secret", "namespace": NAMESPACE, "labels": {"suite": "pachyderm"}},
        "stringData": {"password": "database-password-c4d1"},
    });
    kubernetes.create(database).unwrap();
    // A secret that somebody wrote into a Deployment as it is.
    let container = json!({
        "name": "proxy", "image": "proxy:1",
        "env": [{"name": "PROXY_PASSWORD", "value": LITERAL}],
    });
    let proxy = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "proxy", "namespace": NAMESPACE, "labels": {"suite": "pachyderm"}},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "proxy"}},
            "template": {"metadata": {"labels": {"app": "proxy"}}, "spec": {"containers": [container]}},
        },
    });
    kubernetes.create(proxy).unwrap();
    let vault = bench
        .move_vault_to_s3(S3Options { secret_key: "vault-secret-81cc07".to_owned(), ..S3Options::default() })
        .await;
    bench.set_environment(&[("PACHSNAP_TOKEN", TOKEN)]);
    (bench, vault)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_shows_anywhere() {
    let (bench, vault) = bench_with_secrets().await;
    let mut written = Written::default();
    for command in [
        &["discover"][..],
        &["discover", "-o", "json"],
        &["plan"],
        &["plan", "-o", "json"],
        &["config", "show"],
        &["config", "check"],
        &["snapshot"],
        &["snapshot", "-o", "json"],
        &["list"],
        &["list", "-o", "json"],
        &["show", "latest"],
        &["show", "latest", "-o", "json"],
        &["show", "latest", "-o", "yaml"],
        &["verify", "latest", "--full"],
        &["verify", "latest", "-o", "json"],
        &["pause"],
    ] {
        written.run(&bench, command).await;
    }
    written.add("undo record", undo_record(&bench));
    written.run(&bench, &["resume", "-o", "json"]).await;

    let bucket = vault.bucket("vault");
    let in_the_clear = |key: &String| !key.ends_with("metadata.pachd") && !key.ends_with("etcd.snapshot.db");
    for key in bucket.keys().into_iter().filter(in_the_clear) {
        let bytes = bucket.get(&key).unwrap().bytes;
        written.add(key, String::from_utf8_lossy(&bytes));
    }
    for part in ["manifest.json", "captured.json", "cluster-objects.yaml"] {
        assert!(written.0.iter().any(|(what, _)| what.ends_with(part)), "{part} was not looked into");
    }

    // What is looked for is there: the recorded secret is in the stream, where it belongs.
    let stream = bucket.keys().into_iter().find(|key| key.ends_with("metadata.pachd")).unwrap();
    let mut reader = pachyderm::stream::Reader::new(Cursor::new(bucket.get(&stream).unwrap().bytes));
    let mut found = false;
    while let Some(op) = reader.next_op().unwrap() {
        found |= op.bytes.windows(RECORDED.len()).any(|window| window == RECORDED.as_bytes());
    }
    assert!(found);

    let secrets = secrets(&bench);
    let leaks: Vec<String> = written
        .0
        .iter()
        .flat_map(|(what, text)| {
            secrets.iter().filter(|(_, value)| text.contains(value)).map(move |(name, _)| format!("{name} in {what}"))
        })
        .collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
}
