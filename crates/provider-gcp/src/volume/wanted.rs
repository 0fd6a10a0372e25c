//! What a restored disk shall be: what options, request and the snapshot's memory of its disk say.

use std::collections::BTreeMap;

use google_cloud_compute_v1::model::{CustomerEncryptionKey, Disk, Snapshot};
use provider::{CreateVolumeRequest, ErrorKind, Result};

use super::described::{self, GIB};
use super::disk_id::{BETWEEN_ZONES, DiskId, Place, place_of};
use super::problem::PdProblem;
use super::record::{self, Record};
use super::source::{IOPS, KMS_KEY, THROUGHPUT, TYPE, ZONE, without_version};
use super::{PdOptions, refusal};

/// Types that take provisioned operations.
const TAKE_IOPS: [&str; 4] =
    ["pd-extreme", "hyperdisk-balanced", "hyperdisk-balanced-high-availability", "hyperdisk-extreme"];

/// Types that take a provisioned throughput.
const TAKE_THROUGHPUT: [&str; 4] =
    ["hyperdisk-balanced", "hyperdisk-balanced-high-availability", "hyperdisk-throughput", "hyperdisk-ml"];

/// What a disk shall be.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) id: DiskId,
    /// As a volume's label has it: `us-central1-a`, or `us-central1-a__us-central1-b`.
    pub(super) zones: String,
    pub(super) gib: i64,
    kind: Option<String>,
    iops: Option<i64>,
    throughput: Option<i64>,
    kms_key: Option<String>,
}

impl Wanted {
    /// The type is that of the options, else the request's class where that is a type of disk, else the source's.
    ///
    /// # Errors
    /// `Invalid` for a zone or a size that can't be, or a zone that nobody names.
    pub(super) fn of(
        request: &CreateVolumeRequest,
        project: &str,
        options: &PdOptions,
        snapshot: &Snapshot,
    ) -> Result<Self> {
        let resource = || format!("snapshot {}", request.snapshot.0);
        let invalid = |problem| refusal::own(ErrorKind::Invalid, "disks.insert", resource(), problem);
        let source: BTreeMap<String, String> =
            described::record_of(snapshot).map(|record| record.source).unwrap_or_default();
        let known = |name: &str| source.get(name).cloned();
        let zones = request.zone.clone().or_else(|| known(ZONE)).ok_or_else(|| invalid(PdProblem::NoZoneForDisk))?;
        let place = place_of(&zones).ok_or_else(|| invalid(PdProblem::BadZone { zones: zones.clone() }))?;
        let least = described::size_of(snapshot).unwrap_or_default();
        let size = request.size.unwrap_or(least);
        let gib = i64::try_from(size.div_ceil(GIB)).ok().filter(|_| size >= least);
        let gib = gib.ok_or_else(|| invalid(PdProblem::BadSize { wanted: size, least }))?;
        // A StorageClass is often named for its type; of another one only Kubernetes knows what it means.
        let is_type = |class: &&String| class.starts_with("pd-") || class.starts_with("hyperdisk-");
        let chosen = options.disk_type.clone().or_else(|| request.class.as_ref().filter(is_type).cloned());
        let kind = chosen.or_else(|| known(TYPE));
        // Other types derive theirs from the size, and refuse to be told.
        let takes = |kinds: &[&str]| kind.as_deref().is_some_and(|kind| kinds.contains(&kind));
        let same = kind == known(TYPE);
        let remembered = |name| known(name).filter(|_| same).and_then(|number| number.parse().ok());
        let iops = options.iops.map(i64::from).or_else(|| remembered(IOPS).filter(|_| takes(&TAKE_IOPS)));
        let throughput =
            options.throughput.map(i64::from).or_else(|| remembered(THROUGHPUT).filter(|_| takes(&TAKE_THROUGHPUT)));
        let kms_key = options.kms_key.clone().or_else(|| known(KMS_KEY)).map(|key| without_version(&key));
        let id = DiskId { project: project.to_owned(), place, name: record::name_of(&request.identity) };
        Ok(Self { id, zones, gib, kind, iops, throughput, kms_key })
    }

    /// The request for it.
    pub(super) fn body(&self, record: &Record, source: &str) -> Result<Disk> {
        let DiskId { project, place, name } = &self.id;
        let mut body = Disk::new()
            .set_name(name)
            .set_description(record.description("disks.insert", "etcd, restored by pachsnap")?)
            .set_labels(record.labels())
            .set_size_gb(self.gib)
            .set_source_snapshot(source)
            .set_or_clear_provisioned_iops(self.iops)
            .set_or_clear_provisioned_throughput(self.throughput);
        if let Some(kind) = &self.kind {
            body = body.set_type(format!("projects/{project}/{place}/diskTypes/{kind}"));
        }
        if let Some(key) = &self.kms_key {
            body = body.set_disk_encryption_key(CustomerEncryptionKey::new().set_kms_key_name(key));
        }
        if matches!(place, Place::Region(_)) {
            let zones = self.zones.split(BETWEEN_ZONES).map(|zone| format!("projects/{project}/zones/{zone}"));
            body = body.set_replica_zones(zones);
        }
        Ok(body)
    }
}
