//! What a disk is when it is cut, and how its snapshot remembers that.

use std::collections::BTreeMap;

use google_cloud_compute_v1::model::Disk;

use super::disk_id::BETWEEN_ZONES;

/// The disk's zone; the zones of a regional disk as in the label of its volume (`us-central1-a__us-central1-b`).
pub(super) const ZONE: &str = "zone";
/// The disk's type.
pub(super) const TYPE: &str = "type";
/// The disk's provisioned operations per second.
pub(super) const IOPS: &str = "iops";
/// The disk's provisioned throughput in MiB/s.
pub(super) const THROUGHPUT: &str = "throughput";
/// The Cloud KMS key that the disk is encrypted with, without the version.
pub(super) const KMS_KEY: &str = "kms-key";
/// The number of the disk, which no other disk ever has.
pub(super) const DISK_ID: &str = "disk-id";

/// What a disk is, by the names above.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Source(pub(super) BTreeMap<String, String>);

impl Source {
    /// What Compute Engine says of a disk.
    pub(super) fn of(disk: &Disk) -> Self {
        let last = |link: &String| link.rsplit('/').next().unwrap_or(link).to_owned();
        let zones: Vec<String> = disk.replica_zones.iter().map(last).collect();
        let zones = (!zones.is_empty()).then(|| zones.join(BETWEEN_ZONES));
        let number = |number: Option<i64>| number.filter(|number| *number > 0).map(|number| number.to_string());
        let key = disk.disk_encryption_key.as_ref().and_then(|key| key.kms_key_name.as_deref());
        let facts = [
            (ZONE, zones.or_else(|| disk.zone.as_ref().map(last))),
            (TYPE, disk.r#type.as_ref().map(last)),
            (IOPS, number(disk.provisioned_iops)),
            (THROUGHPUT, number(disk.provisioned_throughput)),
            (KMS_KEY, key.map(without_version)),
            (DISK_ID, disk.id.map(|id| id.to_string())),
        ];
        Self(facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// Whether a disk is encrypted with a key that each request has to bring.
pub(super) fn has_customer_supplied_key(disk: &Disk) -> bool {
    disk.disk_encryption_key.as_ref().is_some_and(|key| key.kms_key_name.as_ref().is_none_or(String::is_empty))
}

/// A key's name without the version of it.
pub(super) fn without_version(key: &str) -> String {
    key.split("/cryptoKeyVersions/").next().unwrap_or(key).to_owned()
}

#[cfg(test)]
mod tests {
    use google_cloud_compute_v1::model::CustomerEncryptionKey;

    use super::*;

    #[test]
    fn a_disk_is_told_by_its_facts() {
        let key = CustomerEncryptionKey::new().set_kms_key_name("projects/p/cryptoKeys/k/cryptoKeyVersions/3");
        let disk = Disk::new()
            .set_id(7_u64)
            .set_zone("https://www.googleapis.com/compute/v1/projects/p/zones/us-central1-a")
            .set_type("https://www.googleapis.com/compute/v1/projects/p/zones/us-central1-a/diskTypes/pd-ssd")
            .set_provisioned_iops(3000)
            .set_disk_encryption_key(key);
        let source = Source::of(&disk);
        for (name, value) in [
            (ZONE, "us-central1-a"),
            (TYPE, "pd-ssd"),
            (IOPS, "3000"),
            (KMS_KEY, "projects/p/cryptoKeys/k"),
            (DISK_ID, "7"),
        ] {
            assert_eq!(source.get(name), Some(value));
        }
        let regional = Disk::new().set_replica_zones(["x/zones/r-a", "x/zones/r-b"]);
        assert_eq!(Source::of(&regional).get(ZONE), Some("r-a__r-b"));
        assert!(!has_customer_supplied_key(&disk) && !has_customer_supplied_key(&regional));
        assert!(has_customer_supplied_key(&Disk::new().set_disk_encryption_key(CustomerEncryptionKey::new())));
    }
}
