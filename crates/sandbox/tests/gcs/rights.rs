//! Accounts, permissions, who pays.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use googleapis_tonic_google_storage_v2::google::iam::v1::TestIamPermissionsRequest;
use googleapis_tonic_google_storage_v2::google::storage::v2::GetBucketRequest;
use http::Request;
use sandbox::gcs::{GcsOptions, Operation, Permissions};
use serde_json::{Value, json};
use tonic::Code;

use crate::raw::{DATA, Raw, delete, get, list, rewrite};

fn bucket() -> GetBucketRequest {
    GetBucketRequest { name: DATA.to_owned(), ..Default::default() }
}

#[tokio::test]
async fn a_call_needs_a_token_that_is_good() {
    let mut raw = Raw::start().await;
    raw.server.bucket("data").put("k", "x", None);
    raw.get(get("k")).await.unwrap();
    raw.token = "other".to_owned();
    assert_eq!(raw.get(get("k")).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(raw.read("k", "", None).await.status(), 401);
    assert_eq!(raw.upload("name=n", "{}", b"x", None).await.status(), 401);
    let mut bare = raw.ask(get("k"), &[("bucket", DATA)]);
    bare.metadata_mut().remove("authorization");
    assert_eq!(raw.grpc.get_object(bare).await.unwrap_err().code(), Code::Unauthenticated);
    raw.token = raw.server.token();
    raw.get(get("k")).await.unwrap();
    raw.server.revoke_tokens();
    assert_eq!(raw.get(get("k")).await.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn each_call_needs_its_permission() {
    let mut raw = Raw::start().await;
    raw.server.bucket("data").put("k", "x", None);
    let account = raw.server.options().account.clone();
    let nothing = Arc::new(Permissions::default());
    raw.server.allow_only(Arc::clone(&nothing));
    for refused in [
        raw.get(get("k")).await.map(drop),
        raw.list(list()).await.map(drop),
        raw.delete(delete("k")).await,
        raw.rewrite(rewrite("k")).await.map(drop),
    ] {
        assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    }
    let words = raw.get(get("k")).await.unwrap_err();
    assert_eq!(
        words.message(),
        format!(
            "{account} does not have storage.objects.get access to the Google Cloud Storage object. Permission \
             'storage.objects.get' denied on resource (or it may not exist)."
        )
    );
    assert_eq!(raw.read("k", "", None).await.status(), 403);
    assert_eq!(raw.upload("name=n", "{}", b"x", None).await.status(), 403);
    let request = raw.ask(bucket(), &[("bucket", DATA)]);
    assert_eq!(raw.grpc.get_bucket(request).await.unwrap_err().code(), Code::PermissionDenied);
    let refused: Vec<String> = nothing.refused().into_iter().collect();
    assert_eq!(
        refused,
        [
            "storage.buckets.get on data",
            "storage.objects.create on clone",
            "storage.objects.create on data",
            "storage.objects.delete on data",
            "storage.objects.get on data",
            "storage.objects.list on data",
        ]
    );
}

#[tokio::test]
async fn writing_over_an_object_needs_its_deletion() {
    let mut raw = Raw::start().await;
    raw.server.bucket("data").put("k", "x", None);
    let granted = Permissions::of(["storage.objects.get", "storage.objects.list"]);
    let granted = Arc::new(granted.on("clone", ["storage.objects.create"]).on("data", ["storage.objects.create"]));
    raw.server.allow_only(Arc::clone(&granted));
    raw.rewrite(rewrite("k")).await.unwrap();
    let refused = raw.rewrite(rewrite("k")).await.unwrap_err();
    assert!(refused.message().contains("storage.objects.delete"), "{}", refused.message());
    assert_eq!(raw.upload("name=new", "{}", b"x", None).await.status(), 200);
    assert_eq!(raw.upload("name=new", "{}", b"x", None).await.status(), 403);
    assert_eq!(granted.unused(), ["storage.objects.list"]);
    assert_eq!(granted.refused().len(), 2);

    let asked = ["storage.objects.get", "storage.objects.delete", "storage.objects.create"].map(str::to_owned);
    let request = TestIamPermissionsRequest { resource: DATA.to_owned(), permissions: asked.into() };
    let request = raw.ask(request, &[("bucket", DATA)]);
    let may = raw.grpc.test_iam_permissions(request).await.unwrap().into_inner().permissions;
    assert_eq!(may, ["storage.objects.get", "storage.objects.create"]);
    assert_eq!(granted.unused(), ["storage.objects.list"], "asking needs nothing");
}

#[tokio::test]
async fn somebody_pays() {
    let mut raw = Raw::start().await;
    raw.server.bucket("data").put("k", "x", None);
    raw.server.bucket("data").set(|facts| facts.requester_pays = true);
    let refused = raw.get(get("k")).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(refused.message(), "Bucket is a requester pays bucket but no user project provided.");
    assert_eq!(raw.read("k", "", None).await.status(), 400);
    assert_eq!(raw.read("k", "&userProject=payer", None).await.status(), 200);
    let mut request = raw.ask(get("k"), &[("bucket", DATA)]);
    request.metadata_mut().insert("x-goog-user-project", "other".parse().unwrap());
    raw.grpc.get_object(request).await.unwrap();
    assert_eq!(raw.server.user_projects(), ["other".to_owned(), "payer".to_owned()].into());
    raw.server.allow_only(Arc::new(Permissions::of(["storage.objects.get"])));
    assert_eq!(raw.read("k", "&userProject=payer", None).await.status(), 403);
}

async fn metadata(raw: &Raw, path: &str) -> (u16, String) {
    let request = Request::get(format!("/computeMetadata/v1/{path}")).header("metadata-flavor", "Google");
    let response = raw.send(request.body(Bytes::new()).unwrap()).await;
    assert_eq!(response.headers()["metadata-flavor"], "Google");
    (response.status().as_u16(), String::from_utf8_lossy(response.body()).into_owned())
}

#[tokio::test]
async fn a_metadata_server_tells_tokens_and_names() {
    let lifetime = Duration::from_secs(600);
    let mut raw = Raw::start_with(GcsOptions { token_lifetime: lifetime, ..GcsOptions::default() }).await;
    for (path, expected) in [
        ("project/project-id", "sandbox"),
        ("project/numeric-project-id", "123456789012"),
        ("universe/universe-domain", "googleapis.com"),
        ("instance/service-accounts/default/email", "sandbox@sandbox.iam.gserviceaccount.com"),
    ] {
        assert_eq!(metadata(&raw, path).await, (200, expected.to_owned()), "{path}");
    }
    assert_eq!(metadata(&raw, "instance/other").await.0, 404);
    let (_, token) = metadata(&raw, "instance/service-accounts/default/token?scopes=x").await;
    let token: Value = serde_json::from_str(&token).unwrap();
    assert_eq!((&token["expires_in"], &token["token_type"]), (&600.into(), &"Bearer".into()));
    raw.token = token["access_token"].as_str().unwrap().to_owned();
    let request = raw.ask(bucket(), &[("bucket", DATA)]);
    raw.grpc.get_bucket(request).await.unwrap();
    let bare = raw.send(Request::get("/computeMetadata/v1/project/project-id").body(Bytes::new()).unwrap()).await;
    assert_eq!(bare.status(), 403);
    assert_eq!(raw.server.request_count(Operation::Token), 1);
}

#[tokio::test]
async fn a_refresh_token_is_worth_a_token() {
    let mut raw = Raw::start().await;
    let ask = |raw: &Raw, body: String| Request::post(raw.server.token_uri()).body(Bytes::from(body)).unwrap();
    let refresh = raw.server.options().refresh_token.clone();
    for body in [
        json!({"grant_type": "refresh_token", "refresh_token": refresh}).to_string(),
        format!("grant_type=refresh_token&refresh_token={refresh}"),
    ] {
        let response = raw.send(ask(&raw, body)).await;
        let token: Value = serde_json::from_slice(response.body()).unwrap();
        raw.token = token["access_token"].as_str().unwrap().to_owned();
        raw.list(list()).await.unwrap();
    }
    let wrong = raw.send(ask(&raw, json!({"grant_type": "refresh_token", "refresh_token": "x"}).to_string())).await;
    assert_eq!((wrong.status().as_u16(), wrong.body().starts_with(b"{\"error\":\"invalid_grant\"")), (400, true));
    // The account is the user's.
    raw.server.allow_only(Arc::default());
    let refused = raw.list(list()).await.unwrap_err();
    assert!(refused.message().starts_with("user@sandbox.example does not have"), "{}", refused.message());
}
