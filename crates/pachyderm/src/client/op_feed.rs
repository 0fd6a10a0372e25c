//! What a restore sends: operations as they are, and never the end of the stream where it is not.

use std::{
    convert::Infallible,
    error::Error,
    future::{Future as _, pending},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{BufMut as _, Bytes};
use futures::{
    Stream, TryStreamExt as _,
    stream::{BoxStream, StreamExt as _},
};
use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};
use tonic::{
    Status,
    codec::{BufferSettings, Codec, EncodeBuf, Encoder},
};
use tonic_prost::{ProstCodec, ProstDecoder};

use crate::error::Cause;

/// Whose turn it is.
#[derive(Clone, Copy, Debug)]
enum Turn {
    /// The transport wants an operation.
    Source,
    /// The server has not yet taken what it was given at this time.
    Server(Instant),
}

/// How far a feed is.
#[derive(Clone, Copy, Debug)]
struct Progress {
    turn: Turn,
    /// Operations handed to the transport.
    sent: u64,
    /// All of them were.
    ended: bool,
}

/// Takes the place of an operation when there must not be a next one: encoding it fails, which breaks the call off. The end of
/// the stream would tell the server that it has everything.
#[derive(Debug)]
pub(super) struct BrokenOff;

/// Operations on their way to the transport.
pub(super) struct OpFeed {
    ops: BoxStream<'static, Result<Bytes, Box<dyn Error + Send + Sync>>>,
    largest: usize,
    progress: watch::Sender<Progress>,
    failure: Option<oneshot::Sender<Cause>>,
    caller: oneshot::Receiver<Infallible>,
}

/// The caller's side of a feed. Dropping it breaks the call off.
pub(super) struct OpGauge {
    progress: watch::Receiver<Progress>,
    failure: oneshot::Receiver<Cause>,
    _caller: oneshot::Sender<Infallible>,
}

/// A feed of `ops`, of which none may be larger than `largest` bytes.
pub(super) fn op_feed<S, E>(ops: S, largest: usize) -> (OpFeed, OpGauge)
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>> + 'static,
{
    let start = Progress { turn: Turn::Server(Instant::now()), sent: 0, ended: false };
    let (progress, watched) = watch::channel(start);
    let (failure, failed) = oneshot::channel();
    let (caller, gone) = oneshot::channel();
    let ops = ops.map_err(Into::into).boxed();
    (
        OpFeed { ops, largest, progress, failure: Some(failure), caller: gone },
        OpGauge { progress: watched, failure: failed, _caller: caller },
    )
}

impl OpFeed {
    fn fail(&mut self, cause: Cause) -> BrokenOff {
        if let Some(failure) = self.failure.take() {
            // The caller may have gone, and wants to know nothing then.
            drop(failure.send(cause));
        }
        BrokenOff
    }
}

impl Stream for OpFeed {
    type Item = Result<Bytes, BrokenOff>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if Pin::new(&mut self.caller).poll(context).is_ready() {
            return Poll::Ready(Some(Err(BrokenOff)));
        }
        self.progress.send_if_modified(|progress| {
            let waited = matches!(progress.turn, Turn::Server(_));
            progress.turn = Turn::Source;
            waited
        });
        let item = match ready!(self.ops.poll_next_unpin(context)) {
            Some(Ok(op)) if op.len() > self.largest => {
                let cause = Cause::TooLarge { bytes: op.len(), limit: self.largest };
                Some(Err(self.fail(cause)))
            }
            Some(Ok(op)) => Some(Ok(op)),
            Some(Err(error)) => Some(Err(self.fail(Cause::Read(error)))),
            None => None,
        };
        self.progress.send_modify(|progress| {
            progress.turn = Turn::Server(Instant::now());
            progress.sent += u64::from(matches!(item, Some(Ok(_))));
            progress.ended = item.is_none();
        });
        Poll::Ready(item)
    }
}

impl OpGauge {
    /// Ends when the server has taken nothing for `limit` although there was something, or has not answered that long after
    /// the last operation.
    pub(super) async fn stalled(&mut self, limit: Duration) {
        loop {
            let turn = self.progress.borrow_and_update().turn;
            let until = match turn {
                Turn::Source => None,
                // Beyond what the clock can tell means for ever.
                Turn::Server(since) => since.checked_add(limit),
            };
            match until {
                None => {
                    if self.progress.changed().await.is_err() {
                        // The transport has let go of the feed, so the call ends by itself.
                        pending::<()>().await;
                    }
                }
                Some(until) => match tokio::time::timeout_at(until, self.progress.changed()).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return tokio::time::sleep_until(until).await,
                    Err(_) => return,
                },
            }
        }
    }

    /// Why the feed broke the call off, if it did.
    pub(super) fn failure(&mut self) -> Option<Cause> {
        self.failure.try_recv().ok()
    }

    /// The number of operations if all were sent.
    pub(super) fn all_sent(&self) -> Option<u64> {
        let progress = self.progress.borrow();
        progress.ended.then_some(progress.sent)
    }
}

/// Sends an operation as `admin.RestoreRequest` with its field `op` alone, and expects `google.protobuf.Empty`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OpCodec;

impl Codec for OpCodec {
    type Encode = Result<Bytes, BrokenOff>;
    type Decode = ();
    type Encoder = Self;
    type Decoder = ProstDecoder<()>;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<(), ()>::raw_decoder(BufferSettings::default())
    }
}

impl Encoder for OpCodec {
    type Item = Result<Bytes, BrokenOff>;
    type Error = Status;

    fn encode(&mut self, op: Self::Item, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        /// Field 1, length-delimited.
        const OP: u8 = 1 << 3 | 2;
        let op = op.map_err(|BrokenOff| Status::cancelled("the operations broke off"))?;
        buffer.put_u8(OP);
        prost::encode_length_delimiter(op.len(), buffer).map_err(|error| Status::internal(error.to_string()))?;
        buffer.put(op);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn only_waiting_for_the_server_counts() {
        let (source, ops) = futures::channel::mpsc::unbounded::<Result<Bytes, std::io::Error>>();
        let (mut feed, mut gauge) = op_feed(ops, 100);
        // The server has not asked yet.
        gauge.stalled(Duration::ZERO).await;
        assert!(feed.next().now_or_never().is_none());
        let nothing_to_take = tokio::time::timeout(Duration::from_millis(50), gauge.stalled(Duration::ZERO));
        assert!(nothing_to_take.await.is_err());
        source.unbounded_send(Ok(Bytes::from_static(b"op"))).unwrap();
        assert!(feed.next().now_or_never().is_some());
        // The server has not taken it.
        gauge.stalled(Duration::ZERO).await;
        assert_eq!(gauge.all_sent(), None);
        drop(source);
        assert!(matches!(feed.next().now_or_never(), Some(None)));
        assert_eq!(gauge.all_sent(), Some(1));
        drop(feed);
        // The server has not answered.
        gauge.stalled(Duration::ZERO).await;
    }
}
