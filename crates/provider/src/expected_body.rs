//! What the body of a write has to be.

use sha2::{Digest as _, Sha256};

/// The size and SHA-256 that a write came with, and what was seen of its body so far. Answers what is wrong, in words.
#[derive(Clone, Debug)]
pub struct ExpectedBody {
    size: Option<u64>,
    sha256: Option<[u8; 32]>,
    hash: Sha256,
    seen: u64,
}

impl ExpectedBody {
    /// A body of which these are known, if they are.
    #[must_use]
    pub fn new(size: Option<u64>, sha256: Option<[u8; 32]>) -> Self {
        Self { size, sha256, hash: Sha256::new(), seen: 0 }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// As soon as they are too many.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        self.seen += bytes.len() as u64;
        if self.size.is_some_and(|wanted| self.seen > wanted) {
            return Err("more bytes than the size it came with");
        }
        if self.sha256.is_some() {
            self.hash.update(bytes);
        }
        Ok(())
    }

    /// Bytes seen so far.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Whether the whole body, of which all bytes were taken, is what the write came with.
    ///
    /// # Errors
    /// When it isn't.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.size.is_some_and(|wanted| wanted != self.seen) {
            return Err("fewer bytes than the size it came with");
        }
        if self.sha256.is_some_and(|wanted| wanted != <[u8; 32]>::from(self.hash.clone().finalize())) {
            return Err("another SHA-256 than it came with");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_body_is_told() {
        let right = <[u8; 32]>::from(Sha256::digest(b"abc"));
        for (size, sha256, ends) in [
            (None, None, Ok(())),
            (Some(3), Some(right), Ok(())),
            (Some(4), None, Err("fewer bytes than the size it came with")),
            (Some(3), Some([7; 32]), Err("another SHA-256 than it came with")),
        ] {
            let mut body = ExpectedBody::new(size, sha256);
            assert_eq!((body.take(b"ab"), body.take(b"c"), body.seen()), (Ok(()), Ok(()), 3));
            assert_eq!(body.check(), ends);
        }
        assert_eq!(ExpectedBody::new(Some(2), None).take(b"abc"), Err("more bytes than the size it came with"));
    }
}
