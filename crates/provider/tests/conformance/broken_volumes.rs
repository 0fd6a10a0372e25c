//! Snapshot services with one defect each.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use provider::testkit::conformance::VolumeFixture;
use provider::testkit::memory::MemoryVolumes;
use provider::{
    CreateVolumeRequest, CutRequest, Error, ErrorKind, Owner, RestoredVolume, Result, SnapshotId, SnapshotStatus,
    VolumeCapabilities, VolumeFacts, VolumeId, VolumeSnapshot, VolumeSnapshots,
};

use crate::memory::MemorySnapshots;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    NewSnapshotPerCall,
    NewVolumePerCall,
    /// What it knows a volume by is what it was answered, so a lost reply makes a twin.
    RemembersOnlyAnswers,
    CutLate,
    ListsEverything,
    DeleteOfAbsentFails,
}

#[derive(Debug)]
pub(crate) struct BrokenVolumes {
    fixture: MemorySnapshots,
    defect: Defect,
    /// Volumes by identity, of all clients.
    answers: Answers,
}

type Answers = Arc<Mutex<BTreeMap<String, RestoredVolume>>>;

impl BrokenVolumes {
    fn with(defect: Defect) -> Self {
        Self { fixture: MemorySnapshots::new(2), defect, answers: Answers::default() }
    }

    pub(crate) fn new_snapshot_per_call() -> Self {
        Self::with(Defect::NewSnapshotPerCall)
    }

    pub(crate) fn new_volume_per_call() -> Self {
        Self::with(Defect::NewVolumePerCall)
    }

    pub(crate) fn remembers_only_answers() -> Self {
        Self::with(Defect::RemembersOnlyAnswers)
    }

    pub(crate) fn cut_late() -> Self {
        Self::with(Defect::CutLate)
    }

    pub(crate) fn lists_everything() -> Self {
        Self::with(Defect::ListsEverything)
    }

    pub(crate) fn delete_of_absent_fails() -> Self {
        Self::with(Defect::DeleteOfAbsentFails)
    }
}

#[async_trait]
impl VolumeFixture for BrokenVolumes {
    async fn connect(&self) -> Arc<dyn VolumeSnapshots> {
        Arc::new(BrokenService {
            inner: self.fixture.service().clone(),
            defect: self.defect,
            answers: Arc::clone(&self.answers),
        })
    }

    async fn volume(&self) -> VolumeId {
        self.fixture.volume().await
    }

    async fn missing_volume(&self) -> VolumeId {
        self.fixture.missing_volume().await
    }

    async fn lose_next_reply(&self) -> bool {
        self.fixture.lose_next_reply().await
    }

    async fn volumes_made(&self, owner: &Owner) -> Option<usize> {
        self.fixture.volumes_made(owner).await
    }

    async fn write(&self, volume: &VolumeId, bytes: &[u8]) -> bool {
        self.fixture.write(volume, bytes).await
    }

    async fn read(&self, volume: &RestoredVolume) -> Option<Vec<u8>> {
        let found = self.fixture.read(volume).await;
        // As if the copy had followed the volume after the cut.
        if self.defect == Defect::CutLate { Some(b"after the cut!".to_vec()) } else { found }
    }

    async fn pause(&self) {
        self.fixture.pause().await;
    }
}

#[derive(Debug)]
struct BrokenService {
    inner: MemoryVolumes,
    defect: Defect,
    answers: Answers,
}

impl BrokenService {
    async fn create_unless_answered(&self, request: &CreateVolumeRequest) -> Result<RestoredVolume> {
        if let Some(answered) = self.answers.lock().unwrap().get(&request.identity) {
            return Ok(answered.clone());
        }
        let other = CreateVolumeRequest { identity: once_more(&request.identity), ..request.clone() };
        let restored = self.inner.create_volume(&other).await?;
        self.answers.lock().unwrap().insert(request.identity.clone(), restored.clone());
        Ok(restored)
    }
}

fn once_more(identity: &str) -> String {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    format!("{identity}-{}", CALLS.fetch_add(1, Ordering::Relaxed))
}

#[async_trait]
impl VolumeSnapshots for BrokenService {
    fn capabilities(&self) -> VolumeCapabilities {
        self.inner.capabilities()
    }

    async fn inspect(&self, volume: &VolumeId) -> Result<VolumeFacts> {
        self.inner.inspect(volume).await
    }

    async fn cut(&self, request: &CutRequest) -> Result<VolumeSnapshot> {
        if self.defect != Defect::NewSnapshotPerCall {
            return self.inner.cut(request).await;
        }
        let other = CutRequest { identity: once_more(&request.identity), ..request.clone() };
        Ok(VolumeSnapshot { identity: request.identity.clone(), ..self.inner.cut(&other).await? })
    }

    async fn status(&self, snapshot: &SnapshotId) -> Result<SnapshotStatus> {
        self.inner.status(snapshot).await
    }

    async fn create_volume(&self, request: &CreateVolumeRequest) -> Result<RestoredVolume> {
        if self.defect == Defect::RemembersOnlyAnswers {
            return self.create_unless_answered(request).await;
        }
        let mut request = request.clone();
        if self.defect == Defect::NewVolumePerCall {
            request.identity = once_more(&request.identity);
        }
        self.inner.create_volume(&request).await
    }

    async fn delete(&self, snapshot: &SnapshotId) -> Result<()> {
        let absent = self.inner.status(snapshot).await.is_err();
        self.inner.delete(snapshot).await?;
        if absent && self.defect == Defect::DeleteOfAbsentFails {
            return Err(Error::new(ErrorKind::NotFound, "delete", snapshot.0.as_str()));
        }
        Ok(())
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<VolumeSnapshot>> {
        if self.defect == Defect::ListsEverything {
            return self.inner.list(&Owner { run: String::new(), ..owner.clone() }).await;
        }
        self.inner.list(owner).await
    }
}
