//! Held to clients that are not ours: python-pachyderm against the sandbox, a JSON Schema validator against a manifest.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::path::Path;

use e2e::Bench;
use sandbox::cluster::{ClusterOptions, RecordedCluster};
use tokio::process::Command;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

async fn python(script: &str, arguments: &[&str]) {
    let python = std::env::var("E2E_PYTHON")
        .expect("E2E_PYTHON is not set: run `./test.sh`, which installs python-pachyderm and jsonschema into a venv");
    let script = Path::new(HERE).join("python").join(script);
    let output = Command::new(python).arg(script).args(arguments).output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn python_pachyderm_sees_the_recorded_cluster() {
    let stopped = RecordedCluster::alpha(ClusterOptions { running: false, ..ClusterOptions::default() }).await.unwrap();
    let running = RecordedCluster::alpha(ClusterOptions::default()).await.unwrap();
    let [stopped_port, running_port] = [&stopped, &running].map(|one| one.pachd.external().port().to_string());
    let recorded = Path::new(HERE).join("data/extract/alpha-no-objects.json");
    python("client.py", &["127.0.0.1", &stopped_port, &running_port, recorded.to_str().unwrap()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_is_valid_by_the_published_schema() {
    let bench = Bench::new().await;
    let ended = bench.run(&["snapshot"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let run = bench.run_with("manifest.json").unwrap();
    let manifest = bench.vault().join("alpha").join(run).join("manifest.json");
    let schema = Path::new(HERE).join("../docs/schema/manifest.schema.json");
    python("schema.py", &[schema.to_str().unwrap(), manifest.to_str().unwrap()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_events_of_whole_runs_are_valid_by_the_published_schema() {
    let bench = Bench::new().await;
    let mut lines = String::new();
    for command in ["pause", "resume", "snapshot"] {
        let ended = bench.run(&[command, "--output", "json"]).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        lines.push_str(&ended.stdout);
    }
    // One that fails in its middle tells of that, too.
    bench.cluster.pachd.faults().abort_extract_after(50);
    let ended = bench.run(&["snapshot", "--output", "json"]).await;
    assert_eq!(ended.code, Some(20), "{}", ended.stderr);
    lines.push_str(&ended.stdout);
    for kind in
        ["run-started", "step-finished", "step-failed", "progress", "artifact-captured", "changed", "run-finished"]
    {
        assert!(lines.contains(&format!("\"event\":\"{kind}\"")), "no event {kind}: {lines}");
    }
    let events = bench.folder().join("events.jsonl");
    std::fs::write(&events, lines).unwrap();
    let schema = Path::new(HERE).join("../docs/schema/events.schema.json");
    python("schema.py", &[schema.to_str().unwrap(), events.to_str().unwrap()]).await;
}
