//! etcd snapshot files of real clusters: read without etcd, and turned into extract streams without pachd.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod recorded;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Cursor;
use std::ops::Range;

use jiff::Timestamp;
use pachyderm::etcd::snapshot_file::{SnapshotFile, SnapshotFileError, SnapshotSummary};
use pachyderm::hashtree;
use pachyderm::layout::{Backend, KeyKind, Layout, StoreError, read_object};
use pachyderm::offline::{self, OfflineError, Options, Ties};
use pachyderm::stream::{CommitRef, OpKind, OpVersion, OpView, RawOp, Reader, RestoreCheck, Writer, view};
use pachyderm::wire;
use sha2::{Digest, Sha256};

fn snapshot(cluster: &str) -> SnapshotFile {
    SnapshotFile::open(&recorded::path(&format!("etcd/{cluster}.snapshot.db"))).unwrap()
}

fn stream(name: &str) -> Vec<RawOp> {
    Reader::new(recorded::file(name).as_slice()).collect::<Result<_, _>>().unwrap()
}

// The snapshot file.

fn assert_equals_prefixes(cluster: &str) {
    let snapshot = snapshot(cluster);
    let mut counts: BTreeMap<String, String> = BTreeMap::new();
    let mut of_prefix: BTreeMap<String, usize> = BTreeMap::new();
    for key in snapshot.keys.keys() {
        let parts: Vec<&[u8]> = key.split(|byte| *byte == b'/').take(4).collect();
        *of_prefix.entry(String::from_utf8(parts.join(&b'/')).unwrap()).or_default() += 1;
    }
    counts.extend(of_prefix.into_iter().map(|(prefix, count)| (prefix, count.to_string())));
    counts.insert("#total".into(), snapshot.keys.len().to_string());
    counts.insert("#revision".into(), snapshot.revision.to_string());
    let expected: BTreeMap<String, String> = recorded::table(&format!("etcd/{cluster}-prefixes.tsv"))
        .into_iter()
        .skip(1)
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    assert_eq!(counts, expected, "{cluster}");
}

#[test]
fn live_keys_and_revision_equal_what_etcd_answered() {
    assert_equals_prefixes("alpha");
    assert_equals_prefixes("gamma");
}

#[test]
fn live_keys_are_consistent() {
    for cluster in ["alpha", "gamma", "odd"] {
        let snapshot = snapshot(cluster);
        for (key, entry) in &snapshot.keys {
            assert_eq!(key, &entry.key, "{cluster}");
            assert!(entry.create_revision >= 1 && entry.version >= 1, "{cluster}");
            assert!(
                entry.mod_revision >= entry.create_revision && entry.mod_revision <= snapshot.revision,
                "{cluster}"
            );
            assert!(entry.lease == 0 || snapshot.leases.contains_key(&entry.lease), "{cluster}");
        }
        let file = recorded::file(&format!("etcd/{cluster}.snapshot.db"));
        assert_eq!(snapshot.sha256, hex::encode(&file[file.len() - 32..]), "{cluster}");
        let summary = SnapshotSummary::open(&recorded::path(&format!("etcd/{cluster}.snapshot.db"))).unwrap();
        assert_eq!((summary.revision, &summary.sha256), (snapshot.revision, &snapshot.sha256), "{cluster}");
        assert!(summary.records >= snapshot.keys.len() as u64, "{cluster}");
    }
}

/// The database changed at `at`, with the checksum made to fit.
fn forged(database: &[u8], at: usize, byte: u8) -> Vec<u8> {
    let mut forged = database.to_vec();
    forged[at] = byte;
    let checksum = Sha256::digest(&forged);
    forged.extend_from_slice(&checksum);
    forged
}

