//! A stream without a manifest, as `pachctl extract` wrote it: replayed over a bucket that somebody else has filled, or with the
//! objects that it brings along.

use std::path::Path;
use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use pachyderm::stream::object_hashes;
use provider::{Bucket, Key};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::by_metadata::{Replay, replay};
use super::look::Look;
use super::record::RestoreRecord;
use super::stage::Stages;
use super::stream_content::{self, StreamContent};
use super::{RestoreFrom, RestoreSettings, Restored, Started, plan, preflight};
use crate::cancel::unless_cancelled;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EventKind, Events, Step};
use crate::job::{Stores, Target};
use crate::outcome::Failure;
use crate::pause::LeaseHold;
use crate::retry::{RetryPolicy, retrying};

/// Objects that are looked at side by side.
const LOOKS: usize = 64;
/// Keys that are named.
const NAMED: usize = 10;

/// Restores a plain stream.
///
/// # Errors
/// As those of [`super::restore`].
pub(super) async fn restore(
    target: &Target,
    file: &Path,
    settings: &RestoreSettings,
    stores: &dyn Stores,
    events: &Events,
    cancel: CancellationToken,
) -> Result<Restored, Failure> {
    let prepared =
        unless_cancelled(&cancel, prepare(target, file, stores, events)).await.map_err(Failure::untouched)?;
    let (content, look, point) = prepared;
    let stages = Stages::default();
    let holder = format!("restore-of-{}-{}", &point[..12], &uuid::Uuid::new_v4().simple().to_string()[..6]);
    let lease = LeaseHold::take(&target.kubernetes, &target.namespace, holder, events);
    let lease = unless_cancelled(&cancel, lease).await.map_err(Failure::untouched)?;
    let record = RestoreRecord::of(&look, &point, RestoreFrom::Metadata);
    let work = replay(target, &record, (file, &content), None, &stages, settings, events);
    let ended = match unless_cancelled(&cancel, work).await {
        Ok(replayed) => Ok(replayed),
        Err(error) => Err(stages.failure(error, target, &look, settings, events).await),
    };
    lease.give_back(events).await;
    let Replay { replayed, root_token, .. } = ended?;
    events.emit(EventKind::Restored { point: point.clone(), from: RestoreFrom::Metadata.as_str().to_owned() });
    Ok(Restored {
        point,
        from: RestoreFrom::Metadata,
        filled: None,
        replayed: Some(replayed),
        pipelines: Started::default(),
        checkpoint: None,
        root_token,
        not_back: plan::not_back(RestoreFrom::Metadata),
        warnings: vec![
            "without a manifest nobody can tell which pipelines ran at the source, nor whether the stream is whole"
                .to_owned(),
        ],
    })
}

/// Reads the stream, looks at the target, and refuses what can't work. Changes nothing.
async fn prepare(
    target: &Target,
    file: &Path,
    stores: &dyn Stores,
    events: &Events,
) -> Result<(StreamContent, Look, String)> {
    let content = stream_content::read(file).await?;
    let point = digest(file).await?;
    events.emit(EventKind::RunStarted { run: point.clone(), cluster: target.namespace.clone() });
    let look = Look::at(target, stores, &point, RestoreFrom::Metadata, events);
    let look = events.step(Step::Discover, look).await?;
    let checks = async {
        preflight::check_namespace(&look, RestoreFrom::Metadata).await?;
        preflight::check_stream(&content, &look.pachd_version)?;
        if let Some(cluster) = &look.cluster {
            preflight::check_is_new(cluster, look.left.is_some()).await?;
            preflight::check_licence(cluster, &content).await?;
        }
        let text = if content.with_objects {
            "the target is new and empty; the stream brings its objects".to_owned()
        } else {
            let objects = check_objects(file, &look).await?;
            format!("the target is new and empty, and its bucket holds the {objects} objects that the stream names")
        };
        Ok::<_, Error>(((), text))
    };
    events.step(Step::Preflight, checks).await?;
    Ok((content, look, point))
}

async fn digest(file: &Path) -> Result<String> {
    let bytes = tokio::fs::read(file).await.map_err(|cause| {
        Error::new(ErrorKind::NotFound, format!("the stream {} can't be read", file.display())).because(cause)
    })?;
    Ok(hex::encode(Sha256::digest(&bytes)))
}

/// Looks for every object that the stream names: pachd's restore does not notice a missing one, and neither does its fsck.
async fn check_objects(file: &Path, look: &Look) -> Result<usize> {
    let file = file.to_owned();
    let hashes = tokio::task::spawn_blocking(move || hashes(&file)).await;
    let hashes =
        hashes.map_err(|cause| Error::new(ErrorKind::Failed, "reading the stream ended early").because(cause))??;
    let (layout, bucket): (_, Arc<dyn Bucket>) = (&look.ground.location.layout, Arc::clone(&look.ground.bucket));
    let looks = hashes.iter().map(|hash| {
        let (key, bucket) = (Key::new(layout.object(hash)), Arc::clone(&bucket));
        async move {
            let found = retrying(RetryPolicy::default(), || bucket.head(&key)).await?;
            Ok::<_, Error>(found.is_none().then(|| key.to_string()))
        }
    });
    let looks = stream::iter(looks).buffer_unordered(LOOKS);
    let missing: Vec<String> =
        looks.try_filter_map(|missing| async move { Ok(missing) }).take(NAMED).try_collect().await?;
    if missing.is_empty() {
        return Ok(hashes.len());
    }
    let message = format!("the target's bucket lacks objects that the stream names: {}", missing.join(", "));
    Err(Error::new(ErrorKind::Incomplete, message)
        .advise("fill the bucket first (`pachsnap clone`): without it pipelines fail and files can't be read, and pachd says nothing of it"))
}

fn hashes(file: &Path) -> Result<std::collections::BTreeSet<String>> {
    let damaged = |cause: Box<dyn std::error::Error + Send + Sync>| {
        Error::new(ErrorKind::Damaged, "the metadata stream can't be read").because(cause)
    };
    let mut reader = stream_content::open(file)?;
    let mut hashes = std::collections::BTreeSet::new();
    while let Some(op) = reader.next_op().map_err(|cause| damaged(Box::new(cause)))? {
        hashes.extend(object_hashes(&op).map_err(|cause| damaged(Box::new(cause)))?);
    }
    Ok(hashes)
}
