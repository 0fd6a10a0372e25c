//! The second witness: what the metadata stream says of the cluster is held against what etcd says.
//!
//! A stream that ends early, cleanly, between two ops looks whole: nothing in its framing tells (source: pachctl's own format
//! has no count and no trailer). pachd also loses commits by itself above 262,144 keys.

use std::sync::Arc;

use provider::Bucket;

use super::captured::Captured;
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::event::{Events, Step};
use crate::manifest::StreamWitness;
use crate::verify::stream_against_etcd::{self, FIRST_COMPUTABLE, Witnesses};

/// Compares the captured stream with the one computed from the captured etcd snapshot and the clone, unless it was counted
/// while the cluster was paused. Holds the live keys of etcd in memory, up to `largest` bytes.
///
/// # Errors
/// `Incomplete` naming what one of both lacks. A comparison that can't be made is said in the answer and as a warning.
pub(super) async fn compare(
    captured: &Captured,
    files: Witnesses,
    clone: Arc<dyn Bucket>,
    largest: u64,
    events: &Events,
) -> Result<StreamWitness> {
    if let Some(counted) = &captured.witness {
        return Ok(counted.clone());
    }
    let work = async {
        let (cluster, artifacts) = (&captured.cluster, &captured.artifacts);
        let witness = stream_against_etcd::compare(cluster, artifacts, files, clone, largest).await?;
        let summary = match &witness {
            StreamWitness::Etcd { ops, .. } => format!("etcd's snapshot tells the same {ops} ops"),
            StreamWitness::None { reason } => format!("not compared: {reason}"),
            StreamWitness::Recount => "recounted".to_owned(),
        };
        Ok::<_, Error>((witness, summary))
    };
    let witness = events.step(Step::Compare, work).await?;
    match &witness {
        StreamWitness::None { reason } => {
            events.warn(format!("the metadata stream was not compared with etcd's snapshot: {reason}"));
        }
        StreamWitness::Etcd { defects, .. } if !defects.is_empty() => events.warn(format!(
            "`pachctl restore` would stop at this stream (a restore has to put parents first): {}",
            defects.join(", ")
        )),
        _ => {}
    }
    Ok(witness)
}

/// Whether a stream of this cluster will be compared, so that it needn't be counted while the cluster is paused. Streams of
/// old versions lack what pachd lists, and can't be counted either.
pub(super) fn is_expected(cluster: &Cluster, etcd_bytes: Option<u64>, largest: u64) -> bool {
    cluster.version() < FIRST_COMPUTABLE || etcd_bytes.is_some_and(|size| size <= largest)
}
