//! What the clone holds, to be asked for one thing at a time: which blocks, how long, and where each object is.

use std::io;

use pachyderm::layout::{BlockRef, KeyKind, Layout};

use super::table::{Digest, Table, TableBuilder, digest_of};
use crate::clone::Compared;

/// A block is in the clone.
const THERE: u8 = 1;
/// It has the size that the inventory says.
const AS_RECORDED: u8 = 2;

/// The blocks of a clone, and their `-index` values.
pub(super) struct Blocks {
    table: Table<9>,
}

/// [`Blocks`] being collected from a listing.
pub(super) struct BlocksBuilder {
    layout: Layout,
    table: TableBuilder<9>,
    failed: Option<io::Error>,
    pub(super) counts: Counts,
}

/// How many keys there are to look into.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) objects: u64,
    pub(super) tags: u64,
    /// Values of a compaction that no release since 1.8 makes; nothing here reads them.
    pub(super) compacted: u64,
}

impl BlocksBuilder {
    pub(super) fn new(layout: Layout) -> io::Result<Self> {
        Ok(Self { layout, table: TableBuilder::new()?, failed: None, counts: Counts::default() })
    }

    /// One key of the listing.
    pub(super) fn add(&mut self, compared: Compared<'_>) {
        let name = match self.layout.classify(compared.key) {
            KeyKind::Block { id } => id,
            KeyKind::BlockIndex { id } => index_of(&id),
            KeyKind::Object { .. } => return self.counts.objects += 1,
            KeyKind::Tag { .. } => return self.counts.tags += 1,
            KeyKind::Index { .. } => return self.counts.compacted += 1,
            _ => return,
        };
        let mut record = [0; 9];
        record[0] =
            (u8::from(compared.size.is_some()) * THERE) | (u8::from(compared.size == compared.recorded) * AS_RECORDED);
        record[1..].copy_from_slice(&compared.size.unwrap_or_default().to_le_bytes());
        if let Err(error) = self.table.push(digest_of(&name), record) {
            self.failed.get_or_insert(error);
        }
    }

    pub(super) fn finish(self) -> io::Result<Blocks> {
        match self.failed {
            Some(error) => Err(error),
            None => Ok(Blocks { table: self.table.finish()? }),
        }
    }
}

fn index_of(id: &str) -> String {
    format!("{id}-index")
}

/// Why something can't be read from the clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lack {
    pub(super) what: String,
    /// Whether the inventory lacks it too. Then the source did, when the recovery point was taken, unless whatever points to it
    /// is damaged: only trees are known not to be, by their hash.
    pub(super) at_source: bool,
}

impl Blocks {
    /// Whether the bytes of a block up to `upper` are there.
    pub(super) fn reach(&self, block: &str, upper: u64) -> io::Result<Result<(), Lack>> {
        self.reaches(&digest_of(block), upper, || format!("block {block}"))
    }

    /// Whether a block has its `-index`, which pachd finds files of an output commit by.
    pub(super) fn have_index(&self, block: &str) -> io::Result<Result<(), Lack>> {
        self.reaches(&digest_of(&index_of(block)), 0, || format!("block {}", index_of(block)))
    }

    fn reaches(&self, block: &Digest, upper: u64, name: impl Fn() -> String) -> io::Result<Result<(), Lack>> {
        let Some(record) = self.table.get(block)? else {
            return Ok(Err(Lack { what: format!("{} is missing", name()), at_source: true }));
        };
        let size = number_in(&record);
        Ok(if record[0] & THERE == 0 {
            Err(Lack { what: format!("{} is missing", name()), at_source: false })
        } else if size < upper {
            let at_source = record[0] & AS_RECORDED != 0;
            Err(Lack { what: format!("{} has {size} bytes, not {upper}", name()), at_source })
        } else {
            Ok(())
        })
    }
}

/// What an `object/` value says, and whether its bytes are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// So many bytes.
    Whole(u64),
    /// The value is in the inventory, not in the clone.
    Missing,
    /// The value is no place in a block, or its bytes aren't there.
    Broken,
}

/// The objects of a clone.
pub(super) struct Objects {
    table: Table<9>,
}

/// [`Objects`] being collected.
pub(super) struct ObjectsBuilder {
    table: TableBuilder<9>,
}

impl ObjectsBuilder {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { table: TableBuilder::new()? })
    }

    pub(super) fn add(&mut self, hash: &str, entry: Entry) -> io::Result<()> {
        let (state, length) = match entry {
            Entry::Whole(length) => (0, length),
            Entry::Missing => (1, 0),
            Entry::Broken => (2, 0),
        };
        let mut record = [state; 9];
        record[1..].copy_from_slice(&length.to_le_bytes());
        self.table.push(digest_of(hash), record)
    }

    pub(super) fn finish(self) -> io::Result<Objects> {
        Ok(Objects { table: self.table.finish()? })
    }
}

impl Objects {
    fn entry(&self, hash: &str) -> io::Result<Option<Entry>> {
        Ok(self.table.get(&digest_of(hash))?.map(|record| match record[0] {
            0 => Entry::Whole(number_in(&record)),
            1 => Entry::Missing,
            _ => Entry::Broken,
        }))
    }
}

/// Blocks and objects.
pub(super) struct Catalogue {
    pub(super) blocks: Blocks,
    pub(super) objects: Objects,
}

impl Catalogue {
    /// The length of an object whose bytes are all there.
    pub(super) fn object(&self, hash: &str) -> io::Result<Result<u64, Lack>> {
        let lack = |what: &str, at_source| Err(Lack { what: format!("object {} {what}", short(hash)), at_source });
        Ok(match self.objects.entry(hash)? {
            Some(Entry::Whole(length)) => Ok(length),
            Some(Entry::Missing) => lack("is missing", false),
            Some(Entry::Broken) => lack("has no bytes", false),
            None => lack("is missing", true),
        })
    }

    /// The length of a range of a block whose bytes are all there.
    pub(super) fn range(&self, place: &BlockRef) -> io::Result<Result<u64, Lack>> {
        let Some(length) = place.upper.checked_sub(place.lower) else {
            let what = format!("bytes {} to {} of block {} can't be", place.lower, place.upper, place.block);
            return Ok(Err(Lack { what, at_source: true }));
        };
        Ok(self.blocks.reach(&place.block, place.upper)?.map(|()| length))
    }
}

/// What follows the first byte of a record.
fn number_in(record: &[u8; 9]) -> u64 {
    let [_, number @ ..] = *record;
    u64::from_le_bytes(number)
}

/// The beginning of a hash: enough to find it.
pub(super) fn short(hash: &str) -> &str {
    hash.get(..16).unwrap_or(hash)
}
