//! Restores over a real socket: what is sent, when success is believed, and that nothing but the end of the operations ever
//! ends them for the server.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

#[path = "recorded/archive.rs"]
#[allow(dead_code)]
mod archive;
#[path = "recorded/replay.rs"]
mod replay;

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use archive::recordings;
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use http_body_util::BodyExt as _;
use pachyderm::{
    client::{Client, ClientOptions, Token},
    error::{Cause, Condition, Error},
    proto::method,
};
use replay::{Call, End, Reply, client, response, serve, unframed};
use tokio::sync::mpsc;

/// `repo __spec__` as an operation.
const REPO: &[u8] = b"\x3a\x0e\x22\x0c\x0a\x0a\x0a\x08__spec__";

fn ops(ops: Vec<Vec<u8>>) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static {
    stream::iter(ops.into_iter().map(|op| Ok(Bytes::from(op))))
}

/// Operations without end.
fn endless() -> impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static {
    stream::repeat_with(|| Ok(Bytes::from_static(REPO)))
}

/// How the operations ended for the server.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// Regularly, after so many messages.
    Whole(usize),
    /// The call was broken off.
    Broken,
}

/// A server that tells how the operations of each call ended, and answers `OK`. With `early` it begins its answer before.
async fn watched(early: bool) -> (Client, mpsc::UnboundedReceiver<Seen>) {
    let (tell, seen) = mpsc::unbounded_channel();
    let pachd = serve(&ClientOptions::default(), move |request| {
        let tell = tell.clone();
        let read = async move {
            let body = request.into_body().collect().await.map(|body| body.to_bytes());
            tell.send(body.as_ref().map_or(Seen::Broken, |body| Seen::Whole(unframed(body).len()))).unwrap();
            body
        };
        async move {
            if early {
                tokio::spawn(read);
                return Ok(response(Reply { answers: Vec::new(), end: End::Stalled }));
            }
            read.await?;
            Ok(response(Reply::ok(vec![Vec::new()])))
        }
    })
    .await;
    (pachd, seen)
}

/// What the server saw next.
async fn next(seen: &mut mpsc::UnboundedReceiver<Seen>) -> Seen {
    tokio::time::timeout(Duration::from_secs(120), seen.recv()).await.expect("the operations never end").unwrap()
}

/// The operation in a recorded `RestoreRequest`; nothing if it holds something else.
fn op_of(request: &[u8]) -> Option<Vec<u8>> {
    match pachyderm::wire::fields(request).map(Result::unwrap).collect::<Vec<_>>()[..] {
        [field] if field.number == 1 => Some(field.bytes().unwrap().to_vec()),
        _ => None,
    }
}

#[tokio::test]
async fn recorded_restores_are_sent_and_end_as_recorded() {
    let (mut succeeded, mut failed) = (0, 0);
    for (name, recording) in recordings() {
        if recording.method() != method::RESTORE {
            continue;
        }
        let Some(sent) = recording.requests.iter().map(|request| op_of(request)).collect::<Option<Vec<_>>>() else {
            continue;
        };
        let token = recording.json["request_metadata"]["authn-token"].as_str().map(str::to_owned);
        let (expected, expected_token) = (recording.requests.clone(), token.clone());
        let code = match recording.status() {
            "OK" => 0,
            "UNKNOWN" => 2,
            other => panic!("{other}"),
        };
        let message = recording.message().to_owned();
        let pachd = client(&ClientOptions::default(), move |call: Call| {
            assert!(call.path == method::RESTORE && call.messages == expected, "{}", call.path);
            assert_eq!(call.headers.get("authn-token").map(|value| value.to_str().unwrap()), expected_token.as_deref());
            // pachd sends its empty answer in either case.
            Reply { answers: vec![Vec::new()], end: End::Status(code, message.clone()) }
        })
        .await;
        let count = sent.len() as u64;
        let token = token.map(Token::new);
        match pachd.restore(ops(sent), token.as_ref()).await {
            Ok(applied) => {
                assert_eq!((recording.status(), applied), ("OK", count), "{name}");
                succeeded += 1;
            }
            Err(error) => {
                assert_eq!(error.status().map(tonic::Status::message), Some(recording.message()), "{name}");
                assert_ne!(error.condition(), Condition::Other, "{name}: {error}");
                assert!(!error.retry_helps(), "{name}");
                failed += 1;
            }
        }
    }
    assert_eq!((succeeded, failed), (7, 13));
}

#[tokio::test]
async fn the_token_of_the_options_goes_unless_another_is_given() {
    let options = ClientOptions { token: Some(Token::new("usual")), ..ClientOptions::default() };
    let pachd = client(&options, |call| {
        let token = call.headers.get("authn-token").unwrap().to_str().unwrap().to_owned();
        assert_eq!(call.headers.get_all("authn-token").iter().count(), 1);
        Reply { answers: Vec::new(), end: End::Status(2, token) }
    })
    .await;
    for (token, expected) in [(None, "usual"), (Some(Token::new("root")), "root")] {
        let error = pachd.restore(ops(vec![REPO.to_vec()]), token.as_ref()).await.unwrap_err();
        assert_eq!(error.status().unwrap().message(), expected);
    }
    let error = pachd.restore(ops(Vec::new()), Some(&Token::new("a\nb"))).await.unwrap_err();
    assert!(matches!(error.cause(), Cause::Token(_)), "{error}");
}

