//! What a volume is when it is cut, and how its snapshot remembers that.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::Volume;

use super::tags::{SOURCE, Tags};

/// The volume's zone.
pub(super) const ZONE: &str = "zone";
/// The volume's type.
pub(super) const TYPE: &str = "type";
/// The volume's I/O operations per second.
pub(super) const IOPS: &str = "iops";
/// The volume's throughput in MiB/s.
pub(super) const THROUGHPUT: &str = "throughput";
/// The key that the volume is encrypted with.
pub(super) const KMS_KEY: &str = "kms-key";
/// Whether the volume is encrypted: `yes` or `no`.
pub(super) const ENCRYPTED: &str = "encrypted";

/// What a volume is, by the names above.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Source(pub(super) BTreeMap<String, String>);

impl Source {
    /// What EC2 says of a volume.
    pub(super) fn of(volume: &Volume) -> Self {
        let number = |number: Option<i32>| number.map(|number| number.to_string());
        let facts = [
            (ZONE, volume.availability_zone.clone()),
            (TYPE, volume.volume_type.as_ref().map(ToString::to_string)),
            (IOPS, number(volume.iops)),
            (THROUGHPUT, number(volume.throughput)),
            (ENCRYPTED, Some(if volume.encrypted == Some(true) { "yes" } else { "no" }.to_owned())),
            (KMS_KEY, volume.kms_key_id.clone()),
        ];
        Self(facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
    }

    /// What a snapshot's tags remember of its volume.
    pub(super) fn remembered(tags: &Tags) -> Self {
        let of_source =
            |(name, value): (&String, &String)| Some((name.strip_prefix(SOURCE)?.to_owned(), value.clone()));
        Self(tags.iter().filter_map(of_source).collect())
    }

    /// The tags that remember it.
    pub(super) fn tags(&self) -> impl Iterator<Item = (String, String)> {
        self.0.iter().map(|(name, value)| (format!("{SOURCE}{name}"), value.clone()))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::VolumeType;

    use super::*;

    #[test]
    fn a_snapshot_remembers_its_volume() {
        let volume = Volume::builder()
            .availability_zone("us-east-1a")
            .volume_type(VolumeType::Gp3)
            .iops(3000)
            .throughput(125)
            .encrypted(true)
            .kms_key_id("arn:aws:kms:us-east-1:1:key/k")
            .build();
        let source = Source::of(&volume);
        let tags: Tags = source.tags().collect();
        assert_eq!(tags.get("pachsnap-volume-zone").map(String::as_str), Some("us-east-1a"));
        assert_eq!(Source::remembered(&tags), source);
        assert_eq!(source.get(TYPE), Some("gp3"));
    }
}
