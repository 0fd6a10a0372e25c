//! What a drill has begun to make, written into the vault before the first of it and deleted after the last is gone.

use jiff::Timestamp;
use provider::{Bucket, Key, PutMode, PutRequest};
use serde::{Deserialize, Serialize};

use crate::clone::small_object;
use crate::error::{Error, ErrorKind, Result};
use crate::job::Stores;
use crate::retry::{RetryPolicy, retrying};
use crate::run_id::RunId;
use pachyderm::layout::Layout;

/// Prefix in the vault below which each drill has one of its own.
const DRILLS: &str = "drills/";
const RECORD: &str = "record.json";
/// Largest record that is read, in bytes.
const LARGEST: usize = 1 << 20;

/// A drill that is under way, or was killed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DrillRecord {
    /// Its name.
    pub drill: RunId,
    /// The recovery point.
    pub point: RunId,
    /// When it began.
    pub started: Timestamp,
    /// The namespace of its scratch cluster.
    pub namespace: String,
    /// Host of the Kubernetes API that has the namespace.
    pub kubernetes: String,
    /// URL of its bucket.
    pub bucket: String,
    /// How keys are named in that bucket.
    pub layout: Layout,
    /// Whether its etcd is on a disk of its own.
    pub has_disk: bool,
}

impl DrillRecord {
    /// The label by which everything that the drill makes in Kubernetes is known.
    pub(super) const LABEL: &str = "pachsnap.io/drill";

    /// The drill's prefix in the vault, which ends in a slash.
    pub(super) fn prefix(&self) -> String {
        prefix(&self.drill)
    }

    /// Writes the record.
    ///
    /// # Errors
    /// `Vault`; nothing was made then.
    pub(super) async fn write(&self, stores: &dyn Stores, vault: &str) -> Result<()> {
        let bucket = stores.open_url(vault)?.bucket;
        let failed = || Error::new(ErrorKind::Vault, "the record of the drill can't be written into the vault");
        let json = serde_json::to_vec_pretty(self).map_err(|cause| failed().because(cause))?;
        let key = format!("{}{RECORD}", self.prefix());
        let put = || {
            let request = PutRequest::bytes(key.clone(), PutMode::Overwrite, json.clone());
            bucket.put(request)
        };
        retrying(RetryPolicy::default(), put).await.map(drop).map_err(|cause| failed().because(cause))
    }

    /// Deletes everything that the vault keeps of the drill, the record last.
    ///
    /// # Errors
    /// Those of the vault; done again, it goes on.
    pub(super) async fn delete(&self, stores: &dyn Stores, vault: &str) -> Result<()> {
        let bucket = stores.open_url(vault)?.bucket;
        let record = Key::new(format!("{}{RECORD}", self.prefix()));
        let mut keys = small_object::keys_below(bucket.as_ref(), &self.prefix()).await?;
        keys.retain(|key| *key != record);
        // Without the record nobody would know of the others.
        keys.push(record);
        Ok(small_object::delete_all(bucket.as_ref(), &keys).await?)
    }

    /// The record of a drill.
    ///
    /// # Errors
    /// `NotFound` naming those that there are; those of the vault.
    pub(super) async fn read(stores: &dyn Stores, vault: &str, drill: &RunId) -> Result<Self> {
        let bucket = stores.open_url(vault)?.bucket;
        if let Some(record) = read(bucket.as_ref(), drill).await? {
            return Ok(record);
        }
        let others = left_over(stores, vault).await?;
        let names: Vec<&str> = others.iter().map(|record| record.drill.as_str()).collect();
        let error = Error::new(ErrorKind::NotFound, format!("nothing is left of a drill {drill}"));
        Err(error.advise(match names.as_slice() {
            [] => "the vault knows of no drill that has left something".to_owned(),
            names => format!("the vault knows of {}", names.join(", ")),
        }))
    }
}

/// Drills that are under way, or have left something, oldest first.
///
/// # Errors
/// Those of the vault; `Damaged` for a record that can't be read.
pub async fn left_over(stores: &dyn Stores, vault: &str) -> Result<Vec<DrillRecord>> {
    let bucket = stores.open_url(vault)?.bucket;
    let mut records = Vec::new();
    for key in small_object::keys_below(bucket.as_ref(), DRILLS).await? {
        let drill = key.as_str().strip_prefix(DRILLS).and_then(|rest| rest.strip_suffix(RECORD)?.strip_suffix('/'));
        let Some(Ok(drill)) = drill.map(str::parse) else { continue };
        records.extend(read(bucket.as_ref(), &drill).await?);
    }
    Ok(records)
}

fn prefix(drill: &RunId) -> String {
    format!("{DRILLS}{drill}/")
}

async fn read(bucket: &dyn Bucket, drill: &RunId) -> Result<Option<DrillRecord>> {
    let Some(json) = small_object::read(bucket, &format!("{}{RECORD}", prefix(drill)), LARGEST).await? else {
        return Ok(None);
    };
    serde_json::from_slice(&json).map(Some).map_err(|cause| {
        Error::new(ErrorKind::Damaged, format!("the record of drill {drill} can't be read"))
            .because(cause)
            .advise("it was written by another version of pachsnap: clean up with that one")
    })
}
