//! SHA-256 and size of files and streams, computed as the bytes pass.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use sha2::{Digest as _, Sha256};

/// Size and SHA-256 of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digest {
    pub(crate) size: u64,
    pub(crate) sha256: [u8; 32],
}

/// A digest that is being computed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Digesting {
    size: u64,
    hash: Sha256,
}

impl Digesting {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.hash.update(bytes);
    }

    pub(crate) fn finish(self) -> Digest {
        Digest { size: self.size, sha256: self.hash.finalize().into() }
    }
}

/// Digest of bytes at hand.
pub(crate) fn of_bytes(bytes: &[u8]) -> Digest {
    let mut digesting = Digesting::default();
    digesting.update(bytes);
    digesting.finish()
}

/// Digest of a file, read once, away from the runtime's threads.
pub(crate) async fn of_file(path: &Path) -> io::Result<Digest> {
    let path = path.to_owned();
    let read = move || -> io::Result<Digest> {
        let mut file = File::open(path)?;
        let mut digesting = Digesting::default();
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(digesting.finish()),
                Ok(read) => digesting.update(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    };
    tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
}

/// Digest of an object's stream, read to its end.
pub(crate) async fn of_stream(mut body: BoxStream<'static, provider::Result<Bytes>>) -> provider::Result<Digest> {
    let mut digesting = Digesting::default();
    while let Some(chunk) = body.next().await {
        digesting.update(&chunk?);
    }
    Ok(digesting.finish())
}

/// The digest of a stream that somebody else reads; see [`watch`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Watched(Arc<Mutex<Digesting>>);

impl Watched {
    /// Digest of what has passed so far.
    pub(crate) fn so_far(&self) -> Digest {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().finish()
    }
}

/// The same stream, and the digest of what passes through it.
pub(crate) fn watch(
    body: BoxStream<'static, provider::Result<Bytes>>,
) -> (BoxStream<'static, provider::Result<Bytes>>, Watched) {
    let watched = Watched::default();
    let inner = watched.clone();
    let body = body.inspect(move |chunk| {
        if let Ok(chunk) = chunk {
            inner.0.lock().unwrap_or_else(PoisonError::into_inner).update(chunk);
        }
    });
    (body.boxed(), watched)
}

/// A writer that computes the digest of what it passes on.
#[derive(Debug)]
pub(crate) struct DigestWriter<W> {
    inner: W,
    digesting: Digesting,
}

impl<W: Write> DigestWriter<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, digesting: Digesting::default() }
    }

    /// The writer, and the digest of everything that it took.
    pub(crate) fn into_parts(self) -> (W, Digest) {
        (self.inner, self.digesting.finish())
    }
}

impl<W: Write> Write for DigestWriter<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buffer)?;
        self.digesting.update(&buffer[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// SHA-256 of "abc", from FIPS 180-2.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[tokio::test]
    async fn every_way_gives_the_published_digest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        assert_eq!(of_file(&path).await.unwrap(), of_bytes(b"abc"));
        assert_eq!(hex::encode(of_bytes(b"abc").sha256), ABC);

        let chunks = [Ok(Bytes::from_static(b"a")), Ok(Bytes::from_static(b"bc"))];
        let (body, watched) = watch(futures::stream::iter(chunks).boxed());
        let read = of_stream(body).await.unwrap();
        assert_eq!(read, of_bytes(b"abc"));
        assert_eq!(watched.so_far(), read);

        let mut writer = DigestWriter::new(Vec::new());
        writer.write_all(b"ab").unwrap();
        writer.write_all(b"c").unwrap();
        let (written, digest) = writer.into_parts();
        assert_eq!((written.as_slice(), digest), (b"abc".as_slice(), read));
    }
}
