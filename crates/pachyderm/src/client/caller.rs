//! Calls by path, with deadlines, limits and the token.

use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use http::uri::PathAndQuery;
use prost::Message;
use tonic::{
    Request,
    client::Grpc,
    codec::Codec,
    metadata::{Ascii, MetadataValue},
    transport::Channel,
};
use tonic_prost::ProstCodec;

use super::{
    ClientOptions, Messages, RawCodec, Token,
    op_feed::{OpCodec, op_feed},
};
use crate::error::{Cause, Error};

/// Metadata key of the Pachyderm auth token.
const TOKEN_KEY: &str = "authn-token";

/// A channel with everything that each call needs. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    grpc: Grpc<Channel>,
    token: Option<MetadataValue<Ascii>>,
    deadline: Duration,
    progress_deadline: Duration,
    largest_message: usize,
}

impl Caller {
    /// Sends the token of the options with every call. `largest_message` is in bytes and holds both ways.
    pub(crate) fn new(channel: Channel, options: &ClientOptions, largest_message: usize) -> Result<Self, Error> {
        let mut caller = Self::without_token(channel, options, largest_message);
        caller.token = options.token.as_ref().map(|token| header_value("connect", token)).transpose()?;
        Ok(caller)
    }

    /// Never sends a token.
    pub(crate) fn without_token(channel: Channel, options: &ClientOptions, largest_message: usize) -> Self {
        let grpc =
            Grpc::new(channel).max_decoding_message_size(largest_message).max_encoding_message_size(largest_message);
        Self {
            grpc,
            token: None,
            deadline: options.deadline,
            progress_deadline: options.progress_deadline,
            largest_message,
        }
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(token) = &self.token {
            request.metadata_mut().insert(TOKEN_KEY, token.clone());
        }
        request
    }

    async fn ready(&self) -> Result<Grpc<Channel>, tonic::Status> {
        let mut grpc = self.grpc.clone();
        grpc.ready().await.map_err(|error| tonic::Status::from_error(Box::new(error)))?;
        Ok(grpc)
    }

    /// A call with one answer, within the deadline of the options.
    pub(crate) async fn unary<Q, A>(&self, path: &'static str, resource: &str, message: Q) -> Result<A, Error>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        self.unary_within(self.deadline, path, resource, message).await
    }

