//! Moves the bytes of one object, as listed, into the clone: by the store itself, or through this machine.

use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt;
use provider::{
    Checksum, ContentHeaders, Copied, CopyRequest, Error, ErrorKind, GetRequest, Key, ObjectMeta, ObjectVersion,
    PutMode, PutRequest, Result,
};

use super::CopyPath;
use super::context::{Context, Sort};
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
    context.carry(object.size).await;
    let began = Instant::now();
    let transferred = match context.spec.path {
        CopyPath::ServerSide => copy_in_store(context, object, to).await?,
        CopyPath::Streamed => stream(context, object, to).await?,
    };
    if context.spec.path == CopyPath::ServerSide && !context.capabilities.conditional_copy {
        ensure_unchanged(context, object).await?;
    }
    if object.size <= SMALL {
        context.pace.succeeded(began.elapsed());
    }
    Ok(transferred)
}

async fn copy_in_store(context: &Context, object: &ObjectMeta, to: &Key) -> Result<Transferred> {
    let mut unfinished = UnfinishedCopy::new(&context.spec, to);
    let result = copy_steps(context, object, to, &mut unfinished).await;
    if result.is_err() {
        unfinished.abandon().await;
    }
    result
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
                unfinished.left_at(token);
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
        let sent = context.send(Sort::Get).await;
        match stream_once(context, object, to).await {
            Ok(transferred) => return Ok(transferred),
            Err(error) => context.wait_after(error, sent, &mut backoff).await?,
        }
    }
}

async fn stream_once(context: &Context, object: &ObjectMeta, to: &Key) -> Result<Transferred> {
    let get = GetRequest { key: object.key.clone(), range: None, if_version: Some(object.version.clone()) };
    let read = context.spec.source.get(&get).await?;
    if read.meta.version != object.version || read.meta.size != object.size {
        return Err(Error::new(ErrorKind::Changed, "get", resource(context, object)));
    }
    let known = [&read.meta.checksum, &object.checksum].into_iter().find_map(|checksum| match checksum {
        Some(Checksum::Sha256(sha256)) => Some(*sha256),
        _ => None,
    });
    let (body, watched) = digest::watch(read.body);
    let progress = Arc::clone(&context.spec.progress);
    let body = body.inspect(move |_| progress.moved()).boxed();
    let keeps_metadata = context.capabilities.metadata;
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
            headers: if keeps_metadata { read.meta.headers } else { ContentHeaders::default() },
            metadata: if keeps_metadata { read.meta.metadata } else { Default::default() },
        })
        .await?;
    let passed = watched.so_far();
    if put.size != object.size || passed.size != object.size || known.is_some_and(|known| known != passed.sha256) {
        return Err(Error::new(ErrorKind::Corrupt, "put", resource(context, object)));
    }
    Ok(Transferred { version: put.version, checksum: Some(Checksum::Sha256(passed.sha256)) })
}

fn resource(context: &Context, object: &ObjectMeta) -> String {
    format!("{} in {}", object.key, context.spec.source.location())
}
