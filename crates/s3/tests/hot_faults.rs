//! Copying and listing against a server that misbehaves on the wire.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod raw_server;

use std::error::Error as StdError;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use provider::{Bucket, Copied, CopyRequest, Error, ErrorKind, Key, ListRequest, ObjectVersion, Page, Retry};
use raw_server::{Act, RawServer, answer, copied, fault, object, page};
use s3::{ClientChoice, ClientKind, CredentialsConfig, S3Bucket, S3Config, StoreKind, Timeouts, WhySdk};

const BOTH: [ClientKind; 2] = [ClientKind::Lean, ClientKind::Sdk];

fn config(server: &RawServer, client: ClientKind) -> S3Config {
    S3Config { client, ..S3Config::at(server.endpoint(), StoreKind::Minio, "data", "id", "secret") }
}

async fn open(server: &RawServer, client: ClientKind) -> S3Bucket {
    let bucket = S3Bucket::open(&config(server, client)).await.unwrap();
    assert_eq!(bucket.client_choice(), ClientChoice { kind: client, because: None });
    bucket
}

#[tokio::test]
async fn where_the_lean_client_cannot_work_the_sdk_does_and_says_why() {
    let keys = CredentialsConfig::Static {
        access_key_id: "id".into(),
        secret_access_key: "secret".into(),
        session_token: None,
    };
    let aws = |bucket: &str, client| S3Config {
        client,
        credentials: keys.clone(),
        region: Some("eu-west-1".into()),
        ..S3Config::aws(bucket)
    };
    let point = "arn:aws:s3:eu-west-1:123456789012:accesspoint:mine";
    let cases = [
        ("data", ClientKind::Sdk, ClientKind::Sdk, None),
        (point, ClientKind::Lean, ClientKind::Sdk, Some(WhySdk::Arn)),
        (point, ClientKind::Sdk, ClientKind::Sdk, None),
        ("mine--euw1-az1--x-s3", ClientKind::Lean, ClientKind::Sdk, Some(WhySdk::Express)),
    ];
    for (name, asked, kind, because) in cases {
        let bucket = S3Bucket::open(&aws(name, asked)).await.unwrap();
        assert_eq!(bucket.client_choice(), ClientChoice { kind, because }, "{name}");
    }
    assert_eq!(WhySdk::Arn.to_string(), "the bucket is named by an ARN");
}

/// A bucket that waits a second for everything but whole copies.
async fn impatient(server: &RawServer, client: ClientKind) -> S3Bucket {
    let timeouts = Timeouts { connect_seconds: 1, answer_seconds: 1, stall_seconds: 1, copy_seconds: 4 };
    S3Bucket::open(&S3Config { timeouts, ..config(server, client) }).await.unwrap()
}

async fn list(bucket: &S3Bucket) -> Result<Page, Error> {
    bucket.list(&ListRequest::default()).await
}

async fn copy(bucket: &S3Bucket) -> Result<Copied, Error> {
    let if_version = Some(ObjectVersion("abc".into()));
    let request = CopyRequest {
        source: bucket,
        from: Key::new("from"),
        to: Key::new("to"),
        size: 7,
        class: None,
        if_version,
        token: None,
    };
    bucket.copy_from(&request).await
}

/// A server that sends the same to everybody.
async fn saying(bytes: Vec<u8>) -> RawServer {
    RawServer::start(move |_, _| vec![Act::Send(bytes.clone())]).await
}

fn chain(error: &Error) -> String {
    let (mut text, mut at) = (error.to_string(), error.source());
    while let Some(error) = at {
        text = format!("{text}: {error}");
        at = error.source();
    }
    text
}