    /// A call with one answer, within a deadline of its own.
    pub(crate) async fn unary_within<Q, A>(
        &self,
        deadline: Duration,
        path: &'static str,
        resource: &str,
        message: Q,
    ) -> Result<A, Error>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let bytes = message.encoded_len();
        if bytes > self.largest_message {
            return Err(Error::new(path, resource, Cause::TooLarge { bytes, limit: self.largest_message }));
        }
        let call = async {
            let mut grpc = self.ready().await?;
            let codec = ProstCodec::<Q, A>::default();
            grpc.unary(self.request(message), PathAndQuery::from_static(path), codec).await
        };
        match tokio::time::timeout(deadline, call).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(Error::new(path, resource, Cause::Status(status))),
            Err(_) => Err(Error::new(path, resource, Cause::Deadline(deadline))),
        }
    }

    async fn streaming<S, C>(
        &self,
        path: &'static str,
        resource: &str,
        messages: S,
        codec: C,
        patience: Patience,
    ) -> Result<Messages<C::Decode>, Error>
    where
        S: Stream<Item = C::Encode> + Send + 'static,
        C: Codec,
        C::Encode: Send + Sync + 'static,
        C::Decode: Send + Sync + 'static,
    {
        let call = async {
            let mut grpc = self.ready().await?;
            grpc.streaming(self.request(messages), PathAndQuery::from_static(path), codec).await
        };
        // A server may send nothing before its first message, so the start of the answer is waited for as long.
        let first = if patience.first { self.progress_deadline } else { Duration::MAX };
        let next = patience.next.then_some(self.progress_deadline);
        match tokio::time::timeout(first, call).await {
            Ok(Ok(answer)) => Ok(Messages::new(answer.into_inner(), path, resource, next)),
            Ok(Err(status)) => Err(Error::new(path, resource, Cause::Status(status))),
            Err(_) => Err(Error::new(path, resource, Cause::NoProgress(self.progress_deadline))),
        }
    }

    /// A call with a stream of answers.
    pub(crate) async fn stream<Q, A>(
        &self,
        path: &'static str,
        resource: &str,
        message: Q,
    ) -> Result<Messages<A>, Error>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let codec = ProstCodec::<Q, A>::default();
        self.streaming(path, resource, tokio_stream::once(message), codec, Patience::LIMITED).await
    }

    /// A call with a stream of answers, of which the first and each other one may take any time.
    pub(crate) async fn endless_stream<Q, A>(
        &self,
        path: &'static str,
        resource: &str,
        message: Q,
    ) -> Result<Messages<A>, Error>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let codec = ProstCodec::<Q, A>::default();
        self.streaming(path, resource, tokio_stream::once(message), codec, Patience::ENDLESS).await
    }

    /// A call with a stream of answers, each as the bytes it came in.
    pub(crate) async fn raw_stream<Q>(
        &self,
        path: &'static str,
        resource: &str,
        message: Q,
    ) -> Result<Messages<Bytes>, Error>
    where
        Q: Message + 'static,
    {
        let codec = RawCodec::<Q>::default();
        self.streaming(path, resource, tokio_stream::once(message), codec, Patience::LIMITED).await
    }

    /// A call with streams both ways, whose answers may be arbitrarily far apart.
    pub(crate) async fn duplex<S, Q, A>(
        &self,
        path: &'static str,
        resource: &str,
        messages: S,
    ) -> Result<Messages<A>, Error>
    where
        S: Stream<Item = Q> + Send + 'static,
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        self.streaming(path, resource, messages, ProstCodec::<Q, A>::default(), Patience::FIRST_ONLY).await
    }

    /// A call that sends encoded operations, each as the bytes it has, and has one answer without content. The number of
    /// operations sent. With a token it is sent instead of that of the options.
    ///
    /// Nothing but the end of `ops` ends the call for the server: when `ops` fails, when the server takes nothing for as long
    /// as the progress deadline, or when this is dropped, the call is broken off.
    pub(crate) async fn send_ops<S, E>(&self, path: &'static str, ops: S, token: Option<&Token>) -> Result<u64, Error>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    {
        let failed = |cause| Error::new(path, "", cause);
        let (feed, mut gauge) = op_feed(ops, self.largest_message);
        let mut request = self.request(feed);
        if let Some(token) = token {
            request.metadata_mut().insert(TOKEN_KEY, header_value(path, token)?);
        }
        let call = async {
            let mut grpc = self.ready().await?;
            grpc.client_streaming(request, PathAndQuery::from_static(path), OpCodec).await
        };
        let answer = tokio::select! {
            answer = call => answer,
            () = gauge.stalled(self.progress_deadline) => return Err(failed(Cause::NoProgress(self.progress_deadline))),
        };
        if let Some(cause) = gauge.failure() {
            return Err(failed(cause));
        }
        answer.map_err(|status| failed(Cause::Status(status)))?;
        gauge
            .all_sent()
            .ok_or_else(|| failed(Cause::Protocol("the server answered before it had all operations".into())))
    }
}

/// Which waits of a stream the progress deadline limits.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// That for the start of the answer.
    first: bool,
    /// That for each message after it.
    next: bool,
}

impl Patience {
    const LIMITED: Self = Self { first: true, next: true };
    const FIRST_ONLY: Self = Self { first: true, next: false };
    const ENDLESS: Self = Self { first: false, next: false };
}

/// A token as a header that logs do not show.
fn header_value(operation: &'static str, token: &Token) -> Result<MetadataValue<Ascii>, Error> {
    let value: Result<MetadataValue<Ascii>, _> = token.secret().parse();
    let mut value = value.map_err(|error| Error::new(operation, "", Cause::Token(error)))?;
    value.set_sensitive(true);
    Ok(value)
}
