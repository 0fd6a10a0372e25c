//! What lies in a folder.

use std::path::{Path, PathBuf};

/// All files in a folder and below it, sorted. None when there is no such folder.
///
/// # Panics
/// When a folder can't be read.
pub fn files_under(folder: &Path) -> Vec<PathBuf> {
    if !folder.exists() {
        return Vec::new();
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() { files.extend(files_under(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}
