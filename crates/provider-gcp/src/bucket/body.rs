//! The body of a write: counted, hashed, and whole before its last bytes are given away.

use std::collections::VecDeque;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use provider::{Error, ExpectedBody, Result};

use crate::error::contradiction;

/// A body. Each chunk is held back until the one behind it is there, so that the store gets the last one only when the whole was
/// seen to be what the request says: an object that is wrong never becomes visible.
pub(super) struct Body {
    chunks: BoxStream<'static, Result<Bytes>>,
    held: Option<Bytes>,
    operation: &'static str,
    resource: String,
    expected: ExpectedBody,
    ended: bool,
}

impl Body {
    pub(super) fn new(
        chunks: BoxStream<'static, Result<Bytes>>,
        operation: &'static str,
        resource: String,
        expected: ExpectedBody,
    ) -> Self {
        Self { chunks, held: None, operation, resource, expected, ended: false }
    }

    /// The next bytes; `None` after the last ones.
    ///
    /// # Errors
    /// Those of the stream; `Corrupt` when the body has another size or SHA-256 than it came with.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>> {
        while !self.ended {
            match self.chunks.next().await.transpose()? {
                None => {
                    self.expected.check().map_err(|what| self.corrupt(what))?;
                    self.ended = true;
                }
                Some(chunk) if chunk.is_empty() => {}
                Some(chunk) => {
                    self.expected.take(&chunk).map_err(|what| self.corrupt(what))?;
                    if let Some(before) = self.held.replace(chunk) {
                        return Ok(Some(before));
                    }
                }
            }
        }
        Ok(self.held.take())
    }

    /// Reads until there are more than `bytes` bytes, or the end. Whether that was reached.
    pub(super) async fn fill(&mut self, bytes: usize) -> Result<(VecDeque<Bytes>, bool)> {
        let (mut read, mut have) = (VecDeque::new(), 0);
        while have <= bytes {
            let Some(chunk) = self.next().await? else { return Ok((read, true)) };
            have += chunk.len();
            read.push_back(chunk);
        }
        Ok((read, false))
    }

    /// Bytes seen so far.
    pub(super) fn size(&self) -> u64 {
        self.expected.seen()
    }

    fn corrupt(&self, what: &'static str) -> Error {
        contradiction(self.operation, self.resource.clone(), what)
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use provider::ErrorKind;
    use sha2::{Digest as _, Sha256};

    use super::*;

    fn body(chunks: &[&'static str], size: Option<u64>, sha256: Option<[u8; 32]>) -> Body {
        let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk.as_bytes()))).collect();
        Body::new(stream::iter(chunks).boxed(), "put", "r".to_owned(), ExpectedBody::new(size, sha256))
    }

    #[tokio::test]
    async fn the_last_chunk_waits_for_the_end() {
        let mut whole = body(&["ab", "", "c"], Some(3), Some(Sha256::digest(b"abc").into()));
        assert_eq!(whole.fill(10).await.unwrap(), (VecDeque::from([Bytes::from("ab"), Bytes::from("c")]), true));
        assert_eq!((whole.next().await.unwrap(), whole.size()), (None, 3));
        for (size, sha256) in [(Some(2), None), (Some(4), None), (Some(3), Some([7; 32])), (None, Some([7; 32]))] {
            let mut wrong = body(&["ab", "c"], size, sha256);
            let mut given = 0;
            let error = loop {
                match wrong.next().await {
                    Ok(chunk) => given += chunk.unwrap().len(),
                    Err(error) => break error,
                }
            };
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(given < 3, "{size:?} {sha256:?}");
        }
        let mut large = body(&["abc", "def"], None, None);
        assert_eq!(large.fill(2).await.unwrap(), (VecDeque::from([Bytes::from("abc")]), false));
    }
}
