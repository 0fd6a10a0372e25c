//! The metadata stream, op by op.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use pachyderm::stream::{Reader, StreamError};

use super::Check;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::Artifacts;

/// Reads the stream op by op and compares the counts.
pub(super) async fn check(stream: &Path, artifacts: &Artifacts) -> Result<Check> {
    let name = "metadata stream";
    let (path, recorded) = (stream.to_owned(), &artifacts.metadata.ops);
    let counted = tokio::task::spawn_blocking(move || count_ops(path))
        .await
        .map_err(|cause| Error::new(ErrorKind::Failed, "reading the stream ended early").because(cause))?;
    Ok(match counted {
        Ok(counts) if counts == *recorded => {
            Check::ok(name, format!("{} ops as recorded", counts.values().sum::<u64>()))
        }
        Ok(counts) => Check::failed(name, format!("ops {counts:?}, recorded are {recorded:?}")),
        Err(error) => Check::failed(name, crate::error::chain(&error)),
    })
}

fn count_ops(path: PathBuf) -> std::result::Result<BTreeMap<String, u64>, StreamError> {
    let mut reader = Reader::new(BufReader::new(File::open(path)?));
    let mut counts = BTreeMap::new();
    while let Some(op) = reader.next_op()? {
        *counts.entry(op.kind.to_string()).or_default() += 1;
    }
    Ok(counts)
}
