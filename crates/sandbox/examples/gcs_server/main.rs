//! The sandbox's Cloud Storage server as a process of its own, so that a benchmark tells the client's cost from the server's.
//!
//! ```text
//! cargo run -q -p sandbox --example gcs_server -- --bucket source=20000x4096 --bucket clone \
//!     --object-latency 20ms --page-latency 60ms
//! ```
//!
//! It prints `endpoint URL` when it is ready. Calls need no token; for those that bring one, the same port is a metadata
//! server (`GCE_METADATA_HOST=host:port`). Then it obeys one command a line on stdin, each answered by one line (`help`
//! names them), and ends when stdin is closed.

#![allow(clippy::print_stdout, clippy::print_stderr)]

#[path = "../object_server/mod.rs"]
mod object_server;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use sandbox::gcs::{GcsOptions, GcsServer, Object, Operation};

use object_server::ObjectServer;

impl ObjectServer for GcsServer {
    type Operation = Operation;
    type Object = Object;
    // Most bytes that one call of any rewrite copies.
    const OPTIONS: &[&str] = &["--rewrite-bytes-per-call"];
    const NAME: &str = "gcs_server";
    const ROOT: &str = "/pach/";

    async fn start(addr: SocketAddr, options: &[u64]) -> io::Result<Self> {
        let rewrite_bytes_per_call = options.first().copied().filter(|bytes| *bytes > 0);
        let options = GcsOptions {
            addr,
            anonymous: true,
            rewrite_bytes_per_call,
            rewrite_always_in_steps: true,
            ..GcsOptions::default()
        };
        Self::start(options).await
    }

    fn endpoint(&self) -> String {
        self.endpoint()
    }

    async fn stop(self) {
        self.stop().await;
    }

    fn set_latency(&self, object: Duration, page: Duration) {
        self.set_latency(None, object);
        self.set_latency(Operation::ListObjects, page);
    }

    fn requests(&self) -> BTreeMap<Operation, u64> {
        self.requests()
    }

    fn make_bucket(&self, bucket: &str) {
        drop(self.bucket(bucket));
    }

    fn for_each(&self, bucket: &str, prefix: &str, each: impl FnMut(&str, &Object)) {
        self.bucket(bucket).for_each(prefix, each);
    }

    fn put(&self, bucket: &str, key: &str, object: Object) {
        self.bucket(bucket).put_object(key, object);
    }

    fn remove(&self, bucket: &str, key: &str) -> bool {
        self.bucket(bucket).remove(key)
    }

    fn object(bytes: Bytes) -> Object {
        Object::plain(bytes)
    }

    fn bytes(object: &Object) -> &Bytes {
        &object.bytes
    }

    fn same(one: &Object, other: &Object) -> bool {
        one.bytes == other.bytes && one.crc32c == other.crc32c
    }
}

fn main() -> ExitCode {
    object_server::main::<GcsServer>()
}