#[tokio::test]
async fn a_copy_is_done_only_when_the_answer_says_so() {
    for client in BOTH {
        let bodies = [
            (fault("InternalError"), ErrorKind::Unavailable, Retry::Again),
            (fault("SlowDown"), ErrorKind::Throttled, Retry::Slower { after: None }),
            (
                format!("  \n{}", fault("SlowDown").replace("<?xml version=\"1.0\"?>\n", "")),
                ErrorKind::Throttled,
                Retry::Slower { after: None },
            ),
            (String::new(), ErrorKind::Corrupt, Retry::Again),
            ("<html><body>fine</body></html>".to_owned(), ErrorKind::Corrupt, Retry::Again),
            (page(""), ErrorKind::Corrupt, Retry::Again),
            (copied().replace("<ETag>&quot;abc&quot;</ETag>", ""), ErrorKind::Corrupt, Retry::Again),
        ];
        for (body, kind, retry) in bodies {
            let server = saying(answer(200, &[], &body)).await;
            let error = copy(&open(&server, client).await).await.unwrap_err();
            assert_eq!((error.kind(), error.retry()), (kind, retry), "{client:?} {body}: {error:?}");
            assert_eq!((error.operation(), server.seen().len()), ("CopyObject", 1));
        }
        if client == ClientKind::Lean {
            // The SDK takes the answer for whole.
            let server = saying(answer(200, &[], copied().replace("</CopyObjectResult>", ""))).await;
            let error = copy(&open(&server, client).await).await.unwrap_err();
            assert_eq!((error.kind(), error.retry()), (ErrorKind::Corrupt, Retry::Again), "{error:?}");
        }
        let server = saying(answer(200, &[], copied())).await;
        let Copied::Done(meta) = copy(&open(&server, client).await).await.unwrap() else { panic!("not done") };
        assert_eq!((meta.version.0.as_str(), meta.size), ("abc", 7));
        assert_eq!(meta.modified, Some("2026-01-02T03:04:05Z".parse().unwrap()));
    }
}

/// S3 sends the headers at once, then blanks, and the body when the copy is done.
#[tokio::test]
async fn a_copy_whose_body_comes_late_is_waited_for() {
    for client in BOTH {
        let server = RawServer::start(|_, _| {
            let whole = answer(200, &[], format!("<?xml version=\"1.0\"?>\n  {}", &copied()[22..]));
            let (early, late) = whole.split_at(whole.len() - copied().len() + 22);
            vec![Act::Send(early.to_vec()), Act::Wait(Duration::from_millis(2500)), Act::Send(late.to_vec())]
        })
        .await;
        assert!(matches!(copy(&impatient(&server, client).await).await.unwrap(), Copied::Done(_)), "{client:?}");

        let server = RawServer::start(|_, _| {
            let head = b"HTTP/1.1 200 Said\r\nContent-Length: 500\r\n\r\n<?xml version=\"1.0\"?>".to_vec();
            vec![Act::Send(head), Act::Wait(Duration::from_secs(60))]
        })
        .await;
        let error = copy(&impatient(&server, client).await).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Timeout, Retry::Again), "{client:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_page_that_does_not_come_times_out() {
    let whole = answer(200, &[], page(&object("a")));
    let wait = Act::Wait(Duration::from_secs(60));
    let half = Act::Send(whole[..whole.len() / 2].to_vec());
    for client in BOTH {
        for acts in [vec![wait.clone()], vec![half.clone(), wait.clone()]] {
            let server = RawServer::start(move |_, _| acts.clone()).await;
            let error = list(&impatient(&server, client).await).await.unwrap_err();
            assert_eq!((error.kind(), error.retry()), (ErrorKind::Timeout, Retry::Again), "{client:?}: {error:?}");
        }
        // The head says more than comes.
        let longer = String::from_utf8(whole.clone()).unwrap().replace("Content-Length: ", "Content-Length: 9");
        let server = saying(longer.into_bytes()).await;
        let error = list(&impatient(&server, client).await).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{client:?}: {error:?}");
    }
}

/// Never still for long, and never done.
#[tokio::test]
async fn a_page_that_trickles_times_out() {
    let whole = answer(200, &[], page(&object("a")));
    let server = RawServer::start(move |_, _| {
        whole.iter().flat_map(|byte| [Act::Send(vec![*byte]), Act::Wait(Duration::from_millis(100))]).collect()
    })
    .await;
    let error = list(&impatient(&server, ClientKind::Lean).await).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Timeout, Retry::Again), "{error:?}");
}

