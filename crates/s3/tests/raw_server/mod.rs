//! A server that says what it is told to, byte for byte, and keeps what it was asked.
#![allow(dead_code, reason = "each test uses what it needs")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Which connection it came over, counted from 0.
    pub(crate) connection: usize,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
}

impl Seen {
    /// A header; empty when it isn't there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// What the server does with a request, one after another.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Send(Vec<u8>),
    Wait(Duration),
    Close,
    /// Sends this again and again until the client goes away.
    Forever(Vec<u8>),
}

/// A running server.
#[derive(Debug)]
pub(crate) struct RawServer {
    addr: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    accepting: tokio::task::JoinHandle<()>,
}

impl RawServer {
    /// Starts a server; the script gets each request and how many came before it.
    pub(crate) async fn start(script: impl Fn(&Seen, usize) -> Vec<Act> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (seen, connections) = (Arc::default(), Arc::new(AtomicUsize::new(0)));
        let (script, kept, count) = (Arc::new(script), Arc::clone(&seen), Arc::clone(&connections));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = count.fetch_add(1, Ordering::SeqCst);
                let (script, kept) = (Arc::clone(&script), Arc::clone(&kept));
                tokio::spawn(async move { serve(stream, number, &*script, &kept).await });
            }
        });
        Self { addr, seen, connections, accepting }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    connection: usize,
    script: &(impl Fn(&Seen, usize) -> Vec<Act> + ?Sized),
    seen: &Mutex<Vec<Seen>>,
) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut buffer = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            if stream.read_buf(&mut buffer).await.ok()? == 0 {
                return None;
            }
        };
        let head = String::from_utf8(buffer.drain(..end + 4).collect()).ok()?;
        let request = parse(&head, connection)?;
        let before = {
            let mut seen = seen.lock().unwrap();
            seen.push(request.clone());
            seen.len() - 1
        };
        for act in script(&request, before) {
            match act {
                Act::Send(bytes) => stream.write_all(&bytes).await.ok()?,
                Act::Wait(pause) => tokio::time::sleep(pause).await,
                Act::Close => {
                    stream.shutdown().await.ok()?;
                    return None;
                }
                Act::Forever(bytes) => loop {
                    stream.write_all(&bytes).await.ok()?;
                },
            }
        }
    }
}

fn parse(head: &str, connection: usize) -> Option<Seen> {
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Some(Seen { connection, method, path: path.to_owned(), query: query.to_owned(), headers })
}

/// A whole answer.
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut head = format!("HTTP/1.1 {status} Said\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

/// An error document.
pub(crate) fn fault(code: &str) -> String {
    format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>so it is</Message></Error>")
}

/// An answer to a copy.
pub(crate) fn copied() -> String {
    "<?xml version=\"1.0\"?>\n<CopyObjectResult><LastModified>2026-01-02T03:04:05.000Z</LastModified>\
     <ETag>&quot;abc&quot;</ETag></CopyObjectResult>"
        .to_owned()
}

/// A page of these elements.
pub(crate) fn page(elements: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <Name>data</Name><Prefix></Prefix><MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType>{elements}\
         </ListBucketResult>"
    )
}

/// One object of a page, its key as it is written there.
pub(crate) fn object(key: &str) -> String {
    format!(
        "<Contents><Key>{key}</Key><LastModified>2026-01-02T03:04:05.678Z</LastModified><ETag>&quot;e&quot;</ETag>\
         <Size>7</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )
}
