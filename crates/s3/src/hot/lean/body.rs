//! The body of an answer, read whole and within bounds.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::time::timeout;

use super::failure::Failure;

/// Reads a body.
///
/// # Errors
/// When it has more than `most` bytes, stands still for `stall`, or breaks off.
pub(super) async fn collect(mut body: Incoming, most: usize, stall: Duration) -> Result<Bytes, Failure> {
    let told = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if told > most {
        return Err(Failure::Large(most));
    }
    // Most answers come in one piece, which is not copied.
    let Some(first) = next(&mut body, stall).await? else { return Ok(Bytes::new()) };
    if first.len() >= told && body.is_end_stream() {
        return within(first, most);
    }
    let mut whole = Vec::with_capacity(told.max(first.len()));
    whole.extend_from_slice(&first);
    while let Some(piece) = next(&mut body, stall).await? {
        if piece.len() > most - whole.len().min(most) {
            return Err(Failure::Large(most));
        }
        whole.extend_from_slice(&piece);
    }
    within(whole.into(), most)
}

fn within(body: Bytes, most: usize) -> Result<Bytes, Failure> {
    if body.len() > most { Err(Failure::Large(most)) } else { Ok(body) }
}

/// The next piece; `None` at the end.
async fn next(body: &mut Incoming, stall: Duration) -> Result<Option<Bytes>, Failure> {
    loop {
        match timeout(stall, body.frame()).await.map_err(|_| Failure::Stalled(stall))? {
            None => return Ok(None),
            // Trailers are no part of the content.
            Some(frame) => {
                if let Ok(data) = frame.map_err(Failure::Broken)?.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}
