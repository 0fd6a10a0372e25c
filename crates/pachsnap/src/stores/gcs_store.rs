//! Buckets of Google Cloud Storage.

use std::sync::Arc;

use orchestrator::cluster::ServiceAccountKey;
use orchestrator::job::Opened;
use orchestrator::{Error, ErrorKind, Result};
use provider::Purpose;
use provider_gcp::{GcsBucket, GcsConfig, GoogleCredentials, Place as RoleOn};

use super::{BucketUrl, Scheme, wait_for};
use crate::config::{Config, StoreOptions, StoreSection};

/// A cluster's data bucket. What `[bucket]` and `[gcs]` set wins over what the cluster's own secret says.
pub(super) fn open_data(config: &Config, bucket: &str, cluster_key: Option<&ServiceAccountKey>) -> Result<Opened> {
    connect(data(config, bucket, cluster_key)?)
}

fn data(config: &Config, bucket: &str, cluster_key: Option<&ServiceAccountKey>) -> Result<GcsConfig> {
    let options = config.store_options(StoreSection::Bucket);
    let from_cluster = config.text("bucket.credentials") == Some("cluster");
    let credentials = match cluster_key {
        Some(key) if from_cluster => GoogleCredentials::Json(key.0.clone()),
        None if from_cluster => {
            return Err(Error::new(ErrorKind::Configuration, "the cluster's storage secret holds no key of a service account")
                .advise("its pods have an identity of their own: leave bucket.credentials out, or name a file with gcs.credentials-file"));
        }
        _ => credentials(config, FILE),
    };
    described(config, StoreSection::Bucket.name(), bucket, "", options, credentials)
}

/// A vault or a clone.
pub(super) fn open(
    config: &Config,
    section: Option<StoreSection>,
    place: &BucketUrl,
    given: &StoreOptions,
) -> Result<Opened> {
    connect(store(config, section, place, given)?)
}

fn store(config: &Config, section: Option<StoreSection>, place: &BucketUrl, given: &StoreOptions) -> Result<GcsConfig> {
    let configured = section.map(|section| config.store_options(section)).unwrap_or_default();
    let mut options = given.clone().or(configured);
    options.endpoint = options.endpoint.or_else(|| place.endpoint.clone());
    let name = section.map_or("store", StoreSection::name);
    described(config, name, &place.bucket, &place.prefix, options, credentials(config, FILE))
}

const FILE: &str = "gcs.credentials-file";

/// The file that a setting names, else the Application Default Credentials.
pub(super) fn credentials(config: &Config, setting: &str) -> GoogleCredentials {
    config.path(setting).map_or(GoogleCredentials::Default, GoogleCredentials::File)
}

fn described(
    config: &Config,
    section: &str,
    bucket: &str,
    prefix: &str,
    options: StoreOptions,
    credentials: GoogleCredentials,
) -> Result<GcsConfig> {
    refuse_what_is_for_s3(section, &options)?;
    Ok(GcsConfig {
        prefix: prefix.to_owned(),
        endpoint: options.endpoint,
        credentials,
        user_project: config.text("gcs.user-project").map(str::to_owned),
        storage_class: options.storage_class,
        kms_key: options.encrypt_with,
        writes_per_second: config.number_if_set("gcs.writes-per-second"),
        rewrite_bytes_per_call: options.copy_part_bytes.and_then(|bytes| i64::try_from(bytes).ok()),
        ..GcsConfig::new(bucket)
    })
}

/// A setting that has no effect would let a person believe that it had.
fn refuse_what_is_for_s3(section: &str, options: &StoreOptions) -> Result<()> {
    let set = [
        ("region", options.region.is_some()),
        ("path-style", options.path_style.is_some()),
        ("store", options.store.is_some()),
        ("create-only-put", options.create_only_put.is_some()),
        ("expected-owner", options.expected_owner.is_some()),
        ("owner-full-control", options.owner_full_control.is_some()),
        ("requester-pays", options.requester_pays.is_some()),
    ];
    match set.into_iter().find(|(_, set)| *set) {
        None => Ok(()),
        Some((name, _)) => Err(Error::new(
            ErrorKind::Configuration,
            format!("{section}.{name} means nothing for a bucket of Google Cloud Storage"),
        )
        .advise(match name {
            "requester-pays" => "leave it out; gcs.user-project names the project that pays",
            _ => "leave it out; it is for S3 stores",
        })),
    }
}

/// The IAM permissions that a snapshot needs of the cluster's bucket and that these credentials lack.
pub(crate) async fn missing_data_permissions(
    config: &Config,
    bucket: &str,
    cluster_key: Option<&ServiceAccountKey>,
) -> Result<Vec<&'static str>> {
    missing(data(config, bucket, cluster_key)?, RoleOn::DataBucket).await
}

/// The IAM permissions that a snapshot needs of vault or clone and that these credentials lack; none for another store's URL.
pub(crate) async fn missing_store_permissions(
    config: &Config,
    section: StoreSection,
    url: &str,
) -> Result<Vec<&'static str>> {
    match BucketUrl::parse(url).filter(|place| place.scheme == Scheme::Google) {
        Some(place) => missing(store(config, Some(section), &place, &StoreOptions::default())?, RoleOn::Stores).await,
        None => Ok(Vec::new()),
    }
}

async fn missing(config: GcsConfig, place: RoleOn) -> Result<Vec<&'static str>> {
    let name = config.bucket.clone();
    let missing = async { GcsBucket::open(&config)?.missing_permissions(&place.permissions(Purpose::Snapshot)).await };
    missing.await.map_err(|cause| {
        Error::new(ErrorKind::Configuration, format!("gs://{name} can't be asked for its permissions")).because(cause)
    })
}

/// Opens the bucket.
fn connect(config: GcsConfig) -> Result<Opened> {
    let realm = match &config.endpoint {
        Some(endpoint) => format!("gs:{}", endpoint.trim_end_matches('/')),
        None => "gs:google".to_owned(),
    };
    let name = config.bucket.clone();
    let bucket = wait_for(async { GcsBucket::open(&config) }).map_err(|cause| {
        Error::new(ErrorKind::Configuration, format!("bucket {name:?} of Google Cloud Storage can't be opened"))
            .because(cause)
            .advise("see `gcloud auth application-default login`, or name a file with gcs.credentials-file")
    })?;
    let bucket = Arc::new(bucket);
    Ok(Opened { facts: Some(bucket.clone()), bucket, realm })
}
