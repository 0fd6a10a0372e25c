//! Cutting a snapshot: made once, then waited for until its point in time is fixed.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use provider::{CutRequest, Error, ErrorKind, Result, Retry, SnapshotId, VolumeId, VolumeSnapshot};
use serde_json::json;
use tokio::time::Instant;

use super::binding::{Binding, RETAIN};
use super::class::Class;
use super::objects::{self, VolumeSnapshotContent, VolumeSnapshotSource, VolumeSnapshotSpec};
use super::source::Source;
use super::{CsiSnapshots, SnapshotProblem, tags};
use crate::config::DeletionPolicy;

/// Shortest time between two looks: writers wait for the cut.
const SHORTEST_WAIT: Duration = Duration::from_millis(25);

/// How far a cut is.
enum Cutting {
    /// The point in time is fixed.
    Cut(VolumeSnapshot),
    /// Not yet; what was reported last.
    NotYet(Option<String>),
}

impl CsiSnapshots {
    /// Cuts, rides out what passes, and gives up at the request's limit.
    pub(super) async fn cut_within(&self, request: &CutRequest) -> Result<VolumeSnapshot> {
        let ends = Instant::now() + request.limit;
        let (mut wait, mut last) = (SHORTEST_WAIT, None);
        loop {
            let error = match self.look_at_cut(request).await {
                Ok(Cutting::Cut(snapshot)) => return Ok(snapshot),
                Ok(Cutting::NotYet(reported)) => {
                    if let Some(message) = reported
                        && last.as_ref() != Some(&message)
                    {
                        request.notices.tell(format!("the snapshot is not cut yet, and is tried again: {message}"));
                        last = Some(message);
                    }
                    None
                }
                Err(error) if error.retry() == Retry::Never => return Err(error),
                Err(error) => {
                    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
                    request.notices.tell(format!("the Kubernetes API is asked again: {error}{cause}"));
                    Some(error)
                }
            };
            let left = ends.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let seconds = request.limit.as_secs();
                let late = || {
                    let resource = self.resource(&SnapshotId(request.identity.clone()));
                    Error::new(ErrorKind::Timeout, "cut", resource)
                        .with_source(SnapshotProblem::NotCut { seconds, last: last.clone() })
                };
                return Err(error.unwrap_or_else(late));
            }
            tokio::time::sleep(wait.min(left)).await;
            wait = (wait * 5 / 4).min(self.options.poll.max(SHORTEST_WAIT));
        }
    }

    /// Makes the snapshot unless it is there, and looks how far it is.
    async fn look_at_cut(&self, request: &CutRequest) -> Result<Cutting> {
        let resource = || self.resource(&SnapshotId(request.identity.clone()));
        let found = match self.snapshots.get(&request.identity).await? {
            Some(found) => found,
            None => {
                let source = self.source_of("cut", &request.volume).await?;
                let class = self.class_for("cut", &source).await?;
                match self.snapshots.create(&wanted(request, &source, &class)).await {
                    Ok(created) => created,
                    // Somebody was faster: the next look says who.
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(Cutting::NotYet(None)),
                    Err(error) => return Err(error),
                }
            }
        };
        let taken = |problem| Error::new(ErrorKind::AlreadyExists, "cut", resource()).with_source(problem);
        let is_ours = tags::identity_of(&found.metadata) == Some(request.identity.as_str())
            && tags::owner_of(&found.metadata).as_ref() == Some(&request.owner)
            && found.spec.source.persistent_volume_claim_name.as_deref() == Some(request.volume.0.as_str());
        if !is_ours {
            return Err(taken(SnapshotProblem::NotOurs));
        }
        if found.metadata.deletion_timestamp.is_some() {
            return Err(taken(SnapshotProblem::BeingDeleted));
        }
        let fixed = found.status.as_ref().is_some_and(|status| status.creation_time.is_some());
        if !fixed {
            return Ok(Cutting::NotYet(error_of(&found)));
        }
        let Binding::Bound(content) = self.binding("cut", &found).await? else { return Ok(Cutting::NotYet(None)) };
        if content.status.as_ref().is_none_or(|status| status.snapshot_handle.is_none()) {
            return Ok(Cutting::NotYet(error_of(&found)));
        }
        let content = self.retain(*content).await?;
        Ok(Cutting::Cut(told(&self.namespace, &found, Some(&content))))
    }

    /// Lets the data outlive its objects where that is configured.
    async fn retain(&self, content: VolumeSnapshotContent) -> Result<VolumeSnapshotContent> {
        if self.options.deletion == DeletionPolicy::OfClass || content.spec.deletion_policy == RETAIN {
            return Ok(content);
        }
        self.contents.merge(&content.name_any(), &json!({"spec": {"deletionPolicy": RETAIN}})).await
    }

    /// A snapshot in the contract's words, cut or not.
    pub(super) async fn told(&self, snapshot: &objects::VolumeSnapshot) -> Result<VolumeSnapshot> {
        let content = self.own_content("list", snapshot).await?;
        Ok(told(&self.namespace, snapshot, content.as_deref()))
    }
}

