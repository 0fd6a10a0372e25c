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

use super::{ClientOptions, Messages, RawCodec};
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
}

impl Caller {
    /// Sends the token of the options with every call. `largest_message` is in bytes and holds both ways.
    pub(crate) fn new(channel: Channel, options: &ClientOptions, largest_message: usize) -> Result<Self, Error> {
        let mut caller = Self::without_token(channel, options, largest_message);
        if let Some(token) = &options.token {
            let value: Result<MetadataValue<Ascii>, _> = token.secret().parse();
            let mut value = value.map_err(|error| Error::new("connect", "", Cause::Token(error)))?;
            value.set_sensitive(true);
            caller.token = Some(value);
        }
        Ok(caller)
    }

    /// Never sends a token.
    pub(crate) fn without_token(channel: Channel, options: &ClientOptions, largest_message: usize) -> Self {
        let grpc =
            Grpc::new(channel).max_decoding_message_size(largest_message).max_encoding_message_size(largest_message);
        Self { grpc, token: None, deadline: options.deadline, progress_deadline: options.progress_deadline }
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

    /// A call with one answer.
    pub(crate) async fn unary<Q, A>(&self, path: &'static str, resource: &str, message: Q) -> Result<A, Error>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let call = async {
            let mut grpc = self.ready().await?;
            let codec = ProstCodec::<Q, A>::default();
            grpc.unary(self.request(message), PathAndQuery::from_static(path), codec).await
        };
        match tokio::time::timeout(self.deadline, call).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(Error::new(path, resource, Cause::Status(status))),
            Err(_) => Err(Error::new(path, resource, Cause::Deadline(self.deadline))),
        }
    }

    async fn streaming<S, C>(
        &self,
        path: &'static str,
        resource: &str,
        messages: S,
        codec: C,
        patience: Option<Duration>,
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
        match tokio::time::timeout(self.progress_deadline, call).await {
            Ok(Ok(answer)) => Ok(Messages::new(answer.into_inner(), path, resource, patience)),
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
        self.streaming(path, resource, tokio_stream::once(message), codec, Some(self.progress_deadline)).await
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
        self.streaming(path, resource, tokio_stream::once(message), codec, Some(self.progress_deadline)).await
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
        self.streaming(path, resource, messages, ProstCodec::<Q, A>::default(), None).await
    }
}
