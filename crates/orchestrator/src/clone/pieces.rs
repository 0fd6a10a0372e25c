//! A large object read in pieces, several at once, in their order. A connection that breaks costs a piece, not the object.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt};
use provider::{Error, ErrorKind, GetRequest, ObjectMeta, Result};
use tokio::sync::Semaphore;

use super::context::{Context, Sort};

/// Bytes of a piece.
const PIECE: u64 = 8 << 20;
/// Pieces that are in memory at once, over all objects of one pass.
pub(super) const IN_MEMORY: usize = 4;

/// Whether an object is worth it: pieces are read beside one another only if there are several.
pub(super) fn is_large(object: &ObjectMeta) -> bool {
    object.size > 2 * PIECE
}

/// The content of this version of an object. Pieces that fail are read again, within the pass's patience.
pub(super) fn read(context: &Context, object: &ObjectMeta) -> BoxStream<'static, Result<Bytes>> {
    let (context, object) = (context.clone(), Arc::new(object.clone()));
    let ends = (0..object.size.div_ceil(PIECE)).map(|number| number * PIECE);
    let read = move |start: u64| {
        let (context, object) = (context.clone(), Arc::clone(&object));
        async move {
            // Asked for in the pieces' order, so whoever has one of the last rooms reads the next piece of its object.
            let room = Arc::clone(&context.pieces).acquire_owned().await;
            let piece = read_piece(&context, &object, start).await;
            piece.map(|piece| (piece, room))
        }
    };
    let pieces = stream::iter(ends).map(read).buffered(IN_MEMORY);
    // The room is free when the piece is on its way.
    pieces.map(|read| read.map(|(piece, _)| piece)).boxed()
}

async fn read_piece(context: &Context, object: &ObjectMeta, start: u64) -> Result<Bytes> {
    let end = (start + PIECE).min(object.size);
    let get = GetRequest { key: object.key.clone(), range: Some(start..end), if_version: Some(object.version.clone()) };
    let once = || async {
        let mut read = context.spec.source.get(&get).await?;
        let mut piece = BytesMut::with_capacity((end - start) as usize);
        while let Some(chunk) = read.body.next().await {
            piece.extend_from_slice(&chunk?);
            context.spec.progress.moved();
        }
        if piece.len() as u64 == end - start {
            return Ok(piece.freeze());
        }
        let resource = format!("{} in {}", object.key, context.spec.source.location());
        Err(Error::new(ErrorKind::Corrupt, "get", resource))
    };
    context.call(Sort::Get, once).await
}

/// Rooms for the pieces of a pass.
pub(super) fn rooms() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(IN_MEMORY))
}
