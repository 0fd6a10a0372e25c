//! What a restore adds to what its servers take: the replay of a metadata stream beside the same stream sent by nothing but a
//! gRPC client, with a pachd that takes 3 ms for each op; and the filling of an etcd.
//!
//! `cargo benchmark restore [-- ROUNDS]`.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::time::{Duration, Instant};

use bytes::Bytes;
use e2e::{Pair, assert_said};
use pachyderm::client::{Address, Client, ClientOptions};
use pachyderm::stream::Reader;
use sandbox::cluster::{ClusterOptions, RecordedCluster};

const SERVER: Duration = Duration::from_millis(3);

fn seconds_of(stdout: &str, step: &str) -> f64 {
    let events = stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let finished = events.filter(|event| event["event"] == "step-finished" && event["step"] == step);
    finished.map(|event| event["seconds"].as_f64().unwrap()).sum()
}

/// The stream of a recovery point, sent as it is.
async fn plain_client(pair: &Pair) -> f64 {
    let target = RecordedCluster::gamma(ClusterOptions::default()).await.unwrap();
    target.pachd.faults().delay_operations(SERVER);
    let run = pair.source.run_with("manifest.json").unwrap();
    let stream = std::fs::read(pair.source.vault().join("alpha").join(run).join("metadata.pachd")).unwrap();
    let mut ops = Vec::new();
    let mut reader = Reader::new(&stream[..]);
    while let Some(op) = reader.next_op().unwrap() {
        ops.push(Ok::<Bytes, std::io::Error>(op.bytes));
    }
    let address = Address::plaintext("127.0.0.1", target.pachd.external().port());
    let client = Client::connect(&address, &ClientOptions::default()).await.unwrap();
    let began = Instant::now();
    client.restore(futures::stream::iter(ops), None).await.unwrap();
    began.elapsed().as_secs_f64()
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

#[tokio::main]
async fn main() {
    let rounds: usize = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(5);
    let (mut plain, mut ours, mut etcd) = (Vec::new(), Vec::new(), Vec::new());
    let mut pair = Pair::new().await;
    for _ in 0..rounds {
        plain.push(plain_client(&pair).await);
        pair.renew_target().await;
        pair.target.pachd.faults().delay_operations(SERVER);
        let ended = pair.run(&["restore", "latest", "--from", "metadata", "--output", "json"]).await;
        assert_said(&ended, 0, &[]);
        ours.push(seconds_of(&ended.stdout, "replay"));
        pair.renew_target().await;
        let ended = pair.run(&["restore", "latest", "--from", "etcd", "--output", "json"]).await;
        assert_said(&ended, 0, &[]);
        etcd.push(seconds_of(&ended.stdout, "fill-etcd"));
    }
    let (plain, ours, etcd) = (median(plain), median(ours), median(etcd));
    println!("198 ops to a pachd that takes 3 ms for each, medians of {rounds} runs");
    println!("  the stream by a gRPC client alone  {plain:>7.3} s");
    println!("  pachsnap restore, step replay      {ours:>7.3} s  {:+.1} %", (ours / plain - 1.0) * 100.0);
    println!("385 keys into an etcd                {etcd:>7.3} s");
}
