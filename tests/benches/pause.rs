//! What the pause is made of: a snapshot of the recorded cluster, and how much the orchestrator adds to its slowest artifact.
//!
//! `cargo benchmark pause [-- ROUNDS]`. Two conditions: nothing added, and 20 ms for each object call and 60 ms for each page
//! of a listing, as from a cloud.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;
use std::time::Duration;

use e2e::Bench;
use sandbox::s3::Operation;

/// Seconds of each step and artifact of one run.
async fn run(bench: &Bench) -> BTreeMap<String, f64> {
    let ended = bench.run(&["snapshot", "--output", "json"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let mut times = BTreeMap::new();
    for line in ended.stdout.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        let name = match event["event"].as_str().unwrap_or_default() {
            "step-finished" => event["step"].as_str(),
            "artifact-captured" => event["artifact"].as_str(),
            "pause-ended" => Some("pause"),
            _ => None,
        };
        if let Some(name) = name {
            times.insert(name.to_owned(), event["seconds"].as_f64().unwrap());
        }
    }
    times
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

#[tokio::main]
async fn main() {
    let rounds: usize = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(5);
    for (condition, object, page) in [("nothing added", 0, 0), ("20 ms an object, 60 ms a page", 20, 60)] {
        let mut runs = Vec::new();
        for _ in 0..rounds {
            let bench = Bench::new().await;
            bench.cluster.s3.set_latency(None, Duration::from_millis(object));
            bench.cluster.s3.set_latency(Operation::ListObjectsV2, Duration::from_millis(page));
            runs.push(run(&bench).await);
        }
        let middle = |name: &str| median(runs.iter().map(|run| run.get(name).copied().unwrap_or_default()).collect());
        println!("{condition}, medians of {rounds} runs");
        for name in ["fence", "drain", "stop", "capture", "etcd", "metadata", "bucket", "gate", "resume", "pause"] {
            println!("  {name:<10}{:>8.3} s", middle(name));
        }
        let slowest = |run: &BTreeMap<String, f64>| {
            ["etcd", "metadata", "bucket"].iter().map(|name| run[*name]).fold(0.0, f64::max)
        };
        let added = median(runs.iter().map(|run| (run["capture"] + run["gate"]) / slowest(run) - 1.0).collect());
        println!("  capture and gate over the slowest artifact: {:+.1} %", added * 100.0);
    }
}
