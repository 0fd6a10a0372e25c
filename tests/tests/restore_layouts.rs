//! Restores from each layout of a bucket into each other one.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::path::Path;

use e2e::{Bench, Pair, assert_said};
use pachyderm::layout::{KeyMap, Mapped};
use sandbox::cluster::{BUCKET, ClusterOptions, RecordedCluster, Storage};

fn options(storage: &Storage) -> ClusterOptions {
    ClusterOptions { storage: storage.clone(), ..ClusterOptions::default() }
}

/// The objects of a cluster, by key.
fn objects(cluster: &RecordedCluster, storage: &Storage) -> BTreeMap<String, Vec<u8>> {
    let mut objects = BTreeMap::new();
    if let Storage::Local(folder) = storage {
        let root = folder.join("pachd");
        for file in e2e::files_under(&root) {
            let key = file.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            objects.insert(key, std::fs::read(file).unwrap());
        }
        return objects;
    }
    cluster.s3.bucket(BUCKET).for_each("", |key, object| drop(objects.insert(key.to_owned(), object.bytes.to_vec())));
    objects
}

/// Every storage that can be opened, with a folder of its own for the one that needs it.
fn storages(folder: &Path) -> [Storage; 4] {
    [Storage::Minio, Storage::Amazon, Storage::AmazonReversed, Storage::Local(folder.to_owned())]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_layout_into_each_other() {
    let names = tempfile::tempdir().unwrap();
    for from in 0..storages(names.path()).len() {
        let (node, other_node) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let source = storages(node.path())[from].clone();
        let bench = Bench::with(options(&source)).await;
        if let Storage::Local(folder) = &source {
            let path = format!("[bucket]\npath = \"{}/pachd\"\n\n[vault]", folder.display());
            bench.change_config("[vault]", &path);
        }
        let before = objects(&bench.cluster, &source);
        let targets = storages(other_node.path());
        let mut pair = Pair::of(bench, options(&targets[0])).await;
        for (to, target) in targets.iter().enumerate() {
            if to > 0 {
                pair.put_target(RecordedCluster::gamma(options(target)).await.unwrap()).await;
            }
            if let Storage::Local(folder) = target {
                std::fs::create_dir_all(folder.join("pachd")).unwrap();
                pair.write_config(&format!("\n[bucket]\npath = \"{}/pachd\"\n", folder.display()));
            }
            let path = if to % 2 == 0 { "etcd" } else { "metadata" };
            let ended = pair.restore(path).await;
            assert_said(&ended, 0, &[]);
            let map = KeyMap::new(source.layout(), target.layout());
            let renamed = before.iter().filter_map(|(key, bytes)| match map.map(key) {
                Mapped::Key(key) => Some((key, bytes.clone())),
                Mapped::NotCarried(_) | Mapped::Foreign => None,
            });
            let expected: BTreeMap<String, Vec<u8>> = renamed.collect();
            let found = objects(&pair.target, target);
            assert_eq!(expected.len(), 1686);
            let lost = expected.iter().find(|(key, bytes)| found.get(*key) != Some(*bytes));
            assert!(lost.is_none(), "{source:?} to {target:?}: {:?}", lost.map(|(key, _)| key));
        }
    }
}
