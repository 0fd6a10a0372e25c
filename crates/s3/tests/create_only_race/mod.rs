//! Two writers of one key whose bodies need several parts, both past the look for an earlier object.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, future, stream};
use provider::{Bucket, ErrorKind, GetRequest, PutMode, PutRequest};
use s3::S3Bucket;
use tokio::sync::Barrier;

const MIB: usize = 1 << 20;

/// Only the condition on the completion can decide: each writer's upload is begun before the other one's ends. The
/// bucket's parts must be of 5 MiB.
pub(crate) async fn one_of_two_writers_wins(bucket: &S3Bucket) {
    let both_began = Arc::new(Barrier::new(2));
    let writes = [b'a', b'b'].map(|letter| {
        let both_began = Arc::clone(&both_began);
        let rest = stream::once(async move {
            // The body is read on only after the first part was cut off it, which is after the upload began.
            both_began.wait().await;
            Ok(Bytes::from(vec![letter; 6 * MIB]))
        });
        let first = stream::iter([Ok(Bytes::from(vec![letter; 6 * MIB]))]);
        let mut request = PutRequest::bytes("contested", PutMode::CreateOnly, Bytes::new());
        (request.size, request.body) = (Some(12 * MIB as u64), first.chain(rest).boxed());
        bucket.put(request)
    });
    let outcomes = future::join_all(writes).await;
    let won: Vec<usize> = (0..2).filter(|at| outcomes[*at].is_ok()).collect();
    assert_eq!(won.len(), 1, "{outcomes:?}");
    let refused = outcomes[1 - won[0]].as_ref().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AlreadyExists, "{refused:?}");
    let read = bucket.get(&GetRequest::whole("contested")).await.unwrap();
    let content = read.body.try_collect::<Vec<Bytes>>().await.unwrap().concat();
    assert!(content == vec![[b'a', b'b'][won[0]]; 12 * MIB], "the winner's object isn't there");
}
