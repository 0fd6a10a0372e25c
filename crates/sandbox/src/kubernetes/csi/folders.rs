//! Folders named by handles, and copies of them.

use std::io;
use std::path::{Path, PathBuf};

/// The folder of a handle below `parent`: named like it, or by its bytes when it would be no good name.
pub(super) fn of_handle(parent: &Path, handle: &str) -> PathBuf {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !handle.is_empty() && handle.len() <= 128 && handle.chars().all(good) {
        parent.join(handle)
    } else {
        parent.join(format!("{}.hex", hex::encode(handle)))
    }
}

/// Copies what is in a folder into a new one. Links and other special files are left out.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let target = to.join(entry.file_name());
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_file() {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
