//! Copies: in several calls, continued elsewhere, in the class that is wanted.

use std::sync::Arc;

use provider::{Bucket as _, Copied, CopyRequest, CopyToken, ErrorKind, ObjectVersion, Retry};
use provider_gcp::{GcsBucket, GcsConfig};
use sandbox::gcs::{Fault, FaultRule, Object, ObjectHeaders, Operation, Permissions};

use crate::place::{MIB, config, copy, head, open, pattern, server};

fn headers() -> ObjectHeaders {
    ObjectHeaders {
        content_type: Some("text/x".to_owned()),
        content_encoding: Some("application/octet-stream".to_owned()),
        cache_control: Some("no-store".to_owned()),
        metadata: [("Colour".to_owned(), "red".to_owned())].into(),
        ..ObjectHeaders::default()
    }
}

async fn step(bucket: &GcsBucket, request: &CopyRequest<'_>) -> (CopyToken, u64) {
    match bucket.copy_from(request).await.unwrap() {
        // As another process would find it: the characters and nothing else.
        Copied::More { token, bytes } => (CopyToken(token.0.as_str().to_owned()), bytes),
        done @ Copied::Done(_) => panic!("{done:?} too soon"),
    }
}

#[tokio::test]
async fn a_rewrite_of_five_calls_is_continued_by_another_value() {
    let server = server().await;
    let bytes = pattern(5 << 20);
    server.bucket("data").put("//double//slash", bytes.clone(), Some(headers()));
    server.bucket("clone").set(|facts| facts.location = "EUROPE-WEST1".into());
    let source = open(&server, "data");
    let meta = head(&source, "//double//slash").await;
    let mut request = copy(&source, "//double//slash", "//double//copy", &meta);
    // The first value says another class and key than the second: the token carries them.
    let (storage_class, kms_key) = (Some("NEARLINE".to_owned()), Some("projects/p/cryptoKeys/k".to_owned()));
    {
        let begun = GcsConfig { storage_class, kms_key, ..config(&server, "clone") };
        let begun = GcsBucket::open(&begun).unwrap();
        for calls in 1..=2 {
            let (token, copied) = step(&begun, &request).await;
            assert_eq!(copied, calls * MIB);
            request.token = Some(token);
        }
    }
    assert_eq!((server.bucket("clone").object_count(), server.request_count(Operation::RewriteObject)), (0, 2));
    let continued = open(&server, "clone");
    for calls in 3..=4 {
        let (token, copied) = step(&continued, &request).await;
        assert_eq!(copied, calls * MIB);
        request.token = Some(token);
    }
    let Copied::Done(done) = continued.copy_from(&request).await.unwrap() else { panic!("five calls do it") };
    assert_eq!(server.request_count(Operation::RewriteObject), 5);
    assert_eq!((done.size, done.checksum), (5 * MIB, meta.checksum));
    assert_eq!(done.class.map(|class| class.name), Some("NEARLINE"));
    let there = server.bucket("clone").get("//double//copy").unwrap();
    assert_eq!((there.bytes, there.kms_key.as_deref()), (bytes, Some("projects/p/cryptoKeys/k")));
    assert_eq!(*there.headers, headers());
    continued.abandon_copy(&request.to, &request.token.unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_copy_has_the_class_of_its_source_wherever_it_goes() {
    let server = server().await;
    server.bucket("cold").set(|facts| facts.storage_class = "COLDLINE".into());
    let source = open(&server, "data");
    let plain = server.bucket("data");
    plain.put("usual", "u", Some(headers()));
    let nearline = Object { storage_class: "NEARLINE".into(), ..Object::plain("n") };
    plain.put_object("near", nearline);
    assert!(plain.change("near", |object| object.headers = Arc::new(headers())));
    for (to, class, wanted) in [
        ("data", None, ["STANDARD", "NEARLINE"]),
        ("cold", None, ["STANDARD", "NEARLINE"]),
        ("cold", Some("COLDLINE"), ["COLDLINE", "COLDLINE"]),
        ("data", Some("ARCHIVE"), ["ARCHIVE", "ARCHIVE"]),
    ] {
        let destination = GcsConfig { storage_class: class.map(str::to_owned), ..config(&server, to) };
        let destination = GcsBucket::open(&destination).unwrap();
        for (from, wanted) in ["usual", "near"].into_iter().zip(wanted) {
            let meta = head(&source, from).await;
            let asked = server.request_count(Operation::GetObject);
            let request = copy(&source, from, "copy", &meta);
            let Copied::Done(done) = destination.copy_from(&request).await.unwrap() else { panic!("small") };
            let there = server.bucket(to).get("copy").unwrap();
            assert_eq!((&*there.storage_class, &*there.headers), (wanted, &headers()), "{from} to {to} as {class:?}");
            assert_eq!(done.class.map_or("STANDARD", |class| class.name), wanted);
            assert_eq!(done.version.0, there.generation.to_string());
            let usual = if to == "cold" { "COLDLINE" } else { "STANDARD" };
            let asked = server.request_count(Operation::GetObject) - asked;
            assert_eq!(asked, u64::from(wanted != usual), "{from} to {to} as {class:?}");
        }
    }
    // The class is asked for once a value.
    assert_eq!(server.request_count(Operation::GetBucket), 4);
}

#[tokio::test]
async fn a_usual_class_that_changes_meanwhile_is_asked_for_again() {
    let server = server().await;
    server.bucket("data").put("k", "v", Some(headers()));
    let (source, destination) = (open(&server, "data"), open(&server, "clone"));
    let _ = server.bucket("clone");
    let meta = head(&source, "k").await;
    let request = copy(&source, "k", "copy", &meta);
    destination.copy_from(&request).await.unwrap();
    server.bucket("clone").set(|facts| facts.storage_class = "COLDLINE".into());
    let error = destination.copy_from(&request).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Again));
    destination.copy_from(&request).await.unwrap();
    let there = server.bucket("clone").get("copy").unwrap();
    assert_eq!((&*there.storage_class, &*there.headers), ("STANDARD", &headers()));
}

