//! Rewrites.

use std::collections::BTreeMap;
use std::sync::Arc;

use googleapis_tonic_google_storage_v2::google::storage::v2 as proto;
use proto::RewriteObjectRequest;
use sandbox::gcs::{GcsOptions, Object, ObjectHeaders};
use tonic::Code;

use crate::raw::{CLONE, DATA, Raw, get, rewrite};

fn headers() -> ObjectHeaders {
    let some = |text: &str| Some(text.to_owned());
    ObjectHeaders {
        content_type: some("text/plain"),
        content_encoding: some("identity"),
        cache_control: some("no-store"),
        content_disposition: some("inline"),
        content_language: some("de"),
        custom_time: Some(std::time::UNIX_EPOCH),
        metadata: BTreeMap::from([("colour".to_owned(), "red".to_owned())]),
    }
}

#[tokio::test]
async fn a_copy_has_its_sources_headers_and_its_buckets_class() {
    let mut raw = Raw::start().await;
    let key = "//double//slash é";
    raw.server.bucket("data").put(key, "hello", Some(headers()));
    raw.server.bucket("clone").set(|facts| {
        facts.storage_class = "NEARLINE".into();
        facts.default_kms_key = Some("projects/p/locations/us/keyRings/r/cryptoKeys/k".into());
    });
    let response = raw.rewrite(rewrite(key)).await.unwrap();
    assert!(response.done && response.rewrite_token.is_empty());
    let told = response.resource.unwrap();
    assert_eq!((told.name.as_str(), told.bucket.as_str(), told.storage_class.as_str()), (key, CLONE, "NEARLINE"));
    assert_eq!(told.kms_key, "projects/p/locations/us/keyRings/r/cryptoKeys/k");
    let (source, copy) = (raw.server.bucket("data").get(key).unwrap(), raw.server.bucket("clone").get(key).unwrap());
    assert_eq!((copy.bytes, copy.crc32c, copy.md5), (source.bytes, source.crc32c, source.md5));
    assert_eq!(*copy.headers, headers());
    assert!(copy.generation > source.generation);

    let destination = proto::Object {
        content_type: "image/png".into(),
        storage_class: "COLDLINE".into(),
        metadata: BTreeMap::from([("shape".into(), "round".into())]),
        ..Default::default()
    };
    raw.rewrite(RewriteObjectRequest { destination: Some(destination), ..rewrite(key) }).await.unwrap();
    let copy = raw.server.bucket("clone").get(key).unwrap();
    assert_eq!(&*copy.storage_class, "COLDLINE");
    assert_eq!(copy.headers.content_type.as_deref(), Some("image/png"));
    assert_eq!((copy.headers.content_language.as_deref(), copy.headers.metadata.len()), (None, 1));
    let named = proto::Object { name: key.into(), ..Default::default() };
    let refused = raw.rewrite(RewriteObjectRequest { destination: Some(named), ..rewrite(key) }).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn preconditions_of_both_ends_decide() {
    let mut raw = Raw::start().await;
    let generation = raw.server.bucket("data").put("k", "1", None);
    let new = RewriteObjectRequest { if_generation_match: Some(0), ..rewrite("k") };
    let moved = RewriteObjectRequest { if_source_generation_match: Some(generation + 1), ..new.clone() };
    assert_eq!(raw.rewrite(moved).await.unwrap_err().code(), Code::FailedPrecondition);
    let right = RewriteObjectRequest { if_source_generation_match: Some(generation), ..new };
    raw.rewrite(right.clone()).await.unwrap();
    assert_eq!(raw.rewrite(right).await.unwrap_err().code(), Code::FailedPrecondition);
    let old = RewriteObjectRequest { source_generation: generation + 1, ..rewrite("k") };
    assert_eq!(raw.rewrite(old).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(raw.rewrite(rewrite("none")).await.unwrap_err().code(), Code::NotFound);
    let long = RewriteObjectRequest { destination_name: "n".repeat(1025), ..rewrite("k") };
    assert_eq!(raw.rewrite(long).await.unwrap_err().code(), Code::InvalidArgument);
    let wrong = proto::ObjectChecksums { crc32c: Some(1), ..Default::default() };
    let wrong = RewriteObjectRequest { object_checksums: Some(wrong), destination_name: "x".into(), ..rewrite("k") };
    assert_eq!(raw.rewrite(wrong).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(raw.server.bucket("clone").keys(), ["k"]);
    let request = raw.ask(rewrite("k"), &[("bucket", CLONE)]);
    let unrouted = raw.grpc.rewrite_object(request).await.unwrap_err();
    assert_eq!(unrouted.code(), Code::InvalidArgument);
    assert!(unrouted.message().contains("source_bucket"), "{}", unrouted.message());
}

async fn in_steps() -> Raw {
    let raw = Raw::start_with(GcsOptions { rewrite_bytes_per_call: Some(2 << 20), ..GcsOptions::default() }).await;
    raw.server.bucket("data").put("k", vec![1; 5 << 20], Some(headers()));
    raw.server.bucket("clone").set(|facts| facts.location = "EUROPE-WEST1".into());
    raw
}

fn with_token(response: &proto::RewriteResponse) -> RewriteObjectRequest {
    RewriteObjectRequest { rewrite_token: response.rewrite_token.clone(), ..rewrite("k") }
}

#[tokio::test]
async fn a_token_goes_on_where_the_last_call_ended() {
    let mut raw = in_steps().await;
    let first = raw.rewrite(rewrite("k")).await.unwrap();
    assert_eq!((first.done, first.total_bytes_rewritten, first.object_size), (false, 2 << 20, 5 << 20));
    let second = raw.rewrite(with_token(&first)).await.unwrap();
    assert_eq!((second.done, second.total_bytes_rewritten), (false, 4 << 20));
    // The reply may have been lost: the same token can be used again.
    assert_eq!(raw.rewrite(with_token(&first)).await.unwrap().total_bytes_rewritten, 4 << 20);
    assert_eq!(raw.server.bucket("clone").object_count(), 0);
    // A call with a token may omit the rest.
    let short = RewriteObjectRequest {
        rewrite_token: second.rewrite_token,
        destination_bucket: CLONE.into(),
        source_bucket: DATA.into(),
        ..Default::default()
    };
    let last = raw.rewrite(short).await.unwrap();
    assert!(last.done && last.rewrite_token.is_empty());
    assert_eq!(raw.server.bucket("clone").get("k").unwrap().bytes.len(), 5 << 20);
}

#[tokio::test]
async fn a_token_is_of_one_request() {
    let mut raw = in_steps().await;
    let first = raw.rewrite(rewrite("k")).await.unwrap();
    let again = with_token(&first);
    for other in [
        RewriteObjectRequest { destination_name: "other".into(), ..again.clone() },
        RewriteObjectRequest { source_object: "other".into(), ..again.clone() },
        RewriteObjectRequest { if_generation_match: Some(0), ..again.clone() },
        RewriteObjectRequest { max_bytes_rewritten_per_call: 1 << 20, ..again.clone() },
        RewriteObjectRequest { rewrite_token: "other.1".into(), ..again.clone() },
        RewriteObjectRequest { rewrite_token: "other".into(), ..again.clone() },
    ] {
        assert_eq!(raw.rewrite(other).await.unwrap_err().code(), Code::InvalidArgument);
    }
    // The source is another one now.
    raw.server.bucket("data").put("k", vec![2; 5 << 20], None);
    assert_eq!(raw.rewrite(again.clone()).await.unwrap_err().code(), Code::FailedPrecondition);
    raw.server.bucket("data").remove("k");
    assert_eq!(raw.rewrite(again).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(raw.server.bucket("clone").object_count(), 0);
}

#[tokio::test]
async fn steps_are_for_other_places_and_classes() {
    let mut raw = in_steps().await;
    raw.server.bucket("clone").set(|facts| facts.location = "US".into());
    assert!(raw.rewrite(rewrite("k")).await.unwrap().done);
    let colder = proto::Object { storage_class: "ARCHIVE".into(), ..Default::default() };
    let colder = RewriteObjectRequest { destination: Some(colder), ..rewrite("k") };
    assert!(!raw.rewrite(colder.clone()).await.unwrap().done);
    let wanted = RewriteObjectRequest { max_bytes_rewritten_per_call: 1 << 20, ..colder.clone() };
    assert_eq!(raw.rewrite(wanted).await.unwrap().total_bytes_rewritten, 1 << 20);
    let uneven = RewriteObjectRequest { max_bytes_rewritten_per_call: 1000, ..colder };
    assert_eq!(raw.rewrite(uneven).await.unwrap_err().code(), Code::InvalidArgument);
    // A composite object's components are joined where its bytes are moved.
    raw.server.bucket("data").put_object("parts", Object::plain("hello").composite(3));
    assert_eq!(raw.rewrite(rewrite("parts")).await.unwrap().resource.unwrap().component_count, 3);
    raw.server.bucket("clone").set(|facts| facts.location = "EUROPE-WEST1".into());
    assert_eq!(raw.rewrite(rewrite("parts")).await.unwrap().resource.unwrap().component_count, 1);
}

#[tokio::test]
async fn a_customers_key_is_needed_for_its_object() {
    let mut raw = Raw::start().await;
    let sealed = Object { customer_key: Some(Arc::new([9; 32])), ..Object::plain("x") };
    raw.server.bucket("data").put_object("k", sealed);
    let refused = raw.rewrite(rewrite("k")).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(refused.message(), "The target object is encrypted by a customer-supplied encryption key.");
    assert_eq!(raw.read("k", "", None).await.status(), 400);
    let told = raw.get(get("k")).await.unwrap();
    assert!(told.checksums.is_none() && told.customer_encryption.unwrap().key_sha256_bytes == [9; 32][..]);
    let opened = RewriteObjectRequest { copy_source_encryption_key_sha256_bytes: vec![9; 32].into(), ..rewrite("k") };
    assert!(raw.rewrite(opened).await.unwrap().resource.unwrap().customer_encryption.is_none());
}
