//! Writes and reads a stream of synthetic commit ops through a temporary file, and prints ops per second, CPU time per op and
//! the process's peak memory.
//!
//! `cargo run --release -p pachyderm --example stream_throughput -- [OPS]`, one million by default.
#![allow(clippy::print_stdout, missing_docs)]

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter};
use std::time::Instant;

use pachyderm::stream::{Reader, Writer, object_hashes};
use pachyderm::wire;

fn main() -> Result<(), Box<dyn Error>> {
    let ops: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |count| count.parse())?;
    let path = std::env::temp_dir().join(format!("stream_throughput-{}.pachd", std::process::id()));

    let mut phase = Phase::begin("write");
    let mut writer = Writer::new(BufWriter::with_capacity(1 << 20, File::create(&path)?));
    let mut op = Vec::new();
    for number in 0..ops {
        commit_op(number, &mut op);
        writer.write_op(&op)?;
    }
    let (_, summary) = writer.finish()?;
    phase.end(ops)?;

    phase = Phase::begin("read");
    let mut reader = Reader::new(BufReader::with_capacity(1 << 16, File::open(&path)?));
    let (mut read, mut hashes) = (0, 0);
    while let Some(op) = reader.next_op()? {
        hashes += object_hashes(&op)?.len();
        read += 1;
    }
    phase.end(read)?;

    println!("file: {} bytes, {} ops, {hashes} object hashes, sha256 {}", summary.bytes, read, summary.sha256);
    println!("peak memory: {}", status("VmHWM")?);
    fs::remove_file(&path)?;
    if read == ops { Ok(()) } else { Err(format!("wrote {ops} ops, read {read}").into()) }
}

/// A commit op like those of a cluster with many small commits: an id, a parent, a tree, provenance and times.
fn commit_op(number: u64, op: &mut Vec<u8>) {
    // A cheap mix, so that ids do not compress better than real ones.
    let mixed = |salt: u64| (number ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(salt | 1);
    let id = |number: u64| format!("{:016x}{:016x}", number.wrapping_mul(0x2545_f491_4f6c_dd1d), number);
    let hash: String = (1..=8).map(|salt| format!("{:016x}", mixed(salt))).collect();
    let message = |number: u32, bytes: &[u8]| {
        let mut out = Vec::with_capacity(bytes.len() + 8);
        wire::put_bytes(&mut out, number, bytes);
        out
    };
    let repo = message(1, &message(1, b"images"));
    let parent = [repo.as_slice(), &message(2, id(number).as_bytes())].concat();
    let mut commit = message(1, &parent);
    commit.extend(message(3, &message(1, hash.as_bytes())));
    wire::put_text(&mut commit, 5, &id(number + 1));
    commit.extend(message(6, &[message(1, &parent), message(2, &repo)].concat()));
    wire::put_number(&mut commit, 9, number);
    for field in [10, 11] {
        let mut time = Vec::new();
        wire::put_number(&mut time, 1, 1_795_000_000 + number);
        wire::put_number(&mut time, 2, mixed(9) % 1_000_000_000);
        wire::put_bytes(&mut commit, field, &time);
    }
    op.clear();
    op.extend(message(7, &message(5, &commit)));
}

struct Phase {
    name: &'static str,
    wall: Instant,
    cpu: Option<u64>,
}

impl Phase {
    fn begin(name: &'static str) -> Self {
        Self { name, wall: Instant::now(), cpu: cpu_ticks() }
    }

    fn end(&self, ops: u64) -> Result<(), Box<dyn Error>> {
        let seconds = self.wall.elapsed().as_secs_f64();
        let ticks = cpu_ticks().zip(self.cpu).map(|(now, then)| now - then).ok_or("no CPU time in /proc/self/stat")?;
        // The kernel counts in hundredths of a second on every supported architecture.
        let cpu = ticks as f64 * 10.0 / ops as f64;
        println!("{}: {:.0} ops/s, {cpu:.5} ms CPU per op", self.name, ops as f64 / seconds);
        Ok(())
    }
}

/// User and system time of this process so far, in hundredths of a second.
fn cpu_ticks() -> Option<u64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let user: u64 = fields.nth(11)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// One line of `/proc/self/status`.
fn status(name: &str) -> Result<String, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with(name)).ok_or("no such line in /proc/self/status")?;
    Ok(line.to_owned())
}