#[test]
fn damage_is_noticed() {
    let good = recorded::file("etcd/gamma.snapshot.db");
    let database = &good[..good.len() - 32];
    let error = |file: &[u8]| SnapshotFile::read(Cursor::new(file)).unwrap_err();
    assert!(matches!(error(b""), SnapshotFileError::NoTrailer { length: 0 }));
    assert!(matches!(error(&good[..32]), SnapshotFileError::NoTrailer { length: 32 }));
    assert!(matches!(error(database), SnapshotFileError::NoTrailer { .. }));
    assert!(matches!(error(&good[..good.len() - 1]), SnapshotFileError::NoTrailer { .. }));
    assert!(matches!(error(&good[512..]), SnapshotFileError::ChecksumMismatch { .. }));
    let mut flipped = good.clone();
    flipped[5000] ^= 1;
    assert!(matches!(error(&flipped), SnapshotFileError::ChecksumMismatch { .. }));
    assert!(matches!(error(&forged(database, 16, 0)), SnapshotFileError::BadMeta { .. }));
    assert!(matches!(error(&forged(database, 60, 0xff)), SnapshotFileError::BadMeta { .. }));
    let short = forged(&database[..database.len() - 512], 0, 0);
    assert!(matches!(error(&short), SnapshotFileError::BadMeta { .. }));
}

#[test]
fn a_forged_database_gives_an_error_or_keys_but_never_a_panic() {
    let good = recorded::file("etcd/gamma.snapshot.db");
    let database = &good[..good.len() - 32];
    let mut refused = 0;
    // Page headers, entry tables and bucket headers are at the beginning of pages.
    for page in (0..database.len()).step_by(4096) {
        for at in page..page + 160 {
            for byte in [0x00, 0x7f, 0xff] {
                refused += usize::from(SnapshotFile::read(Cursor::new(forged(database, at, byte))).is_err());
            }
        }
    }
    assert!(refused > 100, "{refused}");
}

// The stream computed from it.

/// A recorded storage root of the LOCAL backend.
struct Bucket(BTreeMap<String, Vec<u8>>);

impl Bucket {
    fn of(cluster: &str) -> Self {
        match cluster {
            "alpha" => Self(
                recorded::archive("alpha.tar.zst")
                    .into_iter()
                    .filter_map(|(name, value)| Some((name.strip_prefix("bucket/")?.to_owned(), value)))
                    .collect(),
            ),
            other => Self(recorded::archive(&format!("bucket/{other}.tar.zst"))),
        }
    }

    fn reader(&self) -> impl Fn(&KeyKind, Option<Range<u64>>) -> Result<Option<Vec<u8>>, StoreError> + '_ {
        let layout = Layout::new(Backend::Local, false);
        move |kind, range| {
            let value = layout.key(kind).and_then(|key| self.0.get(&key));
            Ok(value.map(|value| match range {
                None => value.clone(),
                Some(range) => value[range.start as usize..value.len().min(range.end as usize)].to_vec(),
            }))
        }
    }
}

/// The ops computed from a cluster's snapshot, open commits finished when the recorded stream says so.
fn computed(cluster: &str, like: &[RawOp], ties: Ties) -> Vec<RawOp> {
    let snapshot = snapshot(cluster);
    let bucket = Bucket::of(cluster);
    let finished: HashMap<String, Timestamp> = like
        .iter()
        .filter_map(|op| {
            let OpView::Commit { commit, .. } = view(op).unwrap() else { return None };
            let finished = wire::bytes_of(op.request(), 11).unwrap().unwrap();
            let seconds = wire::varint_of(finished, 1).unwrap() as i64;
            let nanos = wire::varint_of(finished, 2).unwrap() as i32;
            Some((format!("{}@{}", commit.repo, commit.id), Timestamp::new(seconds, nanos).unwrap()))
        })
        .collect();
    let finished_at = |commit: CommitRef<'_>| finished[&format!("{}@{}", commit.repo, commit.id)];
    let options = Options {
        ties,
        finished_at: Some(&finished_at),
        leases: snapshot.leases.clone(),
        ..Options::new(OpVersion::V1_13, Timestamp::UNIX_EPOCH)
    };
    let ops = offline::compute(&snapshot.keys, &bucket.reader(), &options).unwrap();
    ops.into_iter().map(|op| RawOp::parse(op).unwrap()).collect()
}

