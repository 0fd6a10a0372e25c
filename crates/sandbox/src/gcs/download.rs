//! `GET /storage/v1/b/{bucket}/o/{object}?alt=media`: an object's bytes.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::StreamExt as _;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{Full, StreamBody};
use hyper::body::Frame;
use tonic::body::Body;

use super::Operation;
use super::failure::Failure;
use super::fault::Fault;
use super::http_api::{Incoming, refused_media, set};
use super::object::Object;
use super::operation::Call;
use super::shared::drop_connection;
use super::{json_object, times};

pub(super) async fn call(incoming: Incoming, bucket: &str, key: &str) -> Response<Body> {
    let media = incoming.query.get("alt") == Some("media");
    let operation = if media { Operation::ReadObject } else { Operation::GetObject };
    let fault = match incoming.server.enter(Call { operation, key }, &incoming.hang_up).await {
        Ok(fault) => fault,
        Err(failure) if media => return refused_media(&failure),
        Err(failure) => return super::http_api::refused(&failure),
    };
    let response = if media {
        read(&incoming, bucket, key, fault.as_ref()).unwrap_or_else(|failure| refused_media(&failure))
    } else {
        let told = find(&incoming, bucket, key).map(|(object, until)| json_object::told(bucket, key, &object, until));
        told.map_or_else(|failure| super::http_api::refused(&failure), super::http_api::json)
    };
    match fault {
        Some(Fault::DropAfter) => drop_connection(&incoming.hang_up).await,
        _ => response,
    }
}

fn find(incoming: &Incoming, bucket: &str, key: &str) -> Result<(Object, Option<std::time::SystemTime>), Failure> {
    let server = &incoming.server;
    let caller = server.caller(incoming.request.headers(), incoming.query.user_project())?;
    server.permit(&caller, "storage.objects.get", bucket, "object")?;
    let generation = incoming.query.number("generation")?.unwrap_or_default();
    let conditions = incoming.query.conditions()?;
    server.store.read(bucket, |bucket| {
        caller.pays(bucket)?;
        let object = bucket.read(key, generation, &conditions)?;
        let tagged = |name| incoming.header(name).map(|tags| tags.split(',').any(|tag| tag.trim() == object.etag()));
        if tagged("if-match") == Some(false) {
            return Err(Failure::precondition());
        }
        if tagged("if-none-match") == Some(true) {
            return Err(Failure::not_modified());
        }
        Ok((object.clone(), bucket.retained_until(object)))
    })
}

fn read(incoming: &Incoming, bucket: &str, key: &str, fault: Option<&Fault>) -> Result<Response<Body>, Failure> {
    let (object, _) = find(incoming, bucket, key)?;
    let customer_key = incoming.header("x-goog-encryption-key-sha256").and_then(|sha256| STANDARD.decode(sha256).ok());
    object.opened_by(&customer_key.unwrap_or_default())?;
    let gzip = object.headers.content_encoding.as_deref() == Some("gzip");
    if gzip && !incoming.header("accept-encoding").is_some_and(|accepted| accepted.contains("gzip")) {
        return Err(Failure::unimplemented("decompressive transcoding; ask with Accept-Encoding: gzip"));
    }
    let size = object.bytes.len();
    let range = incoming.header("range").and_then(|range| wanted(range, size)).transpose()?;
    let (status, bytes) = match &range {
        Some(range) => (StatusCode::PARTIAL_CONTENT, object.bytes.slice(range.clone())),
        None => (StatusCode::OK, object.bytes.clone()),
    };
    let length = bytes.len();
    let mut response = Response::new(body(bytes, fault));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    if let Some(range) = range {
        set(&mut response, "content-range", &format!("bytes {}-{}/{size}", range.start, range.end - 1));
    }
    tell(&mut response, &object, fault == Some(&Fault::WrongChecksum));
    Ok(response)
}

