//! What a copy and a page of a listing cost the client in CPU time, by the SDK and by the lean client.
//!
//! `cargo bench --profile dev -p s3 [-- COPIES PAGES]`. The server says the same to everybody, on a thread of its own; the client is
//! one thread with 64 copies, or one page, in flight. Time is what the client's thread was on a CPU, the kernel's part included, so
//! neither the server nor waiting counts.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::SocketAddr;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use provider::{Bucket as _, CopyRequest, Key, ListRequest, ObjectVersion};
use s3::{ClientKind, S3Bucket, S3Config, StoreKind};
use tokio::net::TcpListener;

const ROUNDS: usize = 5;
const IN_FLIGHT: usize = 64;

const COPIED: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CopyObjectResult \
     xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LastModified>2026-01-02T03:04:05.000Z</LastModified>\
     <ETag>&quot;9a0364b9e99bb480dd25e1f0284c8555&quot;</ETag></CopyObjectResult>";

fn key(at: usize) -> String {
    format!("block/{:032x}", at as u128 * 0x9e37_79b9_7f4a_7c15_f39c_c060)
}

/// A page as Amazon writes it.
fn page() -> Bytes {
    let mut keys: Vec<String> = (0..1000).map(key).collect();
    keys.sort();
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult \
         xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>data</Name><Prefix></Prefix><KeyCount>1000</KeyCount>\
         <MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>"
        .to_owned();
    for (at, key) in keys.iter().enumerate() {
        let _ = write!(
            text,
            "<Contents><Key>{key}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>\
             <ETag>&quot;{at:032x}&quot;</ETag><ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>\
             <ChecksumType>FULL_OBJECT</ChecksumType><Size>4096</Size><StorageClass>STANDARD</StorageClass></Contents>"
        );
    }
    text.push_str("</ListBucketResult>");
    text.into()
}

/// Starts the server on a thread of its own.
fn serve() -> SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            let page = page();
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let page = page.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let copy = request.method() == Method::PUT;
                    let body = if copy { Bytes::from_static(COPIED.as_bytes()) } else { page.clone() };
                    async move { Ok::<_, Infallible>(Response::new(Full::new(body))) }
                });
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
    });
    told.recv().unwrap()
}

/// Nanoseconds that this thread was on a CPU.
fn on_cpu() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

async fn copies(bucket: &S3Bucket, count: usize) {
    let copy = |at| async move {
        let (from, to) = (Key::new(key(at)), Key::new(key(at)));
        let if_version = Some(ObjectVersion("9a0364b9e99bb480dd25e1f0284c8555".to_owned()));
        bucket
            .copy_from(&CopyRequest { source: bucket, from, to, size: 4096, class: None, if_version, token: None })
            .await
            .unwrap()
    };
    stream::iter(0..count).map(copy).buffer_unordered(IN_FLIGHT).for_each(async |_| {}).await;
}

async fn pages(bucket: &S3Bucket, count: usize) {
    for _ in 0..count {
        assert_eq!(bucket.list(&ListRequest::default()).await.unwrap().objects.len(), 1000);
    }
}

/// Microseconds of CPU time per call: copies, pages.
async fn measure(bucket: &S3Bucket, copy_count: usize, page_count: usize) -> [f64; 2] {
    let per_call = |before: u64, count: usize| (on_cpu() - before) as f64 / 1000.0 / count as f64;
    let before = on_cpu();
    copies(bucket, copy_count).await;
    let copy = per_call(before, copy_count);
    let before = on_cpu();
    pages(bucket, page_count).await;
    [copy, per_call(before, page_count)]
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn main() {
    let mut counts = std::env::args().skip(1).filter_map(|count| count.parse().ok());
    let (copy_count, page_count) = (counts.next().unwrap_or(20_000), counts.next().unwrap_or(200));
    let endpoint = format!("http://{}", serve());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut seen: [Vec<[f64; 2]>; 2] = Default::default();
    for _ in 0..ROUNDS {
        for (client, seen) in [ClientKind::Sdk, ClientKind::Lean].into_iter().zip(&mut seen) {
            seen.push(runtime.block_on(async {
                let config = S3Config::at(&endpoint, StoreKind::Aws, "data", "id", "secret");
                let bucket = S3Bucket::open(&S3Config { client, ..config }).await.unwrap();
                copies(&bucket, IN_FLIGHT).await;
                measure(&bucket, copy_count, page_count).await
            }));
        }
    }
    println!("{ROUNDS} rounds, {copy_count} copies ({IN_FLIGHT} in flight) and {page_count} pages of 1,000 keys each");
    println!("{:<28} {:>10} {:>10} {:>7}", "CPU µs per call, median", "sdk", "lean", "ratio");
    for (name, at) in [("CopyObject", 0), ("ListObjectsV2, 1,000 keys", 1)] {
        let [sdk, lean] = [0, 1].map(|client| median(seen[client].iter().map(|round| round[at]).collect()));
        println!("{name:<28} {sdk:>10.1} {lean:>10.1} {:>6.1}×", sdk / lean);
    }
}
