//! The path by etcd: what the snapshot holds is put into a fresh etcd through its API, in the order in which it was created.
//!
//! Everything that Pachyderm keeps there comes back, ids and tokens and jobs and the cluster's own id, without the disk: so
//! also on another cloud. What makes it hard is order: most of Pachyderm's listings are sorted by the revision at which a key
//! was created, so keys that were created at one revision are put by one transaction, and those of different revisions by
//! different ones.

mod compare;
mod content;
mod fill;
mod marker;

pub use compare::{Differences, compare, compare_disk};
pub use content::{Content, LeftOut};
pub use fill::{Filled, fill};
pub(super) use fill::{complete, ensure_empty, forget, marker as marker_of};
pub use marker::{MARKER, Marker};

use pachyderm::error::Error as EtcdError;

use crate::error::{Error, ErrorKind};

/// What etcd says when its quota is used up.
const NO_SPACE: &str = "database space exceeded";

/// An error of the target's etcd, with what it means for the restore.
pub(in crate::restore) fn failed(doing: &str, error: EtcdError) -> Error {
    let no_space = error.status().is_some_and(|status| status.message().contains(NO_SPACE));
    let kind = if error.retry_helps() && !no_space { ErrorKind::Unreachable } else { ErrorKind::Failed };
    let wrapped = Error::new(kind, format!("{doing} failed at the target's etcd")).because(error);
    if no_space {
        return wrapped.advise(
            "its quota is used up: raise --quota-backend-bytes, or compact and defragment it, then `etcdctl alarm disarm`",
        );
    }
    wrapped
}
