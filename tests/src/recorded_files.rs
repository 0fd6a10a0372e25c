//! The files of the recorded cluster.

use std::collections::BTreeMap;

use pachyderm::hashtree;
use sandbox::pachd::state::State;
use sha2::{Digest, Sha256};

/// Reads every file of the recorded cluster *alpha* through its trees, out of a cluster's own etcd and bucket, and compares their
/// SHA-256 with what a real pachd answered.
///
/// # Panics
/// When one is not there, or is another one.
#[allow(clippy::panic)]
pub fn assert_every_file_is_there(state: &State) {
    let recorded = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/data/files/alpha-files.tsv"))
        .expect("it was recorded");
    let objects = state.objects();
    let mut trees: BTreeMap<(String, String), hashtree::Tree> = BTreeMap::new();
    let mut files = 0;
    for line in recorded.lines() {
        let row: Vec<&str> = line.split('\t').collect();
        let [repo, commit, path, _, sha256] = row.as_slice() else { panic!("{line}") };
        let tree = trees.entry(((*repo).to_owned(), (*commit).to_owned())).or_insert_with(|| {
            let info = state.commit(repo, commit).unwrap_or_else(|| panic!("{repo}@{commit} is missing"));
            let mut tree = hashtree::Tree::new();
            if let Some(whole) = &info.tree {
                tree.extend(
                    hashtree::read_serialised(&objects.content(&whole.hash).expect("its tree is there"))
                        .expect("its tree is one"),
                );
            }
            for shard in &info.trees {
                tree.extend(
                    hashtree::read_node_stream(&objects.content(&shard.hash).expect("its tree is there"))
                        .expect("its tree is one"),
                );
            }
            tree
        });
        let bytes = hashtree::read_file(&objects, tree, path).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(hex::encode(Sha256::digest(bytes)), *sha256, "{repo}@{commit}:{path}");
        files += 1;
    }
    assert_eq!(files, 2067);
}
