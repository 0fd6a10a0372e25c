//! Every commit of the metadata stream: its trees are read, and every file in them is looked up.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use pachyderm::hashtree::Form;
use pachyderm::stream::{OpView, Reader, view};

use super::catalogue::{Catalogue, Lack, short};
use super::findings::Findings;
use super::on_disk;
use super::table::{Digest, digest_of};
use super::tree::{TreeError, TreeFile, TreeSum, walk};
use crate::bucket_reader::BucketReader;
use crate::error::{Error, ErrorKind, Result};
use crate::verify::{Check, Defect, Finding};

/// Commits that are looked at side by side.
const AT_ONCE: usize = 8;

/// What all threads share.
struct Shared {
    catalogue: Arc<Catalogue>,
    reader: BucketReader,
    /// Trees without any finding: what many commits have in common is read once.
    clean: Mutex<HashMap<Digest, TreeSum>>,
    list: Option<Mutex<FileList>>,
    commits: Findings,
    files: Findings,
    sum: Mutex<Sum>,
}

#[derive(Clone, Copy, Default)]
struct Sum {
    commits: u64,
    trees: u64,
    without: u64,
    files: u64,
    bytes: u64,
}

/// A commit, as far as it is looked at.
struct Commit {
    /// Repo and id, as pachctl writes them.
    name: String,
    repo: String,
    id: String,
    trees: Vec<(Form, String)>,
    datums: Option<String>,
    size: u64,
}

/// A list of files, being written.
pub(super) type FileList = BufWriter<File>;

/// Reads all of them. With `list`, a line for each file of each commit is written there: repo, commit, path, bytes.
pub(super) async fn check(
    stream: PathBuf,
    catalogue: Arc<Catalogue>,
    reader: BucketReader,
    list: Option<FileList>,
) -> Result<Vec<Check>> {
    let shared = Arc::new(Shared {
        catalogue,
        reader,
        clean: Mutex::default(),
        list: list.map(Mutex::new),
        commits: Findings::default(),
        files: Findings::default(),
        sum: Mutex::default(),
    });
    let (sender, receiver) = sync_channel(AT_ONCE);
    let receiver = Arc::new(Mutex::new(receiver));
    let mut threads = vec![tokio::task::spawn_blocking(move || {
        // The others have ended when nobody takes any more, and say why themselves.
        each_commit(&stream, |commit| sender.send(commit).is_ok())
    })];
    for _ in 0..AT_ONCE {
        let (shared, receiver) = (Arc::clone(&shared), Arc::clone(&receiver));
        threads.push(tokio::task::spawn_blocking(move || shared.work(&receiver)));
    }
    drop(receiver);
    for thread in threads {
        thread
            .await
            .map_err(|cause| Error::new(ErrorKind::Failed, "the check of the commits ended early").because(cause))??;
    }
    let shared = Arc::into_inner(shared)
        .ok_or_else(|| Error::new(ErrorKind::Failed, "the check of the commits has not ended"))?;
    if let Some(list) = shared.list {
        let mut list = list.into_inner().unwrap_or_else(PoisonError::into_inner);
        list.flush().map_err(on_disk)?;
    }
    let sum = shared.sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    let of_commits = format!("{} read, with {} trees; {} have none", sum.commits, sum.trees, sum.without);
    let of_files = format!("{} of all commits, {} bytes, each found where its tree says", sum.files, sum.bytes);
    Ok(vec![shared.commits.into_check("commits", of_commits), shared.files.into_check("files", of_files)])
}

/// Begins a list of files, readable by its owner.
///
/// # Errors
/// `Configuration` when there is such a file, or it can't be made.
pub(super) fn create_list(path: &Path) -> Result<FileList> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(|cause| {
        let message = format!("the list of files can't be written to {}", path.display());
        Error::new(ErrorKind::Configuration, message).because(cause).advise("name a file that doesn't exist yet")
    })?;
    Ok(BufWriter::new(file))
}

fn each_commit(stream: &Path, mut take: impl FnMut(Commit) -> bool) -> Result<()> {
    let damaged = || Error::new(ErrorKind::Damaged, "the metadata stream can't be read");
    let mut reader = Reader::new(BufReader::new(File::open(stream).map_err(on_disk)?));
    while let Some(op) = reader.next_op().map_err(|cause| damaged().because(cause))? {
        let OpView::Commit { commit, tree, trees, datums, size_bytes, .. } =
            view(&op).map_err(|cause| damaged().because(cause))?
        else {
            continue;
        };
        let named = |hash: &&str| !hash.is_empty();
        let of_users = tree.into_iter().filter(named).map(|hash| (Form::Serialised, hash.to_owned()));
        let of_workers = trees.into_iter().filter(named).map(|hash| (Form::NodeStream, hash.to_owned()));
        let commit = Commit {
            name: format!("{}@{}", commit.repo, commit.id),
            repo: commit.repo.to_owned(),
            id: commit.id.to_owned(),
            trees: of_users.chain(of_workers).collect(),
            datums: datums.filter(named).map(str::to_owned),
            size: size_bytes,
        };
        if !take(commit) {
            break;
        }
    }
    Ok(())
}

