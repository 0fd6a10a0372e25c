//! Writing to a vault: create-only, with size and SHA-256, sent again where that helps.

use std::path::Path;

use bytes::Bytes;
use provider::{Error, ErrorKind, GetRequest, Key, PutMode, PutRequest};
use serde::Serialize;

use super::content::Content;
use super::{Part, Result, Vault, VaultError};
use crate::digest::{self, Digest};
use crate::retry::{Backoff, retrying};
use crate::run_id::RunId;

impl Vault {
    /// Writes a file of this machine as `name` of a run, streaming it.
    ///
    /// Done twice with the same bytes, also from another machine, it succeeds twice.
    ///
    /// # Errors
    /// [`VaultError::Occupied`] when other bytes are there; [`VaultError::File`]; [`VaultError::Store`], with kind
    /// `Corrupt` when the file changed while it was read.
    pub async fn put_file_from_path(&self, run: &RunId, name: &str, path: &Path) -> Result<Part> {
        let digest = self.create(&self.key(run, name), Content::File(path)).await?;
        Ok(Part::new(name, digest))
    }

    /// Writes bytes at hand as `name` of a run. As [`Vault::put_file_from_path`].
    ///
    /// # Errors
    /// Those of [`Vault::put_file_from_path`].
    pub async fn put_bytes(&self, run: &RunId, name: &str, bytes: impl Into<Bytes>) -> Result<Part> {
        let digest = self.create(&self.key(run, name), Content::Bytes(&bytes.into())).await?;
        Ok(Part::new(name, digest))
    }

    /// Writes a value as indented JSON as `name` of a run, only if nothing else is there.
    ///
    /// # Errors
    /// Those of [`Vault::put_file_from_path`]; [`VaultError::Json`] when the value has no JSON form.
    pub async fn put_json_create_only<T: Serialize + Sync>(&self, run: &RunId, name: &str, value: &T) -> Result<Part> {
        let key = self.key(run, name);
        let json = to_json(&key, value)?;
        let digest = self.create(&key, Content::Bytes(&json)).await?;
        Ok(Part::new(name, digest))
    }

    /// Writes bytes as `name` of a run, only if nothing else is there.
    ///
    /// # Errors
    /// Those of [`Vault::put_file_from_path`].
    pub async fn put_bytes_create_only(&self, run: &RunId, name: &str, bytes: &Bytes) -> Result<Part> {
        let digest = self.create(&self.key(run, name), Content::Bytes(bytes)).await?;
        Ok(Part::new(name, digest))
    }

    /// Writes a new object, and takes an equal one that is there already for its own: the first reply may be lost.
    pub(super) async fn create(&self, key: &Key, content: Content<'_>) -> Result<Digest> {
        let digest = content.digest().await?;
        let mut backoff = Backoff::new(self.retry);
        loop {
            let mut request = PutRequest::bytes(key.clone(), PutMode::CreateOnly, Bytes::new());
            request.body = content.body().await?;
            request.size = Some(digest.size);
            request.sha256 = Some(digest.sha256);
            let error = match self.bucket.put(request).await {
                Ok(put) if put.size == digest.size => return Ok(digest),
                Ok(_) => return Err(self.store(key, Error::new(ErrorKind::Corrupt, "put", key.as_str()))),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    return if self.read_digest(key).await? == digest {
                        Ok(digest)
                    } else {
                        Err(VaultError::Occupied { key: key.to_string(), source: error })
                    };
                }
                Err(error) if error.kind() == ErrorKind::Unsupported => {
                    return Err(VaultError::WithoutCreateOnly { location: self.location(), source: Some(error) });
                }
                Err(error) => error,
            };
            match backoff.wait_after(&error) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(self.store(key, error)),
            }
        }
    }

    /// Digest of what is stored under a key, read whole.
    pub(super) async fn read_digest(&self, key: &Key) -> Result<Digest> {
        let read = || async { digest::of_stream(self.bucket.get(&GetRequest::whole(key.clone())).await?.body).await };
        retrying(self.retry, read).await.map_err(|error| self.store(key, error))
    }

    pub(super) fn store(&self, key: &Key, source: Error) -> VaultError {
        let key = key.to_string();
        if source.kind() == ErrorKind::NotFound {
            VaultError::Missing { key, source }
        } else {
            VaultError::Store { key, source }
        }
    }
}

/// A value as indented JSON that ends in a newline.
pub(super) fn to_json<T: Serialize>(key: &Key, value: &T) -> Result<Bytes> {
    let mut json =
        serde_json::to_vec_pretty(value).map_err(|source| VaultError::Json { key: key.to_string(), source })?;
    json.push(b'\n');
    Ok(json.into())
}
