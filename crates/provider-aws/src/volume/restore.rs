//! Volumes made of snapshots.

use aws_sdk_ec2::types::{ResourceType, Snapshot, Volume, VolumeState, VolumeType};
use provider::{CreateVolumeRequest, Error, ErrorKind, RestoredVolume, Result, Retry, SnapshotState};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::described::GIB;
use super::source::{IOPS, Source, THROUGHPUT, TYPE, ZONE};
use super::{EbsSnapshots, id, status, tags};
use crate::EbsProblem;
use crate::error;

/// Name of the CSI driver that mounts EBS volumes.
const DRIVER: &str = "ebs.csi.aws.com";

/// What a volume shall be.
struct Wanted {
    zone: String,
    gib: i32,
    kind: Option<String>,
    iops: Option<i32>,
    throughput: Option<i32>,
}

impl EbsSnapshots {
    /// The volume of this identity: found, or made and waited for.
    pub(super) async fn restore(&self, request: &CreateVolumeRequest) -> Result<RestoredVolume> {
        let resource = self.resource("snapshot", &request.snapshot.0);
        let Some(snapshot) = self.described("CreateVolume", &request.snapshot).await? else {
            return Err(Error::new(ErrorKind::NotFound, "CreateVolume", resource));
        };
        match status::state_of(&snapshot) {
            SnapshotState::Ready => {}
            SnapshotState::Pending { percent } => {
                let state = percent.map_or_else(|| "pending".to_owned(), |percent| format!("pending at {percent} %"));
                let problem = EbsProblem::NotCompleted { state };
                return Err(error::own(ErrorKind::Invalid, "CreateVolume", resource, problem));
            }
            SnapshotState::Failed { reason } => {
                let problem = EbsProblem::NotCompleted { state: format!("of no use ({reason})") };
                return Err(error::own(ErrorKind::Invalid, "CreateVolume", resource, problem));
            }
        }
        let wanted = self.wanted(request, &snapshot, &resource)?;
        let made = match self.made_volume(request, &resource).await? {
            Some(found) => found,
            None => self.make(request, &wanted, &resource).await?,
        };
        self.available(&made).await
    }

    /// What the options, the request and the snapshot's memory of its volume say. The type is that of the options, else the request's
    /// class where that is a type of EBS, else the source's.
    fn wanted(&self, request: &CreateVolumeRequest, snapshot: &Snapshot, resource: &str) -> Result<Wanted> {
        let invalid = |problem| error::own(ErrorKind::Invalid, "CreateVolume", resource.to_owned(), problem);
        let source = Source::remembered(&tags::read(snapshot.tags.as_deref()));
        let zone = request.zone.as_deref().or_else(|| source.get(ZONE)).ok_or_else(|| invalid(EbsProblem::NoZone))?;
        if !id::is_zone_of(&self.clients.region, zone) {
            let (zone, region) = (zone.to_owned(), self.clients.region.clone());
            return Err(invalid(EbsProblem::ZoneElsewhere { zone, region }));
        }
        let least = snapshot.volume_size.and_then(|gib| u64::try_from(gib).ok()).unwrap_or_default() * GIB;
        let size = request.size.unwrap_or(least);
        let gib = i32::try_from(size.div_ceil(GIB)).ok().filter(|_| size >= least);
        let gib = gib.ok_or_else(|| invalid(EbsProblem::BadSize { wanted: size, least }))?;
        // A StorageClass is often named for its type; of another one only Kubernetes knows what it means.
        let of_class = request.class.as_ref().filter(|class| VolumeType::values().contains(&class.as_str()));
        let chosen = self.options.volume_type.as_ref().or(of_class);
        let kind = chosen.cloned().or_else(|| source.get(TYPE).map(str::to_owned));
        // Other types derive theirs from the size, and refuse to be told.
        let takes = |kinds: &[&str]| kind.as_deref().is_some_and(|kind| kinds.contains(&kind));
        let same = kind.as_deref() == source.get(TYPE);
        let remembered = |name| source.get(name).filter(|_| same).and_then(|number| number.parse().ok());
        let told = |number: Option<u32>, name| {
            number.map(i32::try_from).transpose().map_err(|_| invalid(EbsProblem::TooLarge(name)))
        };
        let iops =
            told(self.options.iops, IOPS)?.or_else(|| remembered(IOPS).filter(|_| takes(&["gp3", "io1", "io2"])));
        let throughput =
            told(self.options.throughput, THROUGHPUT)?.or_else(|| remembered(THROUGHPUT).filter(|_| takes(&["gp3"])));
        Ok(Wanted { zone: zone.to_owned(), gib, kind, iops, throughput })
    }