impl Shared {
    fn work(&self, commits: &Mutex<Receiver<Commit>>) -> Result<()> {
        loop {
            let next = commits.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(commit) = next else { return Ok(()) };
            self.look_at(&commit)?;
        }
    }

    fn look_at(&self, commit: &Commit) -> Result<()> {
        if let Some(hash) = &commit.datums
            && let Err(lack) = self.catalogue.object(hash).map_err(on_disk)?
        {
            self.unreadable(commit, format!("the list of its datums: {}", lack.what), lack.at_source);
        }
        let (mut sum, mut whole) = (TreeSum::default(), true);
        for (form, hash) in &commit.trees {
            match self.tree(commit, *form, hash)? {
                Some(tree) => {
                    sum.files += tree.files;
                    sum.bytes += tree.bytes;
                    sum.claimed += tree.claimed;
                }
                None => whole = false,
            }
        }
        // Streams of old releases have no sizes.
        if whole && commit.size != 0 && commit.size != sum.claimed {
            self.commits.add(Finding {
                defect: Defect::CommitSize,
                subject: commit.name.clone(),
                detail: format!("it has {} bytes, its files {}", commit.size, sum.claimed),
                at_source: false,
            });
        }
        let mut all = self.sum.lock().unwrap_or_else(PoisonError::into_inner);
        all.commits += 1;
        all.trees += commit.trees.len() as u64;
        all.without += u64::from(commit.trees.is_empty());
        all.files += sum.files;
        all.bytes += sum.bytes;
        Ok(())
    }

    /// What a tree holds; `None` when it can't be read.
    fn tree(&self, commit: &Commit, form: Form, hash: &str) -> Result<Option<TreeSum>> {
        let digest = digest_of(hash);
        let known = self.clean.lock().unwrap_or_else(PoisonError::into_inner).get(&digest).copied();
        if known.is_some() && self.list.is_none() {
            return Ok(known);
        }
        let mut is_clean = true;
        let mut visit = |file: TreeFile<'_>| {
            if let Some((defect, lack)) = defect_of(&file) {
                is_clean = false;
                let Lack { what: detail, at_source } = lack;
                self.files.add(Finding {
                    defect,
                    subject: format!("{}:{}", commit.name, file.path),
                    detail,
                    at_source,
                });
            } else if let (Some(list), Ok(bytes)) = (&self.list, &file.bytes) {
                let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
                writeln!(list, "{}\t{}\t{}\t{bytes}", commit.repo, commit.id, file.path)?;
            }
            io::Result::Ok(())
        };
        match walk(&self.reader, &self.catalogue, form, hash, &mut visit) {
            Ok(sum) => {
                if is_clean {
                    self.clean.lock().unwrap_or_else(PoisonError::into_inner).insert(digest, sum);
                }
                Ok(Some(sum))
            }
            Err(TreeError::Lacking(lack)) => {
                let detail = format!("its tree {}…: {}", short(hash), lack.what);
                self.unreadable(commit, detail, lack.at_source);
                Ok(None)
            }
            Err(TreeError::Damaged(what)) => {
                let (subject, detail) = (commit.name.clone(), format!("its tree {}…: {what}", short(hash)));
                self.commits.add(Finding { defect: Defect::TreeDamaged, subject, detail, at_source: false });
                Ok(None)
            }
            Err(TreeError::Unreachable(cause)) => {
                let message = format!("reading the tree of {} failed", commit.name);
                Err(Error::new(ErrorKind::Unreachable, message).because(cause))
            }
        }
    }

    fn unreadable(&self, commit: &Commit, detail: String, at_source: bool) {
        let subject = commit.name.clone();
        self.commits.add(Finding { defect: Defect::CommitUnreadable, subject, detail, at_source });
    }
}

fn defect_of(file: &TreeFile<'_>) -> Option<(Defect, Lack)> {
    match (&file.bytes, file.claimed) {
        (Err(lack), _) => Some((Defect::FileUnreadable, lack.clone())),
        (Ok(bytes), Some(claimed)) => {
            let what = format!("its tree says {claimed} bytes, and points to {bytes}");
            Some((Defect::FileSize, Lack { what, at_source: false }))
        }
        (Ok(_), None) => None,
    }
}
