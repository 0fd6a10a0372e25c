//! Files that appear under their name with all their bytes, or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use provider::{ErrorKind, Key, ObjectMeta, PutMode, Result};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::path::{
    Found, RULES, TEMPORARY, check_key, check_root, look, make_directory, object_meta, open, sync_directory, version,
};
use crate::FileError;
use crate::error::Context;

/// A file being written. Dropped, it leaves nothing.
#[derive(Debug)]
pub(crate) struct Writing {
    context: Context,
    root: PathBuf,
    file: NamedTempFile,
    written: u64,
    digest: Option<Sha256>,
}

impl Writing {
    /// Begins a file in the root's own directory for such files (mode 0600 in 0700).
    pub(crate) fn begin(context: &Context, root: &Path, key: &Key) -> Result<Self> {
        check_key(context, key)?;
        check_root(context, root)?;
        let directory = root.join(TEMPORARY);
        if look(context, &directory)?.is_none_or(|metadata| !metadata.is_dir()) {
            make_directory(context, &directory)?;
        }
        let file = tempfile::Builder::new().prefix("").tempfile_in(&directory).map_err(|cause| context.io(cause))?;
        Ok(Self { context: context.clone(), root: root.to_owned(), file, written: 0, digest: None })
    }

    /// Also computes the SHA-256 of what is written from here on.
    pub(crate) fn digesting(mut self) -> Self {
        self.digest = Some(Sha256::new());
        self
    }

    /// Appends bytes.
    pub(crate) fn append(&mut self, chunks: &[Bytes]) -> Result<()> {
        for chunk in chunks {
            self.file.write_all(chunk).map_err(|cause| self.context.io(cause))?;
            self.written += chunk.len() as u64;
            if let Some(digest) = &mut self.digest {
                digest.update(chunk);
            }
        }
        Ok(())
    }

    /// Bytes appended so far.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Holds what was written to what was announced.
    pub(crate) fn check(&mut self, size: Option<u64>, sha256: Option<[u8; 32]>) -> Result<()> {
        if let Some(wanted) = size.filter(|wanted| *wanted != self.written) {
            let wrong = FileError::WrongSize { wanted, found: self.written };
            return Err(self.context.own(ErrorKind::Corrupt, wrong));
        }
        if let (Some(wanted), Some(digest)) = (sha256, self.digest.take()) {
            let found: [u8; 32] = digest.finalize().into();
            if found != wanted {
                let wrong = FileError::WrongSha256 { wanted: hex::encode(wanted), found: hex::encode(found) };
                return Err(self.context.own(ErrorKind::Corrupt, wrong));
            }
        }
        Ok(())
    }

    /// Copies a file's content in the kernel, where the file system can without moving bytes.
    pub(crate) fn copy(&mut self, found: &Found) -> Result<()> {
        let source = open(&self.context, found)?;
        let mut limited = io::Read::take(&source, found.metadata.len());
        self.written = io::copy(&mut limited, self.file.as_file_mut()).map_err(|cause| self.context.io(cause))?;
        let after = source.metadata().map_err(|cause| self.context.io(cause))?;
        if self.written != found.metadata.len() || version(&after) != version(&found.metadata) {
            return Err(self.context.own(ErrorKind::Changed, FileError::ChangedWhileRead));
        }
        Ok(())
    }

    /// Makes the file durable, then visible under its key, then its name durable.
    pub(crate) fn publish(self, key: &Key, mode: PutMode) -> Result<ObjectMeta> {
        let Self { context, root, file, .. } = self;
        // The kernel's own time is too coarse to tell two writes apart.
        file.as_file().set_modified(SystemTime::now()).map_err(|cause| context.io(cause))?;
        file.as_file().sync_all().map_err(|cause| context.io(cause))?;
        // A delete may remove an empty directory between its making and its use; then it is made again.
        const ATTEMPTS: usize = 100;
        let mut file = file;
        for _ in 0..ATTEMPTS {
            let Some((directory, path)) = place(&context, &root, key, mode)? else { continue };
            let outcome = match mode {
                PutMode::Overwrite => file.persist(&path),
                PutMode::CreateOnly => file.persist_noclobber(&path),
            };
            match outcome {
                Ok(file) => {
                    sync_directory(&context, &directory)?;
                    return Ok(object_meta(key.clone(), &facts(&context, &file)?));
                }
                Err(failed) if failed.error.kind() == io::ErrorKind::NotFound => {
                    check_root(&context, &root)?;
                    file = failed.file;
                }
                Err(failed) => return Err(context.io(failed.error)),
            }
        }
        Err(context.plain(ErrorKind::Unavailable))
    }
}

fn facts(context: &Context, file: &File) -> Result<fs::Metadata> {
    file.metadata().map_err(|cause| context.io(cause))
}

/// Makes the directories above a key and clears an empty one out of its place. `None`: somebody removed one of them in
/// between.
fn place(context: &Context, root: &Path, key: &Key, mode: PutMode) -> Result<Option<(PathBuf, PathBuf)>> {
    let mut directory = root.to_owned();
    let mut segments: Vec<&str> = key.as_str().split('/').collect();
    let name = segments.pop().unwrap_or_default();
    for segment in segments {
        directory.push(segment);
        match look(context, &directory)? {
            Some(metadata) if metadata.is_dir() => {}
            Some(_) => return Err(context.own(ErrorKind::Invalid, FileError::NotADirectory(directory))),
            None => match make_directory(context, &directory) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    check_root(context, root)?;
                    return Ok(None);
                }
                outcome => outcome?,
            },
        }
    }
    let path = directory.join(name);
    match look(context, &path)? {
        Some(metadata) if metadata.is_dir() => {
            let occupied = |_| context.own(ErrorKind::Invalid, FileError::IsADirectory(path.clone()));
            remove_empty(&path).map_err(occupied)?;
        }
        Some(_) if mode == PutMode::CreateOnly => return Err(context.plain(ErrorKind::AlreadyExists)),
        Some(metadata) if !metadata.is_file() => {
            return Err(context.own(ErrorKind::Invalid, FileError::NotAFile(path)));
        }
        _ => {}
    }
    Ok(Some((directory, path)))
}

/// Removes a directory and the directories in it, provided that there is no file in any of them.
fn remove_empty(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        remove_empty(&entry.path())?;
    }
    match fs::remove_dir(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

/// Removes a file and the directories that become empty by it.
pub(crate) fn remove(context: &Context, root: &Path, found: &Found) -> Result<()> {
    match fs::remove_file(&found.path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(context.io(cause)),
        _ => {}
    }
    let above = found.path.ancestors().skip(1).take_while(|directory| *directory != root);
    for directory in above.take(RULES.max_bytes) {
        if fs::remove_dir(directory).is_err() {
            break;
        }
    }
    Ok(())
}
