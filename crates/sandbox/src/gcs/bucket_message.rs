//! Buckets as messages of `google.storage.v2`.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use googleapis_tonic_google_storage_v2::google::storage::v2 as proto;
use prost_types::FieldMask;
use proto::bucket;

use super::bucket_facts::BucketFacts;
use super::failure::Failure;
use super::messages::resource;
use super::options::GcsOptions;
use super::store::StoredBucket;
use super::times::{duration, timestamp};

/// A bucket as a message. A mask may name fields at the top only.
pub(super) fn tell(
    bucket: &StoredBucket,
    options: &GcsOptions,
    mask: Option<&FieldMask>,
) -> Result<proto::Bucket, Failure> {
    let full = full(bucket, options);
    let Some(mask) = mask.filter(|mask| !mask.paths.is_empty() && !mask.paths.iter().any(|path| path == "*")) else {
        return Ok(full);
    };
    let mut told = proto::Bucket::default();
    for path in &mask.paths {
        match path.as_str() {
            "name" => told.name.clone_from(&full.name),
            "bucket_id" => told.bucket_id.clone_from(&full.bucket_id),
            "etag" => told.etag.clone_from(&full.etag),
            "project" => told.project.clone_from(&full.project),
            "metageneration" => told.metageneration = full.metageneration,
            "location" => told.location.clone_from(&full.location),
            "location_type" => told.location_type.clone_from(&full.location_type),
            "create_time" => told.create_time = full.create_time,
            "update_time" => told.update_time = full.update_time,
            "acl" | "owner" => {}
            path => set(&mut told, &full, path)?,
        }
    }
    Ok(told)
}

fn full(bucket: &StoredBucket, options: &GcsOptions) -> proto::Bucket {
    proto::Bucket {
        name: resource(&bucket.name),
        bucket_id: bucket.name.to_string(),
        etag: etag(bucket.metageneration),
        project: format!("projects/{}", options.project_number),
        metageneration: bucket.metageneration,
        location_type: bucket.facts.location_type().to_owned(),
        rpo: "DEFAULT".to_owned(),
        create_time: Some(timestamp(bucket.created)),
        update_time: Some(timestamp(bucket.updated)),
        ..settings(&bucket.facts, bucket.created)
    }
}

fn etag(metageneration: i64) -> String {
    let mut bytes = Vec::with_capacity(8);
    prost::encoding::int64::encode(1, &metageneration, &mut bytes);
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// What is set on a bucket, of what a message can set.
fn settings(facts: &BucketFacts, since: SystemTime) -> proto::Bucket {
    let since = timestamp(since);
    proto::Bucket {
        location: facts.location.clone(),
        storage_class: facts.storage_class.to_string(),
        lifecycle: facts.lifecycle.clone(),
        default_event_based_hold: facts.default_event_based_hold,
        labels: facts.labels.clone(),
        versioning: facts.versioning.then_some(bucket::Versioning { enabled: true }),
        encryption: facts
            .default_kms_key
            .as_ref()
            .map(|key| bucket::Encryption { default_kms_key: key.to_string(), ..Default::default() }),
        billing: facts.requester_pays.then_some(bucket::Billing { requester_pays: true }),
        retention_policy: facts.retention.map(|period| bucket::RetentionPolicy {
            effective_time: Some(since),
            is_locked: facts.retention_locked,
            retention_duration: Some(duration(period)),
        }),
        iam_config: Some(bucket::IamConfig {
            uniform_bucket_level_access: facts
                .uniform_access
                .then_some(bucket::iam_config::UniformBucketLevelAccess { enabled: true, lock_time: None }),
            public_access_prevention: facts.public_access_prevention.clone(),
        }),
        autoclass: facts.autoclass.then(|| bucket::Autoclass { enabled: true, ..Default::default() }),
        hierarchical_namespace: facts.hierarchical_namespace.then_some(bucket::HierarchicalNamespace { enabled: true }),
        soft_delete_policy: Some(bucket::SoftDeletePolicy {
            retention_duration: Some(duration(facts.soft_delete.unwrap_or_default())),
            effective_time: Some(since),
        }),
        object_retention: facts.object_retention.then_some(bucket::ObjectRetention { enabled: true }),
        ..proto::Bucket::default()
    }
}

/// Takes over one field that can be set.
fn set(to: &mut proto::Bucket, from: &proto::Bucket, path: &str) -> Result<(), Failure> {
    match path {
        "storage_class" => to.storage_class.clone_from(&from.storage_class),
        "rpo" => to.rpo.clone_from(&from.rpo),
        "lifecycle" => to.lifecycle.clone_from(&from.lifecycle),
        "default_event_based_hold" => to.default_event_based_hold = from.default_event_based_hold,
        "labels" => to.labels.clone_from(&from.labels),
        "versioning" => to.versioning = from.versioning,
        "encryption" => to.encryption.clone_from(&from.encryption),
        "billing" => to.billing = from.billing,
        "retention_policy" => to.retention_policy = from.retention_policy,
        "iam_config" => to.iam_config.clone_from(&from.iam_config),
        "autoclass" => to.autoclass.clone_from(&from.autoclass),
        "hierarchical_namespace" => to.hierarchical_namespace = from.hierarchical_namespace,
        "soft_delete_policy" => to.soft_delete_policy = from.soft_delete_policy,
        "object_retention" => to.object_retention = from.object_retention,
        "cors" | "default_object_acl" | "website" | "logging" | "custom_placement_config" | "ip_filter" => {
            return Err(Failure::unimplemented(format!("the field {path} of buckets")));
        }
        _ => return Err(Failure::invalid(format!("Invalid field mask: there is no field {path}."))),
    }
    Ok(())
}

/// Refuses a name that no bucket can have (Google's bucket name requirements, those without dots).
pub(super) fn check_name(name: &str) -> Result<(), Failure> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    let outer = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let right = (3..=63).contains(&name.len())
        && name.bytes().all(inner)
        && outer(name.bytes().next())
        && outer(name.bytes().next_back())
        && !name.starts_with("goog");
    if right { Ok(()) } else { Err(Failure::invalid(format!("Invalid bucket name: '{name}'"))) }
}

