//! The deep check: every file of every commit is found, down to its bytes.
//!
//! pachd's own restore succeeds over an empty bucket, and its fsck finds nothing wrong there. Here the clone is listed, every
//! `object/` and `tag/` value is read, every commit's trees are read and hashed, and every file in them is looked up: its
//! objects, their blocks, and that those are long enough. Memory does not grow with the number of objects: what has to be
//! looked up lies sorted on disk.
//!
//! ```text
//! listing ─► blocks ─► objects ─► tags
//!                        └──────► commits of the stream ─► trees ─► files
//! etcd's snapshot ─► the stream that it would give ≡ the stream
//! ```

mod catalogue;
mod commits;
mod findings;
mod keys;
mod objects;
mod table;
mod tags;
mod tree;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use provider::Bucket;

use self::catalogue::{BlocksBuilder, Catalogue};
use super::boot::{self, EtcdPrograms};
use super::stream_against_etcd::{self, Witnesses};
use super::{Check, listing};
use crate::bucket_reader::BucketReader;
use crate::clone::Inventory;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Events;
use crate::manifest::{Manifest, StreamWitness};

/// Which objects are read whole and hashed, to be compared with their names. Trees always are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// None.
    None,
    /// About so many, spread evenly over all, others each time.
    Sample(u64),
    /// All.
    All,
}

impl Contents {
    /// Which of `all` numbers are taken.
    fn of(self, all: u64) -> Picked {
        let step = match self {
            Self::None | Self::Sample(0) => return Picked(None),
            Self::All => 1,
            Self::Sample(wanted) => all.div_ceil(wanted).max(1),
        };
        let random = uuid::Uuid::new_v4().as_u64_pair().0;
        Picked(Some((step, random % step)))
    }
}

/// Every so-manieth number, beginning at one of them.
#[derive(Clone, Copy, Debug)]
struct Picked(Option<(u64, u64)>);

impl Picked {
    fn takes(self, number: u64) -> bool {
        self.0.is_some_and(|(step, first)| number % step == first)
    }
}

/// How a deep check looks.
#[derive(Clone, Debug)]
pub struct DeepSettings {
    /// Which contents are hashed.
    pub contents: Contents,
    /// Where a line for each file of each commit is written (repo, commit, path and bytes, separated by tabs); must not exist.
    pub files: Option<PathBuf>,
    /// Largest etcd snapshot, in bytes, that the stream is compared with: the live keys are held in memory.
    pub largest_comparison: u64,
    /// With these, an etcd is started from the snapshot.
    pub boot: Option<EtcdPrograms>,
}

/// A recovery point whose parts in the vault are whole.
pub(super) struct Point<'a> {
    pub(super) manifest: &'a Manifest,
    pub(super) inventory: &'a Inventory,
    pub(super) clone: Arc<dyn Bucket>,
    /// The metadata stream on this machine.
    pub(super) stream: PathBuf,
    /// etcd's snapshot on this machine.
    pub(super) etcd: Option<PathBuf>,
}

