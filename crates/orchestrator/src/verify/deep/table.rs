//! Records found by a name, on disk: 50 million of them take next to no memory.
//!
//! Names are kept as 16 bytes of their SHA-256. Those are spread evenly, so their first two bytes say where in the sorted file
//! a record is, up to a few neighbours.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::os::unix::fs::FileExt;

use sha2::{Digest as _, Sha256};

/// Files that records are spread over before they are sorted: each fits into memory then.
const PARTS: usize = 64;
/// Bytes of a [`Digest`].
const DIGEST: usize = 16;

/// What stands for a name: two different ones never share it.
pub(super) type Digest = [u8; DIGEST];

/// The digest of a name.
pub(super) fn digest_of(name: &str) -> Digest {
    let whole: [u8; 32] = Sha256::digest(name).into();
    let mut digest = Digest::default();
    digest.copy_from_slice(&whole[..DIGEST]);
    digest
}

/// A table that is being filled, in any order.
pub(super) struct TableBuilder<const WIDTH: usize> {
    parts: Vec<BufWriter<File>>,
}

impl<const WIDTH: usize> TableBuilder<WIDTH> {
    pub(super) fn new() -> io::Result<Self> {
        let parts = (0..PARTS).map(|_| tempfile::tempfile().map(BufWriter::new)).collect::<io::Result<_>>()?;
        Ok(Self { parts })
    }

    pub(super) fn push(&mut self, digest: Digest, record: [u8; WIDTH]) -> io::Result<()> {
        let part = &mut self.parts[usize::from(digest[0]) * PARTS / 256];
        part.write_all(&digest)?;
        part.write_all(&record)
    }

    /// Sorts. Of records with one name only one stays.
    pub(super) fn finish(self) -> io::Result<Table<WIDTH>> {
        let mut sorted = BufWriter::new(tempfile::tempfile()?);
        let mut starts = vec![0_u64; (1 << 16) + 1];
        let mut rows = 0;
        for part in self.parts {
            let mut part = part.into_inner().map_err(io::IntoInnerError::into_error)?;
            part.rewind()?;
            let mut bytes = Vec::new();
            part.read_to_end(&mut bytes)?;
            let mut records: Vec<&[u8]> = bytes.chunks_exact(DIGEST + WIDTH).collect();
            records.sort_unstable();
            records.dedup_by(|one, other| one[..DIGEST] == other[..DIGEST]);
            for record in records {
                sorted.write_all(record)?;
                rows += 1;
                starts[place_of(record) + 1] = rows;
            }
        }
        for place in 1..starts.len() {
            starts[place] = starts[place].max(starts[place - 1]);
        }
        Ok(Table { file: sorted.into_inner().map_err(io::IntoInnerError::into_error)?, starts })
    }
}

/// The first two bytes of a digest as a number.
fn place_of(digest: &[u8]) -> usize {
    usize::from(digest[0]) << 8 | usize::from(digest[1])
}

/// A sorted table. Any number of threads may look into it.
pub(super) struct Table<const WIDTH: usize> {
    file: File,
    /// For each value of a digest's first two bytes the number of records before it.
    starts: Vec<u64>,
}

impl<const WIDTH: usize> Table<WIDTH> {
    pub(super) fn get(&self, digest: &Digest) -> io::Result<Option<[u8; WIDTH]>> {
        let place = place_of(digest);
        let (from, to) = (self.starts[place], self.starts[place + 1]);
        let width = DIGEST + WIDTH;
        let mut bytes = vec![0; usize::try_from(to - from).unwrap_or_default() * width];
        self.file.read_exact_at(&mut bytes, from * width as u64)?;
        let found = bytes.chunks_exact(width).find(|record| record[..DIGEST] == *digest);
        Ok(found.and_then(|record| record[DIGEST..].try_into().ok()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_found_again() {
        let mut builder = TableBuilder::<4>::new().unwrap();
        for number in (0..10_000_u32).rev() {
            builder.push(digest_of(&format!("name {number}")), number.to_le_bytes()).unwrap();
        }
        builder.push(digest_of("name 7"), 7_u32.to_le_bytes()).unwrap();
        let table = builder.finish().unwrap();
        for number in 0..10_000_u32 {
            let found = table.get(&digest_of(&format!("name {number}"))).unwrap();
            assert_eq!(found.map(u32::from_le_bytes), Some(number));
        }
        assert_eq!(table.get(&digest_of("name 10000")).unwrap(), None);
        assert_eq!(TableBuilder::<4>::new().unwrap().finish().unwrap().get(&digest_of("name")).unwrap(), None);
    }
}
