//! What is set on a bucket.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use googleapis_tonic_google_storage_v2::google::storage::v2 as proto;

/// What is set on a bucket. `Default` is a new bucket as Google makes one: multi-region US, class STANDARD, a week of soft
/// delete.
#[derive(Clone, Debug, PartialEq)]
pub struct BucketFacts {
    /// Such as `US` or `EUROPE-WEST1`.
    pub location: String,
    /// The class of objects that are written without one.
    pub storage_class: Arc<str>,
    /// Whether older versions are kept.
    pub versioning: bool,
    /// How long after it was written an object can be neither deleted nor overwritten.
    pub retention: Option<Duration>,
    /// Whether the retention policy is locked.
    pub retention_locked: bool,
    /// Whether new objects have an event-based hold.
    pub default_event_based_hold: bool,
    /// How long deleted objects could be restored. It is told only: the server keeps none.
    pub soft_delete: Option<Duration>,
    /// Lifecycle rules. They are told only: the server follows none.
    pub lifecycle: Option<proto::bucket::Lifecycle>,
    /// Whether calls need a user project.
    pub requester_pays: bool,
    /// Whether folders are real. It is told only.
    pub hierarchical_namespace: bool,
    /// Whether there are no ACLs of objects.
    pub uniform_access: bool,
    /// `enforced` or `inherited`.
    pub public_access_prevention: String,
    /// The Cloud KMS key of objects that are written without one.
    pub default_kms_key: Option<Arc<str>>,
    /// Whether objects may have retention of their own.
    pub object_retention: bool,
    /// Whether Google chooses the class of objects. It is told only.
    pub autoclass: bool,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

impl Default for BucketFacts {
    fn default() -> Self {
        Self {
            location: "US".to_owned(),
            storage_class: "STANDARD".into(),
            versioning: false,
            retention: None,
            retention_locked: false,
            default_event_based_hold: false,
            soft_delete: Some(Duration::from_secs(7 * 24 * 3600)),
            lifecycle: None,
            requester_pays: false,
            hierarchical_namespace: false,
            uniform_access: true,
            public_access_prevention: "inherited".to_owned(),
            default_kms_key: None,
            object_retention: false,
            autoclass: false,
            labels: BTreeMap::new(),
        }
    }
}

impl BucketFacts {
    /// `multi-region`, `dual-region` or `region`, as the location's name tells.
    pub(super) fn location_type(&self) -> &'static str {
        match self.location.to_ascii_uppercase().as_str() {
            "US" | "EU" | "ASIA" => "multi-region",
            "NAM4" | "EUR4" | "EUR5" | "EUR7" | "EUR8" | "ASIA1" => "dual-region",
            _ => "region",
        }
    }
}
