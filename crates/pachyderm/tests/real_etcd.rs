//! The etcd client against a real etcd that serves a recorded database of a real Pachyderm.
//!
//! Needs `etcd` and `etcdctl` (Debian: packages etcd-server and etcd-client). Without them the test fails, unless
//! `PACHSNAP_SKIP_REAL_ETCD=1` says that this is meant.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, missing_docs)]

use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use bytes::Bytes;
use futures::TryStreamExt as _;
use pachyderm::{
    client::{Address, ClientOptions},
    error::{Cause, Condition},
    etcd::{
        EtcdClient,
        proto::{DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse, method},
        watch::{ChangeKind, Previous, WatchItem, WatchOptions},
    },
};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tonic::{client::Grpc, transport::Channel};
use tonic_prost::ProstCodec;

/// Of the recorded database.
const REVISION: i64 = 722;
const KEYS: u64 = 387;

/// A running etcd, ended when dropped.
struct Etcd {
    process: Child,
    folder: TempDir,
    port: u16,
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Etcd {
    /// Restores the recorded database and serves it; `None` if the test is to be skipped.
    async fn start() -> Option<(Self, EtcdClient)> {
        if !installed() {
            return None;
        }
        let folder = TempDir::new().unwrap();
        let data = folder.path().join("data");
        let snapshot = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/etcd/alpha.snapshot.db");
        run(Command::new("etcdctl").args(["snapshot", "restore", snapshot, "--data-dir"]).arg(&data));
        let (client_port, peer_port) = (free_port(), free_port());
        let client_url = format!("http://127.0.0.1:{client_port}");
        let process = Command::new("etcd")
            .arg("--data-dir")
            .arg(&data)
            .args(["--listen-client-urls", &client_url, "--advertise-client-urls", &client_url])
            .args(["--listen-peer-urls", &format!("http://127.0.0.1:{peer_port}")])
            .args(["--experimental-watch-progress-notify-interval", "1s"])
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut etcd = Self { process, folder, port: client_port };
        let client = etcd.connect().await;
        Some((etcd, client))
    }

    async fn connect(&mut self) -> EtcdClient {
        let address = Address::plaintext("127.0.0.1", self.port);
        loop {
            if let Ok(client) = EtcdClient::connect(&address, &ClientOptions::default()).await
                && client.revision().await.is_ok()
            {
                return client;
            }
            if let Some(status) = self.process.try_wait().unwrap() {
                let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap();
                panic!("etcd ended with {status}:\n{log}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn writer(&self) -> Writer {
        let uri = format!("http://127.0.0.1:{}", self.port);
        Writer(Grpc::new(Channel::from_shared(uri).unwrap().connect().await.unwrap()))
    }

    fn etcdctl(&self, arguments: &[&str]) -> String {
        run(Command::new("etcdctl").args(["--endpoints", &format!("127.0.0.1:{}", self.port)]).args(arguments))
    }
}

/// Writes, which the product never does.
struct Writer(Grpc<Channel>);

impl Writer {
    async fn put(&mut self, key: &str, value: &str) -> i64 {
        self.0.ready().await.unwrap();
        let request = PutRequest {
            key: Bytes::copy_from_slice(key.as_bytes()),
            value: Bytes::copy_from_slice(value.as_bytes()),
            ..Default::default()
        };
        let codec = ProstCodec::<PutRequest, PutResponse>::default();
        let path = http::uri::PathAndQuery::from_static(method::PUT);
        self.0.unary(tonic::Request::new(request), path, codec).await.unwrap().into_inner().header.unwrap().revision
    }

    async fn delete(&mut self, key: &str) -> i64 {
        self.0.ready().await.unwrap();
        let request = DeleteRangeRequest { key: Bytes::copy_from_slice(key.as_bytes()), ..Default::default() };
        let codec = ProstCodec::<DeleteRangeRequest, DeleteRangeResponse>::default();
        let path = http::uri::PathAndQuery::from_static(method::DELETE_RANGE);
        self.0.unary(tonic::Request::new(request), path, codec).await.unwrap().into_inner().header.unwrap().revision
    }
}

fn installed() -> bool {
    let found = ["etcd", "etcdctl"].map(|program| {
        Command::new(program)
            .arg("version")
            .env("ETCDCTL_API", "3")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok()
    });
    if found == [true, true] {
        return true;
    }
    if std::env::var("PACHSNAP_SKIP_REAL_ETCD").is_ok_and(|value| value == "1") {
        eprintln!("SKIPPED: etcd and etcdctl are not installed, and PACHSNAP_SKIP_REAL_ETCD=1");
        return false;
    }
    panic!(
        "this test needs etcd and etcdctl: apt-get install etcd-server etcd-client (or set PACHSNAP_SKIP_REAL_ETCD=1 to skip it)"
    );
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn run(command: &mut Command) -> String {
    let output = command.env("ETCDCTL_API", "3").output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn snapshot_status(file: &Path) -> serde_json::Value {
    let answer = run(Command::new("etcdctl").args(["snapshot", "status", "-w", "json"]).arg(file));
    serde_json::from_str(&answer).unwrap()
}

#[tokio::test]
async fn a_member_tells_how_it_is() {
    let Some((_etcd, client)) = Etcd::start().await else { return };
    let status = client.status().await.unwrap();
    let header = status.header.unwrap();
    assert!(status.version.starts_with("3."), "{}", status.version);
    assert_eq!(status.leader, header.member_id);
    assert!(status.db_size > 0 && status.db_size_in_use > 0);
    assert_eq!(client.revision().await.unwrap(), REVISION);
    assert_eq!(client.alarms().await.unwrap(), []);
    let members = client.members().await.unwrap();
    assert_eq!(members.iter().map(|member| member.id).collect::<Vec<_>>(), [header.member_id]);
}

#[tokio::test]
async fn all_keys_are_read_at_one_revision_though_writes_go_on() {
    let Some((etcd, client)) = Etcd::start().await else { return };
    let mut writer = etcd.writer().await;
    let mut range = client.range_all(b"").await.unwrap();
    assert_eq!((range.revision(), range.count()), (REVISION, KEYS));
    let mut keys = vec![range.next().await.unwrap().unwrap()];
    writer.put("zzz-later", "not in it").await;
    keys.extend(range.into_stream().try_collect::<Vec<_>>().await.unwrap());
    assert_eq!(keys.len() as u64, KEYS);
    assert!(keys.is_sorted_by(|one, other| one.key < other.key));
    assert!(keys.iter().all(|key| key.mod_revision <= REVISION));

    // More keys than a page holds.
    for number in 0..1100 {
        writer.put(&format!("many/{number:04}"), "x").await;
    }
    let many = client.range_all(b"many/").await.unwrap();
    assert_eq!(many.count(), 1100);
    let many: Vec<_> = many.into_stream().try_collect().await.unwrap();
    let expected: Vec<_> = (0..1100).map(|number| format!("many/{number:04}")).collect();
    assert_eq!(many.iter().map(|key| String::from_utf8_lossy(&key.key)).collect::<Vec<_>>(), expected);

    let prefix = "pachyderm/1.7.0/pachyderm_pps/pipelines/";
    let pipelines = client.range_all(prefix.as_bytes()).await.unwrap();
    let listed = etcd.etcdctl(&["get", prefix, "--prefix", "--keys-only"]);
    assert_eq!(pipelines.count(), listed.lines().filter(|line| !line.is_empty()).count() as u64);
    assert_eq!(client.get(b"cluster-id").await.unwrap().unwrap().value.len(), 32);
    assert_eq!(client.get(b"no-such-key").await.unwrap(), None);
}

#[tokio::test]
async fn a_watch_reports_every_change_in_order() {
    let Some((etcd, client)) = Etcd::start().await else { return };
    let mut writer = etcd.writer().await;
    let options = WatchOptions { previous: Previous::Reported, ..WatchOptions::default() };
    let mut watch = client.watch(&options).await.unwrap();
    let created = writer.put("watched", "one").await;
    let updated = writer.put("watched", "two").await;
    let deleted = writer.delete("watched").await;
    let expected = [
        (ChangeKind::Create, "one", created, None),
        (ChangeKind::Update, "two", updated, Some("one")),
        (ChangeKind::Delete, "", deleted, Some("two")),
    ];
    for (kind, value, revision, previous) in expected {
        let WatchItem::Change(change) = watch.next().await.unwrap() else { panic!("a progress came first") };
        assert_eq!((change.kind, &change.key[..], &change.value[..]), (kind, &b"watched"[..], value.as_bytes()));
        assert_eq!(change.mod_revision, revision);
        let was = change.previous.map(|key| String::from_utf8(key.value.to_vec()).unwrap());
        assert_eq!(was.as_deref(), previous);
    }
    watch.request_progress().await.unwrap();
    assert_eq!(watch.next().await.unwrap(), WatchItem::Progress { revision: deleted });

    let history = WatchOptions { prefix: "watched".into(), start_revision: created, ..WatchOptions::default() };
    let mut again = client.watch(&history).await.unwrap();
    let WatchItem::Change(change) = again.next().await.unwrap() else { panic!("a progress came first") };
    assert_eq!((change.mod_revision, change.previous), (created, None));
}

#[tokio::test]
async fn a_watch_that_lost_changes_is_an_error() {
    let Some((etcd, client)) = Etcd::start().await else { return };
    let revision = etcd.writer().await.put("a", "b").await;
    etcd.etcdctl(&["compact", &revision.to_string()]);
    let old = WatchOptions { start_revision: REVISION, ..WatchOptions::default() };
    let error = match client.watch(&old).await {
        Ok(mut watch) => watch.next().await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.condition(), Condition::Compacted, "{error}");
    assert!(matches!(error.cause(), Cause::WatchEnded { compact_revision, .. } if *compact_revision == revision));
}

#[tokio::test]
async fn a_watch_over_a_dead_server_is_an_error_that_a_retry_helps() {
    let Some((etcd, client)) = Etcd::start().await else { return };
    let mut watch = client.watch(&WatchOptions::default()).await.unwrap();
    drop(etcd);
    let error = loop {
        match watch.next().await {
            Ok(WatchItem::Progress { .. }) => {}
            Ok(WatchItem::Change(change)) => panic!("{change:?}"),
            Err(error) => break error,
        }
    };
    assert!(error.retry_helps(), "{error:?}");
}

#[tokio::test]
async fn a_snapshot_is_what_etcdctl_would_have_written() {
    let Some((etcd, client)) = Etcd::start().await else { return };
    let ours = etcd.folder.path().join("ours.db");
    let theirs = etcd.folder.path().join("theirs.db");
    etcd.etcdctl(&["snapshot", "save", theirs.to_str().unwrap()]);

    let snapshot = client.snapshot().await.unwrap();
    let database_bytes = snapshot.database_bytes();
    // After the cut: not in the snapshot.
    etcd.writer().await.put("later", "value").await;
    let mut told = 0;
    let file = tokio::fs::File::create(&ours).await.unwrap();
    let summary = snapshot.copy_to(file, |bytes| told = bytes).await.unwrap();

    let content = std::fs::read(&ours).unwrap();
    assert_eq!((summary.bytes, told), (content.len() as u64, content.len() as u64));
    assert_eq!(summary.bytes, database_bytes + 32);
    assert_eq!(summary.sha256, <[u8; 32]>::from(Sha256::digest(&content)));
    assert_eq!(&summary.database_sha256, content.last_chunk::<32>().unwrap());
    if client.status().await.unwrap().version.starts_with("3.4.") {
        assert_eq!(summary.revision, None);
    } else {
        assert!(summary.revision.is_none_or(|revision| revision == REVISION));
    }
    let status = snapshot_status(&ours);
    assert_eq!(status["revision"], REVISION);
    assert_eq!(status, snapshot_status(&theirs));
}
