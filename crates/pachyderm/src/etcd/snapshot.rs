//! A member's database, streamed and checked.

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::{
    client::EtcdClient,
    proto::{ResponseHeader, SnapshotRequest, SnapshotResponse, method},
};
use crate::{
    client::Messages,
    error::{Cause, Error},
};

/// Length in bytes of the SHA-256 at the end of a snapshot.
const DIGEST: usize = 32;

/// A snapshot whose first piece has come: the point in time is fixed, whatever is written to etcd from now on.
#[derive(Debug)]
pub struct SnapshotStream {
    answers: Messages<SnapshotResponse>,
    first: SnapshotResponse,
}

/// A snapshot that came whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotSummary {
    /// Bytes of the whole file: the database and the digest behind it.
    pub bytes: u64,
    /// SHA-256 of the whole file.
    pub sha256: [u8; DIGEST],
    /// SHA-256 of the database alone, as etcd computed it and as was checked here. It is the end of the file.
    pub database_sha256: [u8; DIGEST],
    /// The revision of the snapshot if the server said it. etcd 3.4 does not: then only the file itself tells, and a
    /// revision asked for before and after bounds it.
    pub revision: Option<i64>,
}

impl EtcdClient {
    /// Asks for a snapshot of the member, and returns when its first piece has come: that moment is the cut.
    ///
    /// The file is what `etcdctl snapshot save` writes. Everything the member has applied is in it. In a cluster of several
    /// a member may lag behind; compare its revision with the leader's before.
    ///
    /// # Errors
    ///
    /// The call fails, or nothing comes.
    pub async fn snapshot(&self) -> Result<SnapshotStream, Error> {
        let mut answers = self.caller.stream(method::SNAPSHOT, "", SnapshotRequest {}).await?;
        match answers.message().await? {
            Some(first) => Ok(SnapshotStream { answers, first }),
            None => Err(answers.error(Cause::Protocol("the snapshot is empty".into()))),
        }
    }
}

impl SnapshotStream {
    /// The header of the first piece. Its revision is 0 with etcd 3.4.
    #[must_use]
    pub fn header(&self) -> Option<&ResponseHeader> {
        self.first.header.as_ref()
    }

    /// Bytes of the database, known from the first piece on. The file is 32 bytes longer.
    #[must_use]
    pub fn database_bytes(&self) -> u64 {
        self.first.remaining_bytes.saturating_add(self.first.blob.len() as u64)
    }

    /// Writes the snapshot as it comes, flushes, and checks it: every piece in its place, the length, and etcd's own
    /// digest. `written` is told the bytes written so far, after each piece.
    ///
    /// What was written is only worth keeping if this succeeds. Whether it is on disk is the writer's business.
    ///
    /// # Errors
    ///
    /// The stream breaks off or delivers nothing for too long, cannot be written, or does not hold together.
    pub async fn copy_to<W, F>(self, mut writer: W, mut written: F) -> Result<SnapshotSummary, Error>
    where
        W: AsyncWrite + Unpin,
        F: FnMut(u64),
    {
        let database_bytes = self.database_bytes();
        let revision = self.header().map(|header| header.revision).filter(|revision| *revision > 0);
        let Self { mut answers, first } = self;
        let mut check = Check::new(database_bytes);
        let mut next = Some(first);
        while let Some(answer) = next {
            check.piece(&answer).map_err(|problem| answers.error(Cause::Protocol(problem)))?;
            writer.write_all(&answer.blob).await.map_err(|error| answers.error(Cause::Write(error)))?;
            written(check.received);
            next = answers.message().await?;
        }
        writer.flush().await.map_err(|error| answers.error(Cause::Write(error)))?;
        let bytes = check.received;
        let (sha256, database_sha256) = check.finish().map_err(|problem| answers.error(Cause::Protocol(problem)))?;
        Ok(SnapshotSummary { bytes, sha256, database_sha256, revision })
    }
}

