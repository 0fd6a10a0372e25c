//! The sandbox's S3 server as a process of its own, so that a benchmark tells the client's cost from the server's.
//!
//! ```text
//! cargo run -q -p sandbox --example s3_server -- --bucket source=20000x4096 --bucket clone \
//!     --object-latency 20ms --page-latency 60ms
//! ```
//!
//! It prints `endpoint URL` when it is ready; the key pair is `sandbox` and `sandbox-secret`. Then it obeys one command a line on
//! stdin, each answered by one line (`help` names them), and ends when stdin is closed.

#![allow(clippy::print_stdout, clippy::print_stderr)]

#[path = "../object_server/mod.rs"]
mod object_server;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use sandbox::s3::{Object, Operation, S3Options, S3Server};

use object_server::ObjectServer;

impl ObjectServer for S3Server {
    type Operation = Operation;
    type Object = Object;
    const NAME: &str = "s3_server";
    const ROOT: &str = "pach/";

    async fn start(addr: SocketAddr, _: &[u64]) -> io::Result<Self> {
        Self::start(S3Options { addr, ..S3Options::default() }).await
    }

    fn endpoint(&self) -> String {
        self.endpoint()
    }

    async fn stop(self) {
        self.stop().await;
    }

    fn set_latency(&self, object: Duration, page: Duration) {
        self.set_latency(None, object);
        for listing in [Operation::ListObjects, Operation::ListObjectsV2] {
            self.set_latency(listing, page);
        }
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
        one.bytes == other.bytes && one.etag == other.etag
    }
}

fn main() -> ExitCode {
    object_server::main::<S3Server>()
}
