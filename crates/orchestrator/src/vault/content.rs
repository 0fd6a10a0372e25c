//! What is written to a vault: bytes at hand or a file, each readable as often as a write is sent.

use std::path::Path;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use provider::{Error, ErrorKind};
use tokio_util::io::ReaderStream;

use super::{Result, VaultError};
use crate::digest::{self, Digest};

/// Size of the pieces in which a file is read.
const CHUNK: usize = 256 * 1024;

/// Bytes to write.
#[derive(Clone, Copy, Debug)]
pub(super) enum Content<'a> {
    Bytes(&'a Bytes),
    File(&'a Path),
}

impl Content<'_> {
    pub(super) async fn digest(&self) -> Result<Digest> {
        match self {
            Self::Bytes(bytes) => Ok(digest::of_bytes(bytes)),
            Self::File(path) => {
                digest::of_file(path).await.map_err(|source| VaultError::File { path: (*path).to_owned(), source })
            }
        }
    }

    /// The bytes from their beginning.
    pub(super) async fn body(&self) -> Result<BoxStream<'static, provider::Result<Bytes>>> {
        match self {
            Self::Bytes(bytes) => Ok(stream::iter([Ok((*bytes).clone())]).boxed()),
            Self::File(path) => {
                let name = path.display().to_string();
                let file = tokio::fs::File::open(path)
                    .await
                    .map_err(|source| VaultError::File { path: (*path).to_owned(), source })?;
                let chunks = ReaderStream::with_capacity(file, CHUNK);
                let as_provider_error =
                    move |error| Error::new(ErrorKind::Other, "read", name.clone()).with_source(Box::new(error));
                Ok(chunks.map(move |chunk| chunk.map_err(&as_provider_error)).boxed())
            }
        }
    }
}