#[tokio::test]
async fn a_server_that_does_not_take_the_connection_times_out() {
    // A full backlog: the connection is never accepted.
    let listener = tokio::net::TcpSocket::new_v4().unwrap();
    listener.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = listener.listen(1).unwrap();
    let addr = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(Ok(stream)) =
        tokio::time::timeout(Duration::from_millis(300), tokio::net::TcpStream::connect(addr)).await
    {
        waiting.push(stream);
    }
    for client in BOTH {
        let timeouts = Timeouts { connect_seconds: 1, ..Timeouts::default() };
        let config = S3Config::at(format!("http://{addr}"), StoreKind::Minio, "data", "id", "secret");
        let bucket = S3Bucket::open(&S3Config { client, timeouts, ..config }).await.unwrap();
        let error = list(&bucket).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Timeout, Retry::Again), "{client:?}: {error:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_is_an_error() {
    for client in BOTH {
        let whole = answer(200, &[], page(&object("a")));
        for cut in [1, 20, whole.len() / 2, whole.len() - 1] {
            let part = whole[..cut].to_vec();
            let server = RawServer::start(move |_, _| vec![Act::Send(part.clone()), Act::Close]).await;
            let error = list(&open(&server, client).await).await.unwrap_err();
            let (kind, retry) = (ErrorKind::Unavailable, Retry::Again);
            assert_eq!((error.kind(), error.retry()), (kind, retry), "{client:?} at {cut}: {error:?}");
        }
    }
}

/// A page that lacks its end lacks keys, also when HTTP is content with it. The SDK takes such a page for whole.
#[tokio::test]
async fn a_page_without_its_end_is_corrupt() {
    let body = page(&(object("a") + &object("b")));
    for cut in [1, 10, 30, 200] {
        let short = answer(200, &[], &body[..body.len() - cut]);
        let shorter = format!("HTTP/1.1 200 Said\r\nContent-Length: {}\r\n\r\n{body}", body.len() - cut).into_bytes();
        for said in [short, shorter] {
            let error = list(&open(&saying(said).await, ClientKind::Lean).await).await.unwrap_err();
            assert_eq!((error.kind(), error.retry()), (ErrorKind::Corrupt, Retry::Again), "{cut}: {error:?}");
        }
    }
}

#[tokio::test]
async fn a_page_without_an_end_is_given_up() {
    // So much as the head tells is not even begun.
    let server = saying(b"HTTP/1.1 200 Said\r\nContent-Length: 99999999999\r\n\r\n<".to_vec()).await;
    let error = list(&open(&server, ClientKind::Lean).await).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Corrupt, Retry::Again), "{error:?}");

    let server = RawServer::start(|_, _| {
        let piece = object("a").repeat(500);
        let chunk = format!("{:x}\r\n{piece}\r\n", piece.len());
        let head = "HTTP/1.1 200 Said\r\nTransfer-Encoding: chunked\r\n\r\n12\r\n<ListBucketResult>\r\n";
        vec![Act::Send(head.as_bytes().to_vec()), Act::Forever(chunk.into_bytes())]
    })
    .await;
    let error = list(&open(&server, ClientKind::Lean).await).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Corrupt, Retry::Again), "{error:?}");
    assert!(chain(&error).contains("more than 67108864 bytes"), "{}", chain(&error));
}