/// Looks at everything.
pub(super) async fn check(point: Point<'_>, settings: &DeepSettings, events: &Events) -> Result<Vec<Check>> {
    let Point { manifest, inventory, clone, stream, etcd } = point;
    let layout = manifest.cluster.layout().map_err(|what| Error::new(ErrorKind::Damaged, what))?;
    // Before hours of reading.
    let list = settings.files.as_deref().map(commits::create_list).transpose()?;
    let mut blocks = BlocksBuilder::new(layout.clone()).map_err(on_disk)?;
    let mut visit = |compared: crate::clone::Compared<'_>| blocks.add(compared);
    let mut checks = vec![listing::check(Arc::clone(&clone), inventory, &manifest.artifacts, &mut visit).await?];
    let counts = blocks.counts;
    events.note(format!("clone listed: {} object entries, {} tags to read", counts.objects, counts.tags));
    let blocks = blocks.finish().map_err(on_disk)?;
    let (objects, of_objects) =
        objects::read(&clone, inventory, &layout, &blocks, settings.contents.of(counts.objects)).await?;
    checks.extend(of_objects);
    let catalogue = Arc::new(Catalogue { blocks, objects });
    checks.push(tags::check(&clone, inventory, &layout, &catalogue).await?);
    if counts.compacted > 0 {
        let detail = format!("{} values of an old compaction are in the bucket, and were not read", counts.compacted);
        checks.push(Check::warning("index entries", detail));
    }
    events.note("object entries and tags read; reading trees");
    let reader = BucketReader::new(Arc::clone(&clone), layout);
    checks.extend(commits::check(stream.clone(), catalogue, reader, list).await?);
    if let (Some(programs), Some(snapshot), Some(recorded)) = (&settings.boot, &etcd, &manifest.artifacts.etcd) {
        checks.push(boot::check(programs, snapshot, recorded).await?);
    }
    checks.push(against_etcd(manifest, Witnesses { stream, etcd }, clone, settings.largest_comparison).await?);
    let conclusion = conclusion(&checks);
    checks.push(conclusion);
    Ok(checks)
}

async fn against_etcd(manifest: &Manifest, files: Witnesses, clone: Arc<dyn Bucket>, largest: u64) -> Result<Check> {
    const NAME: &str = "stream ≡ etcd";
    match stream_against_etcd::compare(&manifest.cluster, &manifest.artifacts, files, clone, largest).await {
        Ok(StreamWitness::Etcd { ops, open_commits, defects }) => {
            let mut detail = format!("etcd's snapshot tells the same {ops} ops");
            if open_commits > 0 {
                detail.push_str(&format!(", {open_commits} of open commits but for their end"));
            }
            if defects.is_empty() {
                return Ok(Check::ok(NAME, detail));
            }
            let detail = format!("{detail}; `pachctl restore` would stop at this stream: {}", defects.join(", "));
            Ok(Check::warning(NAME, detail))
        }
        Ok(StreamWitness::None { reason }) => Ok(Check::warning(NAME, format!("not compared: {reason}"))),
        Ok(StreamWitness::Recount) => Ok(Check::ok(NAME, "counted while the cluster was paused")),
        Err(error) if error.kind() == ErrorKind::Incomplete => Ok(Check::failed(NAME, crate::error::chain(&error))),
        Err(error) => Err(error),
    }
}

/// The one line: whether the three artifacts tell the same cluster, and what was compared.
fn conclusion(checks: &[Check]) -> Check {
    let name = "etcd ≡ stream ≡ bucket";
    let failed: Vec<&str> = checks.iter().filter(|check| !check.is_good()).map(|check| check.name.as_str()).collect();
    let compared = checks.iter().any(|check| check.name == "stream ≡ etcd" && check.verdict == super::Verdict::Ok);
    match (failed.is_empty(), compared) {
        (false, _) => Check::failed(name, format!("no: see {}", failed.join(", "))),
        (true, true) => Check::ok(
            name,
            "etcd's own snapshot, the metadata stream and the clone tell the same cluster; the disk snapshot itself was \
             not opened",
        ),
        (true, false) => {
            Check::warning(name, "stream and clone agree; etcd's snapshot was not compared, for the reason above")
        }
    }
}

/// A failure of this machine's disk.
pub(super) fn on_disk(cause: io::Error) -> Error {
    Error::new(ErrorKind::Failed, "a scratch file of this machine failed")
        .because(cause)
        .advise("free space in the folder for temporary files, or name another one by TMPDIR")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_spread_over_all() {
        let taken = |contents: Contents, all: u64| {
            let picked = contents.of(all);
            (0..all).filter(|number| picked.takes(*number)).count()
        };
        assert_eq!(taken(Contents::Sample(100), 10_000), 100);
        assert_eq!(taken(Contents::Sample(100), 50), 50);
        assert_eq!(taken(Contents::All, 50), 50);
        assert_eq!(taken(Contents::None, 50), 0);
    }
}
