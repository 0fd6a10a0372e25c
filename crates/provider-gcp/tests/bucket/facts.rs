//! What a bucket tells of itself, and what it is refused for.

use std::sync::Arc;
use std::time::Duration;

use googleapis_tonic_google_storage_v2::google::storage::v2::bucket::Lifecycle;
use googleapis_tonic_google_storage_v2::google::storage::v2::bucket::lifecycle::Rule;
use googleapis_tonic_google_storage_v2::google::storage::v2::bucket::lifecycle::rule::{Action, Condition};
use provider::{BucketFacts as _, ErrorKind, Exposure, Facts, LifecycleRule};
use provider_gcp::{GcsBucket, GcsConfig};
use sandbox::gcs::Permissions;

use crate::place::{config, open, server, words};

fn rule(action: &str, class: &str, condition: Condition) -> Rule {
    let action = Some(Action { r#type: action.to_owned(), storage_class: class.to_owned() });
    Rule { action, condition: Some(condition) }
}

#[tokio::test]
async fn a_bucket_tells_all_that_a_plan_asks() {
    let server = server().await;
    let old =
        Condition { age_days: Some(30), matches_prefix: vec!["tmp/".into(), "log/".into()], ..Condition::default() };
    let replaced = Condition { num_newer_versions: Some(3), ..Condition::default() };
    let cold = Condition { matches_storage_class: vec!["STANDARD".into()], ..Condition::default() };
    server.bucket("data").set(|facts| {
        facts.location = "EUROPE-WEST1".into();
        facts.versioning = true;
        facts.requester_pays = false;
        facts.retention = Some(Duration::from_secs(86_400));
        facts.retention_locked = true;
        facts.hierarchical_namespace = true;
        facts.default_kms_key = Some("projects/p/cryptoKeys/k".into());
        facts.public_access_prevention = "enforced".into();
        facts.lifecycle = Some(Lifecycle {
            rule: vec![rule("Delete", "", old), rule("Delete", "", replaced), rule("SetStorageClass", "ARCHIVE", cold)],
        });
    });
    let bucket = open(&server, "data");
    let rule = |words: &str, prefix: &str, partial, expires| LifecycleRule {
        words: words.to_owned(),
        prefix: prefix.to_owned(),
        partial,
        expires,
        archives: false,
    };
    let wanted = Facts {
        region: Some("EUROPE-WEST1".to_owned()),
        versioning: Some(true),
        object_lock: Some(true),
        lifecycle: Some(vec![
            rule("objects are deleted when they are 30 days old", "tmp/", false, true),
            rule("objects are deleted when they are 30 days old", "log/", false, true),
            rule("objects are deleted when 3 newer versions exist", "", false, false),
            rule("objects move to ARCHIVE when their class is STANDARD", "", true, false),
        ]),
        encryption: Some("Cloud KMS with projects/p/cryptoKeys/k".to_owned()),
        exposure: Some(Exposure::Private),
        requester_pays: Some(false),
        unfit: None,
        cautions: vec!["what is deleted there costs for 7 days more, for so long it could be restored".to_owned()],
    };
    let told = bucket.facts().await.unwrap();
    assert!(told.unfit.as_deref().is_some_and(|why| why.contains("hierarchical namespace")), "{told:?}");
    assert_eq!(Facts { unfit: None, ..told }, wanted);
    let own = bucket.google_facts().await.unwrap();
    assert_eq!((own.location_type.as_str(), own.storage_class.as_str()), ("region", "STANDARD"));
    assert_eq!((own.retention, own.retention_locked), (Some(Duration::from_secs(86_400)), true));
    assert_eq!(own.soft_delete, Some(Duration::from_secs(7 * 86_400)));
    assert!(own.hierarchical_namespace && own.uniform_access && own.public_access_prevented && !own.autoclass);
    let error = bucket.unfinished_uploads().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn what_may_not_be_read_is_not_known() {
    let server = server().await;
    let bucket = open(&server, "data");
    // The server plays no policies.
    let facts = bucket.facts().await.unwrap();
    assert_eq!((facts.exposure, facts.object_lock), (None, Some(false)));
    server.allow_only(Arc::new(Permissions::of(["storage.objects.list"])));
    assert_eq!(bucket.facts().await.unwrap(), Facts::default());
    assert_eq!(bucket.google_facts().await.unwrap_err().kind(), ErrorKind::Denied);
}

#[tokio::test]
async fn a_bucket_that_is_missing_has_no_facts() {
    let server = server().await;
    assert_eq!(open(&server, "missing").facts().await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn settings_that_no_request_can_carry_are_refused() {
    let server = server().await;
    let usual = || config(&server, "data");
    for (wrong, part) in [
        (GcsConfig { bucket: String::new(), ..usual() }, "no name"),
        (GcsConfig { bucket: "a/b".to_owned(), ..usual() }, "slash"),
        (GcsConfig { endpoint: Some("localhost:1".to_owned()), ..usual() }, "http://"),
        (GcsConfig { storage_class: Some("GLACIER".to_owned()), ..usual() }, "STANDARD, NEARLINE, COLDLINE, ARCHIVE"),
        (GcsConfig { rewrite_bytes_per_call: Some(5), ..usual() }, "1048576"),
    ] {
        let error = GcsBucket::open(&wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(words(&error).contains(part), "{}", words(&error));
    }
}
