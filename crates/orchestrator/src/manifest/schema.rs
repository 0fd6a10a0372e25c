//! Versions of the manifest's format, its JSON Schema, and reading it.

use super::seal::is_intact;
use super::{FormatVersion, Manifest};
use crate::error::{Error, ErrorKind, Result};

/// The format that this version of the tool writes.
pub const FORMAT: FormatVersion = FormatVersion { major: 1, minor: 0 };

/// The JSON Schema of the manifest, as published in `docs/schema/`.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(Manifest).to_value()
}

/// Reads a manifest.
///
/// # Errors
/// `Damaged` when it isn't JSON or lacks something; `Configuration` when a newer tool wrote it.
pub fn read(bytes: &[u8]) -> Result<Manifest> {
    #[derive(serde::Deserialize)]
    struct Head {
        format: FormatVersion,
        tool: String,
    }
    let damaged = |cause| {
        Error::new(ErrorKind::Damaged, "manifest.json can't be read")
            .because(cause)
            .advise("compare it with the copy of another vault; without its manifest a run is no recovery point")
    };
    let head: Head = serde_json::from_slice(bytes).map_err(damaged)?;
    if head.format.major != FORMAT.major || head.format.minor > FORMAT.minor {
        return Err(Error::new(
            ErrorKind::Configuration,
            format!(
                "manifest.json has format {}.{}, this version reads {}.0 to {}.{}",
                head.format.major, head.format.minor, FORMAT.major, FORMAT.major, FORMAT.minor
            ),
        )
        .advise(format!("it was written by {}: use that version or a newer one", head.tool)));
    }
    let manifest = serde_json::from_slice(bytes).map_err(damaged)?;
    if !is_intact(bytes) {
        return Err(Error::new(ErrorKind::Damaged, "manifest.json is not as it was written: its digest differs")
            .advise("compare it with the copy of another vault, and its facts with captured.json beside it"));
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn newer_format_is_named() {
        let error = read(br#"{"format":{"major":2,"minor":0},"tool":"pachsnap 9.0.0"}"#).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.advice().unwrap().contains("pachsnap 9.0.0"));
    }

    #[test]
    fn garbage_is_damage() {
        assert_eq!(read(b"{").unwrap_err().kind(), ErrorKind::Damaged);
        assert_eq!(read(br#"{"format":{"major":1,"minor":0},"tool":"x"}"#).unwrap_err().kind(), ErrorKind::Damaged);
    }
}
