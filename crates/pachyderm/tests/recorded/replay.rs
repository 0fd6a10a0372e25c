//! A server on a loopback socket that answers as a function says.

use std::{io, sync::Arc, time::Duration};

use bytes::{BufMut as _, Bytes, BytesMut};
use futures::{StreamExt as _, stream};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use pachyderm::client::{Address, Client, ClientOptions};
use tokio::net::TcpListener;

/// How a call is answered.
pub(crate) struct Reply {
    pub(crate) answers: Vec<Vec<u8>>,
    pub(crate) end: End,
}

/// How an answer ends.
pub(crate) enum End {
    /// With a final status: code and message.
    Status(i32, String),
    /// Without one.
    CutShort,
    /// Never.
    Stalled,
    /// Never, and each answer comes only after such a pause.
    #[allow(dead_code, reason = "not every test crate has slow answers")]
    Slow(Duration),
}

impl Reply {
    pub(crate) fn ok(answers: Vec<Vec<u8>>) -> Self {
        Self { answers, end: End::Status(0, String::new()) }
    }
}

/// A call as the server sees it: path, headers, and the messages.
pub(crate) struct Call {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) messages: Vec<Vec<u8>>,
}

#[allow(dead_code, reason = "not every test crate looks at single messages")]
impl Call {
    /// The only message.
    pub(crate) fn message(&self) -> &[u8] {
        assert_eq!(self.messages.len(), 1, "{}", self.path);
        &self.messages[0]
    }
}

/// A client of a server that answers as `handler` says.
#[allow(dead_code, reason = "not every test crate answers whole calls")]
pub(crate) async fn client<H>(options: &ClientOptions, handler: H) -> Client
where
    H: Fn(Call) -> Reply + Send + Sync + 'static,
{
    let handler = Arc::new(handler);
    serve(options, move |request| {
        let handler = Arc::clone(&handler);
        async move {
            let (head, body) = request.into_parts();
            let messages = unframed(&body.collect().await?.to_bytes());
            Ok(response(handler(Call { path: head.uri.path().to_owned(), headers: head.headers, messages })))
        }
    })
    .await
}

/// A client of a server that does as `respond` does.
pub(crate) async fn serve<R, F>(options: &ClientOptions, respond: R) -> Client
where
    R: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<BoxBody<Bytes, io::Error>>, hyper::Error>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let service = hyper::service::service_fn(respond.clone());
            let served = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(connection), service);
            // A client that goes away ends the connection; nobody needs to know.
            tokio::spawn(async move { drop(served.await) });
        }
    });
    Client::connect(&Address::plaintext("127.0.0.1", port), options).await.unwrap()
}

/// Splits a body into messages: each is a flag, 4 bytes of length, and the message.
pub(crate) fn unframed(mut body: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while let Some((head, rest)) = body.split_first_chunk::<5>() {
        let [0, length @ ..] = *head else { panic!("a compressed message") };
        let (message, rest) = rest.split_at(u32::from_be_bytes(length) as usize);
        messages.push(message.to_vec());
        body = rest;
    }
    assert!(body.is_empty(), "{} bytes left", body.len());
    messages
}

/// What goes over the wire.
pub(crate) fn response(reply: Reply) -> Response<BoxBody<Bytes, io::Error>> {
    let frames = stream::iter(reply.answers).map(|answer| {
        let mut frame = BytesMut::new();
        frame.put_u8(0);
        frame.put_u32(u32::try_from(answer.len()).unwrap());
        frame.put_slice(&answer);
        Ok(Frame::data(frame.freeze()))
    });
    let body = match reply.end {
        End::CutShort => BodyExt::boxed(StreamBody::new(frames)),
        End::Slow(pause) => {
            let paused = frames.then(move |frame| async move {
                tokio::time::sleep(pause).await;
                frame
            });
            BodyExt::boxed(StreamBody::new(paused.chain(stream::pending())))
        }
        End::Stalled => BodyExt::boxed(StreamBody::new(frames.chain(stream::pending()))),
        End::Status(code, message) => {
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", code.into());
            trailers.insert("grpc-message", message.replace('"', "%22").parse().unwrap());
            BodyExt::boxed(StreamBody::new(frames.chain(stream::iter([Ok(Frame::trailers(trailers))]))))
        }
    };
    Response::builder().header("content-type", "application/grpc").body(body).unwrap()
}
