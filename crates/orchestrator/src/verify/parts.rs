//! Every file in the vault, read back.

use super::Check;
use crate::error::Result;
use crate::manifest::Artifacts;
use crate::run_id::RunId;
use crate::vault::{Part, PartState, Vault};

/// Reads back every file in the vault and compares size and SHA-256.
pub(crate) async fn check_parts(vault: &Vault, run: &RunId, artifacts: &Artifacts) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    for part in parts(artifacts) {
        checks.push(match vault.check_part(run, part).await? {
            PartState::Whole => Check::ok(&part.name, format!("{} bytes, SHA-256 as recorded", part.size)),
            PartState::Missing => Check::failed(&part.name, "missing"),
            PartState::Different { size, sha256 } => Check::failed(
                &part.name,
                format!(
                    "damaged: {size} bytes with SHA-256 {sha256}, recorded are {} bytes with {}",
                    part.size, part.sha256
                ),
            ),
        });
    }
    Ok(checks)
}

fn parts(artifacts: &Artifacts) -> impl Iterator<Item = &Part> {
    [&artifacts.metadata.file, &artifacts.cluster_objects]
        .into_iter()
        .chain(artifacts.etcd.as_ref().map(|etcd| &etcd.file))
        .chain(&artifacts.bucket.inventory)
}
