//! The ways a PersistentVolume names a disk.

use std::fmt;

use provider::{Error, ErrorKind, Result, VolumeId};

use super::problem::PdProblem;

/// What Kubernetes writes for a part that it did not know when it translated an in-tree volume for the CSI driver.
const UNSPECIFIED: &str = "UNSPECIFIED";

/// What a zone's label holds between the zones of a regional disk.
pub(super) const BETWEEN_ZONES: &str = "__";

/// Where a disk is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Zone(String),
    Region(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zone(zone) => write!(f, "zones/{zone}"),
            Self::Region(region) => write!(f, "regions/{region}"),
        }
    }
}

/// A disk's full name. Written as the CSI driver's handle: `projects/P/zones/Z/disks/D`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DiskId {
    pub(super) project: String,
    pub(super) place: Place,
    pub(super) name: String,
}

impl fmt::Display for DiskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "projects/{}/{}/disks/{}", self.project, self.place, self.name)
    }
}

impl DiskId {
    /// The disk of a volume, as the cluster names it, in a project.
    ///
    /// `csi.volumeHandle` is `projects/P/zones/Z/disks/D` or `projects/P/regions/R/disks/D`; volumes that were in-tree have `UNSPECIFIED`
    /// for what was not known. In-tree volumes are `gce://ZONE/PDNAME`, where a regional disk's zones are joined as in the label of the
    /// PersistentVolume (`us-central1-a__us-central1-b`), or `PDNAME` alone.
    ///
    /// # Errors
    /// `Invalid` for another form, another project, and a disk whose zone nobody tells.
    pub(super) fn of(operation: &'static str, volume: &VolumeId, project: &str, zone: Option<&str>) -> Result<Self> {
        let invalid = |problem| {
            let resource = format!("volume {} in project {project}", volume.0);
            Error::new(ErrorKind::Invalid, operation, resource).with_source(problem)
        };
        let default_zone = || zone.map(str::to_owned).ok_or_else(|| invalid(PdProblem::NoZone));
        let named = |zones: &str| place_of(zones).ok_or_else(|| invalid(PdProblem::NotADisk));
        let parts: Vec<&str> = volume.0.split('/').collect();
        let (of_project, place, name) = match parts.as_slice() {
            ["projects", project, "zones", UNSPECIFIED, "disks", name] => (*project, named(&default_zone()?)?, *name),
            ["projects", project, "zones", zone, "disks", name] => (*project, Place::Zone((*zone).to_owned()), *name),
            ["projects", project, "regions", region, "disks", name] => {
                (*project, Place::Region((*region).to_owned()), *name)
            }
            ["gce:", "", zones, name] => (UNSPECIFIED, named(zones)?, *name),
            ["gce:", "", project, zones, name] => (*project, named(zones)?, *name),
            [name] => (UNSPECIFIED, named(&default_zone()?)?, *name),
            _ => return Err(invalid(PdProblem::NotADisk)),
        };
        let (Place::Zone(place_name) | Place::Region(place_name)) = &place;
        if !is_name(name) || !is_name(place_name) {
            return Err(invalid(PdProblem::NotADisk));
        }
        if of_project != UNSPECIFIED && of_project != project {
            let (disk, configured) = (of_project.to_owned(), project.to_owned());
            return Err(invalid(PdProblem::OtherProject { disk, configured }));
        }
        Ok(Self { project: project.to_owned(), place, name: name.to_owned() })
    }

    /// The path in a link of the API: `projects/P/zones/Z/disks/D` of `https://www.googleapis.com/compute/v1/projects/…`.
    pub(super) fn path_in(link: &str) -> &str {
        link.find("projects/").and_then(|at| link.get(at..)).unwrap_or(link)
    }
}

/// The place of one zone, or of the zones of a regional disk.
pub(super) fn place_of(zones: &str) -> Option<Place> {
    let Some((first, _)) = zones.split_once(BETWEEN_ZONES) else {
        return Some(Place::Zone(zones.to_owned()));
    };
    let region = region_of(first)?;
    let all_there = zones.split(BETWEEN_ZONES).all(|zone| region_of(zone) == Some(region));
    all_there.then(|| Place::Region(region.to_owned()))
}

/// The region of a zone: `us-central1` of `us-central1-a`.
pub(super) fn region_of(zone: &str) -> Option<&str> {
    let (region, letter) = zone.rsplit_once('-')?;
    (!region.is_empty() && !letter.is_empty()).then_some(region)
}

/// Whether a text can name something in a path: lower-case letters, digits and hyphens, beginning with a letter (RFC 1035).
fn is_name(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn found(text: &str, zone: Option<&str>) -> Result<String> {
        DiskId::of("disks.get", &VolumeId(text.to_owned()), "p", zone).map(|id| id.to_string())
    }

    #[test]
    fn every_shape_names_the_disk() {
        for (text, is) in [
            ("projects/p/zones/us-central1-a/disks/d-1", "projects/p/zones/us-central1-a/disks/d-1"),
            ("projects/UNSPECIFIED/zones/us-central1-a/disks/d-1", "projects/p/zones/us-central1-a/disks/d-1"),
            ("projects/UNSPECIFIED/zones/UNSPECIFIED/disks/d-1", "projects/p/zones/us-east1-b/disks/d-1"),
            ("projects/UNSPECIFIED/regions/us-central1/disks/d-1", "projects/p/regions/us-central1/disks/d-1"),
            ("gce://us-central1-a/d-1", "projects/p/zones/us-central1-a/disks/d-1"),
            ("gce://p/us-central1-a/d-1", "projects/p/zones/us-central1-a/disks/d-1"),
            ("gce://us-central1-a__us-central1-b/d-1", "projects/p/regions/us-central1/disks/d-1"),
            ("d-1", "projects/p/zones/us-east1-b/disks/d-1"),
        ] {
            assert_eq!(found(text, Some("us-east1-b")).unwrap(), is, "{text}");
        }
    }

    #[test]
    fn what_names_no_disk_of_the_project_is_refused() {
        for text in [
            "",
            "vol-0abc/x",
            "aws://us-east-1a/vol-0abc",
            "projects/p/zones/us-central1-a/disks/",
            "projects/p/zones/../disks/d",
            "projects/p/zones/us-central1-a/disks/D",
            "projects/p/disks/d",
            "gce://us-central1-a__us-east1-b/d",
            "projects/other/zones/us-central1-a/disks/d",
        ] {
            assert_eq!(found(text, Some("us-east1-b")).unwrap_err().kind(), ErrorKind::Invalid, "{text}");
        }
        for text in ["d", "projects/UNSPECIFIED/zones/UNSPECIFIED/disks/d"] {
            let error = found(text, None).unwrap_err();
            assert!(std::error::Error::source(&error).unwrap().to_string().contains("zone"), "{text}");
        }
    }

    #[test]
    fn a_link_ends_with_the_path() {
        let path = "projects/p/zones/z/disks/d";
        assert_eq!(DiskId::path_in(&format!("https://www.googleapis.com/compute/v1/{path}")), path);
        assert_eq!(DiskId::path_in(path), path);
    }
}
