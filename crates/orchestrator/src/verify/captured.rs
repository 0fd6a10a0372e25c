//! `captured.json` against the manifest.

use super::Check;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::Manifest;
use crate::run_id::RunId;
use crate::vault::{Vault, VaultError, layout};

/// Compares `captured.json` with the manifest: both say the same of everything that they share.
pub(super) async fn check(vault: &Vault, run: &RunId, manifest: &Manifest) -> Result<Check> {
    let name = layout::CAPTURED.to_owned();
    let captured: serde_json::Value = match vault.get_json(run, layout::CAPTURED).await {
        Ok(captured) => captured,
        Err(error @ (VaultError::Json { .. } | VaultError::Missing { .. })) => {
            return Ok(Check::failed(name, crate::error::chain(&error)));
        }
        Err(error) => return Err(error.into()),
    };
    let manifest = serde_json::to_value(manifest)
        .map_err(|cause| Error::new(ErrorKind::Failed, "reading the manifest as JSON").because(cause))?;
    let fields = captured.as_object().into_iter().flatten();
    let different: Vec<&str> = fields
        .filter(|(field, value)| match field.as_str() {
            // The manifest adds what came later.
            "steps" => !is_part_of(value, &manifest["steps"]),
            "witness" => !value.is_null() && **value != manifest["witness"],
            field => manifest.get(field) != Some(value),
        })
        .map(|(field, _)| field.as_str())
        .collect();
    Ok(if different.is_empty() && captured.is_object() {
        Check::ok(name, "as the manifest")
    } else {
        Check::failed(name, format!("differs from the manifest: {}", different.join(", ")))
    })
}

fn is_part_of(part: &serde_json::Value, whole: &serde_json::Value) -> bool {
    part.as_object().is_some_and(|part| part.iter().all(|(name, value)| whole.get(name) == Some(value)))
}
