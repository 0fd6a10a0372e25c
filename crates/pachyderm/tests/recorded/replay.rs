//! A server over an in-memory connection that answers as a function says.

use std::{io, sync::Arc};

use bytes::{BufMut as _, Bytes, BytesMut};
use futures::{StreamExt as _, stream};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use pachyderm::client::{Address, Client, ClientOptions};

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
}

impl Reply {
    pub(crate) fn ok(answers: Vec<Vec<u8>>) -> Self {
        Self { answers, end: End::Status(0, String::new()) }
    }
}

/// A call as the server sees it: path, headers, and the message.
pub(crate) struct Call {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) message: Vec<u8>,
}

/// A client of a server that answers as `handler` says.
pub(crate) async fn client<H>(options: &ClientOptions, handler: H) -> Client
where
    H: Fn(Call) -> Reply + Send + Sync + 'static,
{
    let handler = Arc::new(handler);
    let connector = tower::service_fn(move |_: http::Uri| {
        let handler = Arc::clone(&handler);
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        tokio::spawn(async move {
            let service = hyper::service::service_fn(|request| answer(request, Arc::clone(&handler)));
            // A client that goes away ends the connection; nobody needs to know.
            drop(
                hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(theirs), service)
                    .await,
            );
        });
        async move { Ok::<_, io::Error>(ours) }
    });
    Client::with_connector(connector, &Address::plaintext("pachd", 650), options).await.unwrap()
}

async fn answer<H: Fn(Call) -> Reply>(
    request: Request<Incoming>,
    handler: Arc<H>,
) -> Result<Response<BoxBody<Bytes, io::Error>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    // One message: a flag, 4 bytes of length, the message.
    let message = body[5..].to_vec();
    let reply = handler(Call { path: head.uri.path().to_owned(), headers: head.headers, message });
    let frames = stream::iter(reply.answers).map(|answer| {
        let mut frame = BytesMut::new();
        frame.put_u8(0);
        frame.put_u32(u32::try_from(answer.len()).unwrap());
        frame.put_slice(&answer);
        Ok(Frame::data(frame.freeze()))
    });
    let body = match reply.end {
        End::CutShort => BodyExt::boxed(StreamBody::new(frames)),
        End::Stalled => BodyExt::boxed(StreamBody::new(frames.chain(stream::pending()))),
        End::Status(code, message) => {
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", code.into());
            trailers.insert("grpc-message", message.replace('"', "%22").parse().unwrap());
            BodyExt::boxed(StreamBody::new(frames.chain(stream::iter([Ok(Frame::trailers(trailers))]))))
        }
    };
    Ok(Response::builder().header("content-type", "application/grpc").body(body).unwrap())
}
