//! What holds for any bytes that are read as a stream, a key, a hashtree or an etcd snapshot.
//!
//! Each function panics when its promise is broken, and says whether the bytes were accepted. The fuzz targets call them
//! with whatever libFuzzer finds; `tests/fuzz_smoke.rs` of the crate calls them with mutations of recorded data, on every run of
//! the tests.

pub mod hashtree;
pub mod layout;
pub mod snapshot_file;
pub mod stream;
