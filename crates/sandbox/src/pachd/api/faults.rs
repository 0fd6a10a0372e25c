//! Faults of the sandbox's pachd, switched while it runs, and the count of its calls.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tonic::Status;

/// How an extract ends before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtractEnd {
    /// With status UNAVAILABLE after so many operations.
    Abort(u64),
    /// As if complete after so many operations: status OK, operations missing.
    Truncate(u64),
}

#[derive(Debug, Default)]
struct Switches {
    token_seconds: Option<i64>,
    extract: Option<ExtractEnd>,
    failing_restore: Option<u64>,
    call_latency: Duration,
    operation_latency: Duration,
    more_rounds: u64,
    unavailable: bool,
    version: Option<(u32, u32, u32)>,
    calls: BTreeMap<String, u64>,
}

/// Switchable faults. All off at first.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Switches>);

impl Faults {
    fn switches(&self) -> MutexGuard<'_, Switches> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Extracts break with UNAVAILABLE after `operations` operations.
    pub fn abort_extract_after(&self, operations: u64) {
        self.switches().extract = Some(ExtractEnd::Abort(operations));
    }

    /// Extracts end cleanly, with status OK, after `operations` operations.
    pub fn truncate_extract_after(&self, operations: u64) {
        self.switches().extract = Some(ExtractEnd::Truncate(operations));
    }

    /// Extracts run to their end again.
    pub fn complete_extracts(&self) {
        self.switches().extract = None;
    }

    /// How extracts end before their end, if they do.
    pub fn extract_end(&self) -> Option<ExtractEnd> {
        self.switches().extract
    }

    /// A restore fails at its operation of this number, counted from 1.
    pub fn fail_restore_at(&self, operation: u64) {
        self.switches().failing_restore = Some(operation);
    }

    /// The operation at which a restore fails.
    pub(super) fn failing_restore(&self) -> Option<u64> {
        self.switches().failing_restore
    }

    /// WhoAmI answers that the caller's token has so many seconds left. It lives on all the same.
    pub fn end_tokens_in(&self, seconds: i64) {
        self.switches().token_seconds = Some(seconds);
    }

    /// What WhoAmI answers for a token's remaining seconds: -1 for ever.
    pub(super) fn token_seconds(&self) -> i64 {
        self.switches().token_seconds.unwrap_or(-1)
    }

    /// Every call waits so long before it is answered.
    pub fn delay_calls(&self, latency: Duration) {
        self.switches().call_latency = latency;
    }

    /// Every operation waits so long: of an extract before it is sent, of a restore before it is applied. Takes effect in
    /// those that run.
    pub fn delay_operations(&self, latency: Duration) {
        self.switches().operation_latency = latency;
    }

    /// How long operations wait.
    pub fn operation_latency(&self) -> Duration {
        self.switches().operation_latency
    }

    /// Extracts send what comes from etcd so many times more, as if the cluster were that much larger. For measurements: no
    /// pachd restores such a stream.
    pub fn enlarge_extract(&self, more_rounds: u64) {
        self.switches().more_rounds = more_rounds;
    }

    /// How many times more extracts send what comes from etcd.
    pub fn more_rounds(&self) -> u64 {
        self.switches().more_rounds
    }

    /// pachd says that it is of this version.
    pub fn say_version(&self, major: u32, minor: u32, micro: u32) {
        self.switches().version = Some((major, minor, micro));
    }

    /// The version that pachd says it is of.
    pub(super) fn version(&self) -> (u32, u32, u32) {
        self.switches().version.unwrap_or((1, 13, 4))
    }

    /// While `true` every call is answered with UNAVAILABLE.
    pub fn set_unavailable(&self, unavailable: bool) {
        self.switches().unavailable = unavailable;
    }

    /// Number of calls by `<package>.<service>/<method>`, failed ones included.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.switches().calls.clone()
    }

    /// Counts a call and applies what holds for all calls.
    ///
    /// # Errors
    /// UNAVAILABLE while that is switched on.
    pub(super) async fn begin(&self, method: &str) -> Result<(), Status> {
        let (latency, unavailable) = {
            let mut switches = self.switches();
            *switches.calls.entry(method.to_owned()).or_default() += 1;
            (switches.call_latency, switches.unavailable)
        };
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        if unavailable { Err(Status::unavailable("the sandbox's pachd is switched to unavailable")) } else { Ok(()) }
    }
}
