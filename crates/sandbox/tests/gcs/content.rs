//! Bytes over HTTP.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use sandbox::gcs::{Fault, FaultRule, Operation};
use serde_json::Value;

use crate::raw::{Raw, encoded};

fn json(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

fn header<'a>(response: &'a Response<Bytes>, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn an_upload_is_one_object() {
    let raw = Raw::start().await;
    let metadata = r#"{"contentType": "text/plain", "metadata": {"colour": "red"}, "crc32c": "mnG7TA==", "storageClass": "NEARLINE"}"#;
    let query = format!("name={}&ifGenerationMatch=0", encoded("//double//slash é%2F"));
    let written = raw.upload(&query, metadata, b"hello", None).await;
    assert_eq!(written.status(), 200, "{:?}", written.body());
    let told = json(&written);
    assert_eq!((&told["name"], &told["size"]), (&"//double//slash é%2F".into(), &"5".into()));
    assert_eq!((&told["crc32c"], &told["md5Hash"]), (&"mnG7TA==".into(), &"XUFAKrxLKna5cZ2REBfFkg==".into()));
    assert_eq!((&told["storageClass"], &told["contentType"]), (&"NEARLINE".into(), &"text/plain".into()));
    assert_eq!(raw.server.bucket("data").keys(), ["//double//slash é%2F"]);
    let again = raw.upload(&query, metadata, b"hello", None).await;
    assert_eq!(
        (again.status(), &json(&again)["error"]["errors"][0]["reason"]),
        (StatusCode::PRECONDITION_FAILED, &"conditionNotMet".into())
    );
}

#[tokio::test]
async fn a_wrong_checksum_leaves_nothing() {
    let raw = Raw::start().await;
    let right = r#"{"crc32c": "mnG7TA==", "md5Hash": "XUFAKrxLKna5cZ2REBfFkg=="}"#;
    for (metadata, trailer) in [
        (r#"{"crc32c": "AAAAAA=="}"#, None),
        (r#"{"md5Hash": "AAAAAAAAAAAAAAAAAAAAAA=="}"#, None),
        ("{}", Some(r#"{"crc32c": "AAAAAA=="}"#)),
        (r#"{"crc32c": "x"}"#, None),
        ("{", None),
    ] {
        let refused = raw.upload("name=k", metadata, b"hello", trailer).await;
        assert_eq!(refused.status(), 400, "{metadata} {trailer:?}");
        assert_eq!(json(&refused)["error"]["errors"][0]["reason"], "invalid");
    }
    assert_eq!(raw.server.bucket("data").object_count(), 0);
    assert_eq!(raw.upload("name=k", "{}", b"hello", Some(right)).await.status(), 200);
    assert_eq!(raw.server.bucket("data").get("k").unwrap().bytes, "hello");
}

#[tokio::test]
async fn names_that_no_object_can_have_are_refused() {
    let raw = Raw::start().await;
    for (name, status) in
        [("n".repeat(1024), 200), ("n".repeat(1025), 400), ("é".repeat(513), 400), ("a\nb".into(), 400)]
    {
        let response = raw.upload(&format!("name={}", encoded(&name)), "{}", b"x", None).await;
        assert_eq!(response.status(), status);
    }
}

#[tokio::test]
async fn a_read_tells_the_object_in_headers() {
    let raw = Raw::start().await;
    let metadata = r#"{"contentType": "text/plain", "cacheControl": "no-store", "metadata": {"Colour": "red"}}"#;
    let told = json(&raw.upload("name=/k", metadata, b"hello", None).await);
    let read = raw.read("/k", "", None).await;
    assert_eq!((read.status(), &read.body()[..]), (StatusCode::OK, &b"hello"[..]));
    for (name, value) in [
        ("content-type", "text/plain"),
        ("cache-control", "no-store"),
        ("content-length", "5"),
        ("x-goog-generation", told["generation"].as_str().unwrap()),
        ("x-goog-metageneration", "1"),
        ("x-goog-hash", "crc32c=mnG7TA==,md5=XUFAKrxLKna5cZ2REBfFkg=="),
        ("x-goog-stored-content-length", "5"),
        ("x-goog-stored-content-encoding", "identity"),
        ("x-goog-storage-class", "STANDARD"),
        ("x-goog-meta-colour", "red"),
        ("etag", told["etag"].as_str().unwrap()),
    ] {
        assert_eq!(header(&read, name), value, "{name}");
    }
    for (range, status, content, told) in [
        ("bytes=1-3", 206, "ell", "bytes 1-3/5"),
        ("bytes=3-", 206, "lo", "bytes 3-4/5"),
        ("bytes=-2", 206, "lo", "bytes 3-4/5"),
        ("bytes=0-99", 206, "hello", "bytes 0-4/5"),
        ("bytes=5-", 416, "Request range not satisfiable", ""),
    ] {
        let read = raw.read("/k", "", Some(range)).await;
        assert_eq!((read.status().as_u16(), &read.body()[..]), (status, content.as_bytes()), "{range}");
        assert_eq!(header(&read, "content-range"), told);
    }
    let generation = told["generation"].as_str().unwrap();
    for (query, status) in [
        (format!("&generation={generation}&ifGenerationMatch={generation}"), 200),
        ("&generation=7".to_owned(), 404),
        ("&ifGenerationMatch=7".to_owned(), 412),
        (format!("&ifGenerationNotMatch={generation}"), 304),
        ("&generation=x".to_owned(), 400),
    ] {
        assert_eq!(raw.read("/k", &query, None).await.status(), status, "{query}");
    }
    let gone = raw.read("none", "", None).await;
    assert_eq!((gone.status(), &gone.body()[..]), (StatusCode::NOT_FOUND, &b"No such object: data/none"[..]));
}

async fn put(raw: &Raw, url: &str, range: &str, body: &[u8]) -> Response<Bytes> {
    let request = Request::put(url).header("content-range", range);
    raw.send(request.body(Bytes::copy_from_slice(body)).unwrap()).await
}

async fn begin(raw: &Raw, metadata: &'static str) -> String {
    let uri = "/upload/storage/v1/b/data/o?uploadType=resumable&name=%2Fk&ifGenerationMatch=0";
    let response = raw.send(Request::post(uri).body(metadata.into()).unwrap()).await;
    assert_eq!(response.status(), 200, "{:?}", response.body());
    header(&response, "location").to_owned()
}

const QUANTUM: usize = 256 << 10;

#[tokio::test]
async fn an_upload_goes_on_after_a_break() {
    let raw = Raw::start().await;
    let content: Vec<u8> = (0..2 * QUANTUM + 5).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let size = content.len();
    let url = begin(&raw, r#"{"contentType": "text/plain"}"#).await;
    let nothing = put(&raw, &url, "bytes */*", b"").await;
    assert_eq!((nothing.status().as_u16(), header(&nothing, "range")), (308, ""));
    let first = put(&raw, &url, &format!("bytes 0-{}/*", QUANTUM - 1), &content[..QUANTUM]).await;
    assert_eq!((first.status().as_u16(), header(&first, "range")), (308, "bytes=0-262143"));
    // The reply to the second is lost; the third finds out and ends the upload.
    raw.server.faults().add(FaultRule::new(Fault::DropAfter).on(Operation::WriteChunk));
    let second = Request::put(&url).header("content-range", format!("bytes {QUANTUM}-{}/{size}", 2 * QUANTUM - 1));
    let second = second.body(Bytes::copy_from_slice(&content[QUANTUM..2 * QUANTUM])).unwrap();
    raw.try_send(second).await.unwrap_err();
    let asked = put(&raw, &url, "bytes */*", b"").await;
    assert_eq!((asked.status().as_u16(), header(&asked, "range")), (308, "bytes=0-524287"));
    assert_eq!(raw.server.bucket("data").object_count(), 0);
    let last = put(&raw, &url, &format!("bytes {}-{}/{size}", 2 * QUANTUM, size - 1), &content[2 * QUANTUM..]).await;
    assert_eq!((last.status().as_u16(), &json(&last)["name"]), (200, &"/k".into()));
    assert_eq!(raw.server.bucket("data").get("/k").unwrap().bytes, content);
    let again = put(&raw, &url, "bytes */*", b"").await;
    assert_eq!(json(&again)["generation"], json(&last)["generation"]);
    assert_eq!(raw.server.request_count(Operation::QueryWriteStatus), 3);
}

#[tokio::test]
async fn chunks_that_do_not_fit_are_refused() {
    let raw = Raw::start().await;
    let url = begin(&raw, "{}").await;
    for (range, body) in
        [("bytes 0-4/*", &b"hello"[..]), ("bytes 0-9/10", b"hello"), ("bytes 5-9/10", b"hello"), ("0-4/5", b"hello")]
    {
        assert_eq!(put(&raw, &url, range, body).await.status(), 400, "{range}");
    }
    let request = Request::put(&url).header("content-range", "bytes 0-4/5").header("x-goog-hash", "crc32c=AAAAAA==");
    assert_eq!(raw.send(request.body("hello".into()).unwrap()).await.status(), 400);
    assert_eq!(raw.server.bucket("data").object_count(), 0);
    assert_eq!(put(&raw, &url, "bytes 0-4/5", b"hello").await.status(), 404);

    let empty = begin(&raw, "{}").await;
    let written = put(&raw, &empty, "bytes */0", b"").await;
    assert_eq!((written.status().as_u16(), &json(&written)["size"]), (200, &"0".into()));
}
