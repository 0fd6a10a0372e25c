//! Moves the bytes of one object, as listed, into the clone: by the store itself, or through this machine.

use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt;
use provider::{
    Checksum, Copied, CopyRequest, Error, ErrorKind, GetRequest, Key, ObjectDetails, ObjectMeta, ObjectStream,
    ObjectVersion, PutMode, PutRequest, Result,
};

use super::CopyPath;
use super::context::{Context, Sort};
use super::pieces;
use super::unfinished::UnfinishedCopy;
use crate::digest;
use crate::retry::Backoff;

/// Objects up to this size, in bytes, tell by their time how busy the store is.
const SMALL: u64 = 1 << 20;

/// A copy that is there, whole.
#[derive(Debug)]
pub(super) struct Transferred {
    pub(super) version: ObjectVersion,
    pub(super) checksum: Option<Checksum>,
}

/// Copies one version of an object.
///
/// # Errors
/// `Changed` when the source is another one by now; `NotFound` when it is gone (or a bucket is).
pub(super) async fn transfer(context: &Context, object: &ObjectMeta, to: &Key) -> Result<Transferred> {
    // What is boxed is kept apart from the hundreds of small copies that are under way.
    context.carry(object.size).await;
    let began = Instant::now();
    let transferred = match context.spec.path {
        CopyPath::ServerSide => copy_in_store(context, object, to).await?,
        CopyPath::Streamed => Box::pin(stream(context, object, to)).await?,
    };
    if context.spec.path == CopyPath::ServerSide && !context.capabilities.conditional_copy {
        ensure_unchanged(context, object).await?;
    }
    if object.size <= SMALL {
        let took = began.elapsed();
        context.pace.succeeded(took);
        context.distance.copied(took);
    }
    Ok(transferred)
}

async fn copy_in_store(context: &Context, object: &ObjectMeta, to: &Key) -> Result<Transferred> {
    if object.size > context.capabilities.single_copy_bytes {
        return Box::pin(copy_in_steps(context, object, to)).await;
    }
    let mut unfinished = UnfinishedCopy::default();
    let copied = copy_steps(context, object, to, &mut unfinished).await;
    if unfinished.is_kept() {
        // A store that did not finish it in one call, though it usually does.
        return Box::pin(settle(context, object, unfinished, copied)).await;
    }
    if copied.is_err() {
        unfinished.abandon().await;
    }
    copied
}

/// Copies a large object, from where an earlier process left it.
async fn copy_in_steps(context: &Context, object: &ObjectMeta, to: &Key) -> Result<Transferred> {
    let mut unfinished = UnfinishedCopy::default();
    if let Some(token) = context.copies.take(&*context.spec.destination, object, to).await {
        unfinished.left_at(&context.spec, to, token);
        unfinished.keep();
        match copy_steps(context, object, to, &mut unfinished).await {
            // The upload is gone, or was never this object's: from the beginning.
            Err(error) if !may_go_on(&error) => give_up(context, object, &mut unfinished).await,
            copied => return settle(context, object, unfinished, copied).await,
        }
    }
    let copied = copy_steps(context, object, to, &mut unfinished).await;
    settle(context, object, unfinished, copied).await
}

/// Forgets a copy that is whole or can't go on; leaves one that another process can go on with.
async fn settle(
    context: &Context,
    object: &ObjectMeta,
    mut unfinished: UnfinishedCopy,
    copied: Result<Transferred>,
) -> Result<Transferred> {
    match &copied {
        Ok(_) if unfinished.is_kept() => context.copies.forget(&object.key).await,
        Ok(_) => {}
        Err(error) if unfinished.is_kept() && may_go_on(error) => {}
        Err(_) => give_up(context, object, &mut unfinished).await,
    }
    copied
}

async fn give_up(context: &Context, object: &ObjectMeta, unfinished: &mut UnfinishedCopy) {
    let was_kept = unfinished.is_kept();
    unfinished.abandon().await;
    if was_kept {
        context.copies.forget(&object.key).await;
    }
}

/// Whether a copy may go on where it is once the store is well again: the error is not about this copy.
fn may_go_on(error: &Error) -> bool {
    use ErrorKind::{AlreadyExists, Changed, Corrupt, Invalid, NotFound, Unsupported};
    !matches!(error.kind(), AlreadyExists | Changed | Corrupt | Invalid | NotFound | Unsupported)
}