/// The message with the entries of the map fields at these paths sorted: pachd writes them in random order.
fn sort_maps(message: &[u8], paths: &[&[u32]]) -> Vec<u8> {
    let mut fields: Vec<(u32, Vec<u8>)> = Vec::new();
    for field in wire::fields(message) {
        let field = field.unwrap();
        let inner: Vec<&[u32]> =
            paths.iter().filter(|path| path[0] == field.number && path.len() > 1).map(|path| &path[1..]).collect();
        let mut out = Vec::new();
        if inner.is_empty() {
            wire::put_renumbered(&mut out, field.number, &field);
        } else {
            wire::put_bytes(&mut out, field.number, &sort_maps(field.bytes().unwrap(), &inner));
        }
        fields.push((field.number, out));
    }
    if paths.iter().any(|path| path.len() == 1) {
        fields.sort();
    }
    fields.into_iter().flat_map(|(_, field)| field).collect()
}

/// Op bytes, comparable: of pipelines env, metadata and node selector sorted.
fn comparable(op: &RawOp) -> Vec<u8> {
    match op.kind {
        OpKind::Pipeline => {
            let paths: [&[u32]; 4] = [&[7, 7, 2, 3], &[7, 7, 46, 1], &[7, 7, 46, 2], &[7, 7, 29, 1]];
            sort_maps(&op.bytes, &paths)
        }
        _ => op.bytes.to_vec(),
    }
}

fn sorted(ops: &[RawOp]) -> Vec<Vec<u8>> {
    let mut ops: Vec<_> = ops.iter().map(comparable).collect();
    ops.sort();
    ops
}

/// What pachd sorts by: create revision and number of provenance entries. Equal ones are in random order.
fn ranks(ops: &[RawOp], snapshot: &SnapshotFile) -> Vec<(OpKind, i64, i64)> {
    let record = |collection: &str, name: &str| {
        &snapshot.keys[format!("pachyderm/1.7.0/pachyderm_pfs/{collection}/{name}").as_bytes()]
    };
    let count = |value: &[u8], number: u32| {
        wire::fields(value).filter(|field| field.as_ref().unwrap().number == number).count() as i64
    };
    ops.iter()
        .filter_map(|op| match view(op).unwrap() {
            OpView::Repo { name: "__spec__" } => Some((op.kind, 0, 0)),
            OpView::Repo { name } => Some((op.kind, record("repos", name).create_revision, 0)),
            OpView::Commit { commit, .. } => {
                let entry = record("commits", &format!("{}/{}", commit.repo, commit.id));
                Some((op.kind, entry.create_revision, count(&entry.value, 16)))
            }
            OpView::Branch { repo, name, .. } => {
                let entry = record("branches", &format!("{repo}/{name}"));
                Some((op.kind, entry.create_revision, -count(&entry.value, 3)))
            }
            _ => None,
        })
        .collect()
}

/// Each pipeline with its jobs, in the order of the stream.
fn pipelines(ops: &[RawOp]) -> BTreeMap<String, Vec<Vec<u8>>> {
    let mut pipelines: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    let mut current = String::new();
    for op in ops {
        match view(op).unwrap() {
            OpView::Pipeline { name, .. } => current = name.to_owned(),
            OpView::Job { pipeline, .. } => assert_eq!(pipeline, current),
            _ => continue,
        }
        pipelines.entry(current.clone()).or_default().push(comparable(op));
    }
    pipelines
}

fn assert_upstream_first(ops: &[RawOp]) {
    let names: BTreeSet<String> = pipelines(ops).into_keys().collect();
    let mut seen = BTreeSet::new();
    for op in ops {
        if let OpView::Pipeline { name, .. } = view(op).unwrap() {
            let input = wire::bytes_of(op.request(), 13).unwrap().unwrap_or(&[]);
            let repo = wire::descend(input, &[6]).unwrap().map_or("", |pfs| wire::text_of(pfs, 2).unwrap());
            assert!(!names.contains(repo) || seen.contains(repo), "{name} before {repo}");
            seen.insert(name.to_owned());
        }
    }
}

fn assert_equals_recorded(cluster: &str) {
    let recorded = stream(&format!("extract/{cluster}-no-objects.pachd"));
    let computed = computed(cluster, &recorded, Ties::AsPachd);
    assert_eq!(computed.len(), recorded.len());
    assert!(sorted(&computed) == sorted(&recorded), "{cluster}: ops differ");
    let snapshot = snapshot(cluster);
    assert_eq!(ranks(&computed, &snapshot), ranks(&recorded, &snapshot), "{cluster}");
    assert_eq!(pipelines(&computed), pipelines(&recorded), "{cluster}");
    assert_upstream_first(&computed);
}

