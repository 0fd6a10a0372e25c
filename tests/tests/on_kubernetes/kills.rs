//! A run that is killed in a phase, on the real API server: a sample of what every phase and every change goes through on the
//! sandbox.

use e2e::{RealBench, assert_as_before, assert_said};

use crate::shared;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_is_resumed_or_finished_and_nothing_false_is_claimed() {
    let bench = RealBench::new(shared().await, "killed").await;
    let before = bench.picture().await;
    for step in ["fence", "stop", "capture", "resume", "store", "await", "read-back"] {
        let mut running = bench.start(&["snapshot", "--output", "json"]);
        running.wait_for_step(step).await;
        running.signal("KILL").await;
        let ended = running.end().await;
        let resumed = bench.run(&["resume", "--force"]).await;
        assert_said(&resumed, 0, &[]);
        assert_as_before(&before, &bench.picture().await);
        let captured = bench.run_with("captured.json").is_some();
        println!("killed in {step} (steps {:?}): the cluster is as before, captured: {captured}", ended.steps().len());
        if captured {
            let finished = bench.run(&["finish", "latest"]).await;
            assert_said(&finished, 0, &[]);
        }
        if bench.run_with("manifest.json").is_some() {
            assert_said(&bench.run(&["verify", "latest", "--full"]).await, 0, &[]);
        }
        std::fs::remove_dir_all(bench.folder().join("vault/alpha")).ok();
    }
}
