//! Requests for snapshots and volumes as the tests of each service make them, and what becomes of them.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::error::Error as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::{
    CreateVolumeRequest, CutRequest, Error, Notices, Owner, SnapshotState, VolumeId, VolumeSnapshot, VolumeSnapshots,
};

/// Whose snapshots they are.
#[must_use]
pub fn owner() -> Owner {
    Owner { cluster: "prod".to_owned(), run: "run-1".to_owned() }
}

/// A cut, and what is told meanwhile.
#[must_use]
pub fn cut(volume: &str) -> (CutRequest, Arc<Mutex<Vec<String>>>) {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let listener = told.clone();
    let request = CutRequest {
        volume: VolumeId(volume.to_owned()),
        identity: "pachsnap-run-1-etcd".to_owned(),
        owner: owner(),
        description: "etcd of prod".to_owned(),
        limit: Duration::from_secs(20),
        notices: Notices::to(move |sentence| listener.lock().unwrap().push(sentence)),
    };
    (request, told)
}

/// A volume of a snapshot, like the one that was cut.
#[must_use]
pub fn restore(snapshot: &VolumeSnapshot) -> CreateVolumeRequest {
    CreateVolumeRequest {
        snapshot: snapshot.id.clone(),
        identity: "pachsnap-restore-1-etcd".to_owned(),
        claim: None,
        owner: owner(),
        size: None,
        zone: None,
        class: None,
    }
}

/// Asks for a snapshot's state until it is final.
///
/// # Panics
/// When it can't be asked for, or never is.
pub async fn outcome(service: &impl VolumeSnapshots, snapshot: &VolumeSnapshot) -> SnapshotState {
    for _ in 0..1000 {
        let status = service.status(&snapshot.id).await.unwrap();
        if !matches!(status.state, SnapshotState::Pending { .. }) {
            return status.state;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{} is pending for ever", snapshot.id.0)
}

/// A ready snapshot of a volume.
///
/// # Panics
/// When there is none.
pub async fn ready(service: &impl VolumeSnapshots, volume: &str) -> VolumeSnapshot {
    let snapshot = service.cut(&cut(volume).0).await.unwrap();
    assert_eq!(outcome(service, &snapshot).await, SnapshotState::Ready);
    snapshot
}

/// An error with all its causes.
#[must_use]
pub fn words(error: &Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(&format!(": {error}"));
        cause = error.source();
    }
    words
}
