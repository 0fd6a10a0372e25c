//! Which cluster a name in the vault belongs to.

use std::fmt;

use provider::Key;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::content::Content;
use super::read::from_json;
use super::write::to_json;
use super::{Result, Vault, VaultError, layout};

/// What tells one cluster from another: content of `cluster.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterIdentity {
    /// Version of this file's format: [`ClusterIdentity::FORMAT`].
    pub format: u32,
    /// UID of the Kubernetes namespace.
    pub namespace_uid: String,
    /// The cluster id that pachd's InspectCluster answers, the same as etcd's key `cluster-id`.
    pub cluster_id: String,
    /// The deployment id that pachd's InspectCluster answers; empty where there is none.
    pub deployment_id: String,
}

impl ClusterIdentity {
    /// The format that this version writes and reads.
    pub const FORMAT: u32 = 1;

    /// An identity in the current format.
    pub fn new(
        namespace_uid: impl Into<String>,
        cluster_id: impl Into<String>,
        deployment_id: impl Into<String>,
    ) -> Self {
        Self {
            format: Self::FORMAT,
            namespace_uid: namespace_uid.into(),
            cluster_id: cluster_id.into(),
            deployment_id: deployment_id.into(),
        }
    }
}

impl fmt::Display for ClusterIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cluster {} in namespace {} (deployment {})",
            self.cluster_id,
            self.namespace_uid,
            if self.deployment_id.is_empty() { "unknown" } else { &self.deployment_id }
        )
    }
}

impl Vault {
    /// The cluster that this name belongs to; `None` when the name is free.
    ///
    /// # Errors
    /// [`VaultError::Format`], [`VaultError::Json`], [`VaultError::Store`].
    pub async fn pinned_cluster(&self) -> Result<Option<ClusterIdentity>> {
        let key = self.cluster_key();
        let json = match self.read_whole(&key).await {
            Ok(json) => json,
            Err(VaultError::Missing { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let identity: ClusterIdentity = from_json(&key, &json)?;
        if identity.format != ClusterIdentity::FORMAT {
            return Err(VaultError::Format {
                key: key.to_string(),
                found: identity.format,
                known: ClusterIdentity::FORMAT,
            });
        }
        Ok(Some(identity))
    }

    /// Whether this cluster may use the name: it is free, or pinned to the same cluster. Writes nothing.
    ///
    /// # Errors
    /// [`VaultError::AnotherCluster`]; else those of [`Vault::pinned_cluster`].
    pub async fn check_cluster(&self, ours: &ClusterIdentity) -> Result<()> {
        match self.pinned_cluster().await? {
            Some(theirs) if theirs != *ours => Err(VaultError::AnotherCluster {
                location: self.location(),
                cluster: self.cluster.clone(),
                theirs: Box::new(theirs),
                ours: Box::new(ours.clone()),
            }),
            _ => Ok(()),
        }
    }

    /// Pins the name to this cluster. Of two clusters that do this at once, exactly one succeeds.
    ///
    /// # Errors
    /// [`VaultError::AnotherCluster`]; else those of [`Vault::pinned_cluster`] and of a write.
    pub async fn pin_cluster(&self, ours: &ClusterIdentity) -> Result<()> {
        let key = self.cluster_key();
        let json = to_json(&key, ours)?;
        match self.create(&key, Content::Bytes(&json)).await {
            Ok(_) => Ok(()),
            Err(VaultError::Occupied { .. }) => self.check_cluster(ours).await,
            Err(error) => Err(error),
        }
    }

    fn cluster_key(&self) -> Key {
        Key::new(format!("{}/{}", self.cluster, layout::CLUSTER))
    }
}
