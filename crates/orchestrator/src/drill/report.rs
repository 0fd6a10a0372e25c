//! What a drill found: the value behind the report that people read.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::record::DrillRecord;
use super::{DrillSettings, failed_check};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Step, seconds};
use crate::manifest::Manifest;
use crate::restore::Restored;
use crate::run_id::RunId;
use crate::verify::{Check, Verdict};

/// How long a step took.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepTime {
    /// The step.
    pub step: Step,
    /// Seconds.
    pub seconds: f64,
    /// What came out, in a few words.
    pub summary: String,
}

/// A time that was measured, and what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Objective {
    /// Seconds that were measured; none when it did not come to that.
    pub seconds: Option<f64>,
    /// Most seconds that were allowed; none when nothing was asked for.
    pub most: Option<f64>,
}

impl Objective {
    fn asked(most: Option<Duration>) -> Self {
        Self { seconds: None, most: most.map(seconds) }
    }

    /// Whether what was asked for was reached; none when nothing was.
    #[must_use]
    pub fn is_met(&self) -> Option<bool> {
        let most = self.most?;
        Some(self.seconds.is_some_and(|seconds| seconds <= most))
    }
}

/// What a drill found. Carries no secret value.
#[derive(Clone, Debug, Serialize)]
pub struct DrillReport {
    /// The drill.
    pub drill: RunId,
    /// Version of the tool.
    pub tool: String,
    /// The recovery point.
    pub point: RunId,
    /// Name of its cluster in the vault.
    pub cluster: String,
    /// Version of its pachd.
    pub pachd_version: String,
    /// When it was captured.
    pub captured: Timestamp,
    /// By which path the metadata came back.
    pub from: String,
    /// When the drill began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// The namespace of the scratch cluster.
    pub namespace: String,
    /// Its bucket.
    pub bucket: String,
    /// Objects in the recovery point's clone.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Whether everything passed, and everything was taken away as asked.
    pub passed: bool,
    /// From the drill's beginning until the restored cluster answered and was compared with the recovery point (RTO).
    pub recovery_time: Objective,
    /// From the recovery point's capture until the drill's beginning: what would have been lost (RPO).
    pub data_loss: Objective,
    /// Every step that ended well, in that order.
    pub steps: Vec<StepTime>,
    /// Every check.
    pub checks: Vec<Check>,
    /// What this path does not bring back.
    pub not_back: Vec<String>,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// Whether somebody asked to stop.
    pub cancelled: bool,
    /// Whether something of the drill is still there: on purpose, or because it could not be taken away.
    pub left: bool,
}

impl DrillReport {
    pub(super) fn begin(
        record: &DrillRecord,
        manifest: &Manifest,
        settings: &DrillSettings,
        started: Timestamp,
    ) -> Self {
        let lost = Duration::try_from(started.duration_since(manifest.captured)).unwrap_or_default();
        let mut report = Self {
            drill: record.drill.clone(),
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            point: record.point.clone(),
            cluster: manifest.cluster_name.clone(),
            pachd_version: manifest.cluster.pachd_version.clone(),
            captured: manifest.captured,
            from: settings.from.as_str().to_owned(),
            started,
            ended: started,
            namespace: record.namespace.clone(),
            bucket: record.bucket.clone(),
            objects: manifest.artifacts.bucket.objects,
            bytes: manifest.artifacts.bucket.bytes,
            passed: false,
            recovery_time: Objective::asked(settings.max_recovery_time),
            data_loss: Objective { seconds: Some(seconds(lost)), ..Objective::asked(settings.max_data_loss) },
            steps: Vec::new(),
            checks: Vec::new(),
            not_back: Vec::new(),
            warnings: manifest.warnings.clone(),
            cancelled: false,
            left: false,
        };
        report.check_objective("data loss", report.data_loss, "since the recovery point was captured");
        report
    }

    /// The scratch cluster is restored, and is what the recovery point says.
    pub(super) fn restored(&mut self, took: Duration, restored: &Restored) {
        self.recovery_time.seconds = Some(seconds(took));
        self.check(Check::ok("restore", format!("restored by {} and compared with the recovery point", self.from)));
        self.check_objective("recovery time", self.recovery_time, "until the restored cluster was proven");
        self.not_back.clone_from(&restored.not_back);
        self.warnings.extend(restored.warnings.iter().cloned());
    }

    fn check_objective(&mut self, name: &str, objective: Objective, what: &str) {
        let taken = objective.seconds.unwrap_or_default();
        self.check(match (objective.is_met(), objective.most) {
            (Some(true), Some(most)) => Check::ok(name, format!("{taken:.1} s {what}, {most:.0} s are allowed")),
            (Some(false), Some(most)) => {
                Check::failed(name, format!("{taken:.1} s {what}, only {most:.0} s are allowed"))
            }
            _ => Check::ok(name, format!("{taken:.1} s {what}")),
        });
    }

    pub(super) fn check(&mut self, check: Check) {
        self.checks.push(check);
    }

    /// The drill ended early.
    pub(super) fn fail(&mut self, error: &Error) {
        self.cancelled = error.kind() == ErrorKind::Cancelled;
        self.check(failed_check("drill", error));
        if self.recovery_time.most.is_some() && self.recovery_time.seconds.is_none() {
            self.check(Check::failed("recovery time", "it did not come to a restored cluster"));
        }
    }

    /// Everything stays.
    pub(super) fn keep(&mut self, record: &DrillRecord) {
        self.left = true;
        self.check(Check::warning(
            "teardown",
            format!("kept: `pachsnap drill --cleanup {}` takes it away", record.drill),
        ));
    }

    /// How taking everything away went.
    pub(super) fn torn_down(&mut self, torn_down: Result<()>, record: &DrillRecord) {
        match torn_down {
            Ok(()) => self.check(Check::ok("teardown", "nothing of the drill is left")),
            Err(error) => {
                self.left = true;
                let check = failed_check("teardown", &error);
                let again = format!("{}; `pachsnap drill --cleanup {}` goes on", check.detail, record.drill);
                self.check(Check { detail: again, ..check });
            }
        }
    }

    pub(super) fn end(&mut self, steps: Vec<StepTime>) {
        self.ended = Timestamp::now();
        self.steps = steps;
        self.passed = self.checks.iter().all(|check| check.verdict != Verdict::Failed);
    }
}
