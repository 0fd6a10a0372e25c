//! The two ways a PersistentVolume names an EBS volume.

use provider::{Error, ErrorKind, Result, VolumeId};

use crate::EbsProblem;

/// A volume's id as EC2 writes it (`vol-0abc`), found in what the cluster says of it.
///
/// In-tree volumes (`awsElasticBlockStore.volumeID`) are `aws://us-east-1a/vol-0abc`, also `aws:///vol-0abc` and `vol-0abc`; those
/// of the CSI driver (`csi.volumeHandle`) are `vol-0abc`.
///
/// # Errors
/// `Invalid` for another form, and for a zone that isn't in `region`.
pub(super) fn volume_in(region: &str, operation: &'static str, volume: &VolumeId) -> Result<String> {
    let invalid = |problem| {
        Error::new(ErrorKind::Invalid, operation, format!("volume {} in {region}", volume.0)).with_source(problem)
    };
    let (zone, id) = match volume.0.strip_prefix("aws://") {
        Some(rest) => rest.split_once('/').ok_or_else(|| invalid(EbsProblem::NotAVolume))?,
        None => ("", volume.0.as_str()),
    };
    let plain = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !id.strip_prefix("vol-").is_some_and(plain) {
        return Err(invalid(EbsProblem::NotAVolume));
    }
    if !zone.is_empty() && !is_zone_of(region, zone) {
        return Err(invalid(EbsProblem::OtherRegion { zone: zone.to_owned(), region: region.to_owned() }));
    }
    Ok(id.to_owned())
}

/// Whether a zone is in a region: `us-east-1a`, or a local zone such as `us-west-2-lax-1a`.
pub(super) fn is_zone_of(region: &str, zone: &str) -> bool {
    let Some(rest) = zone.strip_prefix(region) else { return false };
    rest.starts_with('-') || matches!(rest.as_bytes(), [letter] if letter.is_ascii_lowercase())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn found(text: &str) -> Result<String> {
        volume_in("us-east-1", "inspect", &VolumeId(text.to_owned()))
    }

    #[test]
    fn both_shapes_name_the_volume() {
        for text in ["vol-0abc", "aws://us-east-1a/vol-0abc", "aws:///vol-0abc", "aws://us-east-1-bos-1a/vol-0abc"] {
            assert_eq!(found(text).unwrap(), "vol-0abc", "{text}");
        }
    }

    #[test]
    fn what_names_no_volume_of_the_region_is_refused() {
        for text in ["", "vol-", "vol-0 a", "aws://vol-0abc", "pvc-1", "aws://us-east-1a/", "snap-0abc", "vol-0abc/x"] {
            assert_eq!(found(text).unwrap_err().kind(), ErrorKind::Invalid, "{text}");
        }
        for zone in ["eu-west-1a", "us-east-2a", "us-east-1", "us-east-11a"] {
            let error = found(&format!("aws://{zone}/vol-0abc")).unwrap_err();
            let cause = std::error::Error::source(&error).unwrap().to_string();
            assert!(cause.contains(zone) && cause.contains("us-east-1"), "{cause}");
        }
    }
}
