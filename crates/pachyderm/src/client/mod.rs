//! Calls to pachd.

mod address;
mod admin;
mod auth;
mod caller;
mod channel;
mod everything;
mod messages;
mod object;
mod op_feed;
mod options;
mod pfs;
mod pps;
mod raw_codec;

use tonic::transport::Channel;

pub use address::{Address, AddressError};
pub(crate) use caller::Caller;
pub use channel::{Connector, ConnectorError};
pub(crate) use channel::{IdlePings, connect, connect_with};
pub use messages::Messages;
pub use options::{ClientOptions, TlsRoots, Token};
pub use pps::{History, Unreadable};
pub use raw_codec::{RawCodec, RawDecoder};

use crate::error::Error;

/// The largest message that pachd sends or takes, in bytes, in all releases from 1.7 to 1.13.
pub const LARGEST_MESSAGE: usize = 20 * 1024 * 1024;

/// Room above [`LARGEST_MESSAGE`], in bytes, so that it is the server who says what is too large.
const SLACK: usize = 1024 * 1024;

/// A connection to pachd. Cheap to clone; clones share the connection, which is made again when it breaks.
///
/// Calls with one answer end within [`ClientOptions::deadline`], and no single message may exceed 20 MiB: the lists of
/// pipelines, repos and branches come as one message and fail beyond it. Nothing is retried here;
/// [`Error::retry_helps`] says whether that makes sense.
#[derive(Clone, Debug)]
pub struct Client {
    caller: Caller,
}

impl Client {
    /// Connects by TCP, with TLS if the address says so.
    ///
    /// # Errors
    ///
    /// No connection within [`ClientOptions::connect_timeout`], no usable certificate, or a token that cannot be sent.
    pub async fn connect(address: &Address, options: &ClientOptions) -> Result<Self, Error> {
        Self::from_channel(connect(address, options, IdlePings::Sent).await?, options)
    }

    /// Connects by a connector, such as a port-forward to pachd's pod. The address is what the server and its certificate
    /// are called; nothing is looked up.
    ///
    /// # Errors
    ///
    /// As [`Self::connect`].
    pub async fn with_connector<C: Connector>(
        connector: C,
        address: &Address,
        options: &ClientOptions,
    ) -> Result<Self, Error> {
        Self::from_channel(connect_with(connector, address, options, IdlePings::Sent).await?, options)
    }

    /// Uses a channel made elsewhere.
    ///
    /// # Errors
    ///
    /// The token cannot be sent.
    pub fn from_channel(channel: Channel, options: &ClientOptions) -> Result<Self, Error> {
        Ok(Self { caller: Caller::new(channel, options, LARGEST_MESSAGE + SLACK)? })
    }
}
