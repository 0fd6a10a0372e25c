//! The fuzz targets on every run of the tests: thousands of mutations of recorded data, the same ones each time.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

#[path = "../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "a crate of its own for the fuzz targets")]
mod fuzz;
mod recorded;

use std::{cell::Cell, collections::BTreeMap};

use pachyderm::{
    hashtree::{read_node_stream, read_serialised},
    layout::{Backend, KeyKind, Layout, read_object},
    stream::{OpView, RawOp, Reader, view},
};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

/// Mutants of each kind. All of them together take a few seconds.
const CASES: u32 = 20_000;

/// More address space than everything here needs, threads and their heaps included; less than any absurd length.
const ADDRESS_SPACE: u64 = 1 << 30;

/// One change of some bytes. Places are fractions of the length.
#[derive(Clone, Debug)]
enum Mutation {
    /// Keeps what comes before.
    Truncate(Index),
    /// Turns one bit.
    Flip(Index, u8),
    /// Writes a length of 8 bytes, little-endian.
    Length(Index, i64),
    /// Takes bytes out.
    Remove(Index, Index),
    /// Puts a part of another seed in.
    Splice(Index, Index, Index, Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let length = prop_oneof![
        select(vec![0, 1, 8, -1, i64::MIN, i64::MAX, 21 << 20, (21 << 20) + 1, 1 << 31, 1 << 33, 1 << 40]),
        0..1000i64,
        any::<i64>(),
    ];
    prop_oneof![
        any::<Index>().prop_map(Mutation::Truncate),
        (any::<Index>(), 0..8u8).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
        (any::<Index>(), length).prop_map(|(at, length)| Mutation::Length(at, length)),
        any::<(Index, Index)>().prop_map(|(from, length)| Mutation::Remove(from, length)),
        any::<(Index, Index, Index, Index)>()
            .prop_map(|(at, seed, from, length)| Mutation::Splice(at, seed, from, length)),
    ]
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let until = bytes.len() + 1;
        match self {
            Self::Truncate(at) => bytes.truncate(at.index(until)),
            Self::Flip(at, bit) => {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] ^= 1 << bit;
                }
            }
            Self::Length(at, length) => {
                let at = at.index(until);
                let end = bytes.len().min(at + 8);
                bytes.splice(at..end, length.to_le_bytes());
            }
            Self::Remove(from, length) => {
                let from = from.index(until);
                let length = length.index(bytes.len() - from + 1);
                bytes.drain(from..from + length);
            }
            Self::Splice(at, seed, from, length) => {
                let seed = seed.get(seeds);
                let from = from.index(seed.len() + 1);
                let length = length.index(seed.len() - from + 1);
                let at = at.index(until);
                bytes.splice(at..at, seed[from..from + length].iter().copied());
            }
        }
    }
}

/// A seed, changed up to five times.
fn mutants(seeds: &[Vec<u8>]) -> impl Strategy<Value = Vec<u8>> + '_ {
    (any::<Index>(), vec(mutation(), 1..6)).prop_map(move |(seed, mutations)| {
        let mut bytes = seed.get(seeds).clone();
        for mutation in mutations {
            mutation.apply(&mut bytes, seeds);
        }
        bytes
    })
}

/// Highest address space of this process so far, in bytes, where the system tells it.
fn address_space() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().unwrap() * 1024)
}

