//! Facts about a bucket, and its unfinished uploads.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{
    self, BucketVersioningStatus, EncodingType, ExpirationStatus, ObjectLockEnabled, Payer, TransitionStorageClass,
};
use provider::{ErrorKind, Facts, Key, LifecycleRule, Result, Retry, UnfinishedUpload};

use super::S3Bucket;
use super::copy::token_of;
use super::exposure::exposure;
use super::meta::timestamp;
use crate::class;
use crate::encoding::decode;
use crate::error::{contradiction, from_sdk, refused};

const UPLOADS: &str = "ListMultipartUploads";

pub(super) async fn facts(bucket: &S3Bucket) -> Result<Facts> {
    let region = region(bucket).await?;
    let (versioning, object_lock, lifecycle, encryption, exposure, requester_pays) = futures::try_join!(
        versioning(bucket),
        object_lock(bucket),
        lifecycle(bucket),
        encryption(bucket),
        exposure(bucket),
        requester_pays(bucket)
    )?;
    let known =
        Facts { region, versioning, object_lock, lifecycle, encryption, exposure, requester_pays, ..Facts::default() };
    Ok(known)
}

/// One fact: known, known by the code that says "not set", or not to be known. What may pass is an error.
pub(super) fn fact<T, E, F>(
    bucket: &S3Bucket,
    operation: &'static str,
    answer: std::result::Result<T, SdkError<E, HttpResponse>>,
    not_set: (&[&str], Option<F>),
    read: impl FnOnce(T) -> Option<F>,
) -> Result<Option<F>>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let error = match answer {
        Ok(answer) => return Ok(read(answer)),
        Err(error) => error,
    };
    if error.code().is_some_and(|code| not_set.0.contains(&code)) {
        return Ok(not_set.1);
    }
    let no_bucket = error.code() == Some("NoSuchBucket");
    let error = from_sdk(operation, bucket.resource(""), error);
    // What can't be understood will not be understood later.
    let may_pass = error.retry() != Retry::Never && error.kind() != ErrorKind::Corrupt;
    if no_bucket || error.kind() == ErrorKind::Unauthenticated || may_pass {
        return Err(error);
    }
    tracing::debug!(%error, "a fact of the bucket can't be read");
    Ok(None)
}

async fn region(bucket: &S3Bucket) -> Result<Option<String>> {
    let answer = bucket.client().head_bucket().bucket(bucket.name()).send().await;
    if let Err(error) = &answer
        && error.raw_response().is_some_and(|raw| raw.status().as_u16() == 404)
    {
        return answer.map(|_| None).map_err(|error| from_sdk("HeadBucket", bucket.resource(""), error));
    }
    let region = fact(bucket, "HeadBucket", answer, (&[], None), |answer| answer.bucket_region)?;
    if region.is_some() {
        return Ok(region);
    }
    let answer = bucket.client().get_bucket_location().bucket(bucket.name()).send().await;
    fact(bucket, "GetBucketLocation", answer, (&[], None), |answer| {
        // The oldest region is told by an empty element.
        let region = answer.location_constraint.map(|region| region.as_str().to_owned()).unwrap_or_default();
        Some(if region.is_empty() { "us-east-1".to_owned() } else { region })
    })
}

async fn versioning(bucket: &S3Bucket) -> Result<Option<bool>> {
    let answer = bucket.client().get_bucket_versioning().bucket(bucket.name()).send().await;
    fact(bucket, "GetBucketVersioning", answer, (&[], None), |answer| {
        Some(answer.status() == Some(&BucketVersioningStatus::Enabled))
    })
}

async fn object_lock(bucket: &S3Bucket) -> Result<Option<bool>> {
    let answer = bucket.client().get_object_lock_configuration().bucket(bucket.name()).send().await;
    let not_set = (&["ObjectLockConfigurationNotFoundError"][..], Some(false));
    fact(bucket, "GetObjectLockConfiguration", answer, not_set, |answer| {
        let enabled = answer.object_lock_configuration.and_then(|lock| lock.object_lock_enabled);
        Some(enabled == Some(ObjectLockEnabled::Enabled))
    })
}

async fn lifecycle(bucket: &S3Bucket) -> Result<Option<Vec<LifecycleRule>>> {
    let answer = bucket.client().get_bucket_lifecycle_configuration().bucket(bucket.name()).send().await;
    let not_set = (&["NoSuchLifecycleConfiguration"][..], Some(Vec::new()));
    fact(bucket, "GetBucketLifecycleConfiguration", answer, not_set, |answer| {
        let enabled = answer.rules().iter().filter(|rule| rule.status() == &ExpirationStatus::Enabled);
        Some(enabled.map(rule).collect())
    })
}

