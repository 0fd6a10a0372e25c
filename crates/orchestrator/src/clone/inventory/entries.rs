//! Entries of an inventory, one after the other.

use std::path::PathBuf;

use provider::Key;

use super::{InventoryEntry, reader};
use crate::clone::Result;
use crate::clone::feed::{Batched, Feed};

/// Entries sorted by the key in the clone, read in the background as they are taken.
#[derive(Debug)]
pub struct Entries(Source);

#[derive(Debug)]
enum Source {
    Files(Batched<InventoryEntry>),
    Merged(Vec<Head>),
}

/// One of several sorted inputs, with its next entry.
#[derive(Debug)]
struct Head {
    next: Next,
    rest: Entries,
}

#[derive(Debug)]
enum Next {
    NotRead,
    Entry(Box<InventoryEntry>),
    End,
}

impl Head {
    fn key(&self) -> Option<&Key> {
        match &self.next {
            Next::Entry(entry) => Some(&entry.destination_key),
            Next::NotRead | Next::End => None,
        }
    }
}

impl Entries {
    /// Entries of files that follow one another in the order of their keys.
    pub(super) fn of_files(paths: Vec<PathBuf>) -> Self {
        let feed = Feed::start_blocking(1, move |groups| {
            let mut last = None;
            for path in paths {
                if !reader::send_groups(&path, &mut last, &groups)? {
                    break;
                }
            }
            Ok(())
        });
        Self(Source::Files(Batched::new(feed)))
    }

    /// A few sorted inputs as one.
    pub(super) fn merged(inputs: Vec<Self>) -> Self {
        Self(Source::Merged(inputs.into_iter().map(|rest| Head { next: Next::NotRead, rest }).collect()))
    }

    /// The next entry; `None` at the end.
    ///
    /// # Errors
    /// [`CloneError::InventoryFile`](crate::clone::CloneError::InventoryFile),
    /// [`CloneError::InventoryFormat`](crate::clone::CloneError::InventoryFormat).
    pub async fn next(&mut self) -> Result<Option<InventoryEntry>> {
        match &mut self.0 {
            Source::Files(files) => files.next().await,
            Source::Merged(heads) => {
                for head in heads.iter_mut() {
                    if matches!(head.next, Next::NotRead) {
                        head.next = match Box::pin(head.rest.next()).await? {
                            Some(entry) => Next::Entry(Box::new(entry)),
                            None => Next::End,
                        };
                    }
                }
                let least = heads.iter().enumerate().filter_map(|(number, head)| Some((head.key()?, number))).min();
                let Some((_, number)) = least else { return Ok(None) };
                let least = &mut heads[number];
                match std::mem::replace(&mut least.next, Next::NotRead) {
                    Next::Entry(entry) => Ok(Some(*entry)),
                    _ => Ok(None),
                }
            }
        }
    }
}
