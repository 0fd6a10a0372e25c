//! Generations, preconditions, versions, holds.

use std::time::{Duration, SystemTime};

use googleapis_tonic_google_storage_v2::google::storage::v2::{DeleteObjectRequest, GetObjectRequest};
use sandbox::gcs::{Holds, Object, ObjectRetention};
use tonic::Code;

use crate::raw::{DATA, Raw, delete, get, rewrite};

#[tokio::test]
async fn every_write_has_a_new_and_larger_generation() {
    let raw = Raw::start().await;
    let bucket = raw.server.bucket("data");
    let generations: Vec<i64> = (0..1000).map(|_| bucket.put("k", "x", None)).collect();
    assert!(generations.is_sorted_by(|left, right| left < right));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros();
    assert!(generations[0].unsigned_abs().abs_diff(u64::try_from(now).unwrap()) < 60_000_000);
}

#[tokio::test]
async fn an_object_is_told_as_it_is() {
    let mut raw = Raw::start().await;
    let bucket = raw.server.bucket("data");
    let generation = bucket.put("//double//slash", "hello", None);
    let object = raw.get(get("//double//slash")).await.unwrap();
    assert_eq!((object.name.as_str(), object.bucket.as_str()), ("//double//slash", DATA));
    assert_eq!((object.generation, object.metageneration, object.size), (generation, 1, 5));
    assert_eq!(object.storage_class, "STANDARD");
    let sums = object.checksums.unwrap();
    assert_eq!(sums.crc32c, Some(0x9a71_bb4c));
    assert_eq!(sums.md5_hash.len(), 16);
    assert_eq!(object.etag, bucket.get("//double//slash").unwrap().etag());

    bucket.put_object("parts", Object::plain("hello").composite(3));
    let composite = raw.get(get("parts")).await.unwrap();
    assert_eq!(composite.component_count, 3);
    assert!(composite.checksums.unwrap().md5_hash.is_empty());

    let gone = raw.get(get("none")).await.unwrap_err();
    assert_eq!((gone.code(), gone.message()), (Code::NotFound, "No such object: data/none"));
}

#[tokio::test]
async fn preconditions_decide() {
    let mut raw = Raw::start().await;
    let generation = raw.server.bucket("data").put("k", "x", None);
    let other = GetObjectRequest { if_generation_match: Some(generation + 1), ..get("k") };
    assert_eq!(raw.get(other).await.unwrap_err().code(), Code::FailedPrecondition);
    let unwanted = GetObjectRequest { if_generation_not_match: Some(generation), ..get("k") };
    assert_eq!(raw.get(unwanted).await.unwrap_err().code(), Code::Aborted);
    raw.get(GetObjectRequest { if_metageneration_match: Some(1), ..get("k") }).await.unwrap();
    let other = DeleteObjectRequest { if_generation_match: Some(generation + 1), ..delete("k") };
    let refused = raw.delete(other).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(refused.message(), "At least one of the pre-conditions you specified did not hold.");
    assert!(raw.server.bucket("data").get("k").is_some());
    let right = DeleteObjectRequest { if_generation_match: Some(generation), ..delete("k") };
    raw.delete(right.clone()).await.unwrap();
    assert_eq!(raw.delete(right).await.unwrap_err().code(), Code::FailedPrecondition);
    assert_eq!(raw.delete(delete("k")).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn older_versions_are_read_and_deleted_by_generation() {
    let mut raw = Raw::start().await;
    let bucket = raw.server.bucket("data");
    bucket.set(|facts| facts.versioning = true);
    let (first, second) = (bucket.put("k", "1", None), bucket.put("k", "22", None));
    let old = raw.get(GetObjectRequest { generation: first, ..get("k") }).await.unwrap();
    assert_eq!((old.size, old.delete_time.is_some()), (1, true));
    assert_eq!(raw.get(get("k")).await.unwrap().generation, second);
    raw.delete(delete("k")).await.unwrap();
    assert_eq!(raw.get(get("k")).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(bucket.older("k").len(), 2);
    for generation in [first, second] {
        raw.delete(DeleteObjectRequest { generation, ..delete("k") }).await.unwrap();
    }
    assert!(bucket.older("k").is_empty());
}

#[tokio::test]
async fn what_is_held_or_retained_stays() {
    let mut raw = Raw::start().await;
    let bucket = raw.server.bucket("data");
    let until = SystemTime::now() + Duration::from_secs(3600);
    let own = Some(ObjectRetention { locked: false, until });
    for (holds, words) in [
        (Holds { temporary: true, ..Holds::default() }, "is under active Temporary hold"),
        (Holds { event_based: true, ..Holds::default() }, "is under active Event-Based hold"),
        (Holds { retention: own, ..Holds::default() }, "is subject to bucket's retention policy"),
    ] {
        bucket.put_object("k", Object { holds, ..Object::plain("x") });
        let refused = raw.delete(delete("k")).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
        assert!(refused.message().starts_with(&format!("Object 'data/k' {words}")), "{}", refused.message());
        let response = raw.upload("name=k", "{}", b"new", None).await;
        assert_eq!(response.status(), 403);
    }
    bucket.put("k", "x", None);
    bucket.set(|facts| facts.retention = Some(Duration::from_secs(3600)));
    assert_eq!(raw.delete(delete("k")).await.unwrap_err().code(), Code::PermissionDenied);
    assert!(raw.get(get("k")).await.unwrap().retention_expire_time.is_some());
    let response = raw.upload("name=k", "{}", b"new", None).await;
    assert!(String::from_utf8_lossy(response.body()).contains("\"reason\":\"retentionPolicyNotMet\""));
    bucket.set(|facts| facts.retention = Some(Duration::ZERO));
    raw.delete(delete("k")).await.unwrap();

    // A rewrite onto a held object is refused too; what it copies is not held.
    bucket.put_object("k", Object { holds: Holds { temporary: true, ..Holds::default() }, ..Object::plain("x") });
    assert!(!raw.rewrite(rewrite("k")).await.unwrap().resource.unwrap().temporary_hold);
    assert!(raw.server.bucket("clone").change("k", |object| object.holds.temporary = true));
    assert_eq!(raw.rewrite(rewrite("k")).await.unwrap_err().code(), Code::PermissionDenied);
}
