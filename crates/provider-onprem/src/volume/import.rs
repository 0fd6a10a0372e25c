//! A snapshot of the storage system that was taken from another namespace or another cluster, made usable in this one: by a
//! VolumeSnapshotContent that names its handle, and a VolumeSnapshot for that.

use std::error::Error as _;

use kube::ResourceExt;
use provider::{Error, ErrorKind, ImportRequest, Result, Retry, SnapshotId};
use tokio::time::Instant;

use super::binding::{Binding, RETAIN};
use super::cut::error_of;
use super::objects::{
    self, ContentSource, SnapshotReference, VolumeSnapshotContent, VolumeSnapshotContentSpec, VolumeSnapshotSource,
    VolumeSnapshotSpec,
};
use super::{CsiSnapshots, SnapshotProblem, tags};

/// Which snapshot of which storage system.
struct Handle<'a> {
    driver: &'a str,
    snapshot: &'a str,
}

impl CsiSnapshots {
    /// Makes both objects unless they are there, and waits until a volume can be made of them.
    pub(super) async fn import_within(&self, request: &ImportRequest) -> Result<SnapshotId> {
        let id = SnapshotId(request.identity.clone());
        let detail = |name: &'static str| {
            let missing = || {
                Error::new(ErrorKind::Invalid, "import", self.resource(&request.snapshot))
                    .with_source(SnapshotProblem::NotNamed { detail: name })
            };
            request.details.get(name).map(String::as_str).ok_or_else(missing)
        };
        let handle = Handle { driver: detail("driver")?, snapshot: detail("snapshot-handle")? };
        let ends = Instant::now() + request.limit;
        let mut last: Option<String> = None;
        loop {
            let reported = match self.look_at_import(request, &handle).await {
                Ok(Looked::Usable) => return Ok(id),
                Ok(Looked::NotYet(reported)) => reported,
                Err(error) if error.retry() == Retry::Never => return Err(error),
                Err(error) => Some(error.source().map_or(error.to_string(), |cause| format!("{error}: {cause}"))),
            };
            if let Some(reported) = reported.filter(|reported| last.as_ref() != Some(reported)) {
                request.notices.tell(format!("the snapshot can't be used here yet: {reported}"));
                last = Some(reported);
            }
            if Instant::now() >= ends {
                let (seconds, driver) = (request.limit.as_secs(), handle.driver.to_owned());
                let problem = SnapshotProblem::NotImported { seconds, driver, last };
                return Err(Error::new(ErrorKind::Timeout, "import", self.resource(&id)).with_source(problem));
            }
            tokio::time::sleep(self.options.poll).await;
        }
    }

    async fn look_at_import(&self, request: &ImportRequest, handle: &Handle<'_>) -> Result<Looked> {
        let content_name = self.content_of_import(&request.identity);
        let Some(found) = self.snapshots.get(&request.identity).await? else {
            // The content comes first: a VolumeSnapshot for one that isn't there begins with an error.
            let content = match self.contents.get(&content_name).await? {
                Some(content) => content,
                None => self.contents.create(&self.content(request, handle, &content_name)).await?,
            };
            self.ensure_ours(request, &content.metadata)?;
            self.snapshots.create(&snapshot(request, &content_name)).await?;
            return Ok(Looked::NotYet(None));
        };
        self.ensure_ours(request, &found.metadata)?;
        let bound = matches!(self.binding("import", &found).await?, Binding::Bound(_));
        let ready = found.status.as_ref().and_then(|status| status.ready_to_use) == Some(true);
        Ok(if bound && ready { Looked::Usable } else { Looked::NotYet(error_of(&found)) })
    }

    fn ensure_ours(
        &self,
        request: &ImportRequest,
        metadata: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
    ) -> Result<()> {
        let is_ours = tags::is_imported(metadata)
            && tags::identity_of(metadata) == Some(request.identity.as_str())
            && tags::owner_of(metadata).as_ref() == Some(&request.owner)
            && metadata.deletion_timestamp.is_none();
        if is_ours {
            return Ok(());
        }
        let resource = self.resource(&SnapshotId(request.identity.clone()));
        Err(Error::new(ErrorKind::AlreadyExists, "import", resource).with_source(SnapshotProblem::NotOurs))
    }

    /// Contents are in no namespace, so their names have to tell these apart.
    fn content_of_import(&self, identity: &str) -> String {
        format!("{identity}-in-{}", self.namespace)
    }

    fn content(&self, request: &ImportRequest, handle: &Handle<'_>, name: &str) -> VolumeSnapshotContent {
        let spec = VolumeSnapshotContentSpec {
            // Whatever becomes of these objects, the recovery point's snapshot is not theirs to delete.
            deletion_policy: RETAIN.to_owned(),
            driver: handle.driver.to_owned(),
            source: ContentSource { volume_handle: None, snapshot_handle: Some(handle.snapshot.to_owned()) },
            volume_snapshot_class_name: None,
            volume_snapshot_ref: SnapshotReference {
                name: Some(request.identity.clone()),
                namespace: Some(self.namespace.clone()),
                uid: None,
            },
        };
        let mut content = VolumeSnapshotContent::new(name, spec);
        content.metadata = tags::metadata(&request.identity, &request.owner, [tags::imported()]);
        content.metadata.name = Some(name.to_owned());
        content
    }

    /// Takes both objects away again. Nothing happens to the snapshot that they stand for.
    pub(super) async fn forget_import(&self, imported: &SnapshotId) -> Result<()> {
        let content = self.content_of_import(&imported.0);
        if let Some(found) = self.snapshots.get(&imported.0).await? {
            if !tags::is_imported(&found.metadata) {
                return Err(Error::new(ErrorKind::Denied, "forget", self.resource(imported))
                    .with_source(SnapshotProblem::NotOurs));
            }
            self.snapshots.delete(&imported.0).await?;
        }
        if let Some(found) = self.contents.get(&content).await?
            && tags::is_imported(&found.metadata)
            && found.spec.deletion_policy == RETAIN
        {
            self.contents.delete(&found.name_any()).await?;
        }
        self.wait_until_gone(imported, Some(&content)).await
    }
}

/// How far an import is.
enum Looked {
    Usable,
    /// Not yet; what was reported last.
    NotYet(Option<String>),
}

fn snapshot(request: &ImportRequest, content: &str) -> objects::VolumeSnapshot {
    let spec = VolumeSnapshotSpec {
        source: VolumeSnapshotSource {
            persistent_volume_claim_name: None,
            volume_snapshot_content_name: Some(content.to_owned()),
        },
        volume_snapshot_class_name: None,
    };
    let class = request.details.get("storage-class").map(|class| (tags::STORAGE_CLASS, class.clone()));
    let annotations = [tags::imported(), (tags::VOLUME_BYTES, request.size.to_string())].into_iter().chain(class);
    let mut snapshot = objects::VolumeSnapshot::new(&request.identity, spec);
    snapshot.metadata = tags::metadata(&request.identity, &request.owner, annotations);
    snapshot
}
