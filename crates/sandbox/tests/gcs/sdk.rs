//! By the official SDK.

use std::sync::Arc;

use google_cloud_auth::credentials::{Credentials, anonymous, mds, user_account};
use google_cloud_gax::error::rpc::Code;
use google_cloud_gax::paginator::ItemPaginator as _;
use google_cloud_gax::retry_policy::NeverRetry;
use google_cloud_storage::builder_ext::RewriteObjectExt as _;
use google_cloud_storage::client::{Storage, StorageControl};
use google_cloud_storage::model_ext::ReadRange;
use sandbox::gcs::{Fault, FaultRule, GcsOptions, GcsServer, Operation, Permissions};

pub(crate) const BUCKET: &str = "projects/_/buckets/data";

pub(crate) async fn anonymous_server() -> GcsServer {
    let server = GcsServer::start(GcsOptions { anonymous: true, ..GcsOptions::default() }).await.unwrap();
    let _ = server.bucket("data");
    server
}

pub(crate) fn no_credentials() -> Credentials {
    anonymous::Builder::new().build()
}

pub(crate) async fn control(server: &GcsServer, credentials: Credentials) -> StorageControl {
    let builder = StorageControl::builder().with_endpoint(server.endpoint()).with_credentials(credentials);
    builder.with_retry_policy(NeverRetry).build().await.unwrap()
}

pub(crate) async fn storage(server: &GcsServer, credentials: Credentials) -> Storage {
    Storage::builder().with_endpoint(server.endpoint()).with_credentials(credentials).build().await.unwrap()
}

