//! What listing and rewriting cost this machine: CPU time a key, against any server of Cloud Storage that asks for no token.
//!
//! ```text
//! cargo run -q -p sandbox --example gcs_server -- --listen 127.0.0.1:4600 --bucket source=20000x4096 --bucket clone
//! cargo run -q -p provider-gcp --example measure -- http://127.0.0.1:4600 source clone 256 1
//! ```
//!
//! The last two are the rewrites in flight and the threads of the runtime. CPU time is that of this process, told by Linux in
//! hundredths of a second.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use provider::{Bucket as _, CopyRequest, ListRequest, ObjectMeta};
use provider_gcp::{GcsBucket, GcsConfig, GoogleCredentials};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "usage: measure ENDPOINT SOURCE CLONE [IN-FLIGHT] [THREADS]";

/// CPU time of this process so far.
fn cpu() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name of the program, in brackets, may hold blanks.
    let (_, rest) = stat.rsplit_once(')').ok_or("no name in /proc/self/stat")?;
    let field = |at: usize| -> Result<u64> {
        Ok(rest.split_whitespace().nth(at).ok_or("too few fields in /proc/self/stat")?.parse()?)
    };
    Ok(Duration::from_millis((field(11)? + field(12)?) * 10))
}

/// Largest resident memory so far, in KiB.
fn peak() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM in /proc/self/status")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Says what some calls cost.
fn tell(what: &str, calls: usize, began: (Instant, Duration)) -> Result<()> {
    let (wall, cpu) = (began.0.elapsed(), cpu()?.saturating_sub(began.1));
    let number = f64::from(u32::try_from(calls.max(1))?);
    println!(
        "{what}: {calls} in {:.2} s, {:.0}/s, CPU {:.1} µs each",
        wall.as_secs_f64(),
        number / wall.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / number
    );
    Ok(())
}

async fn list(bucket: &GcsBucket) -> Result<Vec<ObjectMeta>> {
    let (mut found, mut request) = (Vec::new(), ListRequest::default());
    loop {
        let page = bucket.list(&request).await?;
        found.extend(page.objects);
        request.token = page.next;
        if request.token.is_none() {
            return Ok(found);
        }
    }
}

async fn measure(source: GcsBucket, clone: GcsBucket, in_flight: usize) -> Result<()> {
    // Connections and buffers are there before anything is counted.
    let keys = list(&source).await?.len();
    let began = (Instant::now(), cpu()?);
    let mut objects = Vec::new();
    while objects.len() < 200_000.max(keys) {
        let more = list(&source).await?;
        if more.is_empty() {
            return Err("the source is empty".into());
        }
        objects.extend(more);
    }
    tell("keys listed", objects.len(), began)?;
    objects.truncate(keys);

    let began = (Instant::now(), cpu()?);
    let (source, clone) = (&source, &clone);
    let copies = stream::iter(objects).map(|object| async move {
        let ObjectMeta { key, size, version, class, .. } = object;
        let (to, if_version) = (key.clone(), Some(version));
        clone.copy_from(&CopyRequest { source, from: key, to, size, class, if_version, token: None }).await
    });
    let copied = copies.buffer_unordered(in_flight).try_fold(0, |copied, _| async move { Ok(copied + 1) }).await?;
    tell("rewrites", copied, began)?;
    println!("connections {}, peak memory {} KiB", clone.connections(), peak()?);
    Ok(())
}

fn run() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [endpoint, source, clone, rest @ ..] = words.as_slice() else { return Err(USAGE.into()) };
    let number = |at: usize, usual| rest.get(at).map_or(Ok(usual), |word| word.parse::<usize>());
    let (in_flight, threads) = (number(0, 256)?, number(1, 1)?);
    let runtime = match threads {
        1 => tokio::runtime::Builder::new_current_thread().enable_all().build()?,
        _ => tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?,
    };
    runtime.block_on(async {
        let config = |bucket: &str| GcsConfig {
            endpoint: Some(endpoint.clone()),
            credentials: GoogleCredentials::Anonymous,
            ..GcsConfig::new(bucket)
        };
        measure(GcsBucket::open(&config(source))?, GcsBucket::open(&config(clone))?, in_flight).await
    })
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