/// A rule, told apart by what it does to objects.
fn rule(rule: &types::LifecycleRule) -> LifecycleRule {
    #[allow(deprecated, reason = "old rules still carry their prefix here")]
    let old_prefix = rule.prefix();
    let filter = rule.filter();
    let both = filter.and_then(|filter| filter.and());
    let prefix = filter.and_then(|filter| filter.prefix()).or(both.and_then(|both| both.prefix())).or(old_prefix);
    let partial = filter.is_some_and(|filter| {
        filter.tag().is_some()
            || filter.object_size_greater_than().is_some()
            || filter.object_size_less_than().is_some()
            || filter.and().is_some()
    });
    let expires =
        rule.expiration().is_some_and(|expiration| expiration.days().is_some() || expiration.date().is_some());
    let archived = |class: Option<&TransitionStorageClass>| {
        class.and_then(|class| class::told(class.as_str())).is_some_and(|class| class.archived)
    };
    LifecycleRule {
        words: format!("{}: {}", rule.id().unwrap_or("a rule without a name"), in_words(rule)),
        prefix: prefix.unwrap_or_default().to_owned(),
        partial,
        expires,
        archives: rule.transitions().iter().any(|transition| archived(transition.storage_class())),
    }
}

/// What a rule does.
fn in_words(rule: &types::LifecycleRule) -> String {
    let mut what = Vec::new();
    if let Some(expiration) = rule.expiration() {
        match (expiration.days(), expiration.date()) {
            (Some(days), _) => what.push(format!("objects expire after {days} days")),
            (None, Some(date)) => what.push(format!("objects expire on {date}")),
            (None, None) => what.push("delete markers expire".to_owned()),
        }
    }
    for transition in rule.transitions() {
        let class = transition.storage_class().map_or("another class", |class| class.as_str());
        match transition.days() {
            Some(days) => what.push(format!("objects move to {class} after {days} days")),
            None => what.push(format!("objects move to {class}")),
        }
    }
    if rule.noncurrent_version_expiration().is_some() {
        what.push("old versions expire".to_owned());
    }
    if !rule.noncurrent_version_transitions().is_empty() {
        what.push("old versions move to another class".to_owned());
    }
    if let Some(days) = rule.abort_incomplete_multipart_upload().and_then(|abort| abort.days_after_initiation()) {
        what.push(format!("unfinished uploads are aborted after {days} days"));
    }
    if what.is_empty() { "what it does is not known here".to_owned() } else { what.join(", ") }
}

async fn requester_pays(bucket: &S3Bucket) -> Result<Option<bool>> {
    let answer = bucket.client().get_bucket_request_payment().bucket(bucket.name()).send().await;
    fact(bucket, "GetBucketRequestPayment", answer, (&[], None), |answer| {
        Some(answer.payer() == Some(&Payer::Requester))
    })
}

async fn encryption(bucket: &S3Bucket) -> Result<Option<String>> {
    let answer = bucket.client().get_bucket_encryption().bucket(bucket.name()).send().await;
    let not_set = (&["ServerSideEncryptionConfigurationNotFoundError"][..], Some("none".to_owned()));
    fact(bucket, "GetBucketEncryption", answer, not_set, |answer| {
        let rules = answer.server_side_encryption_configuration.map(|found| found.rules).unwrap_or_default();
        let usual = rules.into_iter().find_map(|rule| rule.apply_server_side_encryption_by_default);
        Some(usual.map_or_else(
            || "none".to_owned(),
            |usual| match usual.kms_master_key_id() {
                Some(key) => format!("{} with {key}", usual.sse_algorithm().as_str()),
                None => usual.sse_algorithm().as_str().to_owned(),
            },
        ))
    })
}

pub(super) async fn unfinished_uploads(bucket: &S3Bucket) -> Result<Vec<UnfinishedUpload>> {
    let prefix = bucket.inner.prefix.as_str();
    if !bucket.quirks().list_uploads {
        let why = "the store doesn't tell its unfinished uploads";
        return Err(refused(ErrorKind::Unsupported, UPLOADS, bucket.resource(prefix), why));
    }
    let broken = |what| contradiction(UPLOADS, bucket.resource(prefix), what);
    let mut found = Vec::new();
    let mut marker: Option<(String, Option<String>)> = None;
    loop {
        let mut call = bucket.client().list_multipart_uploads().bucket(bucket.name()).encoding_type(EncodingType::Url);
        if !prefix.is_empty() {
            call = call.prefix(prefix);
        }
        if let Some((key, upload)) = marker {
            call = call.key_marker(key).set_upload_id_marker(upload);
        }
        let page = call.send().await.map_err(|error| from_sdk(UPLOADS, bucket.resource(prefix), error))?;
        let url = page.encoding_type() == Some(&EncodingType::Url);
        let raw = |key: &str| if url { decode(key) } else { Some(key.to_owned()) };
        for upload in page.uploads() {
            let full = upload.key().and_then(raw).ok_or_else(|| broken("an upload without a key"))?;
            let id = upload.upload_id().ok_or_else(|| broken("an upload without an id"))?;
            let own = full.strip_prefix(prefix).ok_or_else(|| broken("a key outside the prefix"))?;
            found.push(UnfinishedUpload {
                key: Key::new(own),
                started: timestamp(upload.initiated()),
                token: token_of(bucket, &full, id)?,
            });
        }
        if page.is_truncated() != Some(true) {
            return Ok(found);
        }
        let next =
            page.next_key_marker().and_then(raw).ok_or_else(|| broken("a page with a next one but no marker"))?;
        marker = Some((next, page.next_upload_id_marker().map(str::to_owned)));
    }
}