#[tokio::test]
async fn google_chooses_the_class_where_it_may() {
    let server = server().await;
    server.bucket("data").put_object("k", Object { storage_class: "NEARLINE".into(), ..Object::plain("v") });
    server.bucket("clone").set(|facts| facts.autoclass = true);
    let (source, destination) = (open(&server, "data"), open(&server, "clone"));
    let request = copy(&source, "k", "copy", &head(&source, "k").await);
    let Copied::Done(done) = destination.copy_from(&request).await.unwrap() else { panic!("small") };
    assert_eq!(done.class, None);
}

#[tokio::test]
async fn a_copy_without_the_right_to_see_the_bucket_says_everything() {
    let server = server().await;
    server.bucket("cold").set(|facts| facts.storage_class = "COLDLINE".into());
    server.bucket("data").put("k", "v", Some(headers()));
    server.allow_only(Arc::new(Permissions::of(["storage.objects.get", "storage.objects.create"])));
    let (source, destination) = (open(&server, "data"), open(&server, "cold"));
    let meta = head(&source, "k").await;
    destination.copy_from(&copy(&source, "k", "copy", &meta)).await.unwrap();
    let there = server.bucket("cold").get("copy").unwrap();
    assert_eq!((&*there.storage_class, &*there.headers), ("STANDARD", &headers()));
}

#[tokio::test]
async fn a_source_that_changed_or_is_gone_is_told_apart() {
    let server = server().await;
    let bucket = open(&server, "data");
    server.bucket("data").put("k", "one", None);
    let meta = head(&bucket, "k").await;
    server.bucket("data").put("k", "two", None);
    let request = copy(&bucket, "k", "copy", &meta);
    assert_eq!(bucket.copy_from(&request).await.unwrap_err().kind(), ErrorKind::Changed);
    let strange = CopyRequest { if_version: Some(ObjectVersion("etag".to_owned())), ..request.clone() };
    assert_eq!(bucket.copy_from(&strange).await.unwrap_err().kind(), ErrorKind::Changed);
    // The store refuses for a reason of its own: the source is as it was.
    let now = head(&bucket, "k").await;
    server.faults().add(FaultRule::new(Fault::error(412, "conditionNotMet")).on(Operation::RewriteObject));
    let error = bucket.copy_from(&copy(&bucket, "k", "copy", &now)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    server.bucket("data").remove("k");
    for request in [request, strange] {
        assert_eq!(bucket.copy_from(&request).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
    assert_eq!(server.bucket("data").object_count(), 0);
}

#[tokio::test]
async fn a_source_elsewhere_is_refused() {
    let (here, there) = (server().await, server().await);
    there.bucket("data").put("k", "v", None);
    let (bucket, foreign) = (open(&here, "data"), open(&there, "data"));
    let meta = head(&foreign, "k").await;
    let error = bucket.copy_from(&copy(&foreign, "k", "copy", &meta)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let wrong = CopyRequest { token: Some(CopyToken("{}".to_owned())), ..copy(&bucket, "k", "copy", &meta) };
    assert_eq!(bucket.copy_from(&wrong).await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(here.request_count(Operation::RewriteObject), 0);
}
