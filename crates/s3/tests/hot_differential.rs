//! The lean client held against the SDK: the same requests, the same answers, the same errors.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod raw_server;

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use provider::{
    Bucket, Copied, CopyRequest, Error, Key, ListRequest, ListToken, ObjectVersion, Page, PutMode, PutRequest, Retry,
    StorageClass,
};
use raw_server::{Act, RawServer, Seen, answer, copied, fault, object, page};
use s3::{ClientKind, CredentialsConfig, Encryption, NewObjects, S3Bucket, S3Config, StoreKind};

const ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// Keys that are easily written down wrongly.
fn odd_keys() -> Vec<String> {
    let mut keys: Vec<String> = [
        "plain",
        "a b",
        "a+b",
        "a&b",
        "a<b>c",
        "100%",
        "%2B",
        "é/日本/🦀",
        "it's",
        "a=b",
        "a;b",
        "/lead",
        "a//b",
        "a/../b",
        "..",
        ".",
        "./a",
        "a/",
        "!",
        "@",
        "$",
        "*",
        "|",
        ":",
        "(x)",
        "[x]",
        "{x}",
        "~tilde",
        "a?b",
        "a#b",
        "a\\b",
        "\"q\"",
        "`",
        "^",
        ",",
        "a\tb",
        "a\nb",
        "a\r\nb",
        "\u{1}",
        "\u{7f}",
        "a\u{85}b",
        "\u{ffff}",
        " lead",
        "trail ",
        "a  b",
        "%",
        "a%zz",
    ]
    .map(str::to_owned)
    .to_vec();
    keys.push("k".repeat(1024));
    keys.push("é".repeat(512));
    keys.push("/".repeat(1024));
    keys
}

fn config(server: &RawServer, client: ClientKind, token: Option<&str>) -> S3Config {
    let credentials = CredentialsConfig::Static {
        access_key_id: ID.into(),
        secret_access_key: SECRET.into(),
        session_token: token.map(Into::into),
    };
    let config = S3Config::at(server.endpoint(), StoreKind::Aws, "data", ID, SECRET);
    S3Config { client, credentials, region: Some("eu-west-3".into()), ..config }
}

async fn both(server: &RawServer, token: Option<&str>) -> [S3Bucket; 2] {
    let open = async |client| S3Bucket::open(&config(server, client, token)).await.unwrap();
    [open(ClientKind::Lean).await, open(ClientKind::Sdk).await]
}

/// Of a kind of store that isn't asked for the bucket's region, for servers that answer one thing to everything.
async fn both_told_nothing(server: &RawServer) -> [S3Bucket; 2] {
    let open = async |client| {
        let config = S3Config { store: Some(StoreKind::Minio), ..config(server, client, None) };
        S3Bucket::open(&config).await.unwrap()
    };
    [open(ClientKind::Lean).await, open(ClientKind::Sdk).await]
}

fn to_copy<'a>(source: &'a S3Bucket, from: &str, to: &str, if_version: Option<&str>) -> CopyRequest<'a> {
    let if_version = if_version.map(|version| ObjectVersion(version.to_owned()));
    CopyRequest { source, from: Key::new(from), to: Key::new(to), size: 7, class: None, if_version, token: None }
}

/// A server that content clients can live with.
async fn content() -> RawServer {
    RawServer::start(|request, _| {
        let headers = [("ETag", "\"abc\""), ("x-amz-bucket-region", "eu-west-3")];
        let body = match request.method.as_str() {
            "PUT" => copied(),
            "HEAD" => return vec![Act::Send(answer(200, &headers, ""))],
            _ => page(""),
        };
        vec![Act::Send(answer(200, &headers, body))]
    })
    .await
}

/// What has to be the same.
fn essence(request: &Seen) -> (String, String, Vec<String>, Vec<(String, String)>) {
    let mut query: Vec<String> = request.query.split('&').map(str::to_owned).collect();
    query.sort();
    let ours = |name: &str| {
        // Of the SDK's own book-keeping, and of the moment. And the SDK says nothing of the length of a body that a copy doesn't
        // have, which HTTP asks for.
        ![
            "content-length",
            "amz-sdk-invocation-id",
            "amz-sdk-request",
            "x-amz-user-agent",
            "user-agent",
            "authorization",
            "x-amz-date",
        ]
        .contains(&name)
    };
    let headers = request.headers.iter().filter(|(name, _)| ours(name)).map(|(a, b)| (a.clone(), b.clone())).collect();
    (request.method.clone(), request.path.clone(), query, headers)
}

