//! Connections: gRPC and plain HTTP on one port.

use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;

use super::shared::Shared;
use super::{grpc, http_api};

/// Most calls at a time on a connection of HTTP/2, as Google's front ends have it.
const MAX_STREAMS: u32 = 100;
/// Bytes that a client may send before they are read.
const WINDOW: u32 = 4 << 20;

pub(super) async fn accept(listener: TcpListener, server: Arc<Shared>, end: CancellationToken, tasks: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            () = end.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => drop(tasks.spawn(serve(stream, Arc::clone(&server), end.child_token()))),
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Serves a connection until it ends or `hang_up` is cancelled: by the server's end or by a fault.
async fn serve(stream: TcpStream, server: Arc<Shared>, hang_up: CancellationToken) {
    // Without this, small replies wait for the client's acknowledgement.
    let nodelay = stream.set_nodelay(true);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // A timer for each request costs more than it is worth between a client and a server of one test.
    builder.http1().header_read_timeout(None);
    builder
        .http2()
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(4 * WINDOW);
    let own = hang_up.clone();
    let service = service_fn(move |request| {
        let (server, hang_up) = (Arc::clone(&server), own.clone());
        async move { Ok::<_, std::convert::Infallible>(answer(server, hang_up, request).await) }
    });
    tokio::select! {
        () = hang_up.cancelled() => {}
        ended = builder.serve_connection(TokioIo::new(stream), service) => {
            tracing::debug!(?nodelay, ?ended, "connection ended");
        }
    }
}

async fn answer(server: Arc<Shared>, hang_up: CancellationToken, request: Request<Incoming>) -> Response<Body> {
    let request = request.map(Body::new);
    let kind = request.headers().get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    if kind.is_some_and(|kind| kind.starts_with(b"application/grpc")) {
        grpc::call(server, hang_up, request).await
    } else {
        http_api::call(server, hang_up, request).await
    }
}
