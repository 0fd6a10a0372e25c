//! Reading from a vault.

use std::path::Path;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use provider::{ErrorKind, GetRequest, Key, ObjectStream};
use serde::de::DeserializeOwned;
use tokio::io::AsyncWriteExt;

use super::{Part, PartState, Result, Vault, VaultError, layout};
use crate::digest::Digesting;
use crate::retry::{Backoff, retrying};
use crate::run_id::RunId;

/// Largest file in bytes that is read into memory at once: a manifest of tens of thousands of pipelines.
const LARGEST_AT_ONCE: u64 = 256 * 1024 * 1024;

impl Vault {
    /// A file of a run, to be read from its beginning.
    ///
    /// # Errors
    /// [`VaultError::Missing`]; [`VaultError::Store`]. The stream can fail later; it is not begun again.
    pub async fn open_stream(&self, run: &RunId, name: &str) -> Result<ObjectStream> {
        let key = self.key(run, name);
        let request = GetRequest::whole(key.clone());
        retrying(self.retry, || self.bucket.get(&request)).await.map_err(|error| self.store(&key, error))
    }

    /// A small file of a run, whole.
    ///
    /// # Errors
    /// [`VaultError::Missing`], [`VaultError::TooLarge`], [`VaultError::Store`].
    pub async fn get_bytes(&self, run: &RunId, name: &str) -> Result<Bytes> {
        self.read_whole(&self.key(run, name)).await
    }

    /// A JSON file of a run.
    ///
    /// # Errors
    /// Those of [`Vault::get_bytes`]; [`VaultError::Json`].
    pub async fn get_json<T: DeserializeOwned>(&self, run: &RunId, name: &str) -> Result<T> {
        let key = self.key(run, name);
        from_json(&key, &self.read_whole(&key).await?)
    }

    /// The manifest's bytes, as they were written.
    ///
    /// # Errors
    /// [`VaultError::Missing`] when the run is no recovery point; else those of [`Vault::get_bytes`].
    pub async fn read_manifest(&self, run: &RunId) -> Result<Bytes> {
        self.get_bytes(run, layout::MANIFEST).await
    }

    /// Reads a file of a run into a new file of this machine (only its owner can read it), and tells what it got.
    ///
    /// # Errors
    /// [`VaultError::Missing`], [`VaultError::Store`]; [`VaultError::File`], also when `path` exists.
    pub async fn get_file_to_path(&self, run: &RunId, name: &str, path: &Path) -> Result<Part> {
        let in_file = |source| VaultError::File { path: path.to_owned(), source };
        let key = self.key(run, name);
        let mut options = tokio::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        options.mode(0o600);
        let mut file = options.open(path).await.map_err(in_file)?;
        let mut backoff = Backoff::new(self.retry);
        'again: loop {
            let mut stream = self.open_stream(run, name).await?;
            let mut digesting = Digesting::default();
            while let Some(chunk) = stream.body.next().await {
                match chunk {
                    Ok(chunk) => {
                        digesting.update(&chunk);
                        file.write_all(&chunk).await.map_err(in_file)?;
                    }
                    Err(error) => {
                        let Some(wait) = backoff.wait_after(&error) else { return Err(self.store(&key, error)) };
                        tokio::time::sleep(wait).await;
                        file.flush().await.map_err(in_file)?;
                        file.set_len(0).await.map_err(in_file)?;
                        tokio::io::AsyncSeekExt::rewind(&mut file).await.map_err(in_file)?;
                        continue 'again;
                    }
                }
            }
            file.flush().await.map_err(in_file)?;
            file.sync_all().await.map_err(in_file)?;
            return Ok(Part::new(name, digesting.finish()));
        }
    }

    /// Reads a part whole and compares it with what was recorded when it was written.
    ///
    /// # Errors
    /// [`VaultError::Store`]. A part that is gone or different is an answer, not an error.
    pub async fn check_part(&self, run: &RunId, part: &Part) -> Result<PartState> {
        let digest = match self.read_digest(&self.key(run, &part.name)).await {
            Ok(digest) => digest,
            Err(VaultError::Missing { .. }) => return Ok(PartState::Missing),
            Err(error) => return Err(error),
        };
        let found = Part::new(&part.name, digest);
        if found == *part {
            Ok(PartState::Whole)
        } else {
            Ok(PartState::Different { size: found.size, sha256: found.sha256 })
        }
    }

    pub(super) async fn read_whole(&self, key: &Key) -> Result<Bytes> {
        let mut backoff = Backoff::new(self.retry);
        loop {
            let error = match self.read_whole_once(key).await {
                Err(VaultError::Store { source, .. }) => source,
                answer => return answer,
            };
            match backoff.wait_after(&error) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(self.store(key, error)),
            }
        }
    }

    async fn read_whole_once(&self, key: &Key) -> Result<Bytes> {
        let mut stream =
            self.bucket.get(&GetRequest::whole(key.clone())).await.map_err(|error| self.store(key, error))?;
        let too_large = |size| VaultError::TooLarge { key: key.to_string(), size, most: LARGEST_AT_ONCE };
        if stream.meta.size > LARGEST_AT_ONCE {
            return Err(too_large(stream.meta.size));
        }
        let mut bytes = BytesMut::new();
        while let Some(chunk) = stream.body.next().await {
            bytes.extend_from_slice(&chunk.map_err(|error| self.store(key, error))?);
            if bytes.len() as u64 > LARGEST_AT_ONCE {
                return Err(too_large(bytes.len() as u64));
            }
        }
        if bytes.len() as u64 != stream.meta.size {
            return Err(self.store(key, provider::Error::new(ErrorKind::Corrupt, "get", key.as_str())));
        }
        Ok(bytes.freeze())
    }
}

pub(super) fn from_json<T: DeserializeOwned>(key: &Key, json: &[u8]) -> Result<T> {
    serde_json::from_slice(json).map_err(|source| VaultError::Json { key: key.to_string(), source })
}