/// The signature of a request as `aws-sigv4` computes it from what arrived.
fn resigned(request: &Seen, token: Option<&str>) -> String {
    let signed = request.header("authorization").split_once("SignedHeaders=").unwrap().1.split_once(',').unwrap().0;
    let names: Vec<&str> = signed.split(';').collect();
    // These are added by the signer itself.
    let added = ["host", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"];
    let headers: Vec<(&str, &str)> =
        names.iter().filter(|name| !added.contains(name)).map(|name| (*name, request.header(name))).collect();
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", request.header("x-amz-date")).unwrap();
    let seconds = time.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_second();
    let identity = Credentials::new(ID, SECRET, token.map(str::to_owned), None, "test").into();
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-west-3")
        .name("s3")
        .time(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.unsigned_abs()))
        .settings(settings)
        .build()
        .unwrap();
    let uri = format!("http://{}{}?{}", request.header("host"), request.path, request.query);
    let body = SignableBody::Bytes(b"");
    let signable = SignableRequest::new(&request.method, uri, headers.into_iter(), body).unwrap();
    let (instructions, _) = sign(signable, &params.into()).unwrap().into_parts();
    let (headers, _) = instructions.into_parts();
    headers.iter().find(|header| header.name() == "authorization").unwrap().value().to_owned()
}

