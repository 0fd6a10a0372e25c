//! Damaging one part of the demo's recovery point, so that a newcomer can watch `verify` name it.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use pachyderm::stream::{OpView, Reader, view};

/// What to damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum BreakablePart {
    /// Change one byte of the manifest
    Manifest,
    /// Cut the end of the metadata stream off
    Stream,
    /// Change one byte of etcd's snapshot
    Etcd,
    /// Remove one file of the inventory
    Inventory,
    /// Remove one block of the clone
    Block,
    /// Remove one object entry of the clone
    Object,
    /// Remove the tree of one commit from the clone
    Tree,
    /// Let one tag of the clone point nowhere
    Tag,
    /// Change one byte of content in the clone, without changing the file's time
    Content,
}

impl BreakablePart {
    /// Damages it, and says what was done.
    ///
    /// # Errors
    /// Those of the files.
    pub(super) fn damage(self, folder: &Path) -> io::Result<String> {
        let vault = only_folder(&folder.join("vault/alpha"))?;
        let clone = only_folder(&folder.join("clones/alpha"))?.join("pach");
        let file = match self {
            Self::Manifest => vault.join("manifest.json"),
            Self::Stream => vault.join("metadata.pachd"),
            Self::Etcd => vault.join("etcd.snapshot.db"),
            Self::Inventory => files(&vault.join("inventory"))?.swap_remove(0),
            Self::Block | Self::Content => largest(files(&clone.join("block"))?)?,
            Self::Object => files(&clone.join("object"))?.swap_remove(0),
            Self::Tree => clone.join("object").join(a_tree(&vault.join("metadata.pachd"))?),
            Self::Tag => files(&clone.join("tag"))?.swap_remove(0),
        };
        let done = match self {
            Self::Manifest | Self::Etcd => {
                flip_byte(&file)?;
                "One byte was changed in"
            }
            Self::Stream => {
                let length = fs::metadata(&file)?.len();
                File::options().write(true).open(&file)?.set_len(length - 10)?;
                "The last ten bytes were cut off"
            }
            Self::Tag => {
                fs::write(&file, "")?;
                "Emptied:"
            }
            Self::Content => {
                let modified = fs::metadata(&file)?.modified()?;
                flip_byte(&file)?;
                File::options().write(true).open(&file)?.set_modified(modified)?;
                "One byte was changed, under the same time, in"
            }
            Self::Inventory | Self::Block | Self::Object | Self::Tree => {
                fs::remove_file(&file)?;
                "Removed:"
            }
        };
        Ok(format!("{done} {}", file.display()))
    }
}

fn flip_byte(file: &Path) -> io::Result<()> {
    let mut bytes = fs::read(file)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes)
}

fn only_folder(folder: &Path) -> io::Result<PathBuf> {
    let found = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    let found = found.into_iter().map(|entry| entry.path()).find(|path| path.is_dir());
    found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{} is empty", folder.display())))
}

/// The files of a folder, by name; at least one.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        files.push(entry?.path());
    }
    files.sort();
    if files.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("{} is empty", folder.display())));
    }
    Ok(files)
}

fn largest(files: Vec<PathBuf>) -> io::Result<PathBuf> {
    let size = |file: &PathBuf| fs::metadata(file).map_or(0, |metadata| metadata.len());
    files.into_iter().max_by_key(size).ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// The object that holds the tree of a commit.
fn a_tree(stream: &Path) -> io::Result<String> {
    let mut reader = Reader::new(BufReader::new(File::open(stream)?));
    while let Some(op) = reader.next_op().map_err(io::Error::other)? {
        if let OpView::Commit { commit, tree: Some(tree), .. } = view(&op).map_err(io::Error::other)?
            && commit.repo != "__spec__"
        {
            return Ok(tree.to_owned());
        }
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "no commit has a tree"))
}
