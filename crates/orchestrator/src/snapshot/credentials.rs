//! Credentials that would not last: a token that ends in the middle of a pause leaves nobody who may undo it.

use std::time::Duration;

use jiff::Timestamp;
use pachyderm::error::Condition;
use pachyderm::proto::auth::{ClusterRole, WhoAmIResponse};

use crate::cluster::{Cluster, pachd_error};
use crate::error::{Error, ErrorKind, Result};
use crate::job::SnapshotSettings;

/// What pachd answers for a token that never ends.
const NEVER: i64 = -1;
/// The first version that tells when a token ends.
const FIRST_WITH_LIFETIME: (u32, u32, u32) = (1, 8, 0);

/// Refuses a token that may not extract, and credentials that end before the longest pause and its undo would.
pub(super) async fn check(cluster: &Cluster, settings: &SnapshotSettings) -> Result<()> {
    let needed = settings.max_pause + settings.stall;
    if let Some(who) = who_am_i(cluster).await? {
        if !is_administrator(&who) {
            return Err(Error::new(
                ErrorKind::Denied,
                format!("auth is active and {} is no administrator of the cluster", name(&who)),
            )
            .advise("only administrators may extract: give the token of one by token-file or PACHSNAP_TOKEN"));
        }
        let left = Duration::from_secs(who.ttl.try_into().unwrap_or_default());
        if cluster.version() >= FIRST_WITH_LIFETIME && who.ttl != NEVER && left < needed {
            return Err(too_short(&format!("the Pachyderm token of {}", name(&who)), left, needed)
                .advise("log in again (`pachctl auth login`), or lower max-pause"));
        }
    }
    let Some(end) = cluster.access_ends else { return Ok(()) };
    let left = Duration::try_from(end.duration_since(Timestamp::now())).unwrap_or_default();
    if left < needed {
        return Err(too_short("the Kubernetes token of this kubeconfig", left, needed)
            .advise("renew it, use a kubeconfig whose token is renewed by itself (exec), or lower max-pause"));
    }
    Ok(())
}

/// Who the token belongs to; `None` where auth is off.
async fn who_am_i(cluster: &Cluster) -> Result<Option<WhoAmIResponse>> {
    match cluster.pachd.who_am_i().await {
        Ok(who) => Ok(Some(who)),
        Err(error) if matches!(error.condition(), Condition::AuthNotActivated | Condition::UnknownMethod) => Ok(None),
        Err(error) => Err(pachd_error("asking whose token this is", error)),
    }
}

/// Until 1.10 by a flag, since 1.11 by the cluster role.
fn is_administrator(who: &WhoAmIResponse) -> bool {
    let roles = who.cluster_roles.iter().flat_map(|roles| &roles.roles);
    who.is_admin || roles.copied().any(|role| role == ClusterRole::Super as i32)
}

fn name(who: &WhoAmIResponse) -> &str {
    if who.username.is_empty() { "its owner" } else { &who.username }
}

fn too_short(what: &str, left: Duration, needed: Duration) -> Error {
    Error::new(
        ErrorKind::Denied,
        format!("{what} ends in {} s; a pause and its undo may take {} s", left.as_secs(), needed.as_secs()),
    )
}