#[tokio::test]
async fn a_page_that_contradicts_itself_is_corrupt() {
    let one = object("a");
    let bodies = [
        page(&format!("<KeyCount>2</KeyCount>{one}")),
        page(&format!("<KeyCount>some</KeyCount>{one}")),
        page(&one.replace("<ETag>&quot;e&quot;</ETag>", "")),
        page(&one.replace("<Size>7</Size>", "")),
        page(&one.replace("<Size>7</Size>", "<Size>-7</Size>")),
        page(&one.replace("<Size>7</Size>", "<Size>7.5</Size>")),
        page(&one.replace("<Size>7</Size>", "<Size>99999999999999999999</Size>")),
        page(&one.replace("<Key>a</Key>", "")),
        page(&one.replace("2026-01-02T", "yesterday")),
        page(&object("a%zz")),
        page(&object("a%FF")),
        page(&object("a<b")),
        page(&object("a&nope;b")),
        page(&object("a&b")),
        page(&format!("{}{}", object("b"), object("a"))),
        page(&format!("{one}{one}")),
        page(&format!("<IsTruncated>true</IsTruncated>{one}")),
        page(&format!("<IsTruncated>perhaps</IsTruncated>{one}")),
        String::new(),
        "fine".to_owned(),
        copied(),
    ];
    for client in BOTH {
        for body in &bodies {
            let server = saying(answer(200, &[], body)).await;
            let listed = list(&open(&server, client).await).await;
            let Err(error) = listed else { panic!("{client:?} takes {body}: {listed:?}") };
            assert_eq!(
                (error.kind(), error.retry()),
                (ErrorKind::Corrupt, Retry::Again),
                "{client:?} {body}: {error:?}"
            );
        }
    }
    let invalid = [page(&object("a")).into_bytes().as_slice(), b""].concat();
    let invalid: Vec<u8> = invalid.iter().map(|byte| if *byte == b'7' { 0xff } else { *byte }).collect();
    let server = saying(answer(200, &[], invalid)).await;
    assert_eq!(list(&open(&server, ClientKind::Lean).await).await.unwrap_err().kind(), ErrorKind::Corrupt);
}

/// A kept connection that the server closed while nobody used it is no error: the request goes over a new one, once.
#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_replaced() {
    for client in BOTH {
        let server = RawServer::start(|_, _| vec![Act::Send(answer(200, &[], page(""))), Act::Close]).await;
        let bucket = open(&server, client).await;
        for requests in 1..=20 {
            list(&bucket).await.unwrap();
            assert_eq!(server.seen().len(), requests, "{client:?}");
            // The end of the connection is on its way, or there.
            if requests % 2 == 0 {
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        }
    }
}

/// What was sent may have been done: it is for the caller to send it again.
#[tokio::test]
async fn a_request_that_was_sent_is_not_sent_again() {
    for client in BOTH {
        let server = RawServer::start(|_, before| match before {
            0 => vec![Act::Send(answer(200, &[], copied()))],
            _ => vec![Act::Close],
        })
        .await;
        let bucket = open(&server, client).await;
        copy(&bucket).await.unwrap();
        let error = copy(&bucket).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Again), "{client:?}: {error:?}");
        let seen = server.seen();
        assert_eq!(seen.iter().map(|request| request.connection).collect::<Vec<_>>(), [0, 0], "{client:?}");
    }
}

#[tokio::test]
async fn a_bucket_in_another_region_is_named_with_it() {
    let cases = [
        (301, "PermanentRedirect", ErrorKind::Invalid),
        (307, "TemporaryRedirect", ErrorKind::Invalid),
        (400, "AuthorizationHeaderMalformed", ErrorKind::Unauthenticated),
    ];
    for client in BOTH {
        for (status, code, kind) in cases {
            let region = [("x-amz-bucket-region", "eu-central-1"), ("Location", "http://127.0.0.1:1/")];
            let server = saying(answer(status, &region, fault(code))).await;
            let bucket = open(&server, client).await;
            for error in [list(&bucket).await.unwrap_err(), copy(&bucket).await.unwrap_err()] {
                assert_eq!((error.kind(), error.retry()), (kind, Retry::Never), "{client:?} {code}: {error:?}");
                let told = chain(&error);
                assert!(told.contains("the bucket is in the region \"eu-central-1\": set `region` to it"), "{told}");
            }
            assert_eq!(server.seen().len(), 2);
        }
        let region = [("x-amz-bucket-region", "eu-central-1")];
        let server = saying(answer(403, &region, fault("AccessDenied"))).await;
        let error = list(&open(&server, client).await).await.unwrap_err();
        assert!(error.kind() == ErrorKind::Denied && !chain(&error).contains("eu-central-1"), "{}", chain(&error));
    }
}

/// The time of a header such as `20260102T030405Z`.
fn signed_at(stamp: &str) -> Timestamp {
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", stamp).unwrap();
    time.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp()
}

