//! From a key to a path inside the root, without following links.

use std::fs::{self, DirBuilder, File, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use provider::{Error, ErrorKind, Key, KeyRules, ObjectMeta, ObjectVersion, Result};

use crate::FileError;
use crate::error::Context;

/// Directory of the root that holds files being written. No listing shows it and no key begins with it.
pub(crate) const TEMPORARY: &str = ".pachsnap-tmp";

/// Keys that a path stands for exactly.
pub(crate) const RULES: KeyRules = KeyRules {
    empty_segments: false,
    dot_segments: false,
    trailing_slash: false,
    nested_under_object: false,
    max_bytes: 1024,
    max_segment_bytes: 255,
};

/// A file that serves as an object: neither a link nor anything but a regular file.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) metadata: Metadata,
}

/// Refuses keys that no path stands for.
pub(crate) fn check_key(context: &Context, key: &Key) -> Result<()> {
    let reserved = key.as_str().split('/').next() == Some(TEMPORARY);
    if RULES.holds(key.as_str()) && !reserved && !key.as_str().contains('\0') {
        Ok(())
    } else {
        Err(context.own(ErrorKind::Invalid, FileError::KeyNotHeld))
    }
}

/// Facts of a path that doesn't have to exist; the path itself is looked at, not what it links to.
pub(crate) fn look(context: &Context, path: &Path) -> Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => Err(context.own(ErrorKind::Invalid, FileError::Link(path.to_owned()))),
        Ok(metadata) => Ok(Some(metadata)),
        Err(cause) if matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(cause) => Err(context.io(cause)),
    }
}

/// Refuses a bucket whose directory is gone.
pub(crate) fn check_root(context: &Context, root: &Path) -> Result<()> {
    match look(context, root)? {
        Some(metadata) if metadata.is_dir() => Ok(()),
        Some(_) => Err(context.own(ErrorKind::Invalid, FileError::NotADirectory(root.to_owned()))),
        None => Err(context.plain(ErrorKind::NotFound)),
    }
}

/// The file under a key, or `None` when there is none; a directory is none.
pub(crate) fn find(context: &Context, root: &Path, key: &Key) -> Result<Option<Found>> {
    check_key(context, key)?;
    check_root(context, root)?;
    let mut path = root.to_owned();
    let mut segments = key.as_str().split('/').peekable();
    while let Some(segment) = segments.next() {
        path.push(segment);
        let Some(metadata) = look(context, &path)? else { return Ok(None) };
        match (segments.peek().is_some(), metadata.is_dir()) {
            (true, true) => {}
            (true, false) | (false, true) => return Ok(None),
            (false, false) if metadata.is_file() => return Ok(Some(Found { path, metadata })),
            (false, false) => return Err(context.own(ErrorKind::Invalid, FileError::NotAFile(path))),
        }
    }
    Ok(None)
}

/// Opens what [`find`] found, and makes sure that it is that.
pub(crate) fn open(context: &Context, found: &Found) -> Result<File> {
    let file = File::open(&found.path).map_err(|cause| context.io(cause))?;
    let opened = file.metadata().map_err(|cause| context.io(cause))?;
    if (opened.dev(), opened.ino()) == (found.metadata.dev(), found.metadata.ino()) {
        Ok(file)
    } else {
        Err(context.own(ErrorKind::Unavailable, FileError::ChangedWhileRead))
    }
}

/// Makes a directory for its owner only. One that is there already is a success.
pub(crate) fn make_directory(context: &Context, path: &Path) -> Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => path.parent().map_or(Ok(()), |parent| sync_directory(context, parent)),
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => match look(context, path)? {
            Some(metadata) if !metadata.is_dir() => {
                Err(context.own(ErrorKind::Invalid, FileError::NotADirectory(path.to_owned())))
            }
            _ => Ok(()),
        },
        Err(cause) => Err(context.io(cause)),
    }
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(context: &Context, path: &Path) -> Result<()> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(|cause| context.io(cause))
}

/// What identifies the content of a file: time of its last change, size, inode.
pub(crate) fn version(metadata: &Metadata) -> ObjectVersion {
    let nanoseconds = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
    ObjectVersion(format!("{nanoseconds}-{}-{}", metadata.len(), metadata.ino()))
}

/// The facts of an object, from those of its file.
pub(crate) fn object_meta(key: Key, metadata: &Metadata) -> ObjectMeta {
    let modified = metadata.modified().ok().and_then(|time| jiff::Timestamp::try_from(time).ok());
    ObjectMeta {
        key,
        size: metadata.len(),
        version: version(metadata),
        modified,
        checksum: None,
        class: None,
        details: None,
    }
}

/// The error for an object that isn't there.
pub(crate) fn missing(context: &Context) -> Error {
    context.plain(ErrorKind::NotFound)
}
