//! Entries of an inventory, one after the other, sorted by key.

use std::collections::VecDeque;
use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::statistics::Statistics;
use provider::Key;

use super::columns::{self, general};
use super::schema::check;
use super::{InventoryEntry, InventoryPart, PartFacts};
use crate::clone::range::KeyRange;
use crate::clone::{CloneError, Result};

/// Entries sorted by the source's key. One group of rows is in memory for each series of parts that follow one another;
/// usually that is one.
pub struct Entries {
    series: Vec<Series>,
    range: KeyRange,
}

impl std::fmt::Debug for Entries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entries").field("range", &self.range).finish_non_exhaustive()
    }
}

/// Parts whose keys follow one another.
struct Series {
    parts: VecDeque<InventoryPart>,
    open: Option<OpenPart>,
    group: VecDeque<InventoryEntry>,
    /// Whether the whole group that was read last lies in the range.
    inside: bool,
    last: Option<Key>,
}

struct OpenPart {
    path: PathBuf,
    file: SerializedFileReader<File>,
    next_group: usize,
}

impl Entries {
    pub(super) fn new(mut parts: Vec<InventoryPart>, range: KeyRange) -> Self {
        parts.sort_by(|one, other| one.facts.ends.cmp(&other.facts.ends));
        let mut series: Vec<Series> = Vec::new();
        for part in parts {
            let fits = |series: &&mut Series| match (series.parts.back(), &part.facts.ends) {
                (Some(last), Some((first, _))) => last.facts.ends.as_ref().is_some_and(|(_, last)| last < first),
                _ => false,
            };
            match series.iter_mut().find(fits) {
                Some(series) => series.parts.push_back(part),
                None => series.push(Series {
                    parts: VecDeque::from([part]),
                    open: None,
                    group: VecDeque::new(),
                    inside: false,
                    last: None,
                }),
            }
        }
        Self { series, range }
    }

    /// The next entry; `None` at the end.
    ///
    /// # Errors
    /// [`CloneError::InventoryFile`], [`CloneError::InventoryFormat`], the latter also for keys out of order or twice.
    pub async fn next(&mut self) -> Result<Option<InventoryEntry>> {
        if let [only] = self.series.as_mut_slice() {
            return Ok(if only.peek(&self.range).await?.is_some() { only.group.pop_front() } else { None });
        }
        let mut least: Option<usize> = None;
        for number in 0..self.series.len() {
            let Some(key) = self.series[number].peek(&self.range).await? else { continue };
            let key = key.clone();
            let smaller = match least {
                Some(least) => match self.series[least].group.front() {
                    Some(other) if other.source_key == key => return Err(self.series[number].twice(&key)),
                    Some(other) => key < other.source_key,
                    None => true,
                },
                None => true,
            };
            if smaller {
                least = Some(number);
            }
        }
        Ok(least.and_then(|least| self.series[least].group.pop_front()))
    }
}

impl Series {
    /// Key of the next entry in the range.
    async fn peek(&mut self, range: &KeyRange) -> Result<Option<&Key>> {
        loop {
            let outside = |entry: &InventoryEntry| !range.contains(entry.source_key.as_str());
            while !self.inside && self.group.front().is_some_and(outside) {
                let skipped = self.group.pop_front().map(|entry| entry.source_key);
                let behind = |key: Key| {
                    range.through.as_ref().is_some_and(|through| key > *through)
                        || (key.as_str() > range.prefix.as_str() && !key.as_str().starts_with(&range.prefix))
                };
                if skipped.is_some_and(behind) {
                    self.parts.clear();
                    self.group.clear();
                    self.open = None;
                }
            }
            if !self.group.is_empty() {
                break;
            }
            if !self.read_group(range).await? {
                return Ok(None);
            }
        }
        Ok(self.group.front().map(|entry| &entry.source_key))
    }

    /// Reads the next group of rows; `false` at the end.
    async fn read_group(&mut self, range: &KeyRange) -> Result<bool> {
        let next = match self.open.take() {
            Some(open) => Next::Open(open),
            None => match self.parts.pop_front() {
                Some(part) => Next::Path(part.path),
                None => return Ok(false),
            },
        };
        let after = range.after.clone();
        let read = move || -> Result<(Option<OpenPart>, Vec<InventoryEntry>)> {
            let mut part = match next {
                Next::Open(part) => part,
                Next::Path(path) => OpenPart::open(path)?,
            };
            let entries = part.next(after.as_ref())?;
            Ok((entries.is_some().then_some(part), entries.unwrap_or_default()))
        };
        let (open, entries) = tokio::task::spawn_blocking(read)
            .await
            .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
        let mut last = self.last.as_ref();
        for entry in &entries {
            if last.is_some_and(|last| *last >= entry.source_key) {
                return Err(self.twice(&entry.source_key));
            }
            last = Some(&entry.source_key);
        }
        self.last = last.cloned();
        let ends = entries.first().zip(entries.last());
        self.inside = ends.is_some_and(|(first, last)| {
            range.contains(first.source_key.as_str()) && range.contains(last.source_key.as_str())
        });
        self.open = open;
        self.group = entries.into();
        Ok(true)
    }

    fn twice(&self, key: &Key) -> CloneError {
        let path = self.open.as_ref().map(|open| open.path.clone()).unwrap_or_default();
        CloneError::InventoryFormat {
            path,
            source: general(format!("{:?} is out of order, or there twice", key.as_str())),
        }
    }
}

enum Next {
    Open(OpenPart),
    Path(PathBuf),
}

impl OpenPart {
    fn open(path: PathBuf) -> Result<Self> {
        let (file, _) = open(&path)?;
        Ok(Self { path, file, next_group: 0 })
    }

    /// The next group that may hold keys after this one; `None` at the end.
    fn next(&mut self, after: Option<&Key>) -> Result<Option<Vec<InventoryEntry>>> {
        while self.next_group < self.file.num_row_groups() {
            let number = self.next_group;
            self.next_group += 1;
            if after.is_some_and(|after| self.ends_before(number, after)) {
                continue;
            }
            let group = self.file.get_row_group(number).and_then(|group| columns::read(&*group));
            return group.map(Some).map_err(|source| CloneError::InventoryFormat { path: self.path.clone(), source });
        }
        Ok(None)
    }

    fn ends_before(&self, group: usize, after: &Key) -> bool {
        match self.file.metadata().row_group(group).column(0).statistics() {
            Some(Statistics::ByteArray(keys)) => {
                keys.max_opt().is_some_and(|last| last.data() <= after.as_str().as_bytes())
            }
            _ => false,
        }
    }
}

/// What a part says of itself, and how many objects it has.
pub(super) fn facts_and_rows(path: &Path) -> Result<(PartFacts, u64)> {
    let (file, facts) = open(path)?;
    let rows = file.metadata().file_metadata().num_rows();
    Ok((facts, u64::try_from(rows).unwrap_or_default()))
}

fn open(path: &Path) -> Result<(SerializedFileReader<File>, PartFacts)> {
    let file = File::open(path).map_err(|source| CloneError::InventoryFile { path: path.to_owned(), source })?;
    let checked = || -> std::result::Result<_, ParquetError> {
        let file = SerializedFileReader::new(file)?;
        let facts = check(file.metadata().file_metadata())?;
        Ok((file, facts))
    };
    checked().map_err(|source| CloneError::InventoryFormat { path: path.to_owned(), source })
}
