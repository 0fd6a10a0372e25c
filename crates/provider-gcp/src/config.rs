//! How a bucket is opened.

use std::time::Duration;

use crate::credentials::GoogleCredentials;

/// How long to wait for answers. Each is for one attempt; the caller repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GcsTimeouts {
    /// Longest wait for the answer of a call that moves no bytes.
    pub call: Duration,
    /// Longest wait for the answer of a rewrite, which moves bytes inside the store.
    pub rewrite: Duration,
    /// Longest wait for the next bytes of a body, or until the store has taken 8 MiB of one.
    pub transfer: Duration,
}

impl Default for GcsTimeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { call: seconds(60), rewrite: seconds(180), transfer: seconds(120) }
    }
}

/// How a bucket of Cloud Storage is opened.
#[derive(Clone, Debug)]
pub struct GcsConfig {
    /// The bucket's name.
    pub bucket: String,
    /// What all keys begin with in the bucket; the caller's keys come without it. Nothing is added, no slash either.
    pub prefix: String,
    /// URL of the service, `http://` or `https://`; absent for Google's own.
    pub endpoint: Option<String>,
    /// Who asks.
    pub credentials: GoogleCredentials,
    /// Project that is billed for the requests: for buckets whose requesters pay.
    pub user_project: Option<String>,
    /// Class of new objects and copies: `STANDARD`, `NEARLINE`, `COLDLINE` or `ARCHIVE`. Absent: copies have that of their source,
    /// other objects the bucket's.
    pub storage_class: Option<String>,
    /// Cloud KMS key of new objects and copies (`projects/…/cryptoKeys/K`). Absent: the bucket's.
    pub kms_key: Option<String>,
    /// Most bytes that one rewrite call copies, a multiple of 1 MiB. Absent: as many as the service copies in a call.
    pub rewrite_bytes_per_call: Option<i64>,
    /// Writes a second that the bucket takes at first; absent for what Google publishes: 1,000, and twice as many each 20 minutes.
    pub writes_per_second: Option<u32>,
    /// Most connections that calls are spread over, each of up to 100 calls at a time. Opened as they are needed.
    pub channels: usize,
    /// How long to wait.
    pub timeouts: GcsTimeouts,
}

impl GcsConfig {
    /// A bucket of Google's, with the Application Default Credentials.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            prefix: String::new(),
            endpoint: None,
            credentials: GoogleCredentials::Default,
            user_project: None,
            storage_class: None,
            kms_key: None,
            rewrite_bytes_per_call: None,
            writes_per_second: None,
            channels: 16,
            timeouts: GcsTimeouts::default(),
        }
    }
}
