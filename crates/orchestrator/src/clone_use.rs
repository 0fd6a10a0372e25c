//! Which places are clones of recovery points: no run may write there.

use futures::StreamExt;
use provider::{GetRequest, ListRequest};
use serde::Deserialize;

use crate::clone::overlap;
use crate::error::{Error, ErrorKind, Result};
use crate::job::{Opened, Stores};
use crate::retry::{RetryPolicy, retrying};
use crate::vault::layout;

/// Largest manifest that is read, in bytes.
const LARGEST: usize = 64 << 20;

/// The part of a manifest, or of what will become one, that names its clone.
#[derive(Deserialize)]
struct Captured {
    run: String,
    artifacts: Artifacts,
}

#[derive(Deserialize)]
struct Artifacts {
    bucket: Clone,
}

#[derive(Deserialize)]
struct Clone {
    url: String,
}

/// Refuses a place that is the clone of a recovery point in the vault, of whatever cluster, or overlaps one.
///
/// # Errors
/// `Vault` when it is; when a recovery point can't be read, since then nobody can tell.
pub async fn ensure_unused(stores: &dyn Stores, vault: &str, place: &Opened) -> Result<()> {
    let vault = stores.open_url(vault)?.bucket;
    let mut request = ListRequest::default();
    loop {
        let page = retrying(RetryPolicy::default(), || vault.list(&request)).await?;
        for object in &page.objects {
            let key = object.key.as_str();
            let name = key.rsplit('/').next().unwrap_or_default();
            // `captured.json` is there before the manifest, and says the same.
            if name != layout::CAPTURED && name != layout::MANIFEST {
                continue;
            }
            let mut stream = retrying(RetryPolicy::default(), || {
                let request = GetRequest::whole(object.key.clone());
                let vault = &vault;
                async move { vault.get(&request).await }
            })
            .await?;
            let mut bytes = Vec::new();
            while let Some(chunk) = stream.body.next().await {
                bytes.extend(chunk?);
                if bytes.len() > LARGEST {
                    break;
                }
            }
            let captured: Captured = serde_json::from_slice(&bytes).map_err(|cause| {
                Error::new(ErrorKind::Vault, format!("{key} in the vault can't be read, so its clone isn't known"))
                    .because(cause)
                    .advise("see `pachsnap verify`")
            })?;
            let theirs = stores.open_url(&captured.artifacts.bucket.url)?;
            let same_store = theirs.realm == place.realm;
            if same_store && overlap(&theirs.bucket.location(), &place.bucket.location()) {
                let message = format!(
                    "{} is the clone of recovery point {}, or overlaps it",
                    place.bucket.location(),
                    captured.run
                );
                return Err(Error::new(ErrorKind::Vault, message)
                    .advise("a recovery point is never written to: name another place"));
            }
        }
        match page.next {
            Some(token) => request.token = Some(token),
            None => return Ok(()),
        }
    }
}
