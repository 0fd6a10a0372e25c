//! Volumes and their snapshots in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

use crate::{
    CreateVolumeRequest, CutRequest, Error, ErrorKind, Owner, RestoredVolume, Result, SnapshotId, SnapshotState,
    SnapshotStatus, VolumeCapabilities, VolumeFacts, VolumeId, VolumeSnapshot, VolumeSnapshots,
};

/// A snapshot service in memory. Clones share its content.
///
/// A snapshot is pending for a chosen number of [`status`](VolumeSnapshots::status) calls, then ready.
#[derive(Clone, Debug)]
pub struct MemoryVolumes {
    pending_calls: u32,
    known: bool,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    volumes: BTreeMap<String, Volume>,
    /// By identity.
    snapshots: BTreeMap<String, Snapshot>,
    /// By identity.
    restored: BTreeMap<String, (CreateVolumeRequest, RestoredVolume)>,
    sequence: u64,
    lose_next_reply: bool,
}

#[derive(Clone, Debug)]
struct Volume {
    size: u64,
    bytes: Bytes,
}

#[derive(Debug)]
struct Snapshot {
    facts: VolumeSnapshot,
    bytes: Bytes,
    asked: u32,
    failed: Option<String>,
    locked: bool,
}

impl MemoryVolumes {
    /// A service without volumes, whose snapshots are pending for this many status calls.
    #[must_use]
    pub fn new(pending_calls: u32) -> Self {
        Self { pending_calls, known: true, state: Arc::default() }
    }

    /// The same service for a caller whose credentials it doesn't know.
    #[must_use]
    pub fn with_wrong_credentials(&self) -> Self {
        Self { known: false, ..self.clone() }
    }

    /// Makes a volume of `size` bytes, or replaces it.
    pub fn add_volume(&self, volume: &VolumeId, size: u64, bytes: impl Into<Bytes>) {
        self.state().volumes.insert(volume.0.clone(), Volume { size, bytes: bytes.into() });
    }

    /// Replaces the content of a volume; later snapshots hold the new one. Answers whether the volume exists.
    pub fn write(&self, volume: &VolumeId, bytes: impl Into<Bytes>) -> bool {
        self.state().volumes.get_mut(&volume.0).map(|volume| volume.bytes = bytes.into()).is_some()
    }

    /// The content of a volume, also of one made by [`create_volume`](VolumeSnapshots::create_volume) (by its handle).
    #[must_use]
    pub fn read(&self, volume: &VolumeId) -> Option<Bytes> {
        self.state().volumes.get(&volume.0).map(|volume| volume.bytes.clone())
    }

    /// Lets a snapshot fail for good.
    pub fn fail(&self, snapshot: &SnapshotId, reason: &str) {
        if let Some(snapshot) = self.state().find(snapshot) {
            snapshot.failed = Some(reason.to_owned());
        }
    }

    /// Locks a snapshot against deletion.
    pub fn lock(&self, snapshot: &SnapshotId) {
        if let Some(snapshot) = self.state().find(snapshot) {
            snapshot.locked = true;
        }
    }

    /// Lets the service carry out its next successful `cut` or `create_volume` and drop the reply.
    pub fn lose_next_reply(&self) {
        self.state().lose_next_reply = true;
    }

