//! Sorts more than fits into memory: runs of bounded size on disk, merged as they are read.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{CloneError, Result};

fn scratch(source: io::Error) -> CloneError {
    CloneError::InventoryFile { path: std::env::temp_dir(), source }
}

/// Bytes of one run in memory.
const RUN: usize = 4 << 20;

/// Collects values, in any order, by their keys.
#[derive(Debug)]
pub(super) struct ExternalSort<T> {
    run: Vec<(String, T)>,
    size: usize,
    largest: usize,
    files: Vec<File>,
}

impl<T: Serialize + DeserializeOwned> ExternalSort<T> {
    pub(super) fn new() -> Self {
        Self::with_runs_of(RUN)
    }

    fn with_runs_of(largest: usize) -> Self {
        Self { run: Vec::new(), size: 0, largest, files: Vec::new() }
    }

    /// Adds a value. Blocks when a run is full.
    pub(super) fn push(&mut self, key: String, value: T) -> Result<()> {
        self.size += key.len() + size_of::<(String, T)>();
        self.run.push((key, value));
        if self.size >= self.largest { self.spill().map_err(scratch) } else { Ok(()) }
    }

    fn spill(&mut self) -> io::Result<()> {
        self.run.sort_by(|one, other| one.0.cmp(&other.0));
        let mut file = BufWriter::new(tempfile::tempfile()?);
        for pair in self.run.drain(..) {
            serde_json::to_writer(&mut file, &pair)?;
            file.write_all(b"\n")?;
        }
        let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        self.files.push(file);
        self.size = 0;
        Ok(())
    }

    /// Everything that was added, sorted by key.
    pub(super) fn sorted(mut self) -> Result<Sorted<T>> {
        if !self.run.is_empty() {
            self.spill().map_err(scratch)?;
        }
        let mut sorted = Sorted { runs: Vec::new(), heads: BinaryHeap::new(), values: Vec::new() };
        for file in self.files {
            sorted.runs.push(BufReader::new(file));
            sorted.values.push(None);
            sorted.read(sorted.runs.len() - 1).map_err(scratch)?;
        }
        Ok(sorted)
    }
}

/// Values sorted by their keys; one of each run is in memory.
#[derive(Debug)]
pub(super) struct Sorted<T> {
    runs: Vec<BufReader<File>>,
    heads: BinaryHeap<Reverse<(String, usize)>>,
    values: Vec<Option<T>>,
}

impl<T: DeserializeOwned> Sorted<T> {
    /// The next value; blocks for as long as a line of a file takes to read.
    pub(super) fn next(&mut self) -> Result<Option<(String, T)>> {
        let Some(Reverse((key, run))) = self.heads.pop() else { return Ok(None) };
        let value = self.values[run].take();
        self.read(run).map_err(scratch)?;
        Ok(value.map(|value| (key, value)))
    }

    fn read(&mut self, run: usize) -> io::Result<()> {
        let mut line = String::new();
        if self.runs[run].read_line(&mut line)? == 0 {
            return Ok(());
        }
        let (key, value): (String, T) = serde_json::from_str(&line)?;
        self.heads.push(Reverse((key, run)));
        self.values[run] = Some(value);
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_in_the_order_of_their_keys() {
        for count in [0_u64, 1, 7, 5000] {
            let mut sort = ExternalSort::with_runs_of(4096);
            for number in 0..count {
                // Odd, so that it visits every number below the power of two.
                let scattered = number.wrapping_mul(2_654_435_761) % (1 << 32);
                sort.push(format!("{scattered:010}\n\"é"), number).unwrap();
            }
            assert_eq!(sort.files.len() > 3, count == 5000);
            let mut sorted = sort.sorted().unwrap();
            let mut keys = Vec::new();
            while let Some((key, number)) = sorted.next().unwrap() {
                assert_eq!(key, format!("{:010}\n\"é", number.wrapping_mul(2_654_435_761) % (1 << 32)));
                keys.push(key);
            }
            assert_eq!(keys.len() as u64, count);
            assert!(keys.is_sorted());
        }
    }
}
