//! Many calls at once, and listings of many keys.

use std::time::{Duration, Instant};

use provider::{Bucket as _, Copied, Key, ListRequest};
use sandbox::gcs::Operation;

use crate::place::{copy, open, server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_beyond_one_connection_do_not_wait_for_each_other() {
    const CALLS: usize = 250;
    let server = server().await;
    for number in 0..CALLS {
        server.bucket("data").put(&format!("{number}"), "v", None);
    }
    let bucket = open(&server, "data");
    let listed = bucket.list(&ListRequest::default()).await.unwrap().objects;
    assert_eq!((listed.len(), bucket.connections()), (CALLS, 1));
    let latency = Duration::from_millis(1500);
    server.set_latency(Operation::RewriteObject, latency);
    let began = Instant::now();
    let calls = listed.iter().map(|meta| {
        let bucket = bucket.clone();
        async move {
            let request = copy(&bucket, meta.key.as_str(), &format!("copy/{}", meta.key), meta);
            bucket.copy_from(&request).await
        }
    });
    let copies = futures::future::join_all(calls).await;
    let took = began.elapsed();
    assert!(copies.iter().all(|copy| matches!(copy, Ok(Copied::Done(_)))));
    assert_eq!(bucket.connections(), 4);
    // On one connection, the last fifty would begin after two others.
    assert!(took >= latency && took < 2 * latency, "{took:?}");
    assert_eq!(server.bucket("data").object_count(), 2 * CALLS);
}

#[tokio::test]
async fn ranges_of_a_listing_meet_without_gap_or_overlap() {
    let server = server().await;
    let mut keys: Vec<String> = (0..2_500).map(|number| format!("/pach//{number:05}")).collect();
    keys.extend(["/pach//00010\u{0}", "/pach//00010\u{1}", "/pach//00010a"].map(str::to_owned));
    for key in &keys {
        server.bucket("data").put(key, "v", None);
    }
    keys.sort_unstable();
    let bucket = open(&server, "data");
    let mut found = Vec::new();
    let bounds = [None, Some("/pach//00010"), Some("/pach//00010\u{1}"), Some("/pach//01500x"), None];
    for pair in bounds.windows(2) {
        let (after, through) = (pair[0].map(Key::new), pair[1].map(Key::new));
        let mut request = ListRequest { prefix: "/pach/".to_owned(), after, through, ..ListRequest::default() };
        loop {
            let page = bucket.list(&request).await.unwrap();
            found.extend(page.objects.into_iter().map(|object| object.key.into_string()));
            request.token = page.next;
            if request.token.is_none() {
                break;
            }
        }
    }
    assert_eq!(found, keys);
}
