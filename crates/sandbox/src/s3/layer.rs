//! Around the service: counters, latency, and the faults that can only be made of raw HTTP.

use std::convert::Infallible;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use s3s::service::S3Service;

use super::operation::Call;
use super::rights;
use super::{Fault, FaultScript};
use crate::iam::Policy;
use crate::traffic::Traffic;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Body = UnsyncBoxBody<Bytes, BoxError>;

/// The connection is to be closed without a reply.
#[derive(Debug, thiserror::Error)]
#[error("closed by the fault script")]
pub(super) struct Closed;

/// What every request passes.
#[derive(Clone)]
pub(super) struct Layer {
    pub(super) service: S3Service,
    pub(super) faults: FaultScript,
    pub(super) traffic: Traffic,
    pub(super) policy: Allowed,
}

/// The policy of whoever asks, if there is one.
pub(super) type Allowed = Arc<RwLock<Option<Arc<Policy>>>>;

impl Layer {
    pub(super) async fn call(self, request: Request<Incoming>) -> Result<Response<Body>, Closed> {
        let call = Call::of(request.method(), request.uri(), request.headers());
        self.traffic.begin(call.operation as usize).await;
        let policy = self.policy.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(policy) = policy
            && let Some(action) = rights::missing(&policy, &call, request.headers())
        {
            tracing::debug!(action, operation = %call.operation, bucket = call.bucket, "refused by the policy");
            drain(request).await;
            return Ok(error(403, "AccessDenied", None));
        }
        let fault = self.faults.next(call.operation, &call.key);
        match &fault {
            Some(Fault::DropBefore) => return Err(Closed),
            Some(Fault::Error { status, code, retry_after }) => {
                drain(request).await;
                return Ok(error(*status, code, *retry_after));
            }
            Some(Fault::OkWithError { code }) => {
                drain(request).await;
                return Ok(error(200, code, None));
            }
            _ => {}
        }
        let response = self.service.call(request.map(s3s::Body::from)).await.map_err(|error| {
            tracing::error!(?error, operation = %call.operation, "the S3 service failed");
            Closed
        })?;
        let response = response.map(|body| body.map_err(BoxError::from).boxed_unsync());
        match fault {
            Some(Fault::DropAfter) => Err(Closed),
            Some(Fault::WrongETag) => Ok(wrong_etag(response).await),
            Some(Fault::SlowBody { chunk, pause }) => Ok(slowly(response, chunk.max(1), pause).await),
            Some(Fault::TruncatedBody { after }) => Ok(truncated(response, after).await),
            Some(Fault::FlippedByte) => Ok(flipped(response).await),
            _ => Ok(response),
        }
    }
}

/// Reads what the client still sends, so that it sees the answer rather than a broken pipe.
async fn drain(request: Request<Incoming>) {
    let mut body = request.into_body();
    while let Some(Ok(_)) = body.frame().await {}
}

fn error(status: u16, code: &str, retry_after: Option<u32>) -> Response<Body> {
    let document = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>ordered by the fault script\
         </Message><RequestId>0</RequestId></Error>"
    );
    let mut response = Response::new(full(document.into()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync()
}

async fn collected(response: Response<Body>) -> (http::response::Parts, Bytes) {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    (parts, bytes)
}

const WRONG_ETAG: &str = "00000000000000000000000000000bad";

async fn wrong_etag(response: Response<Body>) -> Response<Body> {
    let is_xml = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().ends_with(b"/xml"));
    let has_tag = response.headers().contains_key(ETAG);
    let (mut parts, mut bytes) = collected(response).await;
    if has_tag {
        parts.headers.insert(ETAG, HeaderValue::from_static("\"00000000000000000000000000000bad\""));
    } else if is_xml {
        let text = String::from_utf8_lossy(&bytes);
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_ref();
        while let Some((before, after)) = rest.split_once("<ETag>") {
            out.push_str(before);
            out.push_str("<ETag>\"");
            out.push_str(WRONG_ETAG);
            out.push_str("\"</ETag>");
            rest = after.split_once("</ETag>").map_or("", |(_, rest)| rest);
        }
        out.push_str(rest);
        bytes = out.into();
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    }
    Response::from_parts(parts, full(bytes))
}

async fn slowly(response: Response<Body>, chunk: usize, pause: Duration) -> Response<Body> {
    let (parts, bytes) = collected(response).await;
    let chunks: Vec<Bytes> = (0..bytes.len().div_ceil(chunk))
        .map(|at| bytes.slice(at * chunk..((at + 1) * chunk).min(bytes.len())))
        .collect();
    let frames = futures::stream::iter(chunks).then(move |bytes| async move {
        tokio::time::sleep(pause).await;
        Ok(Frame::data(bytes))
    });
    Response::from_parts(parts, StreamBody::new(frames).boxed_unsync())
}

async fn truncated(response: Response<Body>, after: usize) -> Response<Body> {
    let (mut parts, bytes) = collected(response).await;
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    let sent = bytes.slice(..after.min(bytes.len()));
    let frames = futures::stream::iter([Ok(Frame::data(sent)), Err(BoxError::from(Closed))]);
    // A pause lets the part before the break leave the socket.
    let frames = frames.then(|frame| async move {
        if frame.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        frame
    });
    Response::from_parts(parts, StreamBody::new(frames).boxed_unsync())
}

async fn flipped(response: Response<Body>) -> Response<Body> {
    let (parts, bytes) = collected(response).await;
    let mut bytes = Vec::from(bytes);
    if let Some(first) = bytes.first_mut() {
        *first ^= 1;
    }
    Response::from_parts(parts, full(bytes.into()))
}
