//! Keys in pages, at one revision.

use std::collections::VecDeque;

use bytes::Bytes;
use futures::{Stream, stream};

use super::{
    client::{EtcdClient, revision_of},
    proto::{KeyValue, RangeRequest, RangeResponse},
};
use crate::error::{Condition, Error};

/// Keys asked for at once, to begin with. Halved when their answer is too large to take.
const PAGE: i64 = 512;

/// All keys of a prefix at one revision, read page by page in order of key.
#[derive(Debug)]
pub struct Range {
    client: EtcdClient,
    revision: i64,
    count: u64,
    next_key: Bytes,
    range_end: Bytes,
    limit: i64,
    page: VecDeque<KeyValue>,
    more: bool,
}

impl Range {
    pub(super) async fn begin(client: EtcdClient, prefix: &[u8]) -> Result<Self, Error> {
        let (next_key, range_end) = prefix_range(prefix);
        let mut range =
            Self { client, revision: 0, count: 0, next_key, range_end, limit: PAGE, page: VecDeque::new(), more: true };
        let answer = range.fetch().await?;
        range.revision = revision_of(&answer)?;
        range.count = u64::try_from(answer.count).unwrap_or(0);
        range.take(answer);
        Ok(range)
    }

    /// The revision at which all keys are read.
    #[must_use]
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// The number of all keys of the prefix at that revision.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The next key; `None` after the last.
    ///
    /// # Errors
    ///
    /// A page cannot be read. [`Condition::Compacted`] means that etcd has dropped the revision meanwhile: begin again.
    pub async fn next(&mut self) -> Result<Option<KeyValue>, Error> {
        while self.page.is_empty() && self.more {
            let answer = self.fetch().await?;
            self.take(answer);
        }
        Ok(self.page.pop_front())
    }

    /// The keys as a stream. It ends after an error, whose meanings [`Self::next`] has.
    pub fn into_stream(self) -> impl Stream<Item = Result<KeyValue, Error>> + Send {
        stream::try_unfold(self, |mut range| async move { Ok(range.next().await?.map(|key| (key, range))) })
    }

    async fn fetch(&mut self) -> Result<RangeResponse, Error> {
        loop {
            let request = RangeRequest {
                key: self.next_key.clone(),
                range_end: self.range_end.clone(),
                limit: self.limit,
                revision: self.revision,
                ..Default::default()
            };
            match self.client.range(request).await {
                Err(error) if error.condition() == Condition::MessageTooLarge && self.limit > 1 => self.limit /= 2,
                answer => return answer,
            }
        }
    }

    fn take(&mut self, answer: RangeResponse) {
        self.more = answer.more && !answer.kvs.is_empty();
        if let Some(last) = answer.kvs.last() {
            // The smallest key after a key is that key with a zero byte behind it.
            self.next_key = [&last.key[..], b"\0"].concat().into();
        }
        self.page.extend(answer.kvs);
    }
}

/// First key and end of all keys that begin with `prefix`, as etcd's requests want them.
pub(super) fn prefix_range(prefix: &[u8]) -> (Bytes, Bytes) {
    const ALL: &[u8] = b"\0";
    if prefix.is_empty() {
        return (Bytes::from_static(ALL), Bytes::from_static(ALL));
    }
    let end = match prefix.iter().rposition(|byte| *byte != u8::MAX) {
        None => ALL.to_vec(),
        Some(last) => {
            let mut end = prefix[..=last].to_vec();
            end[last] += 1;
            end
        }
    };
    (Bytes::copy_from_slice(prefix), end.into())
}

#[cfg(test)]
mod tests {
    use super::prefix_range;

    #[test]
    fn a_prefix_ends_where_its_last_byte_can_grow() {
        for (prefix, end) in [(&b"ab"[..], &b"ac"[..]), (b"a\xff", b"b"), (b"\xff\xff", b"\0"), (b"", b"\0")] {
            assert_eq!(&prefix_range(prefix).1[..], end, "{prefix:?}");
        }
        assert_eq!(&prefix_range(b"").0[..], b"\0");
        assert_eq!(&prefix_range(b"ab").0[..], b"ab");
    }
}
