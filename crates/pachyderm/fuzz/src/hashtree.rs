//! Any bytes as a hashtree.

use pachyderm::hashtree::{read_node_stream, read_serialised};

/// In either form: an error or nodes, never a panic.
pub fn check(bytes: &[u8]) -> bool {
    let trees = [read_serialised(bytes), read_node_stream(bytes)];
    let mut accepted = false;
    for tree in trees.into_iter().flatten() {
        assert!(tree.keys().all(|path| path.starts_with('/')));
        assert!(tree.len() <= bytes.len() / 16, "more nodes than there are frames");
        accepted = true;
    }
    accepted
}
