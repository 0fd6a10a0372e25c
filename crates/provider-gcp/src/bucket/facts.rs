//! Facts about a bucket: all in one answer, but for who may read it.

use std::time::Duration;

use google_cloud_storage::model::Bucket;
use google_cloud_storage::model::bucket::lifecycle::Rule;
use google_cloud_storage::model::bucket::lifecycle::rule::Condition;
use google_cloud_wkt::Duration as SdkDuration;
use provider::{ErrorKind, Facts, LifecycleRule, Result, UnfinishedUpload};

use super::GcsBucket;
use super::call::answer;
use super::exposure::exposure;
use crate::error::refused;

const GET_BUCKET: &str = "GetBucket";

/// What only Google's buckets have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GcsFacts {
    /// `region`, `dual-region` or `multi-region`.
    pub location_type: String,
    /// Class of objects that are written without one.
    pub storage_class: String,
    /// Whether Google chooses the class of objects.
    pub autoclass: bool,
    /// How long deleted objects can be restored, and cost money.
    pub soft_delete: Option<Duration>,
    /// How long after it was written an object can be neither deleted nor overwritten.
    pub retention: Option<Duration>,
    /// Whether that can't be taken back.
    pub retention_locked: bool,
    /// Whether new objects are held until somebody releases them.
    pub default_event_based_hold: bool,
    /// Whether objects may have retention of their own.
    pub object_retention: bool,
    /// Whether folders are real.
    pub hierarchical_namespace: bool,
    /// Whether rights are those of the bucket alone, without access lists of objects.
    pub uniform_access: bool,
    /// Whether nothing in it can be made public.
    pub public_access_prevented: bool,
}

/// The bucket itself.
pub(super) async fn bucket(bucket: &GcsBucket) -> Result<Bucket> {
    let limit = bucket.inner.terms.timeouts.call;
    let client = bucket.inner.connections.control().await?;
    let call = bucket.on_terms(client.get_bucket().set_name(bucket.parent()), limit);
    answer(GET_BUCKET, &|| bucket.resource(""), limit, ErrorKind::Invalid, call.send()).await
}

pub(super) async fn facts(bucket: &GcsBucket) -> Result<Facts> {
    let found = match self::bucket(bucket).await {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::Denied => {
            tracing::debug!(%error, "the facts of the bucket can't be read");
            return Ok(Facts::default());
        }
        Err(error) => return Err(error),
    };
    let own = of_google(&found);
    Ok(Facts {
        exposure: exposure(bucket, &own).await?,
        versioning: Some(found.versioning.is_some_and(|versioning| versioning.enabled)),
        object_lock: Some(own.retention.is_some() || own.default_event_based_hold || own.object_retention),
        lifecycle: Some(found.lifecycle.iter().flat_map(|lifecycle| &lifecycle.rule).flat_map(rules).collect()),
        encryption: Some(match found.encryption.map(|encryption| encryption.default_kms_key) {
            Some(key) if !key.is_empty() => format!("Cloud KMS with {key}"),
            _ => "keys of Google's".to_owned(),
        }),
        requester_pays: Some(found.billing.is_some_and(|billing| billing.requester_pays)),
        region: Some(found.location),
        unfit: own.hierarchical_namespace.then(|| {
            "it has a hierarchical namespace, whose folders are real: names with a leading slash or with empty parts, as Pachyderm has \
             them, are not known to be kept there"
                .to_owned()
        }),
        cautions: cautions(&own),
    })
}

/// What a person should know who keeps something in such a bucket.
fn cautions(own: &GcsFacts) -> Vec<String> {
    let mut cautions = Vec::new();
    if let Some(kept) = own.soft_delete {
        let days = kept.as_secs().div_ceil(24 * 60 * 60);
        cautions.push(format!("what is deleted there costs for {days} days more, for so long it could be restored"));
    }
    if own.autoclass {
        cautions
            .push("Google chooses the class of its objects (Autoclass), whatever clone.storage-class says".to_owned());
    }
    cautions
}

