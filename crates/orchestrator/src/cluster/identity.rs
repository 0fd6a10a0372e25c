//! Proof that pachd, etcd and the bucket belong together: believed nowhere else.

use pachyderm::client::Client;
use pachyderm::etcd::EtcdClient;
use pachyderm::proto::pfs::Commit;
use provider::{Bucket, GetRequest};
use sha2::{Digest, Sha512};

use super::{BucketLocation, etcd_error, pachd_error, work};
use crate::error::{Error, ErrorKind, Result};
use futures::TryStreamExt;
use prost::Message;

/// Largest tree that the proof reads: a spec commit holds one small file.
const TREE_LIMIT: u64 = 16 << 20;

/// etcd's root key `cluster-id` is what pachd answers.
pub(super) async fn same_cluster(etcd: &EtcdClient, pachd_id: &str) -> Result<()> {
    let id = etcd.get(b"cluster-id").await.map_err(|error| etcd_error("reading cluster-id", error))?;
    let id = id.map(|value| String::from_utf8_lossy(&value.value).into_owned()).unwrap_or_default();
    if id == pachd_id {
        return Ok(());
    }
    Err(Error::new(ErrorKind::WrongCluster, format!("etcd belongs to cluster {id:?}, pachd to cluster {pachd_id:?}"))
        .advise("the namespace holds parts of two deployments: name the right etcd with --etcd-address"))
}

/// The tree of the newest spec commit is in the bucket, under the discovered root and orientation, with the content
/// that its name promises. A cluster without pipelines proves it by an input commit; an empty one can't.
pub(super) async fn bucket_is_the_clusters(
    pachd: &Client,
    bucket: &dyn Bucket,
    location: &BucketLocation,
) -> Result<()> {
    let Some(hash) = newest_tree(pachd).await? else { return Ok(()) };
    let wrong = |what: String| {
        Error::new(ErrorKind::WrongCluster, what).advise(format!(
            "the bucket {} with root {:?} and {} keys isn't the one that this pachd writes to: check the Secret \
             pachyderm-storage-secret, the credentials, and [bucket] in the configuration",
            location.describe(),
            location.layout.root,
            if location.layout.is_reversed() { "reversed" } else { "plain" },
        ))
    };
    let object_key = location.layout.object(&hash);
    let reference =
        read(bucket, &object_key, None).await?.ok_or_else(|| wrong(format!("object {object_key} is missing")))?;
    let reference = pachyderm::proto::pfs::BlockRef::decode(reference.as_slice())
        .map_err(|cause| wrong(format!("object {object_key} holds no block reference")).because(cause))?;
    let block = reference.block.map(|block| block.hash).unwrap_or_default();
    let range = reference.range.unwrap_or_default();
    if range.upper.saturating_sub(range.lower) > TREE_LIMIT || range.upper < range.lower {
        return Err(wrong(format!("object {object_key} names a range that no spec file has")));
    }
    let block_key = location.layout.block(&block);
    let bytes = read(bucket, &block_key, Some(range.lower..range.upper))
        .await?
        .ok_or_else(|| wrong(format!("block {block_key} is missing")))?;
    if hex::encode(Sha512::digest(&bytes)) != hash {
        return Err(wrong(format!("block {block_key} does not hold what object {object_key} promises")));
    }
    Ok(())
}

async fn newest_tree(pachd: &Client) -> Result<Option<String>> {
    let mut commits: Vec<Commit> = work::branches(pachd)
        .await?
        .into_iter()
        .filter(|info| {
            info.branch.as_ref().and_then(|branch| branch.repo.as_ref()).is_some_and(|repo| repo.name == "__spec__")
        })
        .filter_map(|info| info.head)
        .collect();
    commits.sort_by(|a, b| a.id.cmp(&b.id));
    let mut newest: Option<((i64, i32), String)> = None;
    for commit in commits {
        let info = pachd.inspect_commit(&commit).await.map_err(|error| pachd_error("reading a spec commit", error))?;
        let (Some(tree), Some(started)) = (info.tree, info.started) else { continue };
        let time = (started.seconds, started.nanos);
        if newest.as_ref().is_none_or(|(newest, _)| *newest < time) {
            newest = Some((time, tree.hash));
        }
    }
    Ok(newest.map(|(_, hash)| hash))
}

async fn read(bucket: &dyn Bucket, key: &str, range: Option<std::ops::Range<u64>>) -> Result<Option<Vec<u8>>> {
    let limit = range.as_ref().map_or(1 << 20, |range| range.end - range.start);
    if limit == 0 {
        return Ok(Some(Vec::new()));
    }
    let request = GetRequest { key: key.into(), range, if_version: None };
    let stream = match bucket.get(&request).await {
        Ok(stream) => stream,
        Err(error) if error.kind() == provider::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let kind = error.kind();
            let error = Error::from(error);
            return Err(match kind {
                provider::ErrorKind::Denied | provider::ErrorKind::Unauthenticated => error.advise(
                    "the credentials can't read the cluster's bucket: choose others in [bucket] of the configuration",
                ),
                _ => error,
            });
        }
    };
    let bytes: Vec<bytes::Bytes> = stream.body.try_collect().await?;
    Ok(Some(bytes.concat()))
}
