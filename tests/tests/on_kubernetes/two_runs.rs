//! Two runs over one cluster: at once, one that slept through its Lease, one that is taken over.

use std::time::Duration;

use e2e::{Ended, RealBench, assert_as_before, assert_said};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::Patch;
use serde_json::json;

use crate::disturbed::{OPERATOR, alone, changes, in_capture};
use crate::shared;

#[tokio::test(flavor = "multi_thread")]
async fn of_two_runs_at_once_one_is_refused() {
    let bench = RealBench::new(shared().await, "at-once").await;
    let before = bench.picture().await;
    let (one, other) = tokio::join!(bench.run(&["snapshot"]), bench.run(&["snapshot"]));
    let (done, refused) = if one.code == Some(0) { (one, other) } else { (other, one) };
    assert_said(&done, 0, &[]);
    assert_said(&refused, 14, &["Nothing was changed"]);
    assert_as_before(&before, &bench.picture().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn resume_refuses_while_the_holder_is_alive_and_takes_over_by_force() {
    let bench = RealBench::new(shared().await, "by-force").await;
    let before = bench.picture().await;
    let running = in_capture(&bench).await;
    let refused = bench.run(&["resume"]).await;
    assert_said(&refused, 14, &["is at work in this namespace", "--force"]);
    let forced = bench.run(&["resume", "--force"]).await;
    assert_said(&forced, 0, &[]);
    assert_gives_up(&running.end().await);
    assert_as_before(&before, &bench.picture().await);
    assert_eq!(bench.run_with("manifest.json"), None);
}

/// A run that is taken over while it is awake meets the other one at work, or finds its work done.
fn assert_gives_up(ended: &Ended) {
    let told = [&*ended.stdout, &*ended.stderr].concat();
    match ended.code {
        Some(22) => assert!(told.contains("somebody else has taken over"), "{told}"),
        Some(20) => assert!(told.contains("put back by somebody else"), "{told}"),
        _ => panic!("{ended:?}"),
    }
}

/// A laptop that sleeps through its Lease: somebody puts the cluster back and goes on working with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_slept_through_its_lease_changes_nothing_more() {
    let kubernetes = alone().await;
    let bench = RealBench::new(&kubernetes, "asleep").await;
    bench.write_kubeconfig(&kubernetes.api().kubeconfig_of(OPERATOR).unwrap());
    let before = bench.picture().await;
    let running = in_capture(&bench).await;
    running.signal("STOP").await;
    bench.end_lease().await;
    assert_said(&bench.run(&["resume"]).await, 0, &[]);
    assert_as_before(&before, &bench.picture().await);

    bench.cluster.pachd.pipelines().stop("count").unwrap();
    let at_work = bench.picture().await;
    let earlier = changes(&bench).len();
    running.signal("CONT").await;
    let ended = running.end().await;
    assert_said(&ended, 20, &[]);
    assert!(ended.stdout.contains("put back by somebody else"), "{}", ended.stdout);
    assert_eq!(changes(&bench)[earlier..], [] as [String; 0]);
    assert_as_before(&at_work, &bench.picture().await);
    assert_eq!(bench.run_with("manifest.json"), None);
}

/// Asleep between two changes: what it would have changed next stays as it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_slept_while_it_stopped_pipelines_stops_no_more_of_them() {
    let bench = RealBench::new(shared().await, "asleep-in-stop").await;
    bench.write_config("pipeline-parallelism = 1\n");
    let before = bench.picture().await;
    let mut running = bench.start(&["snapshot", "--output", "json"]);
    running.wait_for_step("fence").await;
    bench.cluster.pachd.faults().delay_calls(Duration::from_millis(200));
    running.wait_for(|event| event["event"] == "changed" && event["action"] == "stop").await;
    running.signal("STOP").await;
    bench.cluster.pachd.faults().delay_calls(Duration::ZERO);
    bench.end_lease().await;
    assert_said(&bench.run(&["resume"]).await, 0, &[]);
    assert_as_before(&before, &bench.picture().await);
    running.signal("CONT").await;
    let ended = running.end().await;
    assert_said(&ended, 20, &["is no longer ours"]);
    let stopped =
        ended.events().iter().filter(|event| event["event"] == "changed" && event["action"] == "stop").count();
    assert!(stopped <= 2, "{stopped} pipelines were stopped");
    assert_as_before(&before, &bench.picture().await);
    assert_eq!(bench.run_with("manifest.json"), None);
}

/// A dead holder whose clock was ahead counts as alive for so much longer: a person decides.
#[tokio::test(flavor = "multi_thread")]
async fn a_holder_whose_clock_is_ahead_is_alive_until_force_says_otherwise() {
    let bench = RealBench::new(shared().await, "clock-ahead").await;
    let before = bench.picture().await;
    let running = in_capture(&bench).await;
    running.signal("KILL").await;
    running.end().await;
    renewed_at(&bench, jiff::Timestamp::now() + jiff::SignedDuration::from_mins(10)).await;
    let refused = bench.run(&["resume"]).await;
    assert_said(&refused, 14, &["clock", "--force"]);
    assert_said(&bench.run(&["resume", "--force"]).await, 0, &[]);
    assert_as_before(&before, &bench.picture().await);
}

/// A living holder whose clock is behind looks dead: it is taken over, notices, and claims nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_living_holder_whose_clock_is_behind_is_taken_over_and_claims_nothing() {
    let bench = RealBench::new(shared().await, "clock-behind").await;
    let before = bench.picture().await;
    let running = in_capture(&bench).await;
    renewed_at(&bench, jiff::Timestamp::now() - jiff::SignedDuration::from_mins(10)).await;
    assert_said(&bench.run(&["resume"]).await, 0, &[]);
    assert_gives_up(&running.end().await);
    assert_as_before(&before, &bench.picture().await);
    assert_eq!(bench.run_with("manifest.json"), None);
}

async fn renewed_at(bench: &RealBench<'_>, at: jiff::Timestamp) {
    let renewed = json!({"spec": {"renewTime": format!("{at:.6}")}});
    bench.objects::<Lease>().patch("pachsnap", &Default::default(), &Patch::Merge(renewed)).await.unwrap();
}
