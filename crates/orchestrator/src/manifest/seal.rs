//! The manifest's own digest: the one part of a recovery point that no other part vouches for.

use super::Manifest;
use crate::digest;
use crate::error::{Error, ErrorKind, Result};

const FIELD: &[u8] = b"\"digest\": \"";
const DIGITS: usize = 64;

/// The manifest as a file, with the digest of all its bytes in it, and the same manifest as a value.
///
/// # Errors
/// `Failed` when it has no JSON form.
pub(crate) fn sealed(manifest: Manifest) -> Result<(Manifest, Vec<u8>)> {
    let mut manifest = Manifest { digest: "0".repeat(DIGITS), ..manifest };
    let failed = |cause| Error::new(ErrorKind::Failed, "writing the manifest as JSON").because(cause);
    let mut file = serde_json::to_vec_pretty(&manifest).map_err(failed)?;
    file.push(b'\n');
    let place =
        digits(&file).ok_or_else(|| Error::new(ErrorKind::Failed, "the manifest has no place for its digest"))?;
    manifest.digest = hex::encode(digest::of_bytes(&file).sha256);
    file[place].copy_from_slice(manifest.digest.as_bytes());
    Ok((manifest, file))
}

/// Whether every byte of a manifest's file is as it was written.
pub(super) fn is_intact(file: &[u8]) -> bool {
    let Some(place) = digits(file) else { return false };
    let recorded = file[place.clone()].to_vec();
    let mut unsealed = file.to_vec();
    unsealed[place].fill(b'0');
    hex::encode(digest::of_bytes(&unsealed).sha256).as_bytes() == recorded
}

/// Where the digits of the digest are.
fn digits(file: &[u8]) -> Option<std::ops::Range<usize>> {
    let from = file.windows(FIELD.len()).position(|window| window == FIELD)? + FIELD.len();
    (file.len() >= from + DIGITS).then_some(from..from + DIGITS)
}
