//! What can be made to go wrong in the driver.

use std::collections::HashMap;
use std::time::Duration;

use tonic::Code;

/// The calls of the CSI controller service that the driver answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CsiCall {
    /// Makes a volume, empty or from a snapshot.
    CreateVolume,
    /// Removes a volume.
    DeleteVolume,
    /// Cuts a snapshot of a volume, or tells about the one that was cut under the same name.
    CreateSnapshot,
    /// Removes a snapshot.
    DeleteSnapshot,
    /// Tells about a snapshot that is known by its handle.
    ListSnapshots,
}

/// The driver refused a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rpc error: code = {} desc = {message}", code_name(*.code))]
pub(crate) struct CsiError {
    code: Code,
    message: String,
}

/// The name of a code in messages of Kubernetes' own components.
fn code_name(code: Code) -> String {
    match code {
        Code::Ok => "OK".to_owned(),
        Code::Cancelled => "Canceled".to_owned(),
        code => format!("{code:?}"),
    }
}

impl CsiError {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        CsiError { code, message: message.into() }
    }

    /// Whether the call is surely over: after other codes it may still be running in the driver.
    pub(crate) fn is_final(&self) -> bool {
        let running =
            [Code::Cancelled, Code::DeadlineExceeded, Code::Unavailable, Code::ResourceExhausted, Code::Aborted];
        !running.contains(&self.code)
    }
}

/// The state of all switches.
#[derive(Debug, Default)]
pub(super) struct Switches {
    pub(super) failures: HashMap<CsiCall, CsiError>,
    pub(super) delays: HashMap<CsiCall, Duration>,
    pub(super) unready: bool,
    pub(super) unserved: bool,
}
