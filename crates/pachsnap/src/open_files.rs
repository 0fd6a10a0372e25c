//! How many files and connections this process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Takes as many as the system gives without being asked for rights: a clone of a store far away has a connection for each of several
/// hundred objects, and the usual limit of a shell is 1,024.
pub(crate) fn allow_all() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::warn!(%error, ?limit.current, "the limit of open files stays as it is");
    }
}