/// Calls a target with [`CASES`] values. The target must take some and refuse some, or it was never reached.
fn run<S: Strategy>(inputs: S, target: impl Fn(S::Value) -> bool) {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let before = address_space();
    let accepted = Cell::new(0);
    runner
        .run(&inputs, |input| {
            accepted.set(accepted.get() + u32::from(target(input)));
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    assert!((1..CASES).contains(&accepted.get()), "{} of {CASES} accepted", accepted.get());
    if let (Some(before), Some(after)) = (before, address_space()) {
        assert!(after - before < ADDRESS_SPACE, "{} bytes of address space taken", after - before);
    }
}

/// The operations of a recorded stream.
fn ops(name: &str) -> Vec<RawOp> {
    Reader::new(recorded::file(name).as_slice()).collect::<Result<_, _>>().unwrap()
}

#[test]
fn streams() {
    // Files, as pachctl wrote them.
    let mut seeds: Vec<Vec<u8>> =
        ["gamma", "amazon", "odd"].map(|cluster| recorded::file(&format!("extract/{cluster}-no-objects.pachd"))).into();
    // The content of one, and single operations of each kind.
    let amazon = ops("extract/amazon-no-objects.pachd");
    let frames = amazon.iter().flat_map(|op| [&(op.bytes.len() as i64).to_le_bytes()[..], &op.bytes].concat());
    seeds.push(frames.collect());
    let kinds: BTreeMap<_, _> = ops("extract/odd-no-objects.pachd").into_iter().map(|op| (op.kind, op)).collect();
    assert_eq!(kinds.len(), 5);
    seeds.extend(kinds.into_values().map(|op| op.bytes.to_vec()));
    for seed in &seeds {
        assert!(fuzz::stream::check(seed));
    }
    run(mutants(&seeds), |bytes| fuzz::stream::check(&bytes));
}

#[test]
fn layouts() {
    let keys: Vec<Vec<u8>> = ["amazon", "amazon-reversed", "minio", "odd"]
        .iter()
        .flat_map(|cluster| recorded::table(&format!("bucket/{cluster}-keys.tsv")))
        .map(|mut row| row.swap_remove(0).into_bytes())
        .collect();
    let layout = Layout::new(Backend::Amazon, false);
    let records: Vec<Vec<u8>> = recorded::archive("bucket/amazon.tar.zst")
        .into_iter()
        .filter(|(key, _)| matches!(layout.classify(key), KeyKind::Object { .. } | KeyKind::Tag { .. }))
        .map(|(_, value)| value)
        .collect();
    assert_eq!(records.len(), 60);
    run((any::<u8>(), any::<u8>(), mutants(&keys), mutants(&records)), |(from, to, key, value)| {
        fuzz::layout::check(from, to, &String::from_utf8_lossy(&key), &value)
    });
    // Untouched keys reach further than the mutated ones, which mostly belong to nobody.
    run((any::<u8>(), any::<u8>(), select(keys)), |(from, to, key)| {
        fuzz::layout::check(from, to, std::str::from_utf8(&key).unwrap(), &[])
    });
}

#[test]
fn hashtrees() {
    let bucket = recorded::archive("bucket/amazon.tar.zst");
    let layout = Layout::new(Backend::Amazon, false);
    let read = |hash: &str| {
        let reader = |kind: &KeyKind, range: Option<std::ops::Range<u64>>| {
            let bytes = bucket.get(&layout.key(kind).unwrap()).unwrap();
            let range = range.map_or(0..bytes.len(), |range| range.start as usize..range.end as usize);
            Ok(Some(bytes[range].to_vec()))
        };
        read_object(&reader, hash).unwrap()
    };
    let mut seeds = Vec::new();
    for op in &ops("extract/amazon-no-objects.pachd") {
        if let OpView::Commit { tree, trees, .. } = view(op).unwrap() {
            seeds.extend(tree.map(read));
            seeds.extend(trees.into_iter().map(read));
        }
    }
    assert!(seeds.iter().any(|seed| read_serialised(seed).is_ok_and(|tree| tree.len() > 1)));
    assert!(seeds.iter().any(|seed| read_node_stream(seed).is_ok_and(|tree| tree.len() > 1)));
    for seed in &seeds {
        assert!(fuzz::hashtree::check(seed));
    }
    run(mutants(&seeds), |bytes| fuzz::hashtree::check(&bytes));
}

#[test]
fn snapshot_files() {
    let mut database = recorded::file("etcd/gamma.snapshot.db");
    database.truncate(database.len() - 32);
    assert!(fuzz::snapshot_file::check(&database));
    let seeds = [database];
    run(mutants(&seeds), |bytes| fuzz::snapshot_file::check(&bytes));
    // Bytes that move break the checksum of the first pages; those that turn in the others get further.
    let turned = vec((512..seeds[0].len(), 0..8u8), 1..40).prop_map(|turns| {
        let mut bytes = seeds[0].clone();
        for (at, bit) in turns {
            bytes[at] ^= 1 << bit;
        }
        bytes
    });
    run(turned, |bytes| fuzz::snapshot_file::check(&bytes));
}
