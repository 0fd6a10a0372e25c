//! gRPC over HTTP/2 by hand: one loopback listener, calls told apart by their path, messages as raw bytes.
//!
//! Raw bytes, because recorded operations must leave the server exactly as they were recorded, and because one codec
//! for all methods keeps the server small.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Buf, BufMut, Bytes};
use futures::stream::{self, BoxStream, StreamExt};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

/// Largest message pachd and its clients send or take, in bytes.
pub const MAX_MESSAGE: usize = 20 * 1024 * 1024;

/// Messages as their raw bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct RawCodec;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = RawCodec;
    type Decoder = RawCodec;

    fn encoder(&mut self) -> RawCodec {
        RawCodec
    }

    fn decoder(&mut self) -> RawCodec {
        RawCodec
    }
}

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(item);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// The messages of an answer; a unary answer is a stream of one.
pub type Answer = BoxStream<'static, Result<Bytes, Status>>;

/// What a call brings: its path, its metadata, its messages.
pub struct Call {
    /// `<package>.<service>`, e.g. `pps.API`.
    pub service: String,
    /// Name of the method.
    pub method: String,
    /// Metadata of the request.
    pub metadata: MetadataMap,
    /// Messages of the request.
    pub messages: Streaming<Bytes>,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").field("service", &self.service).field("method", &self.method).finish_non_exhaustive()
    }
}

impl Call {
    /// Reads and decodes the single message of a unary or server-streaming call.
    ///
    /// # Errors
    /// The stream broke, or the bytes are no such message.
    pub async fn message<M: Message + Default>(&mut self) -> Result<M, Status> {
        let bytes = self.messages.message().await?.unwrap_or_default();
        M::decode(bytes).map_err(|error| Status::internal(format!("grpc: error unmarshalling request: {error}")))
    }
}

/// An answer of one message.
///
/// # Errors
/// The message is larger than pachd's limit, reported as grpc-go reports it.
pub fn one(message: &impl Message) -> Result<Answer, Status> {
    let bytes = Bytes::from(message.encode_to_vec());
    if bytes.len() > MAX_MESSAGE {
        let text = format!("grpc: trying to send message larger than max ({} vs. {MAX_MESSAGE})", bytes.len());
        return Err(Status::resource_exhausted(text));
    }
    Ok(stream::once(async move { Ok(bytes) }).boxed())
}

/// An answer of many messages that are all known.
pub fn many<M: Message>(messages: impl IntoIterator<Item = M>) -> Answer {
    let encoded: Vec<_> = messages.into_iter().map(|message| Ok(Bytes::from(message.encode_to_vec()))).collect();
    stream::iter(encoded).boxed()
}

/// The text grpc-go has for a service that is not registered.
pub fn unknown_service(service: &str) -> Status {
    Status::unimplemented(format!("unknown service {service}"))
}

/// The text grpc-go has for a method that a registered service lacks.
pub fn unknown_method(service: &str, method: &str) -> Status {
    Status::unimplemented(format!("unknown method {method} for service {service}"))
}

/// A plain Go error as grpc-go sends it: code UNKNOWN and the text.
pub fn plain(text: impl Into<String>) -> Status {
    Status::unknown(text)
}

/// Future of an answer.
pub type AnswerFuture = Pin<Box<dyn Future<Output = Result<Answer, Status>> + Send>>;

/// What answers the calls that arrive at a listener.
pub trait Service: Send + Sync + 'static {
    /// Answers one call. An error becomes the call's status.
    fn answer(self: Arc<Self>, call: Call) -> AnswerFuture;
}

/// A running listener. Dropping it stops the listener and closes its connections.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    generation: Arc<AtomicU64>,
    cut: watch::Sender<u64>,
    task: tokio::task::JoinHandle<()>,
}

impl Listener {
    /// Starts to answer calls on a free loopback port.
    ///
    /// # Errors
    /// No socket can be opened.
    pub async fn start(service: Arc<dyn Service>) -> io::Result<Listener> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), service).await
    }

    /// Starts to answer calls on a given address.
    ///
    /// # Errors
    /// The address is taken, or no socket can be opened.
    pub async fn start_at(address: SocketAddr, service: Arc<dyn Service>) -> io::Result<Listener> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (cut, cuts) = watch::channel(0);
        let task = tokio::spawn(accept(listener, service, cuts));
        Ok(Listener { address, generation: Arc::default(), cut, task })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes every open connection without a word; new ones are accepted.
    pub fn drop_connections(&self) {
        self.cut.send_replace(self.generation.fetch_add(1, Ordering::Relaxed) + 1);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, service: Arc<dyn Service>, cuts: watch::Receiver<u64>) {
    // Held here, so that connections end with the listener.
    let mut connections = JoinSet::new();
    loop {
        let socket = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => socket,
                Err(error) => {
                    tracing::warn!(%error, "sandbox listener cannot accept");
                    continue;
                }
            },
            Some(_) = connections.join_next() => continue,
        };
        // Small messages go out at once; otherwise each waits for the acknowledgement of the last.
        let _ = socket.set_nodelay(true);
        let service = Arc::clone(&service);
        let mut cut = cuts.clone();
        cut.mark_unchanged();
        connections.spawn(async move {
            let handler = hyper::service::service_fn(move |request| handle(Arc::clone(&service), request));
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(socket), handler);
            tokio::select! {
                served = connection => if let Err(error) = served {
                    tracing::debug!(%error, "sandbox connection ended");
                },
                _ = cut.changed() => {}
            }
        });
    }
}

async fn handle(
    service: Arc<dyn Service>,
    request: http::Request<hyper::body::Incoming>,
) -> Result<http::Response<tonic::body::Body>, std::convert::Infallible> {
    let path = request.uri().path().to_owned();
    let handler = tower::service_fn(move |request: Request<Streaming<Bytes>>| {
        let service = Arc::clone(&service);
        let path = path.clone();
        async move {
            let (service_name, method) = path
                .strip_prefix('/')
                .and_then(|rest| rest.rsplit_once('/'))
                .ok_or_else(|| Status::unimplemented(format!("malformed method name: {path:?}")))?;
            let (metadata, _, messages) = request.into_parts();
            let call = Call { service: service_name.to_owned(), method: method.to_owned(), metadata, messages };
            service.answer(call).await.map(Response::new)
        }
    });
    let mut grpc =
        tonic::server::Grpc::new(RawCodec).max_decoding_message_size(MAX_MESSAGE).max_encoding_message_size(usize::MAX);
    Ok(grpc.streaming(handler, request).await)
}