fn period(duration: Option<prost_types::Duration>) -> Result<Duration, Failure> {
    Duration::try_from(duration.unwrap_or_default()).map_err(|_| Failure::invalid("A duration is negative."))
}

/// What a message sets on a new bucket.
pub(super) fn facts(message: proto::Bucket) -> Result<BucketFacts, Failure> {
    let unused = proto::Bucket {
        cors: message.cors.clone(),
        acl: message.acl.clone(),
        default_object_acl: message.default_object_acl.clone(),
        website: message.website.clone(),
        logging: message.logging.clone(),
        custom_placement_config: message.custom_placement_config.clone(),
        ip_filter: message.ip_filter.clone(),
        ..proto::Bucket::default()
    };
    if unused != proto::Bucket::default() {
        return Err(Failure::unimplemented("ACLs, CORS, websites, logging, placement and IP filters of buckets"));
    }
    let new = BucketFacts::default();
    let iam = message.iam_config.unwrap_or_default();
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    Ok(BucketFacts {
        location: some(message.location).map_or(new.location, |location| location.to_ascii_uppercase()),
        storage_class: some(message.storage_class).map_or(new.storage_class, Into::into),
        versioning: message.versioning.is_some_and(|versioning| versioning.enabled),
        retention: match message.retention_policy {
            Some(policy) => Some(period(policy.retention_duration)?),
            None => None,
        },
        retention_locked: message.retention_policy.is_some_and(|policy| policy.is_locked),
        default_event_based_hold: message.default_event_based_hold,
        soft_delete: match message.soft_delete_policy {
            Some(policy) => Some(period(policy.retention_duration)?).filter(|period| !period.is_zero()),
            None => new.soft_delete,
        },
        lifecycle: message.lifecycle,
        requester_pays: message.billing.is_some_and(|billing| billing.requester_pays),
        hierarchical_namespace: message.hierarchical_namespace.is_some_and(|namespace| namespace.enabled),
        uniform_access: iam.uniform_bucket_level_access.is_some_and(|access| access.enabled),
        public_access_prevention: some(iam.public_access_prevention).unwrap_or(new.public_access_prevention),
        default_kms_key: message.encryption.and_then(|encryption| some(encryption.default_kms_key)).map(Into::into),
        object_retention: message.object_retention.is_some_and(|retention| retention.enabled),
        autoclass: message.autoclass.is_some_and(|autoclass| autoclass.enabled),
        labels: message.labels,
    })
}

/// What is set on a bucket when the fields of a mask are another message's.
pub(super) fn updated(old: &BucketFacts, new: proto::Bucket, mask: &FieldMask) -> Result<BucketFacts, Failure> {
    let mut message = settings(old, SystemTime::now());
    for path in &mask.paths {
        match path.as_str() {
            "location" | "hierarchical_namespace" => {
                return Err(Failure::invalid(format!("The field {path} of a bucket can't be changed.")));
            }
            path => set(&mut message, &new, path)?,
        }
    }
    let changed = facts(message)?;
    if old.retention_locked && (!changed.retention_locked || changed.retention < old.retention) {
        return Err(Failure::precondition());
    }
    Ok(changed)
}