/// Copies step by step; `unfinished` is where it was left.
async fn copy_steps(
    context: &Context,
    object: &ObjectMeta,
    to: &Key,
    unfinished: &mut UnfinishedCopy,
) -> Result<Transferred> {
    let destination = &context.spec.destination;
    let conditional = context.capabilities.conditional_copy;
    let largest_step = context.capabilities.single_copy_bytes;
    let mut backoff = Backoff::new(context.spec.retry);
    loop {
        let request = CopyRequest {
            source: &*context.spec.source,
            from: object.key.clone(),
            to: to.clone(),
            size: object.size,
            class: object.class,
            if_version: conditional.then(|| object.version.clone()),
            token: unfinished.token(),
        };
        let sent = context.send(Sort::Copy).await;
        context.spec.progress.store_copies(object.size.min(largest_step));
        match destination.copy_from(&request).await {
            Ok(Copied::Done(copy)) if copy.size == object.size => {
                unfinished.finished();
                let checksum = copy.checksum.or_else(|| object.checksum.clone());
                return Ok(Transferred { version: copy.version, checksum });
            }
            Ok(Copied::Done(_)) => {
                unfinished.finished();
                ensure_unchanged(context, object).await?;
                let error = Error::new(ErrorKind::Corrupt, "copy", resource(context, object));
                context.wait_after(error, sent, &mut backoff).await?;
            }
            Ok(Copied::More { token, .. }) => {
                context.spec.progress.moved();
                unfinished.left_at(&context.spec, to, token.clone());
                if context.copies.keep(object, to, &token).await {
                    unfinished.keep();
                }
                backoff.reset();
            }
            Err(error) => context.wait_after(error, sent, &mut backoff).await?,
        }
    }
}

/// What was copied is what was listed if the source is still that: for stores that can't make a copy depend on the
/// source's version.
async fn ensure_unchanged(context: &Context, object: &ObjectMeta) -> Result<()> {
    match context.call(Sort::Head, || context.spec.source.head(&object.key)).await? {
        Some(now) if now.version == object.version && now.size == object.size => Ok(()),
        Some(_) => Err(Error::new(ErrorKind::Changed, "copy", resource(context, object))),
        None => Err(Error::new(ErrorKind::NotFound, "copy", resource(context, object))),
    }
}

async fn stream(context: &Context, object: &ObjectMeta, to: &Key) -> Result<Transferred> {
    let mut backoff = Backoff::new(context.spec.retry);
    loop {
        let sent = context.pace.send();
        match stream_once(context, object, to).await {
            Ok(transferred) => return Ok(transferred),
            Err(error) => context.wait_after(error, sent, &mut backoff).await?,
        }
    }
}

async fn stream_once(context: &Context, object: &ObjectMeta, to: &Key) -> Result<Transferred> {
    let ObjectStream { meta, body } = open(context, object).await?;
    if meta.version != object.version || meta.size != object.size {
        return Err(Error::new(ErrorKind::Changed, "get", resource(context, object)));
    }
    let known = [&meta.checksum, &object.checksum].into_iter().find_map(|checksum| match checksum {
        Some(Checksum::Sha256(sha256)) => Some(*sha256),
        _ => None,
    });
    let (body, watched) = digest::watch(body);
    let details = meta.details.filter(|_| context.capabilities.metadata).map(|details| *details);
    let ObjectDetails { headers, metadata } = details.unwrap_or_default();
    context.send(Sort::Put).await;
    let put = context
        .spec
        .destination
        .put(PutRequest {
            key: to.clone(),
            mode: PutMode::Overwrite,
            body,
            size: Some(object.size),
            sha256: known,
            headers,
            metadata,
        })
        .await?;
    let passed = watched.so_far();
    if put.size != object.size || passed.size != object.size || known.is_some_and(|known| known != passed.sha256) {
        return Err(Error::new(ErrorKind::Corrupt, "put", resource(context, object)));
    }
    Ok(Transferred { version: put.version, checksum: Some(Checksum::Sha256(passed.sha256)) })
}

/// Begins to read an object: a large one in pieces.
async fn open(context: &Context, object: &ObjectMeta) -> Result<ObjectStream> {
    let source = &context.spec.source;
    if pieces::is_large(object) {
        let meta = context.call(Sort::Head, || source.head(&object.key)).await?;
        let gone = || Error::new(ErrorKind::NotFound, "get", resource(context, object));
        return Ok(ObjectStream { meta: meta.ok_or_else(gone)?, body: pieces::read(context, object) });
    }
    let get = GetRequest { key: object.key.clone(), range: None, if_version: Some(object.version.clone()) };
    context.send(Sort::Get).await;
    let ObjectStream { meta, body } = source.get(&get).await?;
    let progress = Arc::clone(&context.spec.progress);
    Ok(ObjectStream { meta, body: body.inspect(move |_| progress.moved()).boxed() })
}

fn resource(context: &Context, object: &ObjectMeta) -> String {
    format!("{} in {}", object.key, context.spec.source.location())
}
