//! Operations: what is accepted now and done later, or not done.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::answer::Refused;
use super::phase::Phase;
use super::state::{AtEnd, HOST, Operation, Stage, State, moment};
use super::target::Target;

/// What an operation is begun with.
pub(super) struct Begun {
    pub(super) kind: &'static str,
    /// The place of the operation itself: `projects/P/zones/Z`.
    pub(super) place: String,
    pub(super) target: (String, u64),
    pub(super) waits_for: Option<String>,
    pub(super) phase: Phase,
    pub(super) error: Option<super::faults::OperationError>,
    pub(super) at_end: AtEnd,
}

impl Operation {
    pub(super) fn path(&self) -> String {
        format!("{}/operations/{}", self.place, self.name)
    }

    fn told(&self) -> Value {
        let status = match (self.done, self.looked_at) {
            (true, _) => "DONE",
            (false, true) => "RUNNING",
            (false, false) => "PENDING",
        };
        let mut told = json!({
            "kind": "compute#operation",
            "id": self.id.to_string(),
            "name": self.name,
            "operationType": self.kind,
            "targetLink": format!("{HOST}{}", self.target.0),
            "targetId": self.target.1.to_string(),
            "status": status,
            "user": "sandbox@example.com",
            "progress": if self.done { 100 } else { 0 },
            "insertTime": moment(self.began),
            "startTime": moment(self.began),
            "selfLink": format!("{HOST}{}", self.path()),
        });
        let (kind, name) = match self.place.rsplit_once('/') {
            Some((before, name)) if before.ends_with("/zones") => ("zone", name),
            Some((before, name)) if before.ends_with("/regions") => ("region", name),
            _ => ("", ""),
        };
        if !name.is_empty() {
            told[kind] = json!(format!("{HOST}{}", self.place));
        }
        if self.done {
            told["endTime"] = json!(moment(Timestamp::now()));
            if let Some(error) = &self.error {
                told["error"] = json!({"errors": [{"code": error.code, "message": error.message}]});
                told["httpErrorStatusCode"] = json!(error.status);
                told["httpErrorMessage"] = json!(reason_phrase(error.status));
            }
        }
        told
    }
}

/// As Google writes a status beside an operation's error.
fn reason_phrase(status: u16) -> String {
    let phrase = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    phrase.unwrap_or("ERROR").to_uppercase()
}

impl State {
    /// Begins an operation and tells it.
    pub(super) fn begin(&mut self, begun: Begun) -> (String, Value) {
        let id = self.next_id();
        let operation = Operation {
            id,
            name: format!("operation-{id}-{:08x}", id % 0xffff_ffff),
            place: begun.place,
            kind: begun.kind,
            target: begun.target,
            waits_for: begun.waits_for,
            began: Timestamp::now(),
            looked_at: false,
            progress: begun.phase.begin(),
            done: false,
            error: begun.error,
            at_end: begun.at_end,
        };
        let (path, told) = (operation.path(), operation.told());
        self.operations.insert(path.clone(), operation);
        (path, told)
    }

    /// `get` and `wait`. The latter waits for nothing here: both count as one look.
    pub(super) fn operation(&mut self, target: &Target) -> Result<Value, Refused> {
        self.told_operation(&target.path(), true)
    }

    /// Tells an operation; a look goes by if it is one.
    pub(super) fn told_operation(&mut self, path: &str, look: bool) -> Result<Value, Refused> {
        self.advance();
        let waits_for = {
            let operation = self.operations.get_mut(path).ok_or_else(|| Refused::not_found(path))?;
            operation.looked_at |= look;
            operation.waits_for.clone()
        };
        let told = self.operations.get(path).map(Operation::told).unwrap_or_default();
        if look {
            if let Some(operation) = self.operations.get_mut(path) {
                operation.progress.look();
            }
            if let Some(waits_for) = waits_for {
                self.look_at(&waits_for);
            }
        }
        Ok(told)
    }

    /// A look at a snapshot or a disk goes by.
    pub(super) fn look_at(&mut self, path: &str) {
        if let Some(snapshot) = self.snapshots.get_mut(path)
            && let Stage::Creating(progress) | Stage::Uploading(progress) = &mut snapshot.stage
        {
            progress.look();
        }
        if let Some(disk) = self.disks.get_mut(path) {
            disk.creating.look();
        }
    }

    /// Lets everything go on as far as looks and time allow.
    pub(super) fn advance(&mut self) {
        self.advance_snapshots();
        for operation in self.operations.values_mut().filter(|operation| !operation.done) {
            let target = operation.waits_for.as_ref();
            let stage = target.and_then(|path| self.snapshots.get(path)).map(|snapshot| snapshot.stage);
            let disk_is_made = target.and_then(|path| self.disks.get(path)).is_none_or(|disk| disk.creating.is_over());
            let target_is_done = match stage {
                Some(Stage::Creating(_) | Stage::Uploading(_)) => operation.error.is_some(),
                Some(Stage::Failed) => {
                    operation.error.get_or_insert_with(|| super::faults::OperationError {
                        code: "INTERNAL_ERROR".to_owned(),
                        message: "Internal error. Please try again or contact Google Support.".to_owned(),
                        status: 500,
                    });
                    true
                }
                Some(Stage::Ready | Stage::Deleting) | None => disk_is_made || operation.error.is_some(),
            };
            if !operation.progress.is_over() || !target_is_done {
                continue;
            }
            operation.done = true;
            match &operation.at_end {
                AtEnd::Nothing => {}
                AtEnd::RemoveSnapshot(path) => {
                    self.snapshots.remove(path);
                }
                AtEnd::RemoveDisk(path) => {
                    self.disks.remove(path);
                }
            }
        }
    }
}
