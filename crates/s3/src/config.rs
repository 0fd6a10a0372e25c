//! Where a bucket is and how to reach it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ClientKind, QuirkOverrides, Quirks, StoreKind};

/// A text that no output shows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one who sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

/// A bucket of an S3 store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct S3Config {
    /// The bucket's name.
    pub bucket: String,
    /// What every key begins with; not shown to callers. Usually it ends in `/`.
    #[serde(default)]
    pub prefix: String,
    /// URL of the store; absent for Amazon S3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Region; absent means what the SDK finds (environment, profile, instance), or `us-east-1` with an endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Whether the bucket is in the path rather than in the host name; absent means: when there is an endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_style: Option<bool>,
    /// Which S3 the store speaks; absent means Amazon's without an endpoint and [`StoreKind::Other`] with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreKind>,
    /// What the store does otherwise than its kind.
    #[serde(default)]
    pub quirks: QuirkOverrides,
    /// Who asks.
    #[serde(default)]
    pub credentials: CredentialsConfig,
    /// How long to wait.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// Which client copies and lists; where the lean one can't work, the SDK does.
    #[serde(default)]
    pub client: ClientKind,
    /// Number of the account that must own the bucket: another one's is not touched. Absent means whoever owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_owner: Option<String>,
    /// Whether we pay for our requests where the bucket wants its requesters to pay.
    #[serde(default)]
    pub requester_pays: bool,
    /// How new objects are kept.
    #[serde(default)]
    pub new_objects: NewObjects,
}

/// How new objects are kept, where it isn't as the bucket says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct NewObjects {
    /// Class of storage; absent means that a copy has its source's, and what is written the bucket's usual one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// Encryption; absent means the bucket's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// Whether they are made readable and deletable for the bucket's owner, who may be another account.
    pub owner_full_control: bool,
}

/// How the store encrypts what it keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encryption {
    /// With keys of S3's own.
    Aes256,
    /// With a key of KMS.
    Kms {
        /// Its id, alias or ARN; absent means the account's key for S3.
        key: Option<String>,
    },
}

impl Encryption {
    /// `AES256`, `aws:kms`, or a key of KMS by its id, alias or ARN; `None` for what is none of these.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_id = text.len() >= 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        match text {
            "AES256" => Some(Self::Aes256),
            "aws:kms" => Some(Self::Kms { key: None }),
            key if key.starts_with("alias/") || key.starts_with("arn:") || is_id => {
                Some(Self::Kms { key: Some(key.to_owned()) })
            }
            _ => None,
        }
    }
}

impl S3Config {
    /// A bucket of Amazon S3 with the SDK's own credentials.
    pub fn aws(bucket: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            prefix: String::new(),
            endpoint: None,
            region: None,
            path_style: None,
            store: None,
            quirks: QuirkOverrides::default(),
            credentials: CredentialsConfig::default(),
            timeouts: Timeouts::default(),
            client: ClientKind::default(),
            expected_owner: None,
            requester_pays: false,
            new_objects: NewObjects::default(),
        }
    }

    /// A bucket of another store, with a key pair.
    pub fn at(
        endpoint: impl Into<String>,
        store: StoreKind,
        bucket: impl Into<String>,
        id: &str,
        secret: &str,
    ) -> Self {
        Self {
            endpoint: Some(endpoint.into()),
            store: Some(store),
            credentials: CredentialsConfig::Static {
                access_key_id: id.to_owned(),
                secret_access_key: secret.into(),
                session_token: None,
            },
            ..Self::aws(bucket)
        }
    }

    /// Which S3 the store speaks.
    #[must_use]
    pub fn kind(&self) -> StoreKind {
        self.store.unwrap_or(if self.endpoint.is_some() { StoreKind::Other } else { StoreKind::Aws })
    }

    /// What the store can do, by its kind and the configured differences.
    #[must_use]
    pub fn resolved_quirks(&self) -> Quirks {
        self.quirks.over(Quirks::of(self.kind()))
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum CredentialsConfig {
    /// A key pair written down.
    Static {
        /// Id of the key.
        access_key_id: String,
        /// The secret key.
        secret_access_key: Secret,
        /// Token of a session, for temporary keys.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_token: Option<Secret>,
    },
    /// What the AWS SDK finds: environment, profile, web identity, container, instance.
    Chain {
        /// Profile of the shared configuration; absent means the usual one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        profile: Option<String>,
    },
}

impl Default for CredentialsConfig {
    fn default() -> Self {
        Self::Chain { profile: None }
    }
}

/// How long to wait, in seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Timeouts {
    /// For a connection.
    pub connect_seconds: u64,
    /// For the first byte of an answer, from when the request was sent. The rest of a page of a listing may take as long again.
    pub answer_seconds: u64,
    /// For the whole answer of a copy or of completing an upload: S3 may take minutes for large ones.
    pub copy_seconds: u64,
    /// How long a body may stand still, in either direction.
    pub stall_seconds: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect_seconds: 5, answer_seconds: 60, copy_seconds: 900, stall_seconds: 20 }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_read_and_hides_its_secrets() {
        let config: S3Config = toml::from_str(
            r#"
            bucket = "data"
            prefix = "pach/"
            endpoint = "http://127.0.0.1:9000"
            store = "minio"
            quirks = { part-bytes = 5242880 }
            client = "sdk"
            credentials = { from = "static", access-key-id = "id", secret-access-key = "hush", session-token = "hush" }
            "#,
        )
        .unwrap();
        assert_eq!(config.resolved_quirks().part_bytes, 5 << 20);
        assert!(!config.resolved_quirks().keys.empty_segments);
        assert_eq!((config.client, S3Config::aws("b").client), (ClientKind::Sdk, ClientKind::Lean));
        let shown = format!("{config:?}");
        assert!(!shown.contains("hush") && shown.contains("<redacted>"), "{shown}");
    }

    #[test]
    fn an_encryption_is_a_known_word_or_a_key() {
        let id = "1234abcd-12ab-34cd-56ef-1234567890ab";
        for key in [id, "alias/backups", "arn:aws:kms:us-east-1:1:key/1", "mrk-1234abcd12ab34cd56ef1234567890ab"] {
            assert_eq!(Encryption::parse(key), Some(Encryption::Kms { key: Some(key.to_owned()) }));
        }
        assert_eq!(Encryption::parse("AES256"), Some(Encryption::Aes256));
        for other in ["aes256", "aws:kms:dsse", "backups", ""] {
            assert_eq!(Encryption::parse(other), None, "{other}");
        }
    }

    #[test]
    fn unknown_fields_are_refused() {
        for text in [
            "bucket = \"b\"\nbukket = \"c\"",
            "bucket = \"b\"\nquirks = { checksum = true }",
            "bucket = \"b\"\ncredentials = { from = \"chain\", profil = \"p\" }",
            "bucket = \"b\"\ntimeouts = { read = 1 }",
            "bucket = \"b\"\nclient = \"curl\"",
        ] {
            assert!(toml::from_str::<S3Config>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_store_that_nothing_is_known_of_is_not_trusted_with_conditions() {
        let config = S3Config { endpoint: Some("http://x".into()), ..S3Config::aws("b") };
        let quirks = config.resolved_quirks();
        assert!(!quirks.create_only_put && !quirks.conditional_copy && !quirks.checksums);
        assert!(S3Config::aws("b").resolved_quirks().create_only_put);
    }
}
