//! Which places are clones of recovery points: no run may write there.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use provider::{Bucket, GetRequest, Key, ListRequest};
use serde::Deserialize;

use crate::clone::overlap;
use crate::error::{Error, ErrorKind, Result};
use crate::job::{Opened, Stores};
use crate::retry::{RetryPolicy, retrying};
use crate::vault::layout;

/// Largest manifest that is read, in bytes.
const LARGEST: usize = 64 << 20;
/// Manifests that are read at once.
const AT_ONCE: usize = 16;

/// The part of a manifest, or of what will become one, that names its clone.
#[derive(Deserialize)]
struct Captured {
    run: String,
    artifacts: Artifacts,
}

#[derive(Deserialize)]
struct Artifacts {
    bucket: BucketUrl,
}

#[derive(Deserialize)]
struct BucketUrl {
    url: String,
}

/// Refuses a place that is the clone of a recovery point in the vault, of whatever cluster, or overlaps one.
///
/// # Errors
/// `Vault` when it is, and when a recovery point can't be read, since then nobody can tell.
pub async fn ensure_unused(stores: &dyn Stores, vault: &str, place: &Opened) -> Result<()> {
    let clones = Clones::read(stores, vault).await?;
    let Some(run) = clones.users_of(place).next() else { return Ok(()) };
    let message = format!("{} is the clone of recovery point {run}, or overlaps it", place.bucket.location());
    Err(Error::new(ErrorKind::Vault, message).advise("a recovery point is never written to: name another place"))
}

/// The clones of all recovery points in a vault, and of runs that can become one, of all clusters.
pub(crate) struct Clones(Vec<(String, Opened)>);

impl Clones {
    /// Reads all manifests.
    ///
    /// # Errors
    /// `Vault` when one of them can't be read, since then nobody can tell.
    pub(crate) async fn read(stores: &dyn Stores, vault: &str) -> Result<Self> {
        let vault = stores.open_url(vault)?.bucket;
        let manifests = manifests(vault.as_ref()).await?;
        let mut read = stream::iter(manifests).map(|key| captured(Arc::clone(&vault), key)).buffer_unordered(AT_ONCE);
        let mut clones = Vec::new();
        while let Some(captured) = read.try_next().await? {
            // A store that this configuration can't open is another one than any place's.
            let Ok(clone) = stores.open_url(&captured.artifacts.bucket.url) else { continue };
            clones.push((captured.run, clone));
        }
        Ok(Self(clones))
    }

    /// The runs whose clone is this place or overlaps it.
    pub(crate) fn users_of(&self, place: &Opened) -> impl Iterator<Item = &str> {
        let is_there =
            |clone: &Opened| clone.realm == place.realm && overlap(&clone.bucket.location(), &place.bucket.location());
        self.0.iter().filter(move |(_, clone)| is_there(clone)).map(|(run, _)| run.as_str())
    }
}

/// For each run that has a clone of its own the file that names it.
async fn manifests(vault: &dyn Bucket) -> Result<Vec<Key>> {
    let mut request = ListRequest::default();
    let mut runs: BTreeMap<String, Option<Key>> = BTreeMap::new();
    loop {
        let page = retrying(RetryPolicy::default(), || vault.list(&request)).await?;
        for object in page.objects {
            let Some((folder, name)) = object.key.as_str().rsplit_once('/') else { continue };
            let known = runs.entry(folder.to_owned());
            match name {
                // Its clone belongs to a later run now.
                // A run that is being removed needs its clone no more.
                layout::SUPERSEDED | layout::DELETING => drop(known.insert_entry(None)),
                layout::MANIFEST | layout::CAPTURED => drop(known.or_insert(Some(object.key.clone()))),
                _ => {}
            }
        }
        match page.next {
            Some(token) => request.token = Some(token),
            None => return Ok(runs.into_values().flatten().collect()),
        }
    }
}

async fn captured(vault: Arc<dyn Bucket>, key: Key) -> Result<Captured> {
    let request = GetRequest::whole(key.clone());
    let mut stream = retrying(RetryPolicy::default(), || vault.get(&request)).await?;
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.body.next().await {
        bytes.extend(chunk?);
        if bytes.len() > LARGEST {
            break;
        }
    }
    serde_json::from_slice(&bytes).map_err(|cause| {
        Error::new(ErrorKind::Vault, format!("{key} in the vault can't be read, so its clone isn't known"))
            .because(cause)
            .advise("see `pachsnap verify`")
    })
}
