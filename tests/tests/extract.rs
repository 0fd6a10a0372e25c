//! `pachsnap extract`: what `pachctl restore` reads, op for op as it was recorded.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use e2e::{Bench, assert_said, measure, pachsnap};
use pachyderm::stream::{OpKind, RawOp, Reader};
use sandbox::cluster::{ClusterOptions, NAMESPACE};

/// The ops of a stream, each with how often it comes; and how many there are of each kind.
fn ops(stream: impl Read) -> (BTreeMap<Vec<u8>, usize>, BTreeMap<OpKind, usize>) {
    let mut reader = Reader::new(stream);
    let (mut ops, mut kinds) = (BTreeMap::new(), BTreeMap::new());
    while let Some(op) = reader.next_op().unwrap() {
        *kinds.entry(op.kind).or_default() += 1;
        *ops.entry(op.bytes.to_vec()).or_default() += 1;
    }
    (ops, kinds)
}

/// What `pachctl extract` wrote of this cluster.
fn recorded_in_full() -> Vec<u8> {
    let archive = File::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/alpha.tar.zst")).unwrap();
    let mut archive = tar::Archive::new(zstd::Decoder::new(archive).unwrap());
    let mut entries = archive.entries().unwrap();
    let mut stream = entries
        .find_map(|entry| Some(entry.unwrap()).filter(|entry| entry.path().unwrap().ends_with("alpha-full.pachd")))
        .unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

fn recorded_without_objects() -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/extract/alpha-no-objects.pachd")).unwrap()
}

/// The cluster as it was when its streams were recorded: stopped. Only pachd is asked: neither its bucket's credentials
/// nor its etcd are needed.
async fn bench() -> Bench {
    let bench = Bench::with(ClusterOptions { running: false, ..ClusterOptions::default() }).await;
    bench.cluster.kubernetes.delete("secrets", NAMESPACE, "pachyderm-storage-secret").unwrap();
    bench.cluster.kubernetes.clear_requests();
    bench
}

fn assert_same(written: impl Read, recorded: &[u8], total: usize) {
    let (ops_written, kinds) = ops(written);
    let (ops_recorded, kinds_recorded) = ops(Cursor::new(recorded));
    assert_eq!(kinds.values().sum::<usize>(), total);
    assert_eq!(kinds, kinds_recorded);
    assert!(ops_written == ops_recorded, "an op differs from the recorded one");
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_into_a_file() {
    let bench = bench().await;
    let ended = bench.run(&["extract", "-o", "plain.pachd"]).await;
    assert_said(&ended, 0, &["198 ops"]);
    assert_same(File::open(bench.folder().join("plain.pachd")).unwrap(), &recorded_without_objects(), 198);
    assert_eq!(bench.cluster.kubernetes.changes().len(), 0);
    let again = bench.run(&["extract", "-o", "plain.pachd"]).await;
    assert_said(&again, 11, &["plain.pachd", "name another file"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_objects_it_is_what_plain_pachctl_extract_gives() {
    let bench = bench().await;
    let ended = bench.run(&["extract", "--with-objects", "-o", "full.pachd"]).await;
    assert_said(&ended, 0, &["ops", "SHA-256"]);
    let file = BufReader::new(File::open(bench.folder().join("full.pachd")).unwrap());
    let ((written, kinds), (recorded, recorded_kinds)) = (ops(file), ops(Cursor::new(recorded_in_full())));
    assert_eq!(recorded.values().sum::<usize>(), 2770);
    let counts = |kinds: &BTreeMap<OpKind, usize>| {
        kinds
            .iter()
            .filter(|(kind, _)| **kind != OpKind::Block)
            .map(|(kind, count)| (*kind, *count))
            .collect::<Vec<_>>()
    };
    assert_eq!(counts(&kinds), counts(&recorded_kinds));

    // Content: every op is a recorded one. Besides its blocks, pachd extracted 66 files that it keeps among them on a LOCAL
    // cluster as a cache; no other backend has those.
    let is_content = |op: &[u8]| {
        let kind = RawOp::parse(op.to_vec()).unwrap().kind;
        [OpKind::Block, OpKind::CreateObject, OpKind::Tag].contains(&kind)
    };
    let (content, metadata): (BTreeMap<_, _>, BTreeMap<_, _>) = written.into_iter().partition(|(op, _)| is_content(op));
    assert!(content.iter().all(|(op, count)| recorded.get(op) == Some(count)), "an op differs from the recorded one");
    assert_eq!(kinds[&OpKind::Block] + 66, recorded_kinds[&OpKind::Block]);

    // Metadata: in the recording with objects the five open commits got another time as their end.
    assert!(metadata == ops(Cursor::new(recorded_without_objects())).0, "an op differs from the recorded one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_gets_the_metadata_only_and_once() {
    let bench = bench().await;
    let folder = bench.folder().join("streams");
    let url = format!("file://{}/monday.pachd", folder.display());
    let refused = bench.run(&["extract", "--with-objects", "-o", &url]).await;
    assert_said(&refused, 11, &["a URL takes the metadata only"]);
    assert!(!folder.join("monday.pachd").exists());

    let ended = bench.run(&["extract", "-o", &url]).await;
    assert_said(&ended, 0, &["198 ops"]);
    let written = std::fs::read(folder.join("monday.pachd")).unwrap();
    assert_same(Cursor::new(&written), &recorded_without_objects(), 198);

    let again = bench.run(&["extract", "-o", &url]).await;
    assert_ne!(again.code, Some(0), "what is there is not replaced");
    assert_eq!(std::fs::read(folder.join("monday.pachd")).unwrap(), written);
    let staged = std::fs::read_dir(bench.folder().join("staging")).unwrap().count();
    assert_eq!(staged, 0, "nothing is left in staging");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_leaves_no_file() {
    let bench = bench().await;
    bench.cluster.pachd.faults().abort_extract_after(50);
    let ended = bench.run(&["extract", "-o", "broken.pachd"]).await;
    assert_said(&ended, 10, &["ended the metadata stream before its end", "Nothing was changed"]);
    assert!(!bench.folder().join("broken.pachd").exists());
    let url = format!("file://{}/streams/broken.pachd", bench.folder().display());
    let ended = bench.run(&["extract", "-o", &url]).await;
    assert_said(&ended, 10, &["ended the metadata stream before its end", "Nothing was changed"]);
    assert!(!bench.folder().join("streams/broken.pachd").exists());
}

/// One op is in memory at a time, however many there are.
#[tokio::test(flavor = "multi_thread")]
async fn a_million_ops_need_no_more_memory_than_a_few() {
    const RECORDED: u64 = 198;
    const MEMORY: u64 = 64 << 20;
    let bench = bench().await;
    let more = 1_000_000 / RECORDED;
    bench.cluster.pachd.faults().enlarge_extract(more);
    let file = bench.folder().join("large.pachd");
    let mut command = Command::new(pachsnap());
    command.args(["extract", "-o"]).arg(&file).arg("--config").arg(bench.folder().join("pachsnap.toml"));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let (status, cost) = tokio::task::spawn_blocking(move || measure(&mut command)).await.unwrap();
    assert!(status.success(), "{status}");
    assert!(cost.peak <= MEMORY, "{} MiB", cost.peak >> 20);
    let mut reader = Reader::new(BufReader::new(File::open(&file).unwrap()));
    let mut read = 0;
    while reader.next_op().unwrap().is_some() {
        read += 1;
    }
    assert_eq!(read, (more + 1) * RECORDED);
}