    /// The volume that an earlier call of this identity made. EC2 forgets client tokens; tags stay.
    async fn made_volume(&self, request: &CreateVolumeRequest, resource: &str) -> Result<Option<Volume>> {
        let call = self.clients.retrying.describe_volumes().filters(tags::filter(tags::IDENTITY, &request.identity));
        let mut pages = call.into_paginator().page_size(500).send();
        let mut other = None;
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| error::from_sdk("DescribeVolumes", resource.to_owned(), error))?;
            for volume in page.volumes.unwrap_or_default() {
                if matches!(volume.state, Some(VolumeState::Deleting | VolumeState::Deleted)) {
                    continue;
                }
                let ours = tags::owner_of(&tags::read(volume.tags.as_deref())).as_ref() == Some(&request.owner);
                if ours && volume.snapshot_id.as_ref() == Some(&request.snapshot.0) {
                    return Ok(Some(volume));
                }
                other = volume.volume_id;
            }
        }
        let taken = |id| {
            let problem = EbsProblem::NotOurs { id };
            Err(error::own(ErrorKind::AlreadyExists, "CreateVolume", resource.to_owned(), problem))
        };
        other.map_or(Ok(None), taken)
    }

    async fn make(&self, request: &CreateVolumeRequest, wanted: &Wanted, resource: &str) -> Result<Volume> {
        let tags = tags::of("CreateVolume", &request.identity, &request.owner)?;
        let key = self.options.kms_key.clone();
        let call = self.clients.retrying.create_volume();
        let answer = call
            .snapshot_id(&request.snapshot.0)
            .availability_zone(&wanted.zone)
            .size(wanted.gib)
            .set_volume_type(wanted.kind.as_deref().map(VolumeType::from))
            .set_iops(wanted.iops)
            .set_throughput(wanted.throughput)
            .set_encrypted(key.is_some().then_some(true))
            .set_kms_key_id(key)
            // At most 64 ASCII characters; an identity alone could be another service's.
            .client_token(hex::encode(Sha256::digest(format!("pachsnap/{}", request.identity))))
            .tag_specifications(tags::specification(ResourceType::Volume, &tags))
            .send()
            .await;
        let answer = answer.map_err(|error| error::from_sdk("CreateVolume", resource.to_owned(), error))?;
        Ok(Volume::builder()
            .set_volume_id(answer.volume_id)
            .set_size(answer.size)
            .set_availability_zone(answer.availability_zone)
            .set_state(answer.state)
            .build())
    }

    /// Waits until a volume can be attached.
    async fn available(&self, made: &Volume) -> Result<RestoredVolume> {
        let id = made.volume_id.clone().unwrap_or_default();
        let resource = || self.resource("volume", &id);
        let ends = Instant::now() + self.options.available_limit;
        let lost = |what| {
            let problem = EbsProblem::VolumeLost { id: id.clone(), what };
            Err(error::own(ErrorKind::Denied, "CreateVolume", resource(), problem))
        };
        let (mut found, mut seen): (Result<Volume>, bool) = (Ok(made.clone()), false);
        loop {
            let last = match &found {
                Ok(volume) => match &volume.state {
                    Some(VolumeState::Available | VolumeState::InUse) => return self.restored(volume),
                    Some(VolumeState::Error) => return lost("failed"),
                    Some(VolumeState::Deleting | VolumeState::Deleted) => return lost("was deleted"),
                    state => state.as_ref().map_or_else(|| "no state".to_owned(), ToString::to_string),
                },
                Err(error) if error.kind() == ErrorKind::NotFound && seen => return lost("went away"),
                // EC2 may not know yet what it has just made.
                Err(error) if error.kind() == ErrorKind::NotFound || error.retry() != Retry::Never => error.to_string(),
                Err(_) => return found.and_then(|volume| self.restored(&volume)),
            };
            if Instant::now() >= ends {
                let seconds = self.options.available_limit.as_secs();
                let problem = EbsProblem::NotAvailable { id: id.clone(), seconds, last };
                return Err(error::own(ErrorKind::Timeout, "CreateVolume", resource(), problem));
            }
            tokio::time::sleep(self.options.poll).await;
            found = self.volume(&self.clients.retrying, &id).await;
            seen |= found.is_ok();
        }
    }

    fn restored(&self, volume: &Volume) -> Result<RestoredVolume> {
        let handle = volume.volume_id.clone().unwrap_or_default();
        let size = volume.size.and_then(|gib| u64::try_from(gib).ok()).filter(|_| !handle.is_empty());
        let Some(gib) = size else {
            let problem = EbsProblem::Contradiction("the volume has no id or no size");
            return Err(error::own(ErrorKind::Corrupt, "CreateVolume", self.resource("volume", &handle), problem));
        };
        let zone = volume.availability_zone.clone();
        Ok(RestoredVolume::Volume { driver: DRIVER.to_owned(), handle, size: gib * GIB, zone })
    }
}
