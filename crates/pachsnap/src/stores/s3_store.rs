//! S3 stores.

use std::sync::Arc;

use orchestrator::cluster::AccessKey;
use orchestrator::job::Opened;
use orchestrator::{Error, ErrorKind, Result};
use s3::{ClientKind, CredentialsConfig, Encryption, NewObjects, QuirkOverrides, S3Bucket, S3Config, StoreKind};

use super::{BucketUrl, wait_for};
use crate::config::{Config, StoreKeys, StoreOptions, StoreSection};

/// A cluster's data bucket. What `[bucket]` sets wins over what the cluster's own secret says.
pub(super) fn open_data(
    config: &Config,
    bucket: &str,
    endpoint: Option<&str>,
    region: Option<&str>,
    cluster_key: Option<&AccessKey>,
) -> Result<Opened> {
    let mut options = config.store_options(StoreSection::Bucket);
    options.endpoint = options.endpoint.or_else(|| endpoint.map(str::to_owned));
    options.region = options.region.or_else(|| region.map(str::to_owned));
    let named = config.store_keys(StoreSection::Bucket)?.map(of_keys);
    // A store of one's own is known to the cluster alone; to Amazon everybody has a way of their own.
    let from_cluster = match config.text("bucket.credentials") {
        Some(whose) => whose == "cluster",
        None => options.endpoint.is_some(),
    };
    let credentials = match (named, cluster_key) {
        (Some(named), _) => named,
        (None, Some(key)) if from_cluster => CredentialsConfig::Static {
            access_key_id: key.id.clone(),
            secret_access_key: s3::Secret::new(key.secret.clone()),
            session_token: key.session_token.clone().map(s3::Secret::new),
        },
        (None, None) if from_cluster => {
            return Err(Error::new(ErrorKind::Configuration, "the cluster's storage secret holds no access key")
                .advise(
                    "its nodes read the bucket by their role: set bucket.credentials to \"environment\", or name keys",
                ));
        }
        (None, _) => CredentialsConfig::default(),
    };
    connect(S3Config { credentials, client: client(config), ..described(bucket, "", options)? })
}

/// A vault or a clone. Without a section of its own a URL is opened with what the SDK finds.
pub(super) fn open(
    config: &Config,
    section: Option<StoreSection>,
    place: &BucketUrl,
    given: &StoreOptions,
) -> Result<Opened> {
    let configured = section.map(|section| config.store_options(section)).unwrap_or_default();
    let mut options = given.clone().or(configured);
    options.endpoint = options.endpoint.or_else(|| place.endpoint.clone());
    let keys = match section {
        Some(section) => config.store_keys(section)?,
        None => None,
    };
    let credentials = keys.map(of_keys).unwrap_or_default();
    connect(S3Config { credentials, client: client(config), ..described(&place.bucket, &place.prefix, options)? })
}

/// Which client sends the two calls that a clone is made of.
fn client(config: &Config) -> ClientKind {
    match config.text("s3.client") {
        Some("sdk") => ClientKind::Sdk,
        _ => ClientKind::Lean,
    }
}

fn described(bucket: &str, prefix: &str, options: StoreOptions) -> Result<S3Config> {
    let store = options.store.as_deref().map(|store| match store {
        "aws" => StoreKind::Aws,
        "minio" => StoreKind::Minio,
        _ => StoreKind::Other,
    });
    let encryption = match &options.encrypt_with {
        Some(text) => Some(Encryption::parse(text).ok_or_else(|| {
            Error::new(ErrorKind::Configuration, format!("{text:?} is no encryption"))
                .advise("encrypt-with is AES256, aws:kms, or a KMS key: its id, alias/NAME or ARN")
        })?),
        None => None,
    };
    Ok(S3Config {
        prefix: prefix.to_owned(),
        endpoint: options.endpoint,
        region: options.region,
        path_style: options.path_style,
        store,
        quirks: QuirkOverrides {
            create_only_put: options.create_only_put,
            single_copy_bytes: options.copy_part_bytes,
            copy_part_bytes: options.copy_part_bytes,
            ..QuirkOverrides::default()
        },
        expected_owner: options.expected_owner,
        requester_pays: options.requester_pays.unwrap_or(false),
        new_objects: NewObjects {
            storage_class: options.storage_class,
            encryption,
            owner_full_control: options.owner_full_control.unwrap_or(false),
        },
        ..S3Config::aws(bucket)
    })
}

fn of_keys(keys: StoreKeys) -> CredentialsConfig {
    CredentialsConfig::Static {
        access_key_id: keys.access_key_id.reveal().to_owned(),
        secret_access_key: s3::Secret::new(keys.secret_access_key.reveal()),
        session_token: keys.session_token.map(|token| s3::Secret::new(token.reveal())),
    }
}

/// Opens the bucket.
fn connect(config: S3Config) -> Result<Opened> {
    let realm = match &config.endpoint {
        Some(endpoint) => format!("s3:{}", endpoint.trim_end_matches('/')),
        None => "s3:amazon".to_owned(),
    };
    let bucket = wait_for(S3Bucket::open(&config)).map_err(|cause| {
        Error::new(ErrorKind::Configuration, format!("bucket {:?} can't be opened", config.bucket)).because(cause)
    })?;
    if let Some(because) = bucket.client_choice().because {
        tracing::info!(bucket = config.bucket, %because, "copies and listings go through the SDK");
    }
    let bucket = Arc::new(bucket);
    Ok(Opened { facts: Some(bucket.clone()), bucket, realm })
}
