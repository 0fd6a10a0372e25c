//! Which permissions are missing, asked of Compute Engine.

use provider::{Result, SnapshotId, VolumeId};

use super::PdSnapshots;
use super::rights::PdPurpose;

impl PdSnapshots {
    /// The permissions for a purpose that these credentials lack on a disk and on a snapshot, sorted. Changes nothing. What is asked of
    /// neither stays unasked: permissions of the project (`compute.snapshots.create`, `compute.snapshots.list`, those of operations)
    /// can be tested by the Resource Manager only.
    ///
    /// # Errors
    /// When Compute Engine can't be asked, when it doesn't know these credentials, and `NotFound` for what isn't there.
    pub async fn missing_permissions(
        &self,
        purpose: PdPurpose,
        disk: Option<&VolumeId>,
        snapshot: Option<&SnapshotId>,
    ) -> Result<Vec<&'static str>> {
        let of = |kind: &str| {
            let needed = purpose.permissions().iter().copied();
            let needed = needed.filter(|permission| permission.starts_with(kind) && !is_of_project(permission));
            needed.collect::<Vec<_>>()
        };
        let mut missing = Vec::new();
        if let Some(disk) = disk {
            let (id, asked) = (self.disk_id("disks.testIamPermissions", disk)?, of("compute.disks."));
            if !asked.is_empty() {
                let held = self.clients.permissions_on_disk(&id, &asked).await?;
                missing.extend(asked.into_iter().filter(|asked| !held.iter().any(|held| held == asked)));
            }
        }
        if let Some(snapshot) = snapshot {
            let (name, asked) =
                (self.snapshot_name("snapshots.testIamPermissions", snapshot)?, of("compute.snapshots."));
            if !asked.is_empty() {
                let held = self.clients.permissions_on_snapshot(&name, &asked).await?;
                missing.extend(asked.into_iter().filter(|asked| !held.iter().any(|held| held == asked)));
            }
        }
        missing.sort_unstable();
        Ok(missing)
    }
}

/// Whether a permission is held on a project and on nothing below it.
fn is_of_project(permission: &str) -> bool {
    permission.ends_with(".create") || permission.ends_with(".list")
}