fn http_date(time: Timestamp) -> String {
    jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&time).unwrap()
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_set_by_the_stores() {
    let ahead = SignedDuration::from_hours(3);
    let skewed = move |date: Option<Timestamp>| {
        let date = date.map(http_date);
        let headers: Vec<(&str, &str)> = date.iter().map(|date| ("Date", date.as_str())).collect();
        vec![Act::Send(answer(403, &headers, fault("RequestTimeTooSkewed")))]
    };
    let server = RawServer::start(move |request, _| {
        let theirs = Timestamp::now() + ahead;
        let off = (theirs - signed_at(request.header("x-amz-date"))).total(jiff::Unit::Minute).unwrap().abs();
        if off > 15.0 { skewed(Some(theirs)) } else { vec![Act::Send(answer(200, &[], page("")))] }
    })
    .await;
    let bucket = open(&server, ClientKind::Lean).await;
    list(&bucket).await.unwrap();
    assert_eq!(server.seen().len(), 2);
    // From now on the clock is known, to siblings and to connections of their own too.
    list(&bucket).await.unwrap();
    bucket.sibling("other", "").list(&ListRequest::default()).await.unwrap();
    bucket.with_own_connections().unwrap().list(&ListRequest::default()).await.unwrap();
    assert_eq!(server.seen().len(), 5);

    // A store that is never content is asked twice, and one that names no time, or ours, once.
    for (hours, requests) in [(Some(3), 2), (None, 1), (Some(0), 1)] {
        let theirs = move || hours.map(|hours| Timestamp::now() + SignedDuration::from_hours(hours));
        let server = RawServer::start(move |_, _| skewed(theirs())).await;
        let error = list(&open(&server, ClientKind::Lean).await).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Unauthenticated, Retry::Never), "{error:?}");
        assert_eq!(server.seen().len(), requests, "{hours:?}");
    }
}

/// Keys that are written down don't get younger: nothing is sent again.
#[tokio::test]
async fn expired_keys_of_the_configuration_are_told_at_once() {
    for client in BOTH {
        let server = saying(answer(400, &[], fault("ExpiredToken"))).await;
        let error = list(&open(&server, client).await).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Unauthenticated, Retry::Never), "{error:?}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn connections_of_ones_own_are_made_when_they_are_used() {
    for client in BOTH {
        let server = RawServer::start(|request, _| {
            let body = if request.method == "PUT" { copied() } else { page("") };
            let headers = [("ETag", "\"abc\""), ("x-amz-bucket-region", "us-east-1")];
            vec![Act::Send(answer(200, &headers, if request.method == "HEAD" { String::new() } else { body }))]
        })
        .await;
        let bucket = open(&server, client).await;
        list(&bucket).await.unwrap();
        assert_eq!(server.connections(), 1);
        let own = bucket.with_own_connections().unwrap();
        assert_eq!((own.location(), server.connections()), (bucket.location(), 1));
        own.list(&ListRequest::default()).await.unwrap();
        assert_eq!(server.connections(), 2, "{client:?}");
        list(&bucket).await.unwrap();
        own.list(&ListRequest::default()).await.unwrap();
        assert_eq!(server.connections(), 2, "{client:?}");
        // The calls of the SDK have their own too.
        let key = Key::new("key");
        bucket.head(&key).await.unwrap();
        let before = server.connections();
        own.head(&key).await.unwrap();
        assert_eq!(server.connections(), before + usize::from(client == ClientKind::Lean), "{client:?}");
    }
}

/// A thread with a runtime of its own goes on when the runtime is gone that the bucket was opened on.
#[test]
fn a_bucket_with_own_connections_outlives_the_runtime_that_opened_it() {
    let serving = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for client in BOTH {
        let server = serving.block_on(saying(answer(200, &[], page(""))));
        let own = runtime().block_on(async {
            let bucket = open(&server, client).await;
            list(&bucket).await.unwrap();
            bucket.with_own_connections().unwrap()
        });
        std::thread::scope(|scope| {
            scope.spawn(|| runtime().block_on(own.list(&ListRequest::default())).unwrap());
        });
        assert_eq!((server.connections(), server.seen().len()), (2, 2), "{client:?}");
    }
}
