//! What the example servers of object stores have in common: a command line, commands on stdin, and a bucket as pachd fills it.

mod arguments;
mod commands;
mod layout;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{BufRead as _, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;

use arguments::Arguments;
use commands::Commands;

/// A store in memory.
pub(crate) trait ObjectServer: Sized {
    /// What its calls are counted by.
    type Operation: Copy + Ord + Display;
    /// An object, cheap to clone.
    type Object: Clone;
    /// Options that only this server has, each with a value that is a number: name, and what it does.
    const OPTIONS: &[&str] = &[];
    /// The program's name.
    const NAME: &str;
    /// What pachd's keys begin with in such a store.
    const ROOT: &str;

    /// Starts one. `options` are the values of [`ObjectServer::OPTIONS`]; 0 where nothing is given.
    fn start(address: SocketAddr, options: &[u64]) -> impl Future<Output = std::io::Result<Self>>;
    /// Its URL.
    fn endpoint(&self) -> String;
    /// Ends it.
    fn stop(self) -> impl Future<Output = ()>;
    /// Delays every call, and pages of listings by a time of their own.
    fn set_latency(&self, object: Duration, page: Duration);
    /// Requests so far.
    fn requests(&self) -> BTreeMap<Self::Operation, u64>;
    /// Makes a bucket, if there is none.
    fn make_bucket(&self, bucket: &str);
    /// Every object whose key begins with a prefix.
    fn for_each(&self, bucket: &str, prefix: &str, each: impl FnMut(&str, &Self::Object));
    /// Writes an object.
    fn put(&self, bucket: &str, key: &str, object: Self::Object);
    /// Deletes an object. Whether there was one.
    fn remove(&self, bucket: &str, key: &str) -> bool;
    /// An object of these bytes.
    fn object(bytes: Bytes) -> Self::Object;
    /// What it holds.
    fn bytes(object: &Self::Object) -> &Bytes;
    /// Whether two objects have the same content and checksum.
    fn same(one: &Self::Object, other: &Self::Object) -> bool;
}

/// Runs the program of a server.
pub(crate) fn main<Server: ObjectServer>() -> ExitCode {
    match run::<Server>() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}\n{}", arguments::usage::<Server>());
            ExitCode::FAILURE
        }
    }
}

fn run<Server: ObjectServer>() -> Result<(), String> {
    let arguments = Arguments::parse(std::env::args().skip(1), Server::OPTIONS)?;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = arguments.threads {
        builder.worker_threads(threads);
    }
    let runtime = builder.enable_all().build().map_err(|error| format!("no runtime: {error}"))?;
    let started = runtime.block_on(Server::start(arguments.listen, &arguments.options));
    let server = started.map_err(|error| format!("{}: {error}", arguments.listen))?;
    server.set_latency(arguments.object_latency, arguments.page_latency);
    for bucket in &arguments.buckets {
        server.make_bucket(&bucket.name);
        layout::fill(&server, &bucket.name, arguments.seed, bucket.objects, bucket.size);
    }
    println!("endpoint {}", server.endpoint());
    let mut commands = Commands::new(&server);
    let mut stdout = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| format!("stdin: {error}"))?;
        let answer = commands.obey(&line).unwrap_or_else(|error| format!("error: {error}"));
        writeln!(stdout, "{answer}").and_then(|()| stdout.flush()).map_err(|error| format!("stdout: {error}"))?;
    }
    runtime.block_on(server.stop());
    Ok(())
}
