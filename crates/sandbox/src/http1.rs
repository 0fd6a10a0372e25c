//! Connections of HTTP/1.1, accepted and served.

use std::error::Error;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves connections until `stop`. A request whose answer is an error ends its connection without one.
pub(crate) async fn serve<Answer, Answered, B, E>(listener: TcpListener, stop: CancellationToken, answer: Answer)
where
    Answer: Fn(Request<Incoming>) -> Answered + Clone + Send + 'static,
    Answered: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::debug!(%error, "a connection could not be accepted");
                    continue;
                }
            },
        };
        // Small answers shall not wait for more; a socket that refuses the option still works.
        let _ = stream.set_nodelay(true);
        let (answer, stop) = (answer.clone(), stop.clone());
        tokio::spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(answer))
                .with_upgrades();
            tokio::select! {
                () = stop.cancelled() => {}
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(%error, "a connection broke off");
                },
            }
        });
    }
}