/// Tells an object in headers.
fn tell(response: &mut Response<Body>, object: &Object, wrong: bool) {
    let headers = &object.headers;
    let crc32c = STANDARD.encode((object.crc32c ^ u32::from(wrong)).to_be_bytes());
    let hash = match object.md5 {
        Some(md5) => format!("crc32c={crc32c},md5={}", STANDARD.encode(md5)),
        None => format!("crc32c={crc32c}"),
    };
    for (name, value) in [
        ("x-goog-generation", object.generation.to_string()),
        ("x-goog-metageneration", object.metageneration.to_string()),
        ("x-goog-stored-content-length", object.bytes.len().to_string()),
        ("x-goog-stored-content-encoding", headers.content_encoding.clone().unwrap_or("identity".to_owned())),
        ("x-goog-storage-class", object.storage_class.to_string()),
        ("x-goog-hash", hash),
        ("etag", object.etag()),
        ("last-modified", times::http_date(object.created)),
        ("content-type", headers.content_type.clone().unwrap_or("application/octet-stream".to_owned())),
    ] {
        set(response, name, &value);
    }
    for (name, value) in [
        ("content-encoding", &headers.content_encoding),
        ("cache-control", &headers.cache_control),
        ("content-disposition", &headers.content_disposition),
        ("content-language", &headers.content_language),
    ] {
        if let Some(value) = value {
            set(response, name, value);
        }
    }
    for (name, value) in &headers.metadata {
        set(response, &format!("x-goog-meta-{}", name.to_ascii_lowercase()), value);
    }
}

/// The bytes that a `Range` header asks for; `None` where it is none that is understood, which is to be ignored (RFC 9110).
fn wanted(header: &str, size: usize) -> Option<Result<std::ops::Range<usize>, Failure>> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    if first.is_empty() {
        let suffix: usize = last.parse().ok()?;
        let from = size.saturating_sub(suffix);
        return Some(if from < size { Ok(from..size) } else { Err(Failure::range()) });
    }
    let first: usize = first.parse().ok()?;
    let last = if last.is_empty() { usize::MAX } else { last.parse().ok()? };
    if last < first {
        return None;
    }
    Some(if first < size { Ok(first..last.saturating_add(1).min(size)) } else { Err(Failure::range()) })
}

/// The content, with what a fault does to it.
fn body(bytes: Bytes, fault: Option<&Fault>) -> Body {
    match fault {
        Some(Fault::SlowBody { chunk, pause }) => slowly(&bytes, (*chunk).max(1), *pause),
        Some(Fault::TruncatedBody { after }) => truncated(&bytes, *after),
        Some(Fault::FlippedByte) => Body::new(Full::new(flipped(bytes))),
        _ => Body::new(Full::new(bytes)),
    }
}

/// The connection is closed in the midst of a body.
#[derive(Debug, thiserror::Error)]
#[error("closed by the fault script")]
struct Closed;

fn slowly(bytes: &Bytes, chunk: usize, pause: Duration) -> Body {
    let chunks: Vec<Bytes> = (0..bytes.len().div_ceil(chunk))
        .map(|at| bytes.slice(at * chunk..((at + 1) * chunk).min(bytes.len())))
        .collect();
    let frames = futures::stream::iter(chunks).then(move |bytes| async move {
        tokio::time::sleep(pause).await;
        Ok::<_, Closed>(Frame::data(bytes))
    });
    Body::new(StreamBody::new(frames))
}

fn truncated(bytes: &Bytes, after: usize) -> Body {
    let sent = bytes.slice(..after.min(bytes.len()));
    let frames = futures::stream::iter([Ok(Frame::data(sent)), Err(Closed)]);
    // A pause lets the part before the break leave the socket.
    let frames = frames.then(|frame| async move {
        if frame.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        frame
    });
    Body::new(StreamBody::new(frames))
}

fn flipped(bytes: Bytes) -> Bytes {
    let mut bytes = Vec::from(bytes);
    if let Some(first) = bytes.first_mut() {
        *first ^= 1;
    }
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        for (header, expected) in [
            ("bytes=0-4", Some(Ok(0..5))),
            ("bytes=5-", Some(Ok(5..10))),
            ("bytes=-3", Some(Ok(7..10))),
            ("bytes=-30", Some(Ok(0..10))),
            ("bytes=8-100", Some(Ok(8..10))),
            ("bytes=10-", Some(Err(Failure::range()))),
            ("bytes=-0", Some(Err(Failure::range()))),
            ("bytes=5-4", None),
            ("bytes=0-1,3-4", None),
            ("lines=0-4", None),
        ] {
            assert_eq!(wanted(header, 10), expected, "{header}");
        }
        assert_eq!(wanted("bytes=0-0", 0), Some(Err(Failure::range())));
    }
}
