//! `RewriteObject`: copies that the store makes itself, in one call or in several.

use google_cloud_storage::model::RewriteResponse;
use provider::{BucketUrl, Copied, CopyRequest, CopyToken, Error, ErrorKind, Key, Result};

use super::GcsBucket;
use super::call::answer;
use super::described::Described;
use super::get::{object, resource_of};
use super::progress::Progress;
use super::usual_class::UsualClass;
use super::{SCHEME, class, meta, resource_name};
use crate::error::{contradiction, refused};

const COPY: &str = "RewriteObject";

pub(super) async fn copy(bucket: &GcsBucket, request: &CopyRequest<'_>) -> Result<Copied> {
    let full = bucket.full_to_write(&request.to, COPY)?;
    let source = Source::of(bucket, request, &full)?;
    let progress = match &request.token {
        Some(token) => Progress::parse(token)
            .map_err(|error| Error::new(ErrorKind::Invalid, COPY, bucket.resource(&full)).with_source(error))?,
        None => begin(bucket, request, &source).await?,
    };
    let condition = meta::condition(request.if_version.as_ref(), COPY, &|| source.resource());
    let condition = match condition {
        Ok(condition) => condition.or(progress.generation),
        Err(error) => return Err(looked_for(bucket, &source, error).await),
    };
    match rewrite(bucket, &source, &full, &progress, condition).await {
        Ok(answer) => copied(bucket, request, &full, progress, answer),
        Err(error) if error.kind() == ErrorKind::Changed => Err(unmet(bucket, request, &source, error).await),
        Err(error) => Err(error),
    }
}

/// The source of a copy as the store names it.
struct Source {
    parent: String,
    full: String,
}

impl Source {
    fn of(bucket: &GcsBucket, request: &CopyRequest, full: &str) -> Result<Self> {
        let location = bucket.inner.source.of(SCHEME, request.source);
        let Some(location) = location.filter(|location| location.1.endpoint == bucket.inner.place.endpoint) else {
            let why = "the source is not in Cloud Storage";
            return Err(refused(ErrorKind::Unsupported, COPY, bucket.resource(full), why));
        };
        let BucketUrl { prefix, .. } = &location.1;
        let source = Self { parent: resource_name(&location.1), full: format!("{prefix}{}", request.from) };
        if request.from.as_str().is_empty() || !super::names::is_name(&source.full) {
            return Err(Error::new(ErrorKind::NotFound, COPY, source.resource()));
        }
        Ok(source)
    }

    fn resource(&self) -> String {
        resource_of(&self.parent, &self.full)
    }
}

/// What the copy is to be. The store gives a copy its source's headers and metadata, but its own bucket's usual class; where
/// another one is wanted, everything has to be said.
async fn begin(bucket: &GcsBucket, request: &CopyRequest<'_>, source: &Source) -> Result<Progress> {
    let terms = &bucket.inner.terms;
    let wanted = class::name_of(terms.class.or(request.class));
    let usual = bucket.usual_class().await?;
    let mut progress = Progress { kms_key: terms.kms_key.clone(), step: terms.rewrite_bytes, ..Progress::default() };
    if usual == UsualClass::ByGoogle {
        return Ok(progress);
    }
    progress.class = Some(wanted.to_owned());
    if usual == UsualClass::Is(wanted) {
        return Ok(progress);
    }
    let found = Box::pin(object(bucket, &source.parent, &source.full, COPY)).await?;
    progress.described = Some(Described::of(&found, wanted));
    // Headers and content are to be of one version.
    progress.generation = Some(found.generation);
    Ok(progress)
}

async fn rewrite(
    bucket: &GcsBucket,
    source: &Source,
    full: &str,
    progress: &Progress,
    condition: Option<i64>,
) -> Result<RewriteResponse> {
    let client = bucket.inner.connections.control().await?;
    let mut call = client
        .rewrite_object()
        .set_source_bucket(&source.parent)
        .set_source_object(&source.full)
        .set_destination_bucket(bucket.parent())
        .set_destination_name(full)
        .set_or_clear_if_source_generation_match(condition);
    if let Some(described) = &progress.described {
        call = call.set_destination(described.object());
    }
    if let Some(key) = &progress.kms_key {
        call = call.set_destination_kms_key(key);
    }
    if let Some(bytes) = progress.step {
        call = call.set_max_bytes_rewritten_per_call(bytes);
    }
    if let Some(token) = &progress.rewrite {
        call = call.set_rewrite_token(token);
    }
    let limit = bucket.inner.terms.timeouts.rewrite;
    let sent = bucket.on_terms(call, limit).send();
    answer(COPY, &|| source.resource(), limit, ErrorKind::Changed, sent).await
}

fn copied(
    bucket: &GcsBucket,
    request: &CopyRequest<'_>,
    full: &str,
    progress: Progress,
    answer: RewriteResponse,
) -> Result<Copied> {
    let broken = |what| contradiction(COPY, bucket.resource(full), what);
    if !answer.done {
        if answer.rewrite_token.is_empty() {
            return Err(broken("a rewrite that goes on without a token"));
        }
        let bytes = u64::try_from(answer.total_bytes_rewritten).map_err(|_| broken("less than no bytes"))?;
        let token = Progress { rewrite: Some(answer.rewrite_token), ..progress }.token();
        let failed = |error| Error::new(ErrorKind::Other, COPY, bucket.resource(full)).with_source(error);
        return Ok(Copied::More { token: token.map_err(failed)?, bytes });
    }
    let object = answer.resource.ok_or_else(|| broken("a rewrite that is done without an object"))?;
    let meta = meta::of(request.to.clone(), object).ok_or_else(|| broken("a copy without generation or size"))?;
    if progress.class.is_some_and(|wanted| wanted != class::name_of(meta.class)) {
        // The next attempt asks for the bucket's usual class again, and says the wanted one.
        bucket.inner.usual_class.forget();
        let why = "the copy got another class than it was to have: the bucket's usual one was changed meanwhile";
        return Err(refused(ErrorKind::Unavailable, COPY, bucket.resource(full), why));
    }
    Ok(Copied::Done(meta))
}

/// A condition was not met: that of the caller, one of our own, or one of the store's.
async fn unmet(bucket: &GcsBucket, request: &CopyRequest<'_>, source: &Source, error: Error) -> Error {
    match object(bucket, &source.parent, &source.full, COPY).await {
        Err(gone) if gone.kind() == ErrorKind::NotFound => gone,
        Ok(found) => match &request.if_version {
            Some(version) if meta::version(found.generation) != *version => error,
            // It changed between two calls of ours.
            None => Error::new(ErrorKind::Unavailable, COPY, source.resource()).with_source(error),
            Some(_) => Error::new(ErrorKind::Invalid, COPY, source.resource()).with_source(error),
        },
        Err(_) => error,
    }
}

/// `Changed` of a source that is there, `NotFound` of one that is gone.
async fn looked_for(bucket: &GcsBucket, source: &Source, changed: Error) -> Error {
    object(bucket, &source.parent, &source.full, COPY).await.err().unwrap_or(changed)
}

/// The store keeps nothing that could be given up: it forgets a rewrite that nobody goes on with.
pub(super) fn abandon(bucket: &GcsBucket, to: &Key, token: &CopyToken) -> Result<()> {
    let full = bucket.full_to_write(to, COPY)?;
    let failed = |error| Error::new(ErrorKind::Invalid, COPY, bucket.resource(&full)).with_source(error);
    Progress::parse(token).map(drop).map_err(failed)
}
