//! Holding a run in one of its steps: what it asks for there is answered late.

use std::time::Duration;

use sandbox::kubernetes::{Fault, FaultAction};
use sandbox::s3::{self, FaultRule, Operation, S3Server};

use crate::{Bench, Running};

/// Long beside the way of an event to a test and of a signal back, short beside the run's own limits.
const HOLD: Duration = Duration::from_secs(4);
/// How long the step before is held, where a step's own answers can only be delayed from then on.
const SHORT: Duration = Duration::from_secs(2);

fn late(verb: &str, plural: &str, by: Duration) -> Fault {
    Fault::new(FaultAction::Delay(by)).verb(verb).resource(plural)
}

/// A list of the data bucket that takes about this long.
fn slow_list(seconds: u64) -> FaultRule {
    // A page of a thousand keys has some 350 KiB.
    let body = s3::Fault::SlowBody { chunk: 16 << 10, pause: Duration::from_millis(seconds * 1000 / 22) };
    FaultRule::new(body).on(Operation::ListObjectsV2)
}

impl Bench {
    /// Starts a snapshot and comes back when it is in this step, with what the step asks for delayed. The vault is on
    /// `vault`. A step that asks nobody for anything (`gate`, `compare`, `await`) is held by what the next one asks for.
    ///
    /// # Panics
    /// When the run ends before.
    pub async fn snapshot_held_in(&self, step: &str, vault: &S3Server) -> Running {
        let (kubernetes, faults) = (&self.cluster.kubernetes, self.cluster.pachd.faults());
        match step {
            "discover" => kubernetes.add_fault(late("get", "deployments", HOLD)),
            "preflight" => kubernetes.add_fault(late("create", "selfsubjectaccessreviews", HOLD)),
            "pre-copy" => self.cluster.s3.faults().add(slow_list(HOLD.as_secs())),
            "undo-record" => self.cluster.s3.faults().add(slow_list(SHORT.as_secs())),
            "loaders" => kubernetes.add_fault(late("patch", "deployments", HOLD)),
            "fence" => kubernetes.add_fault(late("patch", "services", HOLD)),
            "drain" => kubernetes.add_fault(late("patch", "services", SHORT)),
            "stop" => kubernetes.add_fault(late("list", "replicationcontrollers", HOLD)),
            "capture" => faults.delay_operations(Duration::from_millis(50)),
            "gate" | "resume" => faults.delay_operations(Duration::from_millis(5)),
            "store" => kubernetes.add_fault(late("list", "statefulsets", HOLD)),
            // Comparing asks nobody; what comes behind it does.
            "compare" | "await" | "read-back" => {
                let body = s3::Fault::SlowBody { chunk: 4 << 10, pause: HOLD / 6 };
                vault.faults().add(FaultRule::new(body).on(Operation::GetObject).key_contains("metadata.pachd"));
            }
            _ => {}
        }
        let mut running = self.start(&["snapshot", "--output", "json"]);
        match step {
            "undo-record" => {
                running.wait_for_step("pre-copy").await;
                faults.delay_calls(HOLD);
            }
            "drain" => {
                running.wait_for_step("fence").await;
                faults.delay_calls(HOLD);
            }
            // The gate asks nobody; what comes behind it asks for the Lease, a second time since the capture.
            "gate" => {
                running.wait_for_step("capture").await;
                kubernetes.add_fault(late("get", "leases", HOLD).after(1));
            }
            "resume" => {
                running.wait_for_step("capture").await;
                kubernetes.add_fault(late("patch", "services", HOLD));
            }
            _ => {}
        }
        running.wait_for_step(step).await;
        running
    }

    /// From now on every answer of Kubernetes, pachd and the vault takes a moment: long beside the way of an event to a test
    /// and of a signal back.
    pub fn answer_slowly(&self, vault: &S3Server) {
        const MOMENT: Duration = Duration::from_millis(60);
        self.cluster.kubernetes.add_fault(Fault::new(FaultAction::Delay(MOMENT)).always());
        self.cluster.pachd.faults().delay_calls(MOMENT);
        vault.set_latency(None, MOMENT);
    }

    /// From now on everything is answered at once.
    pub fn answer_at_once(&self, vault: &S3Server) {
        self.cluster.kubernetes.clear_faults();
        self.cluster.s3.faults().clear();
        vault.faults().clear();
        vault.set_latency(None, Duration::ZERO);
        let faults = self.cluster.pachd.faults();
        faults.delay_calls(Duration::ZERO);
        faults.delay_operations(Duration::ZERO);
    }
}
