//! What a plan wants to know of a directory.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use async_trait::async_trait;
use provider::{BucketFacts, CopyToken, ErrorKind, Exposure, Facts, Key, Result, UnfinishedUpload};

use super::path::{TEMPORARY, check_root, look};
use super::{FileBucket, blocking};
use crate::error::Context;

/// Mode bits that let others than the owner in.
const GROUP_AND_OTHERS: u32 = 0o077;

#[async_trait]
impl BucketFacts for FileBucket {
    /// A directory is [`Exposure::Public`] when its mode lets anybody but its owner in.
    async fn facts(&self) -> Result<Facts> {
        let root = self.root.clone();
        blocking(&self.context("facts", None), move |context| {
            check_root(context, &root)?;
            let metadata = fs::metadata(&root).map_err(|cause| context.io(cause))?;
            let open = metadata.mode() & GROUP_AND_OTHERS != 0;
            Ok(Facts {
                region: None,
                versioning: Some(false),
                object_lock: Some(false),
                lifecycle: Some(Vec::new()),
                encryption: None,
                requester_pays: Some(false),
                exposure: Some(if open { Exposure::Public } else { Exposure::Private }),
                unfit: None,
                cautions: Vec::new(),
            })
        })
        .await
    }

    /// Files whose writer ended before they got their name, and those being written at this moment. Their keys are the
    /// places where they are: which key they were meant for isn't known.
    async fn unfinished_uploads(&self) -> Result<Vec<UnfinishedUpload>> {
        let root = self.root.clone();
        blocking(&self.context("unfinished uploads", None), move |context| {
            check_root(context, &root)?;
            if look(context, &root.join(TEMPORARY))?.is_none() {
                return Ok(Vec::new());
            }
            let mut found = Vec::new();
            for entry in fs::read_dir(root.join(TEMPORARY)).map_err(|cause| context.io(cause))? {
                let entry = entry.map_err(|cause| context.io(cause))?;
                let metadata = match entry.metadata() {
                    Ok(metadata) => metadata,
                    Err(cause) if cause.kind() == io::ErrorKind::NotFound => continue,
                    Err(cause) => return Err(context.io(cause)),
                };
                // Our own names are UTF-8; what isn't ours is left alone.
                let Ok(name) = entry.file_name().into_string() else { continue };
                found.push(UnfinishedUpload {
                    key: Key::new(format!("{TEMPORARY}/{name}")),
                    started: metadata.modified().ok().and_then(|time| jiff::Timestamp::try_from(time).ok()),
                    token: CopyToken(name),
                });
            }
            found.sort_by(|a, b| a.key.cmp(&b.key));
            Ok(found)
        })
        .await
    }
}

/// Removes a file that was never finished. One that is gone is a success.
pub(super) fn remove_unfinished(context: &Context, root: &Path, name: &str) -> Result<()> {
    if name.is_empty() || name.contains(['/', '\0']) || name == "." || name == ".." {
        return Err(context.plain(ErrorKind::Invalid));
    }
    let directory = root.join(TEMPORARY);
    look(context, &directory)?;
    match fs::remove_file(directory.join(name)) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(context.io(cause)),
        _ => Ok(()),
    }
}
