//! A real etcd takes what the sandbox's etcd gives: `etcdctl` talks to it, and its snapshot boots.

#![cfg(feature = "pachd")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, missing_docs)]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use sandbox::pachd::etcd::{EtcdService, Identity, Store, snapshot};
use sandbox::pachd::grpc::Listener;

fn skipped() -> bool {
    if std::env::var("PACHSNAP_SKIP_REAL_ETCD").is_ok_and(|value| value == "1") {
        eprintln!("SKIPPED: PACHSNAP_SKIP_REAL_ETCD=1, nothing was checked against a real etcd");
        return true;
    }
    for program in ["etcd", "etcdctl"] {
        assert!(
            Command::new(program).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok(),
            "{program} is missing: install Debian's etcd 3.4 (apt-get install etcd-server etcd-client), \
             or set PACHSNAP_SKIP_REAL_ETCD=1"
        );
    }
    false
}

fn etcdctl(arguments: &[&str]) -> String {
    let output = Command::new("etcdctl").env("ETCDCTL_API", "3").args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "etcdctl {arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

struct RealEtcd {
    process: Child,
    endpoint: String,
}

impl RealEtcd {
    fn start(data: &std::path::Path) -> RealEtcd {
        let endpoint = format!("http://127.0.0.1:{}", free_port());
        let peer = format!("http://127.0.0.1:{}", free_port());
        let process = Command::new("etcd")
            .args(["--listen-client-urls", &endpoint, "--advertise-client-urls", &endpoint])
            .args(["--listen-peer-urls", &peer, "--data-dir"])
            .arg(data)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let etcd = RealEtcd { process, endpoint };
        for _ in 0..200 {
            let health = Command::new("etcdctl")
                .env("ETCDCTL_API", "3")
                .args(["--endpoints", &etcd.endpoint, "endpoint", "health"])
                .output()
                .unwrap();
            if health.status.success() {
                return etcd;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the restored etcd does not come up");
    }
}

impl Drop for RealEtcd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Key, value, create revision, mod revision, version of every key, as `etcdctl get -w json` prints them.
fn keys_of(endpoint: &str) -> serde_json::Value {
    let text = etcdctl(&["--endpoints", endpoint, "get", "", "--from-key", "-w", "json"]);
    let mut answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    let kvs = answer["kvs"].take();
    let plain = |mut kv: serde_json::Value| {
        kv.as_object_mut().unwrap().remove("lease");
        kv
    };
    kvs.as_array().unwrap().iter().cloned().map(plain).collect()
}

fn alpha() -> Vec<u8> {
    std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/etcd/alpha.snapshot.db")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn etcdctl_saves_a_snapshot_of_the_sandbox_and_a_real_etcd_boots_from_it() {
    if skipped() {
        return;
    }
    let store = Arc::new(Store::with_history(snapshot::load(&alpha()).unwrap()));
    store.put("after the recording", vec![7; 30_000]);
    store.delete(b"cluster-id");
    store.put("cluster-id", "again");
    let service = Arc::new(EtcdService::new(Arc::clone(&store), Identity::default()));
    let listener = Listener::start(service).await.unwrap();
    let sandbox = format!("http://{}", listener.address());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snapshot.db");
    let data = folder.path().join("data");

    let (served, booted) = tokio::task::spawn_blocking(move || {
        let (file, data) = (file.to_str().unwrap(), data.to_str().unwrap());
        etcdctl(&["--endpoints", &sandbox, "snapshot", "save", file]);
        let status = etcdctl(&["snapshot", "status", file, "-w", "json"]);
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        assert_eq!(status["revision"], 725);
        etcdctl(&["snapshot", "restore", file, "--data-dir", data]);
        let real = RealEtcd::start(std::path::Path::new(data));
        // The history came along: the value of long ago can still be read.
        let past = etcdctl(&["--endpoints", &real.endpoint, "get", "cluster-id", "--rev", "100", "--print-value-only"]);
        assert_eq!(past.trim(), "59715d0ec07e42a59ded9dddb78bdea9");
        (keys_of(&sandbox), keys_of(&real.endpoint))
    })
    .await
    .unwrap();
    assert_eq!(served.as_array().unwrap().len(), store.live().1.len());
    assert_eq!(served, booted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compacted_key_space_boots_too() {
    if skipped() {
        return;
    }
    let store = Store::with_history(snapshot::load(&alpha()).unwrap());
    store.compact(700).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snapshot.db");
    std::fs::write(&file, snapshot::save(&store, &Identity::default()).unwrap()).unwrap();
    let data = folder.path().join("data");
    tokio::task::spawn_blocking(move || {
        etcdctl(&["snapshot", "restore", file.to_str().unwrap(), "--data-dir", data.to_str().unwrap()]);
        let real = RealEtcd::start(&data);
        assert_eq!(keys_of(&real.endpoint).as_array().unwrap().len(), store.live().1.len());
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn etcdctl_watches_the_sandbox_from_a_past_revision() {
    if skipped() {
        return;
    }
    let store = Arc::new(Store::with_history(snapshot::load(&alpha()).unwrap()));
    let service = Arc::new(EtcdService::new(Arc::clone(&store), Identity::default()));
    let listener = Listener::start(service).await.unwrap();
    let endpoint = format!("http://{}", listener.address());
    let mut watcher = Command::new("etcdctl")
        .env("ETCDCTL_API", "3")
        .args(["--endpoints", &endpoint, "watch", "--prefix", "", "--rev", "722", "-w", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watcher.stdout.take().unwrap()).lines();
    let reading = tokio::task::spawn_blocking(move || {
        let first = lines.next().map(|line| revisions(&line.unwrap()));
        store.put("later", "value");
        (first, lines.next().map(|line| revisions(&line.unwrap())))
    });
    let seen = tokio::time::timeout(Duration::from_secs(60), reading).await;
    // Ends the reading too, should it still wait.
    watcher.kill().unwrap();
    watcher.wait().unwrap();
    // The recorded last transaction in one piece, then the new write.
    assert_eq!(seen.expect("etcdctl printed no event for a minute").unwrap(), (Some(vec![722; 15]), Some(vec![723])));
}

/// The revisions of the events in a line of `etcdctl watch`.
fn revisions(line: &str) -> Vec<i64> {
    let answer: serde_json::Value = serde_json::from_str(line).unwrap();
    answer["Events"].as_array().unwrap().iter().map(|event| event["kv"]["mod_revision"].as_i64().unwrap()).collect()
}
