//! The path by the metadata stream: pachd's own Restore call, with what is known to go wrong with it taken care of.

mod feed;
mod locate;

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Instant;

use jiff::Timestamp;
use pachyderm::client::{Client, Token};
use pachyderm::error::Condition;

pub(super) use feed::Feed;

use super::stream_content::StreamContent;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Events;

/// What a replay came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Ops that pachd applied.
    pub ops: u64,
    /// Tokens that were left out, since they have expired: one of them would fail the whole restore.
    pub expired_tokens: u64,
}

/// Replays a stream into an empty cluster, commits behind their parents. `token` becomes the token of `pach:root` if the
/// stream turns auth on.
///
/// # Errors
/// `Failed` naming the op at which pachd stopped: it says so only after it has taken the whole stream. The cluster is then
/// partly filled, and nothing but wiping it helps.
pub(super) async fn replay(
    pachd: &Client,
    stream: &Path,
    content: &StreamContent,
    token: &Token,
    events: &Events,
) -> Result<(Replayed, String)> {
    let began = Instant::now();
    let Feed { ops, expired } = Feed::begin(stream, content, Timestamp::now(), events)?;
    match pachd.restore(ops, Some(token)).await {
        Ok(ops) => {
            let replayed = Replayed { ops, expired_tokens: expired.load(Ordering::Relaxed) };
            let rate = ops as f64 / began.elapsed().as_secs_f64().max(1e-6);
            let text = format!("{ops} ops applied, {rate:.0} a second");
            Ok((replayed, text))
        }
        Err(error) => {
            let condition = error.condition();
            let mut message = "pachd's restore failed".to_owned();
            match locate::failing_op(pachd, stream, content).await {
                Ok(Some(op)) => message = format!("pachd's restore failed at {op}"),
                Ok(None) => {}
                Err(cause) => tracing::debug!(%cause, "where the restore failed can't be told"),
            }
            let failed = Error::new(ErrorKind::Failed, message).because(error);
            Err(match condition {
                Condition::UnknownOpVersion => {
                    failed.advise("the stream is of a newer pachd than the target: upgrade the target")
                }
                _ => failed,
            })
        }
    }
}
