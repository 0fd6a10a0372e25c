//! How it is shown that nothing writes to a paused cluster: by a watch on etcd, or, where etcd does not answer, by two equal
//! pictures taken through pachd.

use std::time::Duration;

use super::QuietWatch;
use crate::cluster::{Cluster, work};
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::QuietProof;

/// Least time between two pictures, however short the capture is.
const BETWEEN_POLLS: Duration = Duration::from_secs(2);

/// A proof of quiet that is under way. It begins before anything of the paused cluster is read for keeps.
pub struct Quiet(Way);

enum Way {
    Watched(Box<QuietWatch>),
    Polled(Vec<String>),
}

impl Quiet {
    /// Begins the proof: whatever is written from now on voids the run.
    pub(super) async fn begin(cluster: &Cluster) -> Result<Self> {
        match &cluster.etcd {
            Some(etcd) => Ok(Self(Way::Watched(Box::new(QuietWatch::begin(etcd, &cluster.etcd_prefix).await?)))),
            None => Ok(Self(Way::Polled(picture(cluster).await?))),
        }
    }

    /// Ends as soon as something disturbing was seen; otherwise never. To be raced against the capture.
    pub async fn disturbed(&self) -> Error {
        match &self.0 {
            Way::Watched(watch) => watch.disturbed().await,
            Way::Polled(_) => std::future::pending().await,
        }
    }

    /// Whether only two pictures are compared, so that more has to be counted again.
    #[must_use]
    pub fn is_polled(&self) -> bool {
        matches!(self.0, Way::Polled(_))
    }

    /// Ends the proof.
    ///
    /// # Errors
    /// `Disturbed` when something was written, or when that can't be told.
    pub async fn finish(self, cluster: &Cluster) -> Result<QuietProof> {
        match self.0 {
            Way::Watched(watch) => watch.finish().await,
            Way::Polled(before) => {
                tokio::time::sleep(BETWEEN_POLLS).await;
                if before == picture(cluster).await? {
                    return Ok(QuietProof::TwoPolls);
                }
                Err(Error::new(ErrorKind::Disturbed, "two polls of the paused cluster differ")
                    .advise("something still writes: fence it or list it as a [[loader]], then run again"))
            }
        }
    }
}

impl std::fmt::Debug for Quiet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_polled() { "Quiet(polled)" } else { "Quiet(watched)" })
    }
}

/// What any write that pachd tells of changes: heads of all branches, states of all pipelines.
async fn picture(cluster: &Cluster) -> Result<Vec<String>> {
    let mut picture: Vec<String> = work::branches(&cluster.pachd)
        .await?
        .into_iter()
        .map(|info| format!("{:?} {:?}", info.branch, info.head))
        .collect();
    picture.extend(work::pipelines(&cluster.pachd).await?.iter().map(|one| format!("{one:?}")));
    picture.sort();
    Ok(picture)
}
