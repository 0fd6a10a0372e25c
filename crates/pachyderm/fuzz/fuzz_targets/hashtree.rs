//! Any bytes as a hashtree in either form: an error or nodes, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pachyderm::hashtree::{read_node_stream, read_serialised};

fuzz_target!(|bytes: &[u8]| {
    for tree in [read_serialised(bytes), read_node_stream(bytes)].into_iter().flatten() {
        assert!(tree.keys().all(|path| path.starts_with('/')));
    }
});
