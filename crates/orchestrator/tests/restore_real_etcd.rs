//! A real etcd gets what a snapshot holds: the same keys, values and leases, created in the same order.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, missing_docs)]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use orchestrator::event::Events;
use orchestrator::restore::etcd::{Content, MARKER, compare, fill};
use pachyderm::client::{Address, ClientOptions};
use pachyderm::etcd::EtcdClient;
use pachyderm::etcd::proto::KeyValue;
use pachyderm::etcd::snapshot_file::SnapshotFile;

const PREFIX: &str = "pachyderm/1.7.0";
const STALL: Duration = Duration::from_secs(20);

fn skipped() -> bool {
    if std::env::var("PACHSNAP_SKIP_REAL_ETCD").is_ok_and(|value| value == "1") {
        eprintln!("SKIPPED: PACHSNAP_SKIP_REAL_ETCD=1, nothing was checked against a real etcd");
        return true;
    }
    false
}

struct RealEtcd {
    process: Child,
    endpoint: String,
    port: u16,
    _folder: tempfile::TempDir,
}

impl RealEtcd {
    /// A new, empty etcd. Its limits are etcd's own, which are smaller than Pachyderm's.
    async fn start() -> (Self, EtcdClient) {
        let folder = tempfile::tempdir().unwrap();
        let port = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (client, peer) = (port(), format!("http://127.0.0.1:{}", port()));
        let endpoint = format!("http://127.0.0.1:{client}");
        let process = Command::new("etcd")
            .args(["--listen-client-urls", &endpoint, "--advertise-client-urls", &endpoint])
            .args(["--listen-peer-urls", &peer, "--data-dir"])
            .arg(folder.path().join("data"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("etcd is installed (Debian's etcd-server), or PACHSNAP_SKIP_REAL_ETCD=1");
        let etcd = Self { process, endpoint, port: client, _folder: folder };
        for _ in 0..200 {
            if let Ok(client) = etcd.connect().await
                && client.revision().await.is_ok()
            {
                return (etcd, client);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("etcd does not come up");
    }

    async fn connect(&self) -> Result<EtcdClient, pachyderm::error::Error> {
        EtcdClient::connect(&Address::plaintext("127.0.0.1", self.port), &ClientOptions::default()).await
    }

    fn etcdctl(&self, arguments: &[&str]) -> String {
        let output = Command::new("etcdctl")
            .env("ETCDCTL_API", "3")
            .args(["--endpoints", &self.endpoint])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for RealEtcd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn recorded(cluster: &str) -> SnapshotFile {
    let path = format!("{}/../../tests/data/etcd/{cluster}.snapshot.db", env!("CARGO_MANIFEST_DIR"));
    SnapshotFile::open(Path::new(&path)).unwrap()
}

fn kv(key: String, created: i64, lease: i64) -> KeyValue {
    KeyValue {
        value: format!("value of {key}").into(),
        key: key.into(),
        create_revision: created,
        mod_revision: created + 1,
        version: 2,
        lease,
    }
}

/// The recorded cluster with tokens that end, and with more keys in one transaction than an etcd takes by itself.
fn with_tokens(mut snapshot: SnapshotFile) -> SnapshotFile {
    let mut add = |kv: KeyValue| drop(snapshot.keys.insert(kv.key.to_vec(), kv));
    for number in 0..300 {
        add(kv(format!("{PREFIX}/pachyderm_pfs/branches/many/{number:03}"), 100_000, 0));
    }
    add(kv(format!("{PREFIX}/pachyderm_auth/tokens/lasting"), 100_001, 0));
    add(kv(format!("{PREFIX}/pachyderm_auth/tokens/ending"), 100_002, 0x77));
    add(kv(format!("{PREFIX}/pachyderm_auth/tokens/ended"), 100_003, 0x78));
    add(kv(format!("{PREFIX}/pachyderm_pps/workers/p/1"), 100_004, 0x79));
    snapshot.leases = BTreeMap::from([(0x77, 10_000), (0x78, 60), (0x79, 10)]);
    snapshot
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filled_etcd_is_the_snapshot_key_by_key() {
    if skipped() {
        return;
    }
    for cluster in ["alpha", "odd"] {
        let (real, client) = RealEtcd::start().await;
        real.etcdctl(&["put", "cluster-id", "the target's own"]);
        let snapshot = with_tokens(recorded(cluster));
        let expected = snapshot.keys.clone();
        let now = Timestamp::now();
        let captured = Timestamp::from_second(now.as_second() - 100).unwrap();
        let content = Content::of(snapshot, PREFIX, captured, now);
        assert_eq!(content.left_out.ended, 1);
        assert!(content.left_out.processes >= 1);

        let filled = fill(&client, &content, "run", STALL, &Events::nowhere()).await.unwrap();
        assert_eq!(filled.keys, content.keys().len() as u64);
        assert_eq!((filled.leases, filled.divided), (1, 1));
        let compared = compare(&client, &content).await.unwrap();
        assert_eq!((compared.count, compared.keys), (0, filled.keys), "{:?}", compared.first);

        // By another reader: every key's value and lease.
        let mut range = client.range_all(b"").await.unwrap();
        let mut seen = 0;
        while let Some(kv) = range.next().await.unwrap() {
            if kv.key != MARKER {
                let source = &expected[&kv.key.to_vec()];
                assert_eq!((&source.value, source.lease), (&kv.value, kv.lease));
                seen += 1;
            }
        }
        assert_eq!(seen, filled.keys);
        let left = real.etcdctl(&["lease", "timetolive", "77"]);
        assert!(left.contains("granted with TTL(9900s)"), "{left}");

        // Listings as Pachyderm makes them. Those of one revision come in any order, from the source too.
        for collection in ["pachyderm_pfs/repos", "pachyderm_pfs/commits", "pachyderm_pfs/branches", "pachyderm_pps"] {
            let prefix = format!("{PREFIX}/{collection}/");
            let listing =
                real.etcdctl(&["get", "--prefix", &prefix, "--sort-by=CREATE", "--order=ASCEND", "-w", "json"]);
            let listing: serde_json::Value = serde_json::from_str(&listing).unwrap();
            let listed = listing["kvs"].as_array().unwrap().iter().map(|kv| {
                use base64::Engine as _;
                base64::prelude::BASE64_STANDARD.decode(kv["key"].as_str().unwrap()).unwrap()
            });
            let revisions: Vec<i64> = listed.map(|key| expected[&key].create_revision).collect();
            assert!(revisions.len() > 10 || collection == "pachyderm_pfs/repos", "{cluster} {collection}");
            assert!(revisions.is_sorted(), "{cluster} {collection}: {revisions:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fill_that_was_cut_off_goes_on() {
    if skipped() {
        return;
    }
    let (real, client) = RealEtcd::start().await;
    let now = Timestamp::now();
    let content = Content::of(with_tokens(recorded("alpha")), PREFIX, now, now);
    let (mut cut_off, mut put) = (0, 0);
    for after in [1_u64, 2, 5, 10, 20, 40, 80].iter().cycle() {
        let events = Events::nowhere();
        let work = fill(&client, &content, "run", STALL, &events);
        match tokio::time::timeout(Duration::from_millis(*after), work).await {
            Ok(filled) => {
                put += filled.unwrap().keys;
                break;
            }
            Err(_) => cut_off += 1,
        }
        assert!(cut_off < 10_000);
    }
    assert!(cut_off > 0 && put < content.keys().len() as u64, "it was never cut off");
    let compared = compare(&client, &content).await.unwrap();
    assert_eq!(compared.count, 0, "{:?}", compared.first);

    // Another one's remains are left alone.
    let other = fill(&client, &content, "another run", STALL, &Events::nowhere()).await;
    assert!(other.unwrap_err().to_string().contains("being filled with run"));

    // What differs is named.
    real.etcdctl(&["put", "gc-generation-of-nobody", "1"]);
    real.etcdctl(&["put", &format!("{PREFIX}/pachyderm_auth/tokens/lasting"), "another value"]);
    real.etcdctl(&["del", "cluster-id"]);
    let compared = compare(&client, &content).await.unwrap();
    assert_eq!(compared.count, 3, "{:?}", compared.first);
    for (what, key) in [("surplus", "gc-generation-of-nobody"), ("other value", "lasting"), ("missing", "cluster-id")] {
        assert!(compared.first.iter().any(|one| one.starts_with(what) && one.contains(key)), "{:?}", compared.first);
    }
    // A key that is deleted and put again is created too late for those that the source created after it.
    let id = content.keys().iter().find(|kv| &kv.key[..] == b"cluster-id").unwrap();
    real.etcdctl(&["put", "cluster-id", std::str::from_utf8(&id.value).unwrap()]);
    let compared = compare(&client, &content).await.unwrap();
    assert!(compared.first.iter().any(|one| one.starts_with("created too early")), "{:?}", compared.first);
}
