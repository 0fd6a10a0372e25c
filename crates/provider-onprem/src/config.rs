//! How a directory is opened and written as a URL, and how volumes are snapshotted.

use std::path::{Path, PathBuf};
use std::time::Duration;

use provider::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::FileError;

/// How a directory is opened as a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct FileOptions {
    /// What to do when the directory isn't there.
    pub missing: MissingRoot,
    /// Whether listings hold what Pachyderm itself doesn't count as data.
    pub scratch: Scratch,
}

/// What to do when the directory isn't there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MissingRoot {
    /// Fail with `NotFound`.
    #[default]
    Refuse,
    /// Make it, and the directories above it, for its owner only (mode 0700).
    Create,
}

/// Whether listings hold the working files that Pachyderm keeps in its storage root with the LOCAL backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scratch {
    /// Listings hold everything.
    #[default]
    Keep,
    /// Listings leave out `hashtree/` (working copies of hash trees) and `block/<key>-<offset>-<size>` (pachd's read
    /// cache, which shares the root). Other calls still reach them. Seen with Pachyderm 1.13.4.
    LeaveOut,
}

/// How CSI volumes are snapshotted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsiOptions {
    /// The VolumeSnapshotClass; without one the driver's only one or its default.
    pub class: Option<String>,
    /// Whether the data outlives the objects that stand for it.
    pub deletion: DeletionPolicy,
    /// Longest time between two looks at an object that is waited for.
    pub poll: Duration,
    /// Longest wait until a deleted snapshot is gone.
    pub delete_limit: Duration,
    /// Longest wait until a restored claim has its volume.
    pub bind_limit: Duration,
}

impl Default for CsiOptions {
    fn default() -> Self {
        Self {
            class: None,
            deletion: DeletionPolicy::default(),
            poll: Duration::from_secs(1),
            delete_limit: Duration::from_secs(60),
            bind_limit: Duration::from_secs(300),
        }
    }
}

/// Whether a snapshot's data outlives its VolumeSnapshot, and so the namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeletionPolicy {
    /// As the VolumeSnapshotClass says.
    #[default]
    OfClass,
    /// It does: once cut, the content's policy is set to `Retain`. Deleting it by this provider still deletes the data.
    Retain,
}

/// The path that a `file://` URL names.
///
/// # Errors
/// `Invalid` for another scheme, a host, a relative path, or anything that isn't a URL.
pub fn path_of_url(url: &str) -> Result<PathBuf> {
    let invalid = || Error::new(ErrorKind::Invalid, "open", url);
    let parsed = Url::parse(url).map_err(|cause| invalid().with_source(cause))?;
    let plain = parsed.scheme() == "file" && parsed.query().is_none() && parsed.fragment().is_none();
    let path = if plain { parsed.to_file_path().ok() } else { None };
    path.ok_or_else(|| invalid().with_source(FileError::NotAFileUrl))
}

/// An absolute path as a `file://` URL.
///
/// # Errors
/// `Invalid` for a relative path.
pub fn file_url(path: &Path) -> Result<String> {
    let url = Url::from_file_path(path);
    let invalid = |()| Error::new(ErrorKind::Invalid, "open", path.display().to_string());
    Ok(url.map_err(invalid)?.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn paths_and_urls_are_the_same_both_ways() {
        for path in ["/", "/var/lib/pach", "/a b/ü/100%/#1?", "/a+b"] {
            let url = file_url(Path::new(path)).unwrap();
            assert!(url.starts_with("file:///"), "{url}");
            assert_eq!(path_of_url(&url).unwrap(), Path::new(path), "{url}");
        }
    }

    #[test]
    fn what_is_no_local_directory_is_refused() {
        for url in ["s3://bucket", "/var/lib", "file://host/path", "file:///a?b", "file:///a#b", ""] {
            assert_eq!(path_of_url(url).unwrap_err().kind(), ErrorKind::Invalid, "{url}");
        }
        assert_eq!(file_url(Path::new("relative")).unwrap_err().kind(), ErrorKind::Invalid);
    }
}
