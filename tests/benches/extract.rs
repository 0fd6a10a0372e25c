//! `pachsnap extract` beside a Go program that reads and writes the stream as `pachctl extract --no-objects` does, from the same
//! server, in turns. Prints medians and ratios.
//!
//! `cargo benchmark extract [-- OPS [ROUNDS]]`

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use e2e::{Bench, Cost, measure, pachsnap};

const RECORDED: u64 = 198;

fn peer(folder: &Path) -> PathBuf {
    let binary = folder.join("extract-peer");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/extract");
    let status = Command::new("go").args(["build", "-o"]).arg(&binary).arg(".").current_dir(source).status();
    assert!(status.expect("Go is needed for the peer: https://go.dev/dl").success(), "the peer can't be built");
    binary
}

fn row(name: &str, ops: u64, cost: Cost) {
    println!(
        "{name:<28}{:>9.2} s{:>11.0}/s{:>9.2} s{:>12.4} ms{:>9.1} MiB",
        cost.wall,
        ops as f64 / cost.wall,
        cost.cpu,
        cost.cpu * 1000.0 / ops as f64,
        cost.peak as f64 / f64::from(1 << 20)
    );
}

#[tokio::main]
async fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let rounds = numbers.get(1).copied().unwrap_or(3);
    let more = (numbers.first().copied().unwrap_or(1_000_000) / RECORDED).saturating_sub(1);
    let ops = (more + 1) * RECORDED;
    let bench = Bench::new().await;
    bench.cluster.pachd.faults().enlarge_extract(more);
    let address = bench.cluster.pachd.external().to_string();
    bench.change_config("[cluster]\n", &format!("[cluster]\npachd-address = \"{address}\"\n"));
    let folder = bench.folder().to_owned();
    let peer = peer(&folder);
    let file = folder.join("stream.pachd");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        for (runs, is_ours) in [(&mut ours, true), (&mut theirs, false)] {
            let mut command = if is_ours {
                let mut command = Command::new(pachsnap());
                command.args(["extract", "-o"]).arg(&file).arg("--config").arg(folder.join("pachsnap.toml"));
                command
            } else {
                let mut command = Command::new(&peer);
                command.arg(&address).arg(&file);
                command
            };
            command.stdout(Stdio::null()).stderr(Stdio::null());
            let (status, cost) = tokio::task::spawn_blocking(move || measure(&mut command)).await.unwrap();
            assert!(status.success(), "ours: {is_ours}, {status}");
            let mut reader =
                pachyderm::stream::Reader::new(std::io::BufReader::new(std::fs::File::open(&file).unwrap()));
            let mut read = 0;
            while reader.next_op().unwrap().is_some() {
                read += 1;
            }
            assert_eq!(read, ops);
            std::fs::remove_file(&file).unwrap();
            runs.push(cost);
        }
    }
    let (ours, theirs) = (Cost::median(&ours), Cost::median(&theirs));
    println!("{ops} ops, medians of {rounds} runs in turns");
    println!("{:<28}{:>11}{:>13}{:>11}{:>15}{:>13}", "", "wall", "ops", "CPU", "CPU per op", "peak");
    row("pachsnap extract", ops, ours);
    row("as pachctl (Go)", ops, theirs);
    println!("{:<28}{:>9.2} x{:>24.2} x", "pachsnap / peer", ours.wall / theirs.wall, ours.cpu / theirs.cpu);
}
