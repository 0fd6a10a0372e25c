//! A server that says nothing any more is noticed by pings, also while no call runs and while a call may take any time.
//!
//! Real pings: every 20 s, an answer within 20 s. So these tests take 40 s, asleep.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::time::Duration;

use pachyderm::{
    client::{Address, Client, ClientOptions},
    error::Condition,
    proto::pfs::SubscribeCommitRequest,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// Far more than any of it takes.
const LIMIT: Duration = Duration::from_secs(300);

const SETTINGS: u8 = 4;
const PING: u8 = 6;
const ACK: u8 = 1;

/// The type and the flags of the next frame (RFC 9113, section 4.1).
async fn frame(connection: &mut TcpStream) -> std::io::Result<(u8, u8)> {
    let mut head = [0; 9];
    connection.read_exact(&mut head).await?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut content = vec![0; length as usize];
    connection.read_exact(&mut content).await?;
    Ok((head[3], head[4]))
}

/// Sends settings without content, or says that some were read.
async fn send_settings(connection: &mut TcpStream, flags: u8) {
    connection.write_all(&[0, 0, 0, SETTINGS, flags, 0, 0, 0, 0]).await.unwrap();
}

/// Speaks HTTP/2 but answers no ping, and ends when the client has given the connection up.
async fn fall_silent(mut connection: TcpStream) {
    let mut preface = [0; 24];
    connection.read_exact(&mut preface).await.unwrap();
    assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    send_settings(&mut connection, 0).await;
    let mut pings = 0;
    while let Ok((kind, flags)) = frame(&mut connection).await {
        match (kind, flags & ACK) {
            (SETTINGS, 0) => send_settings(&mut connection, ACK).await,
            (PING, 0) => pings += 1,
            _ => {}
        }
    }
    assert_eq!(pings, 1, "pings before the connection was given up");
}

async fn silent_server() -> (Client, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move { fall_silent(listener.accept().await.unwrap().0).await });
    let pachd = Client::connect(&Address::plaintext("127.0.0.1", port), &ClientOptions::default()).await.unwrap();
    (pachd, server)
}

#[tokio::test]
async fn an_idle_connection_is_given_up() {
    let (_pachd, server) = silent_server().await;
    tokio::time::timeout(LIMIT, server).await.expect("the connection is kept").unwrap();
}

#[tokio::test]
async fn a_call_without_deadline_ends() {
    let (pachd, server) = silent_server().await;
    let call = pachd.subscribe_commit(SubscribeCommitRequest::default());
    let error = tokio::time::timeout(LIMIT, call).await.expect("the call goes on").unwrap_err();
    assert_eq!((error.condition(), error.retry_helps()), (Condition::Unavailable, true), "{error}");
    server.await.unwrap();
}
