//! Folders of this machine.

use std::path::Path;
use std::sync::Arc;

use orchestrator::job::Opened;
use orchestrator::{Error, ErrorKind, Result};
use provider_onprem::{FileBucket, FileOptions, MissingRoot, Scratch, path_of_url};

use super::wait_for;

/// Folders copy among each other by themselves.
const REALM: &str = "file";

/// The storage root of a LOCAL cluster, without pachd's own working files. It must be there.
pub(super) fn open_data(path: &Path) -> Result<Opened> {
    open(path, FileOptions { missing: MissingRoot::Refuse, scratch: Scratch::LeaveOut })
}

/// A vault or a clone in a folder, which is made if it is missing.
pub(super) fn open_url(url: &str) -> Result<Opened> {
    let path = path_of_url(url).map_err(|cause| {
        Error::new(ErrorKind::Configuration, format!("{url:?} names no folder"))
            .because(cause)
            .advise("write it with three slashes: file:///folder")
    })?;
    open(&path, FileOptions { missing: MissingRoot::Create, scratch: Scratch::Keep })
}

fn open(path: &Path, options: FileOptions) -> Result<Opened> {
    let bucket = wait_for(FileBucket::open(path, options)).map_err(|cause| {
        Error::new(ErrorKind::Configuration, format!("folder {} can't be used", path.display())).because(cause)
    })?;
    let bucket = Arc::new(bucket);
    Ok(Opened { facts: Some(bucket.clone()), bucket, realm: REALM.to_owned() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use provider::ListRequest;

    use super::*;

    const DATA: [&str; 3] = ["block/x", "block/x-index", "object/x"];
    const SCRATCH: [&str; 2] = ["block/x-0-0", "hashtree/x"];

    fn filled() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for key in DATA.iter().chain(&SCRATCH) {
            let file = folder.path().join(key);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, key).unwrap();
        }
        folder
    }

    async fn keys(opened: &Opened) -> Vec<String> {
        let page = opened.bucket.list(&ListRequest::default()).await.unwrap();
        assert!(page.next.is_none());
        page.objects.into_iter().map(|object| object.key.into_string()).collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_data_of_a_local_cluster_is_without_working_files() {
        let folder = filled();
        assert_eq!(keys(&open_data(folder.path()).unwrap()).await, DATA);
    }

    /// Whatever is in a vault or a clone was put there on purpose.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_url_keeps_everything() {
        let folder = filled();
        let mut all = [&DATA[..], &SCRATCH[..]].concat();
        all.sort_unstable();
        let opened = open_url(&format!("file://{}", folder.path().display())).unwrap();
        assert_eq!(keys(&opened).await, all);
    }
}
