//! Around the service: counters, latency, and the faults that can only be made of raw HTTP.

use std::convert::Infallible;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
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
use super::{Fault, FaultScript, Operation};
use crate::iam::Policy;

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

/// Latency and counters per operation. Clones share them.
#[derive(Clone)]
pub(super) struct Traffic {
    rows: Arc<Vec<Row>>,
}

/// What is known of one operation. Every request reads it, so it has no lock.
struct Row {
    requests: AtomicU64,
    /// Nanoseconds; [`NOT_SET`] where the latency of all holds.
    latency: AtomicU64,
}

const NOT_SET: u64 = u64::MAX;

impl Default for Traffic {
    fn default() -> Self {
        // The last row holds the latency of all.
        let rows = (0..=Operation::ALL.len()).map(|_| Row { requests: 0.into(), latency: NOT_SET.into() });
        Self { rows: Arc::new(rows.collect()) }
    }
}

impl Traffic {
    fn row(&self, operation: Option<Operation>) -> &Row {
        &self.rows[operation.map_or(Operation::ALL.len(), |operation| operation as usize)]
    }

    pub(super) fn set_latency(&self, operation: Option<Operation>, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(NOT_SET).min(NOT_SET - 1);
        self.row(operation).latency.store(nanoseconds, Relaxed);
    }

    pub(super) fn requests(&self, operation: Operation) -> u64 {
        self.row(Some(operation)).requests.load(Relaxed)
    }

    fn begin(&self, operation: Operation) -> Duration {
        let row = self.row(Some(operation));
        row.requests.fetch_add(1, Relaxed);
        let set = |row: &Row| Some(row.latency.load(Relaxed)).filter(|nanoseconds| *nanoseconds != NOT_SET);
        Duration::from_nanos(set(row).or_else(|| set(self.row(None))).unwrap_or_default())
    }
}

impl Layer {
    pub(super) async fn call(self, request: Request<Incoming>) -> Result<Response<Body>, Closed> {
        let call = Call::of(request.method(), request.uri(), request.headers());
        let latency = self.traffic.begin(call.operation);
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let policy = self.policy.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(policy) = policy
            && let Some(action) = rights::missing(&policy, &call, request.headers())
        {
            tracing::debug!(action, operation = %call.operation, bucket = call.bucket, "refused by the policy");
            drain(request).await;
            return Ok(error(403, "AccessDenied", None));
        }
        let fault = self.faults.next(&call);
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
