//! What looking at a large recovery point costs: time, CPU, memory, requests, with a million objects beside the recorded ones.
//!
//! `cargo benchmark verify [-- OBJECTS]`. Half of the objects are entries that lead into the other half, as pachd's do.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::process::{Command, Stdio};

use e2e::{Bench, Cost, assert_said, measure, pachsnap};
use pachyderm::proto::pfs::{Block, BlockRef, ByteRange};
use prost::Message;
use sandbox::cluster::BUCKET;
use sandbox::s3::Operation;

/// Bytes of each block that is added.
const BLOCK: &[u8] = b"some content of a file";

fn add_objects(bench: &Bench, objects: usize) {
    let bucket = bench.cluster.s3.bucket(BUCKET);
    bucket.put("pach/block/00000000000040008000000000000000", BLOCK, None);
    let block = bucket.get("pach/block/00000000000040008000000000000000").unwrap();
    for number in 0..objects / 2 {
        // Spread over the whole range, as hashes are.
        let spread = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let id = format!("{spread:016x}{number:016x}");
        bucket.put_object(&format!("pach/block/{id}"), block.clone());
        let reference = BlockRef {
            block: Some(Block { hash: id.clone() }),
            range: Some(ByteRange { lower: 0, upper: BLOCK.len() as u64 }),
        };
        bucket.put(&format!("pach/object/{spread:016x}{number:0112x}"), reference.encode_to_vec(), None);
    }
}

fn configure(bench: &Bench) {
    let clones = format!("file://{}/clones", bench.folder().display());
    let endpoint = bench.cluster.s3.endpoint();
    let store = format!("s3://clones\"\nendpoint = \"{endpoint}\"\nstore = \"minio\"\n");
    let keys = "access-key-id-env = \"CLONE_ID\"\nsecret-access-key-env = \"CLONE_SECRET";
    bench.change_config(&clones, &format!("{store}{keys}"));
    bench.set_environment(&[("CLONE_ID", "sandbox"), ("CLONE_SECRET", "sandbox-secret-key")]);
    drop(bench.cluster.s3.bucket("clones"));
}

/// Runs a command of the binary, and answers what it cost and how many requests it sent.
fn run(bench: &Bench, words: &[&str]) -> (Cost, u64, u64) {
    let count = |operation| bench.cluster.s3.request_count(operation);
    let before = (count(Operation::ListObjectsV2), count(Operation::GetObject));
    let mut command = Command::new(pachsnap());
    command.args(words).arg("--config").arg(bench.folder().join("pachsnap.toml"));
    command.env_clear().env("HOME", bench.folder()).env("CLONE_ID", "sandbox");
    command.env("CLONE_SECRET", "sandbox-secret-key").current_dir(bench.folder());
    let (status, cost) = tokio::task::block_in_place(|| measure(command.stdout(Stdio::null()).stderr(Stdio::null())));
    assert!(status.success(), "{words:?} ended with {status}");
    (cost, count(Operation::ListObjectsV2) - before.0, count(Operation::GetObject) - before.1)
}

#[tokio::main]
async fn main() {
    let objects: usize = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(1_000_000);
    let bench = Bench::new().await;
    configure(&bench);
    add_objects(&bench, objects);
    assert_said(&bench.run(&["snapshot"]).await, 0, &[]);
    println!("a recovery point of {} objects", bench.manifest()["artifacts"]["bucket"]["objects"]);
    println!("{:<36}{:>9}{:>9}{:>10}{:>9}{:>9}", "", "wall s", "CPU s", "peak MiB", "lists", "gets");
    let commands: [&[&str]; 3] =
        [&["verify", "latest"], &["verify", "latest", "--full"], &["verify", "latest", "--deep", "--contents", "none"]];
    for words in commands {
        let (cost, lists, gets) = run(&bench, words);
        let peak = cost.peak as f64 / f64::from(1 << 20);
        println!("{:<36}{:>9.2}{:>9.2}{peak:>10.0}{lists:>9}{gets:>9}", words.join(" "), cost.wall, cost.cpu);
    }
}