#[tokio::test]
async fn a_source_that_fails_breaks_the_call_off() {
    let (pachd, mut seen) = watched(false).await;
    let source = stream::iter([Ok(Bytes::from_static(REPO)), Err(io::Error::other("the vault is gone"))]);
    let error = pachd.restore(source, None).await.unwrap_err();
    assert!(matches!(error.cause(), Cause::Read(_)), "{error}");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "the vault is gone");
    assert_eq!(next(&mut seen).await, Seen::Broken);
    assert_eq!(pachd.restore(ops(vec![REPO.to_vec(); 3]), None).await.unwrap(), 3);
    assert_eq!(next(&mut seen).await, Seen::Whole(3));
}

#[tokio::test]
async fn an_op_beyond_the_limit_breaks_the_call_off() {
    let (pachd, mut seen) = watched(false).await;
    let error = pachd.restore(ops(vec![REPO.to_vec(), vec![0; 22 * 1024 * 1024]]), None).await.unwrap_err();
    assert!(matches!(error.cause(), Cause::TooLarge { bytes: 23_068_672, limit: 22_020_096 }), "{error}");
    assert_eq!(error.condition(), Condition::MessageTooLarge);
    assert_eq!(next(&mut seen).await, Seen::Broken);
}

/// Operations of which the last is followed by nothing, and a word when the server has them.
fn unfinished() -> (impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static, Arc<tokio::sync::Notify>) {
    let asked = Arc::new(tokio::sync::Notify::new());
    let word = Arc::clone(&asked);
    let source = stream::iter([Ok(Bytes::from_static(REPO))]).chain(stream::poll_fn(move |_| {
        word.notify_one();
        std::task::Poll::Pending
    }));
    (source, asked)
}

#[tokio::test]
async fn a_dropped_restore_is_broken_off_also_when_the_answer_has_begun() {
    for early in [false, true] {
        let (pachd, mut seen) = watched(early).await;
        let (source, asked) = unfinished();
        tokio::select! {
            outcome = pachd.restore(source, None) => panic!("{outcome:?}"),
            () = async { asked.notified().await; tokio::time::sleep(Duration::from_millis(200)).await } => {}
        }
        assert_eq!(next(&mut seen).await, Seen::Broken, "{early}");
    }
}

#[tokio::test]
async fn a_server_that_takes_nothing_is_given_up() {
    let options = ClientOptions { progress_deadline: Duration::from_secs(1), ..ClientOptions::default() };
    let pachd = serve(&options, |request| async move {
        let _unread = request;
        std::future::pending().await
    })
    .await;
    for source in [endless().boxed(), ops(vec![REPO.to_vec()]).boxed()] {
        let error = pachd.restore(source, None).await.unwrap_err();
        assert_eq!((error.condition(), error.retry_helps()), (Condition::NoProgress, false), "{error}");
    }
}

#[tokio::test]
async fn no_limit_is_no_overflow() {
    let options =
        ClientOptions { progress_deadline: Duration::MAX, deadline: Duration::MAX, ..ClientOptions::default() };
    let pachd = client(&options, |_| Reply::ok(vec![Vec::new()])).await;
    assert_eq!(pachd.restore(ops(vec![REPO.to_vec()]), None).await.unwrap(), 1);
    assert!(pachd.extract(Default::default()).await.unwrap().message().await.unwrap().is_some());
    pachd.health().await.unwrap();
}

/// A server that answers at once and reads nothing.
async fn hasty(reply: fn() -> Reply) -> Result<u64, Error> {
    let pachd = serve(&ClientOptions::default(), move |request| async move {
        drop(request);
        Ok(response(reply()))
    })
    .await;
    pachd.restore(endless(), None).await
}

#[tokio::test]
async fn a_refusal_in_the_middle_is_told() {
    let text = "github:x is not authorized to perform this operation; must be an admin to call Restore";
    let error = hasty(|| Reply { answers: Vec::new(), end: End::Status(2, String::new()) }).await.unwrap_err();
    assert_eq!(error.condition(), Condition::Other, "{error}");
    let pachd = serve(&ClientOptions::default(), move |request| async move {
        drop(request);
        Ok(response(Reply { answers: Vec::new(), end: End::Status(2, text.to_owned()) }))
    })
    .await;
    let error = pachd.restore(endless(), None).await.unwrap_err();
    assert_eq!(error.condition(), Condition::NotAdmin, "{error}");
}

#[tokio::test]
async fn success_before_the_last_op_is_not_believed() {
    let error = hasty(|| Reply::ok(vec![Vec::new()])).await.unwrap_err();
    assert!(matches!(error.cause(), Cause::Protocol(_)), "{error}");
}

#[tokio::test]
async fn an_answer_without_a_final_status_is_no_success() {
    let pachd = client(&ClientOptions::default(), |_| Reply { answers: vec![Vec::new()], end: End::CutShort }).await;
    let error = pachd.restore(ops(vec![REPO.to_vec()]), None).await.unwrap_err();
    assert_eq!(error.condition(), Condition::CutShort, "{error}");
    let pachd = client(&ClientOptions::default(), |_| Reply::ok(Vec::new())).await;
    let error = pachd.restore(ops(vec![REPO.to_vec()]), None).await.unwrap_err();
    assert!(error.to_string().contains("Missing response message"), "{error}");
}
