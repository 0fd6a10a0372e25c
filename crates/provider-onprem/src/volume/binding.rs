//! VolumeSnapshot and VolumeSnapshotContent name each other, or the snapshot isn't what it seems.

use kube::ResourceExt;
use provider::{Error, ErrorKind, Result};

use super::objects::{self, VolumeSnapshotContent};
use super::{CsiSnapshots, SnapshotProblem};

/// The data goes with the objects.
pub(super) const DELETE: &str = "Delete";
/// The data stays when the objects go.
pub(super) const RETAIN: &str = "Retain";

/// What a VolumeSnapshot is bound to.
#[derive(Clone, Debug)]
pub(super) enum Binding {
    /// To nothing yet.
    Unbound,
    /// To this content, which names it too.
    Bound(Box<VolumeSnapshotContent>),
}

impl CsiSnapshots {
    /// Looks up the content of a snapshot, and checks that it names this very snapshot (name, namespace, uid): anybody who
    /// may write VolumeSnapshots can let one point to another's content.
    ///
    /// # Errors
    /// `Corrupt` when the content is gone or names another; it does not mend by itself.
    pub(super) async fn binding(&self, operation: &'static str, snapshot: &objects::VolumeSnapshot) -> Result<Binding> {
        let status = snapshot.status.as_ref();
        let Some(name) = status.and_then(|status| status.bound_volume_snapshot_content_name.as_deref()) else {
            return Ok(Binding::Unbound);
        };
        let damaged = |problem| {
            let resource = format!("VolumeSnapshot {}/{}", self.namespace, snapshot.name_any());
            Error::new(ErrorKind::Corrupt, operation, resource).with_retry(provider::Retry::Never).with_source(problem)
        };
        let Some(content) = self.contents.get(name).await? else {
            return Err(damaged(SnapshotProblem::ContentGone { content: name.to_owned() }));
        };
        let reference = &content.spec.volume_snapshot_ref;
        let same = reference.name.as_deref() == Some(snapshot.name_any().as_str())
            && reference.namespace.as_deref() == Some(self.namespace.as_str())
            && reference.uid == snapshot.metadata.uid;
        if !same {
            let part = |text: &Option<String>| text.clone().unwrap_or_default();
            let belongs_to =
                format!("{}/{} (uid {})", part(&reference.namespace), part(&reference.name), part(&reference.uid));
            return Err(damaged(SnapshotProblem::BoundToAnother { content: name.to_owned(), belongs_to }));
        }
        Ok(Binding::Bound(Box::new(content)))
    }

    /// The content that is a snapshot's own: none where it was never bound, or is bound to what names another.
    pub(super) async fn own_content(
        &self,
        operation: &'static str,
        snapshot: &objects::VolumeSnapshot,
    ) -> Result<Option<Box<VolumeSnapshotContent>>> {
        match self.binding(operation, snapshot).await {
            Ok(Binding::Bound(content)) => Ok(Some(content)),
            Ok(Binding::Unbound) => Ok(None),
            Err(error) if error.kind() == ErrorKind::Corrupt => Ok(None),
            Err(error) => Err(error),
        }
    }
}