    /// How many volumes were made of this owner's snapshots.
    #[must_use]
    pub fn volumes_made(&self, owner: &Owner) -> usize {
        self.state().restored.values().filter(|(request, _)| owner.covers(&request.owner)).count()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn authenticated(&self, operation: &'static str) -> Result<MutexGuard<'_, State>> {
        if self.known {
            Ok(self.state())
        } else {
            Err(Error::new(ErrorKind::Unauthenticated, operation, "memory snapshots"))
        }
    }
}

impl State {
    fn next(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// The answer to a call that was carried out, unless it is lost on the way.
    fn reply<T>(&mut self, answer: T, lost: Error) -> Result<T> {
        if std::mem::take(&mut self.lose_next_reply) { Err(lost) } else { Ok(answer) }
    }

    fn find(&mut self, id: &SnapshotId) -> Option<&mut Snapshot> {
        self.snapshots.values_mut().find(|snapshot| snapshot.facts.id == *id)
    }
}

#[async_trait]
impl VolumeSnapshots for MemoryVolumes {
    fn capabilities(&self) -> VolumeCapabilities {
        VolumeCapabilities { cut_identity: true, independent_of_source: true, progress: true }
    }

    async fn inspect(&self, volume: &VolumeId) -> Result<VolumeFacts> {
        let state = self.authenticated("inspect")?;
        let missing = || Error::new(ErrorKind::NotFound, "inspect", format!("volume {}", volume.0));
        let Volume { size, .. } = state.volumes.get(&volume.0).ok_or_else(missing)?;
        Ok(VolumeFacts { size: *size, cautions: Vec::new() })
    }

    async fn cut(&self, request: &CutRequest) -> Result<VolumeSnapshot> {
        let error = |kind| Error::new(kind, "cut", format!("volume {}", request.volume.0));
        let mut state = self.authenticated("cut")?;
        if let Some(snapshot) = state.snapshots.get(&request.identity) {
            let same = snapshot.facts.volume == request.volume && snapshot.facts.owner == request.owner;
            let facts = snapshot.facts.clone();
            return if same {
                state.reply(facts, error(ErrorKind::Unavailable))
            } else {
                Err(error(ErrorKind::AlreadyExists))
            };
        }
        let Some(Volume { size, bytes }) = state.volumes.get(&request.volume.0).cloned() else {
            return Err(error(ErrorKind::NotFound));
        };
        let facts = VolumeSnapshot {
            id: SnapshotId(format!("snapshot-{}", state.next())),
            volume: request.volume.clone(),
            cut_at: Timestamp::now(),
            size,
            owner: request.owner.clone(),
            identity: request.identity.clone(),
            details: BTreeMap::new(),
        };
        let snapshot = Snapshot { facts: facts.clone(), bytes, asked: 0, failed: None, locked: false };
        state.snapshots.insert(request.identity.clone(), snapshot);
        state.reply(facts, error(ErrorKind::Unavailable))
    }

    async fn status(&self, snapshot: &SnapshotId) -> Result<SnapshotStatus> {
        let mut state = self.authenticated("status")?;
        let missing = || Error::new(ErrorKind::NotFound, "status", format!("snapshot {}", snapshot.0));
        let snapshot = state.find(snapshot).ok_or_else(missing)?;
        if let Some(reason) = &snapshot.failed {
            return Ok(SnapshotStatus {
                state: SnapshotState::Failed { reason: reason.clone() },
                stored_bytes: None,
                trouble: None,
            });
        }
        if snapshot.asked >= self.pending_calls {
            let stored_bytes = Some(snapshot.bytes.len() as u64);
            return Ok(SnapshotStatus { state: SnapshotState::Ready, stored_bytes, trouble: None });
        }
        let percent = u8::try_from(u64::from(snapshot.asked) * 100 / u64::from(self.pending_calls)).ok();
        snapshot.asked += 1;
        Ok(SnapshotStatus { state: SnapshotState::Pending { percent }, stored_bytes: None, trouble: None })
    }

    async fn create_volume(&self, request: &CreateVolumeRequest) -> Result<RestoredVolume> {
        let error = |kind| Error::new(kind, "create volume", format!("snapshot {}", request.snapshot.0));
        let mut state = self.authenticated("create volume")?;
        if let Some((first, restored)) = state.restored.get(&request.identity) {
            let same = first.snapshot == request.snapshot && first.owner == request.owner;
            let restored = restored.clone();
            return if same {
                state.reply(restored, error(ErrorKind::Unavailable))
            } else {
                Err(error(ErrorKind::AlreadyExists))
            };
        }
        let pending_calls = self.pending_calls;
        let snapshot = state.find(&request.snapshot).ok_or_else(|| error(ErrorKind::NotFound))?;
        let size = request.size.unwrap_or(snapshot.facts.size);
        if snapshot.asked < pending_calls || snapshot.failed.is_some() || size < snapshot.facts.size {
            return Err(error(ErrorKind::Invalid));
        }
        let bytes = snapshot.bytes.clone();
        let handle = format!("volume-{}", state.next());
        state.volumes.insert(handle.clone(), Volume { size, bytes });
        let driver = "memory.pachsnap.dev".to_owned();
        let restored = RestoredVolume::Volume { driver, handle, size, zone: request.zone.clone() };
        state.restored.insert(request.identity.clone(), (request.clone(), restored.clone()));
        state.reply(restored, error(ErrorKind::Unavailable))
    }

    async fn delete(&self, snapshot: &SnapshotId) -> Result<()> {
        let mut state = self.authenticated("delete snapshot")?;
        if state.find(snapshot).is_some_and(|snapshot| snapshot.locked) {
            return Err(Error::new(ErrorKind::Denied, "delete snapshot", format!("snapshot {}", snapshot.0)));
        }
        state.snapshots.retain(|_, other| other.facts.id != *snapshot);
        Ok(())
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<VolumeSnapshot>> {
        let state = self.authenticated("list snapshots")?;
        let owned = state.snapshots.values().filter(|snapshot| owner.covers(&snapshot.facts.owner));
        Ok(owned.map(|snapshot| snapshot.facts.clone()).collect())
    }
}
