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

mod arguments;
mod commands;
mod layout;

use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;

use sandbox::gcs::{GcsOptions, GcsServer};

use arguments::Arguments;

fn run() -> Result<(), String> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = arguments.threads {
        builder.worker_threads(threads);
    }
    let runtime = builder.enable_all().build().map_err(|error| format!("no runtime: {error}"))?;
    let options = GcsOptions {
        addr: arguments.listen,
        anonymous: true,
        rewrite_bytes_per_call: arguments.rewrite_bytes_per_call,
        rewrite_always_in_steps: true,
        ..GcsOptions::default()
    };
    let server =
        runtime.block_on(GcsServer::start(options)).map_err(|error| format!("{}: {error}", arguments.listen))?;
    commands::set_latency(&server, arguments.object_latency, arguments.page_latency);
    for bucket in &arguments.buckets {
        layout::fill(&server.bucket(&bucket.name), arguments.seed, bucket.objects, bucket.size);
    }
    println!("endpoint {}", server.endpoint());
    let mut commands = commands::Commands::new(&server);
    let mut stdout = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| format!("stdin: {error}"))?;
        let answer = commands.obey(&line).unwrap_or_else(|error| format!("error: {error}"));
        writeln!(stdout, "{answer}").and_then(|()| stdout.flush()).map_err(|error| format!("stdout: {error}"))?;
    }
    runtime.block_on(server.stop());
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}\n{}", arguments::USAGE);
            ExitCode::FAILURE
        }
    }
}