#[test]
fn alphas_stream_equals_the_recorded_one() {
    assert_equals_recorded("alpha");
    let recorded = stream("extract/alpha-no-objects.pachd");
    let mut bytes: Vec<_> = computed("alpha", &recorded, Ties::AsPachd).into_iter().map(|op| op.bytes).collect();
    let mut expected: Vec<_> = recorded.into_iter().map(|op| op.bytes).collect();
    bytes.sort();
    expected.sort();
    assert!(bytes == expected, "not byte for byte");
}

#[test]
fn odds_stream_equals_the_recorded_one() {
    assert_equals_recorded("odd");
}

#[test]
fn gammas_stream_is_the_recorded_file() {
    let mut writer = Writer::new(Vec::new());
    for op in computed("gamma", &[], Ties::AsPachd) {
        writer.write_op(&op.bytes).unwrap();
    }
    assert_eq!(writer.finish().unwrap().0, recorded::file("extract/gamma-no-objects.pachd"));
}

#[test]
fn parents_first_makes_a_stream_that_restores() {
    let reference = stream("extract/odd-computed.pachd");
    let ours = computed("odd", &reference, Ties::ParentsFirst);
    assert!(sorted(&ours) == sorted(&reference), "ops differ");
    assert_eq!(pipelines(&ours), pipelines(&reference));
    let mut check = RestoreCheck::new();
    assert!(ours.iter().all(|op| check.observe(op).unwrap().is_none()));
    let created = |ops: &[RawOp]| -> Vec<i64> { ranks(ops, &snapshot("odd")).iter().map(|rank| rank.1).collect() };
    assert_eq!(created(&ours), created(&reference));
}

/// The recorded stream of `cluster`, changed by `change`, compared with the one computed from its etcd.
fn compared(cluster: &str, change: impl FnOnce(&mut Vec<RawOp>)) -> offline::Comparison {
    let mut ops = stream(&format!("extract/{cluster}-no-objects.pachd"));
    change(&mut ops);
    let mut writer = Writer::new(Vec::new());
    for op in &ops {
        writer.write_op(&op.bytes).unwrap();
    }
    let snapshot = snapshot(cluster);
    let options = Options { leases: snapshot.leases.clone(), ..Options::new(OpVersion::V1_13, Timestamp::UNIX_EPOCH) };
    let file = Cursor::new(writer.finish().unwrap().0);
    offline::compare(Reader::new(file), &snapshot.keys, &Bucket::of(cluster).reader(), &options).unwrap()
}

#[test]
fn two_witnesses_agree_and_open_commits_are_counted() {
    for (cluster, ops, open) in [("alpha", 198, 5), ("gamma", 1, 0)] {
        let comparison = compared(cluster, |_| {});
        assert!(comparison.agrees() && comparison.defects.count == 0, "{cluster}: {comparison:?}");
        assert_eq!((comparison.equal, comparison.open), (ops, open), "{cluster}");
    }
}

#[test]
fn a_child_before_its_parent_is_named_though_the_witnesses_agree() {
    let comparison = compared("odd", |_| {});
    assert!(comparison.agrees(), "{comparison:?}");
    assert!(comparison.defects.count > 0 && comparison.defects.first[0].contains("before its parent"));
}

#[test]
fn what_one_witness_lacks_is_named() {
    let shortened = compared("alpha", |ops| ops.truncate(197));
    assert_eq!((shortened.equal, shortened.missing.count, shortened.surplus.count), (197, 1, 0));
    assert!(shortened.missing.first[0].starts_with("job of "), "{shortened:?}");
    let repeated = compared("alpha", |ops| ops.push(ops[30].clone()));
    assert_eq!((repeated.missing.count, repeated.surplus.count), (0, 1));
    assert!(repeated.surplus.first[0].starts_with("commit "), "{repeated:?}");
    let changed = compared("alpha", |ops| {
        let OpView::Commit { commit, .. } = view(&ops[30]).unwrap() else { panic!("op 30 is a commit") };
        let mut bytes = ops[30].bytes.to_vec();
        let id = bytes.windows(commit.id.len()).position(|part| part == commit.id.as_bytes()).unwrap();
        bytes[id] = b'z';
        ops[30] = RawOp::parse(bytes).unwrap();
    });
    assert_eq!((changed.missing.count, changed.surplus.count), (1, 1), "{changed:?}");
}