async fn read(storage: &Storage, key: &str, range: ReadRange) -> google_cloud_storage::Result<Vec<u8>> {
    let mut response = storage.read_object(BUCKET, key).set_read_range(range).send().await?;
    let mut bytes = Vec::new();
    while let Some(chunk) = response.next().await.transpose()? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

#[tokio::test]
async fn buckets_and_pages_are_listed() {
    let server = anonymous_server().await;
    let control = control(&server, no_credentials()).await;
    let bucket = control.get_bucket().set_name(BUCKET).send().await.unwrap();
    assert_eq!((bucket.location.as_str(), bucket.storage_class.as_str()), ("US", "STANDARD"));
    let keys = ["/lead", "//double//slash", "a b+c", "a/../b", "é", "日本"];
    for key in keys {
        server.bucket("data").put(key, key, None);
    }
    let mut items = control.list_objects().set_parent(BUCKET).set_page_size(2).by_item();
    let mut found = Vec::new();
    while let Some(object) = items.next().await {
        let object = object.unwrap();
        assert_eq!(object.size, i64::try_from(object.name.len()).unwrap());
        assert!(object.generation > 0 && object.checksums.unwrap().crc32c.is_some());
        found.push(object.name);
    }
    let mut expected: Vec<&str> = keys.into();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(server.request_count(Operation::ListObjects), 3);
}

#[tokio::test]
async fn objects_are_written_and_read() {
    let server = anonymous_server().await;
    let (control, storage) = (control(&server, no_credentials()).await, storage(&server, no_credentials()).await);
    for (key, size, threshold) in
        [("//double//slash", 11, 1 << 20), ("large/é", 3 << 20, 1 << 20), ("empty", 0, 0_usize)]
    {
        let content: Vec<u8> = (0..size).map(|at: u32| u8::try_from(at % 251).unwrap()).collect();
        let write = storage.write_object(BUCKET, key, bytes::Bytes::from(content.clone()));
        let write = write.set_if_generation_match(0).set_content_type("text/x").set_metadata([("colour", "red")]);
        let written = write
            .with_resumable_upload_threshold(threshold)
            .with_resumable_upload_buffer_size(1_usize << 20)
            .send_buffered()
            .await
            .unwrap();
        assert_eq!((written.name.as_str(), written.size), (key, i64::from(size)));
        let object = control.get_object().set_bucket(BUCKET).set_object(key).send().await.unwrap();
        assert_eq!(object.generation, written.generation);
        assert_eq!(object.checksums.unwrap().crc32c, Some(crc32c::crc32c(&content)));
        assert_eq!((object.content_type.as_str(), object.metadata["colour"].as_str()), ("text/x", "red"));
        assert_eq!(read(&storage, key, ReadRange::all()).await.unwrap(), content, "{key}");
        if size > 0 {
            assert_eq!(read(&storage, key, ReadRange::segment(2, 5)).await.unwrap(), content[2..7]);
            assert_eq!(read(&storage, key, ReadRange::tail(3)).await.unwrap(), content[content.len() - 3..]);
        }
        let again = storage.write_object(BUCKET, key, "other").set_if_generation_match(0).send_buffered().await;
        assert_eq!(again.unwrap_err().http_status_code(), Some(412));
        control.delete_object().set_bucket(BUCKET).set_object(key).send().await.unwrap();
        let gone = control.get_object().set_bucket(BUCKET).set_object(key).send().await.unwrap_err();
        assert_eq!(gone.status().unwrap().code, Code::NotFound);
        let gone = read(&storage, key, ReadRange::all()).await.unwrap_err();
        assert_eq!(gone.http_status_code(), Some(404));
    }
    assert!(server.request_count(Operation::WriteChunk) >= 4, "{:?}", server.requests());
}

#[tokio::test]
async fn a_rewrite_takes_several_calls() {
    let options = GcsOptions { anonymous: true, rewrite_bytes_per_call: Some(1 << 20), ..GcsOptions::default() };
    let server = GcsServer::start(options).await.unwrap();
    server.bucket("data").put("k", vec![7; 5 << 20], None);
    server.bucket("clone").set(|facts| facts.location = "EUROPE-WEST1".into());
    let control = control(&server, no_credentials()).await;
    let rewrite = || {
        let rewrite = control.rewrite_object().set_source_bucket(BUCKET).set_source_object("k");
        rewrite.set_destination_bucket("projects/_/buckets/clone").set_destination_name("/k").set_if_generation_match(0)
    };
    let first = rewrite().send().await.unwrap();
    assert_eq!((first.done, first.total_bytes_rewritten, first.object_size), (false, 1 << 20, 5 << 20));
    assert_eq!(server.bucket("clone").object_count(), 0);
    let object = rewrite().set_rewrite_token(first.rewrite_token).rewrite_until_done().await.unwrap();
    assert_eq!(object.checksums.unwrap().crc32c, Some(server.bucket("data").get("k").unwrap().crc32c));
    assert_eq!(server.bucket("clone").keys(), ["/k"]);
    assert_eq!(server.request_count(Operation::RewriteObject), 5);
    let again = rewrite().send().await.unwrap_err();
    assert_eq!(again.status().unwrap().code, Code::FailedPrecondition);
}

#[tokio::test]
async fn credentials_come_from_the_metadata_server() {
    let server = GcsServer::start(GcsOptions::default()).await.unwrap();
    server.bucket("data").put("k", "v", None);
    let nobody = control(&server, no_credentials()).await;
    let refused = nobody.get_bucket().set_name(BUCKET).send().await.unwrap_err();
    assert_eq!(refused.status().unwrap().code, Code::Unauthenticated);
    let credentials = mds::Builder::default().with_endpoint(server.endpoint()).build().unwrap();
    let control = control(&server, credentials.clone()).await;
    control.get_bucket().set_name(BUCKET).send().await.unwrap();
    let storage = storage(&server, credentials).await;
    assert_eq!(read(&storage, "k", ReadRange::all()).await.unwrap(), b"v");
    assert_eq!(server.request_count(Operation::Token), 1);
}

#[tokio::test]
async fn faults_are_what_the_sdk_takes_them_for() {
    let server = anonymous_server().await;
    let control = control(&server, no_credentials()).await;
    for (fault, code) in [
        (Fault::slow_down(), Code::ResourceExhausted),
        (Fault::unavailable(), Code::Unavailable),
        (Fault::internal_error(), Code::Internal),
    ] {
        server.faults().add(FaultRule::new(fault).on(Operation::GetBucket));
        let refused = control.get_bucket().set_name(BUCKET).send().await.unwrap_err();
        assert_eq!(refused.status().unwrap().code, code);
    }
    server.faults().add(FaultRule::new(Fault::DropAfter).on(Operation::DeleteObject));
    server.bucket("data").put("k", "v", None);
    let lost = control.delete_object().set_bucket(BUCKET).set_object("k").send().await.unwrap_err();
    assert!(lost.status().is_none_or(|status| status.code != Code::NotFound), "{lost:?}");
    assert_eq!(server.bucket("data").object_count(), 0);
    control.get_bucket().set_name(BUCKET).send().await.unwrap();
}

#[tokio::test]
async fn a_lost_reply_is_asked_for_again() {
    let server = anonymous_server().await;
    server.bucket("data").put("k", "v", None);
    let builder = StorageControl::builder().with_endpoint(server.endpoint()).with_credentials(no_credentials());
    let control = builder.build().await.unwrap();
    server.faults().add(FaultRule::new(Fault::DropAfter).on(Operation::RewriteObject));
    let rewrite = control.rewrite_object().set_source_bucket(BUCKET).set_source_object("k");
    let rewrite = rewrite.set_destination_bucket(BUCKET).set_destination_name("copy").set_if_generation_match(0);
    // With a precondition the SDK asks again by itself, and finds its own object in the way.
    let again = rewrite.send().await.unwrap_err();
    assert_eq!(again.status().unwrap().code, Code::FailedPrecondition);
    assert_eq!(server.request_count(Operation::RewriteObject), 2);
    assert_eq!(server.bucket("data").get("copy").unwrap().bytes, "v");

    server.faults().add(FaultRule::new(Fault::TruncatedBody { after: 100_000 }).on(Operation::ReadObject));
    server.bucket("data").put("large", vec![3; 300_000], None);
    let storage = storage(&server, no_credentials()).await;
    assert_eq!(read(&storage, "large", ReadRange::all()).await.unwrap(), vec![3; 300_000]);
    assert_eq!(server.request_count(Operation::ReadObject), 2);
    server.faults().add(FaultRule::new(Fault::FlippedByte).on(Operation::ReadObject));
    assert!(read(&storage, "large", ReadRange::all()).await.unwrap_err().is_deserialization());
}

#[tokio::test]
async fn an_unbuffered_write_sends_its_checksum_last() {
    let server = anonymous_server().await;
    let storage = storage(&server, no_credentials()).await;
    for (key, threshold) in [("small", 1_usize << 20), ("large", 0)] {
        let content = bytes::Bytes::from(vec![5; 600_000]);
        let write = storage.write_object(BUCKET, key, content.clone()).with_resumable_upload_threshold(threshold);
        assert_eq!(write.send_unbuffered().await.unwrap().size, 600_000);
        assert_eq!(server.bucket("data").get(key).unwrap().bytes, content);
    }
}

#[tokio::test]
async fn permissions_are_asked_for_and_missed() {
    let server = anonymous_server().await;
    server.allow_only(Arc::new(Permissions::of(["storage.objects.list"])));
    let control = control(&server, no_credentials()).await;
    let asked = ["storage.objects.list", "storage.objects.get"];
    let may = control.test_iam_permissions().set_resource(BUCKET).set_permissions(asked).send().await.unwrap();
    assert_eq!(may.permissions, ["storage.objects.list"]);
    let refused = control.get_object().set_bucket(BUCKET).set_object("k").send().await.unwrap_err();
    assert_eq!(refused.status().unwrap().code, Code::PermissionDenied);
    let storage = storage(&server, no_credentials()).await;
    let refused = storage.write_object(BUCKET, "k", "v").send_buffered().await.unwrap_err();
    assert_eq!(refused.http_status_code(), Some(403));
}

#[tokio::test]
async fn a_user_is_who_the_credential_file_names() {
    let server = GcsServer::start(GcsOptions::default()).await.unwrap();
    server.bucket("data").set(|facts| facts.requester_pays = true);
    let file = user_account::Builder::new(server.user_credentials());
    let control = control(&server, file.with_quota_project_id("payer").build().unwrap()).await;
    control.get_bucket().set_name(BUCKET).send().await.unwrap();
    assert_eq!(server.user_projects(), ["payer".to_owned()].into());
    server.revoke_tokens();
    let refused = control.get_bucket().set_name(BUCKET).send().await.unwrap_err();
    assert_eq!(refused.status().unwrap().code, Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_calls_than_a_connection_has_streams() {
    let server = anonymous_server().await;
    let control = control(&server, no_credentials()).await;
    let calls = (0..500).map(|number| {
        server.bucket("data").put(&format!("{number}"), "v", None);
        let rewrite = control.rewrite_object().set_source_bucket(BUCKET).set_source_object(format!("{number}"));
        rewrite.set_destination_bucket("projects/_/buckets/data").set_destination_name(format!("copy/{number}")).send()
    });
    let copies = futures::future::join_all(calls).await;
    assert!(copies.iter().all(|copy| copy.as_ref().is_ok_and(|copy| copy.done)));
    assert_eq!(server.bucket("data").object_count(), 1000);
}
