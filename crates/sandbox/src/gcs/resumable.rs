//! Resumable uploads: `PUT` of chunks to the URL that their beginning was answered with.

use std::sync::{Arc, PoisonError};

use http::{Response, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tonic::body::Body;

use super::Operation;
use super::failure::Failure;
use super::fault::Fault;
use super::http_api::{Incoming, json, set};
use super::json_object::Sums;
use super::operation::Call;
use super::shared::{Shared, drop_connection};
use super::upload::{Insert, Upload, spoiled};

/// What the size of a chunk that is not the last must be a multiple of.
const QUANTUM: usize = 256 << 10;

/// Keeps an upload. Answers its URL in `Location`.
pub(super) fn begin(server: &Shared, insert: Insert) -> Response<Body> {
    let id = uuid::Uuid::new_v4().simple().to_string();
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let url = format!(
        "{}/upload/storage/v1/b/{}/o?uploadType=resumable&name={}&upload_id={id}",
        server.endpoint,
        encoded(&insert.bucket),
        encoded(&insert.key),
    );
    let upload = Upload { insert, bytes: Vec::new(), written: None };
    server.uploads.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), upload);
    let mut response = Response::new(Body::empty());
    set(&mut response, "location", &url);
    set(&mut response, "x-guploader-uploadid", &id);
    response
}

/// What a `Content-Range` says of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chunk {
    /// `bytes */*`, or with the size of the whole: how far is the upload?
    Query(Option<u64>),
    /// `bytes FIRST-…`. `whole`: the size of the object, if this is known; `last`: it ends with this chunk.
    Bytes { first: u64, length: Option<u64>, whole: Option<u64>, last: bool },
}

impl Chunk {
    fn parse(header: Option<&str>) -> Option<Self> {
        let Some(header) = header else {
            return Some(Self::Bytes { first: 0, length: None, whole: None, last: true });
        };
        let (range, whole) = header.strip_prefix("bytes ")?.split_once('/')?;
        let whole = if whole == "*" { None } else { Some(whole.parse().ok()?) };
        if range == "*" {
            return Some(Self::Query(whole));
        }
        let (first, end) = range.split_once('-')?;
        let first: u64 = first.parse().ok()?;
        if end == "*" {
            return Some(Self::Bytes { first, length: None, whole, last: true });
        }
        let end = end.parse::<u64>().ok()?.checked_add(1)?;
        let length = Some(end.checked_sub(first)?);
        Some(Self::Bytes { first, length, whole, last: whole == Some(end) })
    }
}

impl Upload {
    /// Takes in a chunk; whether it was the last.
    fn take(&mut self, chunk: Chunk, body: &[u8]) -> Result<bool, Failure> {
        let (first, length, last) = match chunk {
            Chunk::Query(whole) => return Ok(whole == Some(self.bytes.len() as u64)),
            Chunk::Bytes { first, length, last, .. } => (first, length, last),
        };
        if length.is_some_and(|length| length != body.len() as u64) {
            return Err(Failure::invalid("The size of the body is not that of its Content-Range."));
        }
        let skip = (self.bytes.len() as u64).checked_sub(first).and_then(|skip| usize::try_from(skip).ok());
        let new = skip.and_then(|skip| body.get(skip.min(body.len())..));
        let new = new.ok_or_else(|| Failure::invalid("The chunk does not begin where the upload ends."))?;
        if !last && !body.len().is_multiple_of(QUANTUM) {
            return Err(Failure::invalid("The size of a chunk must be a multiple of 262144 bytes."));
        }
        self.bytes.extend_from_slice(new);
        Ok(last)
    }
}

fn unknown() -> Failure {
    Failure::not_found("No such upload: its URL is wrong, or it is over.")
}

pub(super) async fn call(mut incoming: Incoming) -> Result<Response<Body>, Failure> {
    let server = Arc::clone(&incoming.server);
    let id = incoming.query.get("upload_id").unwrap_or_default().to_owned();
    let body = incoming.body().await;
    let key = {
        let uploads = server.uploads.lock().unwrap_or_else(PoisonError::into_inner);
        uploads.get(&id).ok_or_else(unknown)?.insert.key.clone()
    };
    let chunk = Chunk::parse(incoming.header("content-range"));
    let chunk = chunk.ok_or_else(|| Failure::invalid("Failed to parse Content-Range header."))?;
    let operation = match chunk {
        Chunk::Query(None) => Operation::QueryWriteStatus,
        _ => Operation::WriteChunk,
    };
    let fault = server.enter(Call { operation, key: &key }, &incoming.hang_up).await?;
    let sums = incoming.header("x-goog-hash").map(Sums::header).transpose()?.unwrap_or_default();
    let mut response = put(&server, &id, chunk, &body?, &sums)?;
    match fault {
        Some(Fault::DropAfter) => return drop_connection(&incoming.hang_up).await,
        Some(Fault::WrongChecksum) if response.status() == StatusCode::OK => response = spoiled(response).await,
        _ => {}
    }
    Ok(response)
}

fn put(server: &Shared, id: &str, chunk: Chunk, body: &[u8], sums: &Sums) -> Result<Response<Body>, Failure> {
    let mut uploads = server.uploads.lock().unwrap_or_else(PoisonError::into_inner);
    let upload = uploads.get_mut(id).ok_or_else(unknown)?;
    if let Some(written) = &upload.written {
        return Ok(json(written.clone()));
    }
    if !upload.take(chunk, body)? {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
        if let Some(last) = upload.bytes.len().checked_sub(1) {
            set(&mut response, "range", &format!("bytes=0-{last}"));
        }
        return Ok(response);
    }
    let written = upload.insert.commit(server, std::mem::take(&mut upload.bytes).into(), sums);
    match written {
        Ok(written) => Ok(json(upload.written.insert(written).clone())),
        Err(failure) => {
            // What was refused at its end can't be continued.
            uploads.remove(id);
            Err(failure)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_is_read() {
        let bytes = |first, length, whole, last| Some(Chunk::Bytes { first, length, whole, last });
        for (header, expected) in [
            ("bytes */*", Some(Chunk::Query(None))),
            ("bytes */0", Some(Chunk::Query(Some(0)))),
            ("bytes 0-9/*", bytes(0, Some(10), None, false)),
            ("bytes 10-19/30", bytes(10, Some(10), Some(30), false)),
            ("bytes 20-29/30", bytes(20, Some(10), Some(30), true)),
            ("bytes 5-*/*", bytes(5, None, None, true)),
            ("bytes 9-5/30", None),
            ("0-9/30", None),
        ] {
            assert_eq!(Chunk::parse(Some(header)), expected, "{header}");
        }
        assert_eq!(Chunk::parse(None), bytes(0, None, None, true));
    }
}
