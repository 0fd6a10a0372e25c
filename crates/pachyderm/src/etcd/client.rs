//! Calls to one etcd member.

use bytes::Bytes;
use tonic::transport::Channel;

use super::{
    proto::{
        AlarmAction, AlarmMember, AlarmRequest, AlarmResponse, KeyValue, Member, MemberListRequest, MemberListResponse,
        RangeRequest, RangeResponse, StatusRequest, StatusResponse, method,
    },
    range::Range,
};
use crate::{
    client::{Address, Caller, ClientOptions, Connector, IdlePings, connect, connect_with},
    error::{Cause, Error},
};

/// The largest message taken, in bytes. etcd itself sends answers of any size.
const LARGEST_MESSAGE: usize = 64 * 1024 * 1024;

/// A connection to one etcd member. Cheap to clone; clones share the connection, which is made again when it breaks.
///
/// Nothing is retried here. etcd's own authentication is not supported, since Pachyderm never turns it on; the token in
/// [`ClientOptions`] is Pachyderm's and is never sent.
#[derive(Clone, Debug)]
pub struct EtcdClient {
    pub(super) caller: Caller,
}

impl EtcdClient {
    /// Connects by TCP, with TLS if the address says so. Pachyderm's own etcd speaks plaintext.
    ///
    /// # Errors
    ///
    /// No connection within [`ClientOptions::connect_timeout`], or no usable certificate.
    pub async fn connect(address: &Address, options: &ClientOptions) -> Result<Self, Error> {
        Ok(Self::from_channel(connect(address, options, IdlePings::Withheld).await?, options))
    }

    /// Connects by a connector, such as a port-forward to etcd's pod. The address is what the server is called; nothing is
    /// looked up.
    ///
    /// # Errors
    ///
    /// As [`Self::connect`].
    pub async fn with_connector<C: Connector>(
        connector: C,
        address: &Address,
        options: &ClientOptions,
    ) -> Result<Self, Error> {
        Ok(Self::from_channel(connect_with(connector, address, options, IdlePings::Withheld).await?, options))
    }

    /// Uses a channel made elsewhere. It must not send pings while idle: etcd closes such connections.
    #[must_use]
    pub fn from_channel(channel: Channel, options: &ClientOptions) -> Self {
        Self { caller: Caller::without_token(channel, options, LARGEST_MESSAGE) }
    }

    /// How the member is: version, size, leader, errors. Its header carries the member's revision.
    ///
    /// # Errors
    ///
    /// The call fails.
    pub async fn status(&self) -> Result<StatusResponse, Error> {
        self.caller.unary(method::STATUS, "", StatusRequest {}).await
    }

    /// The alarms of all members.
    ///
    /// # Errors
    ///
    /// The call fails.
    pub async fn alarms(&self) -> Result<Vec<AlarmMember>, Error> {
        let request = AlarmRequest { action: AlarmAction::Get.into(), ..Default::default() };
        let answer: AlarmResponse = self.caller.unary(method::ALARM, "", request).await?;
        Ok(answer.alarms)
    }

    /// The members of the etcd cluster.
    ///
    /// # Errors
    ///
    /// The call fails.
    pub async fn members(&self) -> Result<Vec<Member>, Error> {
        let request = MemberListRequest { linearizable: true };
        let answer: MemberListResponse = self.caller.unary(method::MEMBER_LIST, "", request).await?;
        Ok(answer.members)
    }

    /// One key as it is now, agreed on by the whole etcd cluster; `None` if there is no such key.
    ///
    /// # Errors
    ///
    /// The call fails.
    pub async fn get(&self, key: &[u8]) -> Result<Option<KeyValue>, Error> {
        let request = RangeRequest { key: Bytes::copy_from_slice(key), ..Default::default() };
        let answer: RangeResponse = self.range(request).await?;
        Ok(answer.kvs.into_iter().next())
    }

    /// The newest revision, agreed on by the whole etcd cluster.
    ///
    /// # Errors
    ///
    /// The call fails, or the answer lacks it.
    pub async fn revision(&self) -> Result<i64, Error> {
        let request = RangeRequest { key: Bytes::from_static(b"\0"), count_only: true, ..Default::default() };
        let answer = self.range(request).await?;
        revision_of(&answer)
    }

    /// The number of live keys at `revision`.
    ///
    /// # Errors
    ///
    /// The call fails, or the revision was compacted away.
    pub async fn count(&self, revision: i64) -> Result<u64, Error> {
        let everything = Bytes::from_static(b"\0");
        let request = RangeRequest {
            key: everything.clone(),
            range_end: everything,
            revision,
            count_only: true,
            ..Default::default()
        };
        Ok(self.range(request).await?.count.max(0).cast_unsigned())
    }

    /// All keys that begin with `prefix` (empty: all keys), in order of key, at one revision: the newest at the time of
    /// the call. They come in pages, so memory is bounded by the page and not by the number of keys.
    ///
    /// # Errors
    ///
    /// The first page cannot be read.
    pub async fn range_all(&self, prefix: &[u8]) -> Result<Range, Error> {
        Range::begin(self.clone(), prefix).await
    }

    pub(super) async fn range(&self, request: RangeRequest) -> Result<RangeResponse, Error> {
        let resource = String::from_utf8_lossy(&request.key).into_owned();
        self.caller.unary(method::RANGE, &resource, request).await
    }
}

/// The revision in the header of an answer.
pub(super) fn revision_of(answer: &RangeResponse) -> Result<i64, Error> {
    match &answer.header {
        Some(header) if header.revision > 0 => Ok(header.revision),
        _ => Err(Error::new(method::RANGE, "", Cause::Protocol("the answer has no revision".into()))),
    }
}
