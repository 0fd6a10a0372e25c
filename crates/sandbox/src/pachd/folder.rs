//! A folder as the bucket of the sandbox's pachd: the storage root of a LOCAL deployment.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::objects::ObjectStore;

/// Values as files. Like pachd, it writes them in place. A file that can't be written is only logged: a bucket that fails is
/// no matter of the sandbox's pachd.
#[derive(Debug)]
pub struct FolderObjects {
    root: PathBuf,
}

impl FolderObjects {
    /// The folder `root`, which is made with the first value.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    fn write(&self, key: &str, value: &[u8]) -> std::io::Result<()> {
        let path = self.root.join(key);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, value)
    }
}

impl ObjectStore for FolderObjects {
    fn get(&self, key: &str) -> Option<Bytes> {
        fs::read(self.root.join(key)).ok().map(Bytes::from)
    }

    fn put(&self, key: &str, value: Bytes) {
        if let Err(error) = self.write(key, &value) {
            tracing::warn!(key, %error, "a value could not be written");
        }
    }

    fn delete(&self, key: &str) {
        if let Err(error) = fs::remove_file(self.root.join(key)) {
            tracing::warn!(key, %error, "a value could not be deleted");
        }
    }

    fn list(&self, prefix: &str) -> Vec<String> {
        let mut keys = Vec::new();
        collect(&self.root, &self.root, &mut keys);
        keys.retain(|key| key.starts_with(prefix));
        keys.sort();
        keys
    }
}

fn collect(root: &Path, folder: &Path, keys: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(root, &path, keys);
        } else if let Ok(key) = path.strip_prefix(root) {
            keys.push(key.to_string_lossy().into_owned());
        }
    }
}