/// The error that was reported last and still stands.
pub(super) fn error_of(snapshot: &objects::VolumeSnapshot) -> Option<String> {
    snapshot.status.as_ref()?.error.as_ref()?.message.clone()
}

fn wanted(request: &CutRequest, source: &Source, class: &Class) -> objects::VolumeSnapshot {
    let spec = VolumeSnapshotSpec {
        source: VolumeSnapshotSource {
            persistent_volume_claim_name: Some(source.claim.clone()),
            volume_snapshot_content_name: None,
        },
        volume_snapshot_class_name: Some(class.name.clone()),
    };
    let about_the_volume = [
        (tags::DESCRIPTION, Some(request.description.clone())),
        (tags::VOLUME_BYTES, Some(source.size.to_string())),
        (tags::STORAGE_CLASS, source.storage_class.clone()),
        (tags::ACCESS_MODES, Some(source.access_modes.join(","))),
    ];
    let annotations = about_the_volume.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let mut snapshot = objects::VolumeSnapshot::new(&request.identity, spec);
    snapshot.metadata = tags::metadata(&request.identity, &request.owner, annotations);
    snapshot
}

fn told(
    namespace: &str,
    snapshot: &objects::VolumeSnapshot,
    content: Option<&VolumeSnapshotContent>,
) -> VolumeSnapshot {
    let status = content.and_then(|content| content.status.as_ref());
    let annotation = |name| tags::annotation(&snapshot.metadata, name);
    // The content has nanoseconds, the VolumeSnapshot whole seconds; one that isn't cut has its own age.
    let exact = status.and_then(|status| status.creation_time);
    let cut_at = exact
        .and_then(|nanoseconds| Timestamp::from_nanosecond(i128::from(nanoseconds)).ok())
        .or_else(|| snapshot.status.as_ref()?.creation_time.as_deref()?.parse().ok())
        .or_else(|| snapshot.metadata.creation_timestamp.as_ref().map(|time| time.0))
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let mut details = BTreeMap::from([("namespace".to_owned(), namespace.to_owned())]);
    let mut add = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            details.insert(name.to_owned(), value.to_owned());
        }
    };
    add("class", snapshot.spec.volume_snapshot_class_name.as_deref());
    add("storage-class", annotation(tags::STORAGE_CLASS));
    add("content", content.and_then(|content| content.metadata.name.as_deref()));
    add("driver", content.map(|content| content.spec.driver.as_str()));
    add("deletion-policy", content.map(|content| content.spec.deletion_policy.as_str()));
    add("volume-handle", content.and_then(|content| content.spec.source.volume_handle.as_deref()));
    add("snapshot-handle", status.and_then(|status| status.snapshot_handle.as_deref()));
    VolumeSnapshot {
        id: SnapshotId(snapshot.name_any()),
        volume: VolumeId(snapshot.spec.source.persistent_volume_claim_name.clone().unwrap_or_default()),
        cut_at,
        size: annotation(tags::VOLUME_BYTES).and_then(|bytes| bytes.parse().ok()).unwrap_or_default(),
        owner: tags::owner_of(&snapshot.metadata)
            .unwrap_or(provider::Owner { cluster: String::new(), run: String::new() }),
        identity: tags::identity_of(&snapshot.metadata).unwrap_or_default().to_owned(),
        details,
    }
}