pub(super) fn of_google(found: &Bucket) -> GcsFacts {
    let access = found.iam_config.as_ref();
    let uniform = access.and_then(|access| access.uniform_bucket_level_access.as_ref());
    let lasting = |duration: Option<&SdkDuration>| {
        let duration = duration?;
        let seconds = u64::try_from(duration.seconds()).ok()?;
        Some(Duration::new(seconds, u32::try_from(duration.nanos()).ok()?)).filter(|duration| !duration.is_zero())
    };
    let retention = found.retention_policy.as_ref();
    let soft_delete = found.soft_delete_policy.as_ref();
    GcsFacts {
        location_type: found.location_type.clone(),
        storage_class: found.storage_class.clone(),
        autoclass: found.autoclass.as_ref().is_some_and(|autoclass| autoclass.enabled),
        soft_delete: lasting(soft_delete.and_then(|policy| policy.retention_duration.as_ref())),
        retention: lasting(retention.and_then(|policy| policy.retention_duration.as_ref())),
        retention_locked: retention.is_some_and(|policy| policy.is_locked),
        default_event_based_hold: found.default_event_based_hold,
        object_retention: found.object_retention.as_ref().is_some_and(|retention| retention.enabled),
        hierarchical_namespace: found.hierarchical_namespace.as_ref().is_some_and(|namespace| namespace.enabled),
        uniform_access: uniform.is_some_and(|uniform| uniform.enabled),
        public_access_prevented: access.is_some_and(|access| access.public_access_prevention == "enforced"),
    }
}

/// A rule for each prefix that it is about.
fn rules(rule: &Rule) -> Vec<LifecycleRule> {
    let (action, condition) = (rule.action.clone().unwrap_or_default(), rule.condition.clone().unwrap_or_default());
    let what = match action.r#type.as_str() {
        "Delete" => "objects are deleted".to_owned(),
        "SetStorageClass" => format!("objects move to {}", action.storage_class),
        "AbortIncompleteMultipartUpload" => "unfinished uploads are aborted".to_owned(),
        other => format!("{other}, which is not known here"),
    };
    let when = conditions(&condition);
    let words = if when.is_empty() { what } else { format!("{what} when {}", when.join(" and ")) };
    let about_older = condition.is_live == Some(false)
        || condition.num_newer_versions.is_some()
        || condition.days_since_noncurrent_time.is_some()
        || condition.noncurrent_time_before.is_some();
    let partial = !condition.matches_suffix.is_empty()
        || !condition.matches_storage_class.is_empty()
        || condition.days_since_custom_time.is_some()
        || condition.custom_time_before.is_some();
    let one = |prefix: &str| LifecycleRule {
        words: words.clone(),
        prefix: prefix.to_owned(),
        partial,
        expires: action.r#type == "Delete" && !about_older,
        // Each class of Google's is read at once.
        archives: false,
    };
    match condition.matches_prefix.as_slice() {
        [] => vec![one("")],
        prefixes => prefixes.iter().map(|prefix| one(prefix)).collect(),
    }
}

/// When a rule acts, in words.
fn conditions(condition: &Condition) -> Vec<String> {
    let mut when = Vec::new();
    if let Some(days) = condition.age_days {
        when.push(format!("they are {days} days old"));
    }
    if let Some(days) = condition.days_since_noncurrent_time {
        when.push(format!("they were replaced {days} days ago"));
    }
    if let Some(versions) = condition.num_newer_versions {
        when.push(format!("{versions} newer versions exist"));
    }
    if let Some(days) = condition.days_since_custom_time {
        when.push(format!("their custom time is {days} days ago"));
    }
    match condition.is_live {
        Some(true) => when.push("they are live".to_owned()),
        Some(false) => when.push("they are not live".to_owned()),
        None => {}
    }
    for (what, before) in [
        ("they were made", &condition.created_before),
        ("they were replaced", &condition.noncurrent_time_before),
        ("their custom time is", &condition.custom_time_before),
    ] {
        if let Some(before) = before {
            when.push(format!("{what} before {:04}-{:02}-{:02}", before.year, before.month, before.day));
        }
    }
    for (what, some) in [("class is", &condition.matches_storage_class), ("name ends in", &condition.matches_suffix)] {
        if !some.is_empty() {
            when.push(format!("their {what} {}", some.join(" or ")));
        }
    }
    when
}

pub(super) fn unfinished_uploads(bucket: &GcsBucket) -> Result<Vec<UnfinishedUpload>> {
    let why = "Cloud Storage tells no unfinished uploads or rewrites; it forgets them after a week";
    Err(refused(ErrorKind::Unsupported, "unfinished uploads", bucket.resource(""), why))
}