/// Holds the pieces against what etcd says of them.
struct Check {
    database_bytes: u64,
    received: u64,
    whole: Sha256,
    database: Sha256,
    digest: Vec<u8>,
}

impl Check {
    fn new(database_bytes: u64) -> Self {
        Self { database_bytes, received: 0, whole: Sha256::new(), database: Sha256::new(), digest: Vec::new() }
    }

    fn piece(&mut self, answer: &SnapshotResponse) -> Result<(), Box<str>> {
        let blob = &answer.blob;
        let database_left = self.database_bytes.saturating_sub(self.received);
        self.received += blob.len() as u64;
        let expected = self.database_bytes.saturating_sub(self.received);
        if answer.remaining_bytes != expected {
            let remaining = answer.remaining_bytes;
            return Err(format!("a piece says that {remaining} bytes remain where {expected} do").into());
        }
        self.whole.update(blob);
        let split = usize::try_from(database_left).unwrap_or(usize::MAX).min(blob.len());
        let (database, digest) = blob.split_at(split);
        self.database.update(database);
        self.digest.extend_from_slice(digest);
        if self.digest.len() > DIGEST {
            return Err("the snapshot goes on after its digest".into());
        }
        Ok(())
    }

    fn finish(self) -> Result<([u8; DIGEST], [u8; DIGEST]), Box<str>> {
        if self.received < self.database_bytes {
            return Err(format!("the snapshot ends after {} of {} bytes", self.received, self.database_bytes).into());
        }
        let Ok(told) = <[u8; DIGEST]>::try_from(self.digest) else {
            return Err("the snapshot ends without a whole digest".into());
        };
        let computed: [u8; DIGEST] = self.database.finalize().into();
        if told != computed {
            return Err("the snapshot does not have the digest that it ends with".into());
        }
        Ok((self.whole.finalize().into(), computed))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use bytes::Bytes;
    use sha2::{Digest as _, Sha256};

    use super::{Check, SnapshotResponse};

    fn piece(remaining_bytes: u64, blob: &[u8]) -> SnapshotResponse {
        SnapshotResponse { header: None, remaining_bytes, blob: Bytes::copy_from_slice(blob) }
    }

    fn checked(pieces: &[SnapshotResponse]) -> Result<(), Box<str>> {
        let mut check = Check::new(pieces[0].remaining_bytes + pieces[0].blob.len() as u64);
        for piece in pieces {
            check.piece(piece)?;
        }
        check.finish().map(|_| ())
    }

    #[test]
    fn a_whole_snapshot_passes_and_every_damage_is_found() {
        let digest = Sha256::digest(b"database");
        let whole = [piece(4, b"data"), piece(0, b"base"), piece(0, &digest)];
        checked(&whole).unwrap();

        let mut flipped = whole.clone();
        flipped[1].blob = Bytes::from_static(b"bass");
        let problems = [
            checked(&whole[..1]).unwrap_err(),
            checked(&whole[..2]).unwrap_err(),
            checked(&[whole[0].clone(), whole[2].clone()]).unwrap_err(),
            checked(&flipped).unwrap_err(),
            checked(&[&whole[..], &[piece(0, b"x")]].concat()).unwrap_err(),
            checked(&[piece(4, b"data"), piece(0, b"base"), piece(0, &digest[..31])]).unwrap_err(),
        ];
        assert!(problems[0].contains("after 4 of 8"), "{}", problems[0]);
        assert!(problems[1].contains("without a whole digest"), "{}", problems[1]);
        assert!(problems[3].contains("does not have the digest"), "{}", problems[3]);
        assert!(problems[4].contains("goes on"), "{}", problems[4]);
    }

    #[test]
    fn a_digest_in_the_same_piece_as_the_end_of_the_database_is_read() {
        let digest = Sha256::digest(b"database");
        let last = [&b"base"[..], &digest[..]].concat();
        checked(&[piece(4, b"data"), piece(0, &last)]).unwrap();
    }
}
