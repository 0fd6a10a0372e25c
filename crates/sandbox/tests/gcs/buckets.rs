//! Buckets and what is set on them.

use std::time::Duration;

use googleapis_tonic_google_storage_v2::google::storage::v2 as proto;
use prost_types::FieldMask;
use proto::bucket::{Lifecycle, RetentionPolicy, Versioning};
use tonic::Code;

use crate::raw::{DATA, Raw};

async fn get(raw: &mut Raw) -> proto::Bucket {
    let request = proto::GetBucketRequest { name: DATA.to_owned(), ..Default::default() };
    let request = raw.ask(request, &[("bucket", DATA)]);
    raw.grpc.get_bucket(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn what_is_set_on_a_bucket_is_told() {
    let mut raw = Raw::start().await;
    let plain = get(&mut raw).await;
    assert_eq!((plain.name.as_str(), plain.bucket_id.as_str()), (DATA, "data"));
    assert_eq!(plain.project, "projects/123456789012");
    assert_eq!((plain.location.as_str(), plain.location_type.as_str()), ("US", "multi-region"));
    assert_eq!(plain.soft_delete_policy.unwrap().retention_duration.unwrap().seconds, 7 * 24 * 3600);
    assert!(plain.versioning.is_none() && plain.retention_policy.is_none() && plain.billing.is_none());
    raw.server.bucket("data").set(|facts| {
        facts.location = "EUROPE-WEST1".into();
        facts.storage_class = "NEARLINE".into();
        facts.versioning = true;
        facts.retention = Some(Duration::from_secs(60));
        facts.retention_locked = true;
        facts.default_event_based_hold = true;
        facts.soft_delete = None;
        facts.lifecycle = Some(Lifecycle { rule: vec![proto::bucket::lifecycle::Rule::default()] });
        facts.hierarchical_namespace = true;
        facts.default_kms_key = Some("key".into());
        facts.object_retention = true;
        facts.autoclass = true;
    });
    let told = get(&mut raw).await;
    assert_eq!((told.location.as_str(), told.location_type.as_str()), ("EUROPE-WEST1", "region"));
    assert_eq!(told.storage_class, "NEARLINE");
    assert!(told.versioning.unwrap().enabled && told.default_event_based_hold);
    assert!(told.retention_policy.unwrap().is_locked);
    assert_eq!(told.retention_policy.unwrap().retention_duration.unwrap().seconds, 60);
    assert_eq!(told.soft_delete_policy.unwrap().retention_duration.unwrap().seconds, 0);
    assert_eq!(told.lifecycle.unwrap().rule.len(), 1);
    assert!(told.hierarchical_namespace.unwrap().enabled && told.object_retention.unwrap().enabled);
    assert_eq!(told.encryption.unwrap().default_kms_key, "key");
    assert!(told.autoclass.unwrap().enabled);
    assert!(told.iam_config.unwrap().uniform_bucket_level_access.unwrap().enabled);
    assert_eq!(told.metageneration, 2);
}

#[tokio::test]
async fn a_bucket_is_made_changed_and_deleted() {
    let mut raw = Raw::start().await;
    let name = "projects/_/buckets/new-bucket";
    let create = || proto::CreateBucketRequest {
        parent: "projects/_".into(),
        bucket_id: "new-bucket".into(),
        bucket: Some(proto::Bucket {
            project: "projects/sandbox".into(),
            location: "europe-west1".into(),
            versioning: Some(Versioning { enabled: true }),
            ..Default::default()
        }),
        ..Default::default()
    };
    let params = [("project", "projects/sandbox")];
    let request = raw.ask(create(), &params);
    let made = raw.grpc.create_bucket(request).await.unwrap().into_inner();
    assert_eq!((made.name.as_str(), made.location.as_str()), (name, "EUROPE-WEST1"));
    assert!(raw.server.bucket("new-bucket").facts().versioning);
    let request = raw.ask(create(), &params);
    assert_eq!(raw.grpc.create_bucket(request).await.unwrap_err().code(), Code::AlreadyExists);
    let wrong = proto::CreateBucketRequest { bucket_id: "No".into(), ..create() };
    let request = raw.ask(wrong, &params);
    assert_eq!(raw.grpc.create_bucket(request).await.unwrap_err().code(), Code::InvalidArgument);

    let duration = prost_types::Duration { seconds: 60, nanos: 0 };
    let policy = RetentionPolicy { retention_duration: Some(duration), ..Default::default() };
    let update = proto::UpdateBucketRequest {
        bucket: Some(proto::Bucket { name: name.into(), retention_policy: Some(policy), ..Default::default() }),
        update_mask: Some(FieldMask { paths: vec!["retention_policy".into(), "versioning".into()] }),
        if_metageneration_match: Some(1),
        ..Default::default()
    };
    let request = raw.ask(update.clone(), &[("bucket", name)]);
    assert_eq!(raw.grpc.update_bucket(request).await.unwrap().into_inner().metageneration, 2);
    let facts = raw.server.bucket("new-bucket").facts();
    assert_eq!((facts.retention, facts.versioning), (Some(Duration::from_secs(60)), false));
    assert_eq!(facts.location, "EUROPE-WEST1");
    let request = raw.ask(update, &[("bucket", name)]);
    assert_eq!(raw.grpc.update_bucket(request).await.unwrap_err().code(), Code::FailedPrecondition);

    let listed = proto::ListBucketsRequest { parent: "projects/sandbox".into(), page_size: 2, ..Default::default() };
    let request = raw.ask(listed.clone(), &[("project", "projects/sandbox")]);
    let first = raw.grpc.list_buckets(request).await.unwrap().into_inner();
    let listed = proto::ListBucketsRequest { page_token: first.next_page_token.clone(), ..listed };
    let request = raw.ask(listed, &[("project", "projects/sandbox")]);
    let second = raw.grpc.list_buckets(request).await.unwrap().into_inner();
    let names: Vec<&str> = first.buckets.iter().chain(&second.buckets).map(|bucket| &*bucket.bucket_id).collect();
    assert_eq!((names, second.next_page_token.as_str()), (vec!["clone", "data", "new-bucket"], ""));

    raw.server.bucket("new-bucket").put("k", "x", None);
    let delete = proto::DeleteBucketRequest { name: name.into(), ..Default::default() };
    let request = raw.ask(delete.clone(), &[("bucket", name)]);
    assert_eq!(raw.grpc.delete_bucket(request).await.unwrap_err().code(), Code::FailedPrecondition);
    raw.server.bucket("new-bucket").clear();
    let request = raw.ask(delete, &[("bucket", name)]);
    raw.grpc.delete_bucket(request).await.unwrap();
    assert_eq!(raw.server.buckets(), ["clone", "data"]);
}