#[tokio::test]
async fn requests_are_the_sdks_but_for_its_bookkeeping() {
    for token in [None, Some("AQoDYXdzEPT//////////wEXAMPLE+tc=")] {
        let server = content().await;
        let buckets = both(&server, token).await;
        for key in odd_keys() {
            for bucket in &buckets {
                for condition in [Some("abc"), Some("W/\"weak\""), Some("a  b")] {
                    let _ = bucket.copy_from(&to_copy(bucket, &key, &key, condition)).await;
                }
                let list = |after: Option<&str>, token: Option<&str>, max_keys| ListRequest {
                    prefix: key.clone(),
                    after: after.map(Key::new),
                    through: None,
                    token: token.map(|token| ListToken(token.to_owned())),
                    max_keys,
                };
                bucket.list(&list(None, None, 0)).await.unwrap();
                bucket.list(&list(Some(&key), None, 1)).await.unwrap();
                bucket.list(&list(Some("ignored"), Some(&key), 99_999)).await.unwrap();
            }
            let seen: Vec<Seen> = server.seen().split_off(server.seen().len() - 12);
            let (lean, sdk) = seen.split_at(6);
            for (lean, sdk) in lean.iter().zip(sdk) {
                assert_eq!(essence(lean), essence(sdk), "{key:?}");
                for request in [lean, sdk] {
                    assert_eq!(request.header("authorization"), resigned(request, token), "{key:?} {request:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_terms_of_a_bucket_are_on_the_requests_of_both() {
    static TIERED: StorageClass = StorageClass { name: "INTELLIGENT_TIERING", archived: false };
    let token = Some("session");
    for chosen in [None, Some("STANDARD_IA")] {
        let server = content().await;
        let mut told = Vec::new();
        for client in [ClientKind::Lean, ClientKind::Sdk] {
            let config = S3Config {
                expected_owner: Some("123456789012".into()),
                requester_pays: true,
                new_objects: NewObjects {
                    storage_class: chosen.map(str::to_owned),
                    encryption: Encryption::parse("arn:aws:kms:eu-west-3:123456789012:key/1"),
                    owner_full_control: true,
                },
                ..config(&server, client, token)
            };
            let bucket = S3Bucket::open(&config).await.unwrap();
            let before = server.seen().len();
            let copy = CopyRequest { class: Some(&TIERED), ..to_copy(&bucket, "a", "b", Some("abc")) };
            bucket.copy_from(&copy).await.unwrap();
            bucket.list(&ListRequest::default()).await.unwrap();
            bucket.put(PutRequest::bytes("c", PutMode::Overwrite, "c")).await.unwrap();
            bucket.head(&Key::new("c")).await.unwrap();
            told.push(server.seen().split_off(before));
        }
        for (lean, sdk) in told[0].iter().zip(&told[1]) {
            assert_eq!(essence(lean), essence(sdk));
            assert_eq!(lean.header("x-amz-expected-bucket-owner"), "123456789012", "{lean:?}");
            assert_eq!(lean.header("x-amz-request-payer"), "requester", "{lean:?}");
            let writes = lean.method == "PUT";
            assert_eq!(lean.header("x-amz-server-side-encryption") == "aws:kms", writes, "{lean:?}");
            assert_eq!(lean.header("x-amz-acl") == "bucket-owner-full-control", writes, "{lean:?}");
        }
        for request in told.iter().flat_map(|requests| &requests[..2]) {
            assert_eq!(request.header("authorization"), resigned(request, token), "{request:?}");
        }
        assert_eq!(told[0][0].header("x-amz-storage-class"), chosen.unwrap_or("INTELLIGENT_TIERING"));
        assert_eq!(told[0][2].header("x-amz-storage-class"), chosen.unwrap_or_default());
    }
}

#[tokio::test]
async fn a_bucket_is_asked_once_where_it_is_and_reached_there() {
    let there = "/eu-west-3/s3/aws4_request";
    let server = RawServer::start(move |request, _| {
        let region = [("x-amz-bucket-region", "eu-west-3")];
        vec![Act::Send(match request.method.as_str() {
            _ if request.header("authorization").contains(there) => answer(200, &[], page("")),
            "HEAD" => answer(301, &region, ""),
            _ => answer(301, &region, fault("PermanentRedirect")),
        })]
    })
    .await;
    for (client, asked) in [(ClientKind::Lean, &["HEAD"][..]), (ClientKind::Sdk, &[])] {
        let before = server.seen().len();
        let config = S3Config { region: Some("us-east-1".into()), ..config(&server, client, None) };
        let bucket = S3Bucket::open(&config).await.unwrap();
        for _ in 0..3 {
            bucket.list(&ListRequest::default()).await.unwrap();
        }
        let seen = server.seen().split_off(before);
        let methods: Vec<&str> = seen.iter().map(|request| request.method.as_str()).collect();
        assert_eq!(methods, [asked, &["GET", "GET", "GET"]].concat());
    }
}

#[tokio::test]
async fn a_key_of_blanks_is_refused_by_both() {
    let server = content().await;
    for bucket in both(&server, None).await {
        for key in [" ", "\t", "\u{a0} \n"] {
            let error = bucket.copy_from(&to_copy(&bucket, "from", key, Some("abc"))).await.unwrap_err();
            assert_eq!(error.kind(), provider::ErrorKind::Invalid, "{error:?}");
        }
    }
    assert_eq!(server.seen().iter().filter(|seen| seen.method != "HEAD").count(), 0);
}

fn told(error: &Error) -> (provider::ErrorKind, Retry, &str, &str) {
    (error.kind(), error.retry(), error.operation(), error.resource())
}

#[tokio::test]
async fn error_answers_have_the_same_kind() {
    let codes = [
        "SlowDown",
        "ServiceUnavailable",
        "InternalError",
        "RequestTimeout",
        "NoSuchKey",
        "NoSuchBucket",
        "PreconditionFailed",
        "AccessDenied",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "InvalidToken",
        "RequestTimeTooSkewed",
        "NotImplemented",
        "InvalidRequest",
        "KeyTooLongError",
        "QuotaExceeded",
        "EntityTooLarge",
        "InvalidObjectState",
        "ObjectNotInActiveTierError",
        "OperationAborted",
        "NobodyKnowsThis",
    ];
    let mut bodies: Vec<String> = codes.map(fault).to_vec();
    let bare = "<Error xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Resource>/a</Resource><Code>Slow&#68;own</Code></Error>";
    bodies.extend(
        [bare, "<Error/>", "<Error><Code/></Error>", "", "<html>502</html>", "<Error><Code>Slow", "no"]
            .map(str::to_owned),
    );
    let statuses = [200, 301, 304, 400, 401, 403, 404, 408, 409, 412, 416, 429, 500, 501, 502, 503, 507, 599];
    for status in statuses {
        for body in &bodies {
            let headers = if status % 2 == 1 { vec![("Retry-After", "7")] } else { Vec::new() };
            let body = if status == 304 { "" } else { body };
            let said = answer(status, &headers, body);
            let server = RawServer::start(move |_, _| vec![Act::Send(said.clone())]).await;
            let [lean, sdk] = both_told_nothing(&server).await;
            let lists = [lean.list(&ListRequest::default()).await, sdk.list(&ListRequest::default()).await];
            let [lean_list, sdk_list] = lists.map(Result::unwrap_err);
            assert_eq!(told(&lean_list), told(&sdk_list), "list: {status} {body}: {lean_list:?} {sdk_list:?}");
            let lean_copy = lean.copy_from(&to_copy(&lean, "a", "b", Some("abc"))).await.unwrap_err();
            let sdk_copy = sdk.copy_from(&to_copy(&sdk, "a", "b", Some("abc"))).await.unwrap_err();
            assert_eq!(told(&lean_copy), told(&sdk_copy), "copy: {status} {body}: {lean_copy:?} {sdk_copy:?}");
        }
    }
}

async fn listed(client: &S3Bucket) -> Result<Page, Error> {
    client.list(&ListRequest::default()).await
}

#[tokio::test]
async fn pages_are_read_alike() {
    let encoded: String = odd_keys().iter().map(|key| percent(key)).collect::<Vec<_>>().join(" ");
    let mut sorted: Vec<&str> = encoded.split(' ').collect();
    sorted.sort_by_key(|key| raw(key));
    let every: String = sorted.iter().map(|key| object(key)).collect();
    let not_encoded = page(&(object("a b") + &object("a%2Bb") + &object("a+b") + &object("a&lt;&#x26;&amp;&#233;")))
        .replace("<EncodingType>url</EncodingType>", "");
    let one = object("a");
    let bodies = [
        page(&every),
        page(""),
        page("<Prefix/><Contents/>").replace("<Contents/>", ""),
        page(&format!(
            "<KeyCount>1</KeyCount>{one}<IsTruncated>true</IsTruncated><NextContinuationToken>1/a+b=&amp;</NextContinuationToken>"
        )),
        page(&format!("<IsTruncated>false</IsTruncated><NextContinuationToken>left</NextContinuationToken>{one}")),
        page(&one.replace(
            "<StorageClass>",
            "<Owner><ID>1</ID><Key>not this</Key></Owner><ChecksumType>FULL_OBJECT</ChecksumType><StorageClass>",
        )),
        page(&one.replace("&quot;e&quot;", "\"e\"")),
        page(&one.replace("&quot;e&quot;", "e-3")),
        page(&one.replace("&quot;e&quot;", "&#34;e&#34;")),
        page(&one.replace("<Size>7</Size>", "<Size>9223372036854775807</Size>")),
        page(&one.replace(".678Z", "Z")),
        page(&one.replace("<LastModified>2026-01-02T03:04:05.678Z</LastModified>", "")),
        page(&one).replace("><", ">\n  <"),
        page(&one).replace("ListBucketResult>", "ListBucketResult >"),
        page(&format!("<!-- a comment --><Unknown a=\"b\"><Key>x</Key></Unknown>{one}")),
        page(&one.replace("<EncodingType>url</EncodingType>", "")) + "\n",
        page(&(one.clone() + "<EncodingType>url</EncodingType>" + &object("b%20c"))),
        not_encoded,
    ];
    for body in bodies {
        let said = answer(200, &[], &body);
        let server = RawServer::start(move |_, _| vec![Act::Send(said.clone())]).await;
        let [lean, sdk] = both_told_nothing(&server).await;
        let (lean, sdk) = (listed(&lean).await, listed(&sdk).await);
        assert_eq!(lean.unwrap(), sdk.unwrap(), "{body}");
    }
}

#[tokio::test]
async fn answers_to_copies_are_read_alike() {
    let bodies = [
        copied(),
        copied().replace("&quot;abc&quot;", "\"abc\""),
        copied().replace("&quot;abc&quot;", "abc"),
        copied().replace("<LastModified>2026-01-02T03:04:05.000Z</LastModified>", ""),
        copied().replace("<ETag>", "<ChecksumCRC32C>AAAAAA==</ChecksumCRC32C><ETag>"),
        copied().replace("?>\n", "?>\n     \n"),
        copied().replace("<CopyObjectResult>", "<CopyObjectResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"),
    ];
    for body in bodies {
        let said = answer(200, &[], &body);
        let server = RawServer::start(move |_, _| vec![Act::Send(said.clone())]).await;
        let [lean, sdk] = both_told_nothing(&server).await;
        let lean = lean.copy_from(&to_copy(&lean, "a", "b", Some("abc"))).await.unwrap();
        let sdk = sdk.copy_from(&to_copy(&sdk, "a", "b", Some("abc"))).await.unwrap();
        assert!(matches!(lean, Copied::Done(_)));
        assert_eq!(lean, sdk, "{body}");
    }
}

fn percent(key: &str) -> String {
    key.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn raw(encoded: &str) -> Vec<u8> {
    let mut rest = encoded.as_bytes();
    let mut out = Vec::new();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            out.extend(hex::decode(&after[..2]).unwrap());
            rest = &after[2..];
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}
