//! The target as it is found: new and empty, or with what an earlier attempt of the same restore has left.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;

use super::RestoreFrom;
use super::record::{self, NAME, RestoreRecord};
use crate::cluster::{Cluster, Ground, discover};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Events;
use crate::job::{Stores, Target};

/// A target.
pub(super) struct Look {
    /// What can be reached while pachd is stopped.
    pub(super) ground: Ground,
    /// The whole cluster, unless an earlier attempt has stopped its pachd.
    pub(super) cluster: Option<Cluster>,
    /// What an earlier attempt has written.
    pub(super) left: Option<RestoreRecord>,
    /// Version of its pachd.
    pub(super) pachd_version: String,
    /// Its cluster id before the restore.
    pub(super) cluster_id: String,
    /// The Pachyderm token that was given.
    pub(super) token: Option<String>,
}

impl Look {
    /// Looks at a target into which `point` is to be restored.
    ///
    /// # Errors
    /// Those of discovery; `Busy` when another restore is under way there.
    pub(super) async fn at(
        target: &Target,
        stores: &dyn Stores,
        point: &str,
        from: RestoreFrom,
        events: &Events,
    ) -> Result<(Self, String)> {
        let maps: Api<ConfigMap> = Api::namespaced(target.kubernetes.clone(), &target.namespace);
        let left = record::read(&maps).await?;
        if let Some(other) = left.as_ref().filter(|left| left.point != point || left.from != from) {
            let message =
                format!("a restore of {} by {} is under way in this namespace", other.point, other.from.as_str());
            return Err(Error::new(ErrorKind::Busy, message).advise(format!(
                "go on with that one; or give the target a new, empty etcd and `kubectl delete configmap {NAME}`"
            )));
        }
        let token = target.token.clone();
        match left {
            // Its pachd may be stopped, so nothing is asked of it.
            Some(left) if left.from != RestoreFrom::Metadata => {
                let ground = Ground::read(target, stores, &left.pachd_version).await?;
                let text = format!("goes on with an earlier attempt in namespace {}", ground.namespace);
                let (pachd_version, cluster_id) = (left.pachd_version.clone(), left.cluster_id.clone());
                Ok((Self { ground, cluster: None, left: Some(left), pachd_version, cluster_id, token }, text))
            }
            left => {
                let cluster = discover(target, stores, events).await?;
                let pachd_version = cluster.record.pachd_version.clone();
                let cluster_id = cluster.record.cluster_id.clone();
                let ground = Ground::read(target, stores, &pachd_version).await?;
                let text =
                    format!("pachd {pachd_version} in namespace {}, {}", ground.namespace, cluster.record.bucket);
                Ok((Self { ground, cluster: Some(cluster), left, pachd_version, cluster_id, token }, text))
            }
        }
    }

    /// The target's etcd.
    ///
    /// # Errors
    /// Why it can't be reached.
    pub(super) fn etcd(&self) -> Result<&pachyderm::etcd::EtcdClient> {
        self.ground.etcd.as_ref().map_err(|error| {
            let why = crate::error::chain(error);
            Error::new(ErrorKind::Unreachable, format!("the target's etcd does not answer ({why})"))
                .advise("if it runs elsewhere, name its address with --etcd-address; or restore with --from metadata")
        })
    }
}