#[test]
fn groups_leave_out_what_extract_leaves_out() {
    let snapshot = snapshot("alpha");
    let bucket = Bucket::of("alpha");
    let kinds = |repos, pipelines| {
        let groups = offline::Groups { repos, pipelines, ..offline::Groups::ALL };
        let options = Options { groups, ..Options::new(OpVersion::V1_12, Timestamp::UNIX_EPOCH) };
        let ops = offline::compute(&snapshot.keys, &bucket.reader(), &options).unwrap();
        let mut counts = pachyderm::stream::OpCounts::default();
        for op in ops {
            let op = RawOp::parse(op).unwrap();
            assert_eq!(op.version, OpVersion::V1_12);
            counts.add(op.kind);
        }
        serde_json::to_string(&counts).unwrap()
    };
    assert_eq!(kinds(true, false), r#"{"repo":22,"commit":101,"branch":36}"#);
    assert_eq!(kinds(false, true), r#"{"pipeline":12,"job":27}"#);
    assert_eq!(kinds(false, false), "{}");
}

#[test]
fn what_cannot_be_computed_is_refused() {
    let mut state = snapshot("alpha").keys;
    let bucket = Bucket::of("alpha");
    let options = |version| Options::new(version, Timestamp::UNIX_EPOCH);
    let error =
        |state: &BTreeMap<_, _>, version| offline::compute(state, &bucket.reader(), &options(version)).unwrap_err();
    assert!(matches!(error(&BTreeMap::new(), OpVersion::V1_13), OfflineError::NoCluster));
    assert!(matches!(error(&state, OpVersion::V1_8), OfflineError::UnsupportedVersion { .. }));
    let empty = Bucket(BTreeMap::new());
    let lost = offline::compute(&state, &empty.reader(), &options(OpVersion::V1_13)).unwrap_err();
    assert!(matches!(lost, OfflineError::SpecTree { .. }), "{lost}");

    let repo = state[b"pachyderm/1.7.0/pachyderm_pfs/repos/__spec__".as_slice()].clone();
    state.insert(b"other/pachyderm_pfs/repos/__spec__".to_vec(), repo);
    assert!(
        matches!(error(&state, OpVersion::V1_13), OfflineError::SeveralClusters { prefixes } if prefixes.len() == 2)
    );
}

#[test]
fn files_of_user_commits_are_read_through_the_tree() {
    let snapshot = snapshot("alpha");
    let bucket = Bucket::of("alpha");
    let reader = bucket.reader();
    let mut files: BTreeMap<(String, String), Vec<(String, String)>> = BTreeMap::new();
    for mut row in recorded::table("files/alpha-files.tsv") {
        let sha256 = row.pop().unwrap();
        let path = row[2].clone();
        files.entry((row[0].clone(), row[1].clone())).or_default().push((path, sha256));
    }
    let mut compared = 0;
    for ((repo, commit), files) in files {
        let key = format!("pachyderm/1.7.0/pachyderm_pfs/commits/{repo}/{commit}");
        let Some(info) = snapshot.keys.get(key.as_bytes()) else { continue };
        let mut tree = hashtree::Tree::new();
        for field in wire::fields(&info.value) {
            let field = field.unwrap();
            if matches!(field.number, 7 | 13) {
                let bytes = read_object(&reader, wire::text_of(field.bytes().unwrap(), 1).unwrap()).unwrap();
                let decode = if field.number == 7 { hashtree::read_serialised } else { hashtree::read_node_stream };
                tree.extend(decode(&bytes).unwrap());
            }
        }
        for (path, sha256) in files {
            let bytes = hashtree::read_file(&reader, &tree, &path).unwrap_or_else(|error| panic!("{path}: {error:?}"));
            assert_eq!(hex::encode(Sha256::digest(bytes)), sha256, "{repo}@{commit}:{path}");
            compared += 1;
        }
    }
    assert_eq!(compared, 2067);
}
