//! The metadata stream: read over gRPC, written as `pachctl restore` reads it, byte for byte as it came.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use bytes::Bytes;
use futures::StreamExt;
use pachyderm::client::Client;
use pachyderm::proto::admin::ExtractRequest;
use pachyderm::stream::{Summary, Writer};
use tokio::sync::mpsc;

use super::movement::Movement;
use crate::cluster::pachd_error;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Artifact, EventKind, Events};

/// Ops between two reports of progress.
const REPORT_EVERY: u64 = 1000;
/// Ops that are handed to the disk at once, where so many have come.
const BATCH: usize = 64;
/// Batches that may wait for the disk.
const QUEUE: usize = 4;

/// What to extract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtractOptions {
    /// Also the bytes of every block, as plain `pachctl extract` does.
    pub with_objects: bool,
}

/// What was extracted.
#[derive(Clone, Debug)]
pub struct Extracted {
    /// Size, digest, counts.
    pub summary: Summary,
}

/// Extracts into a file. One op is in memory at a time; the file is whole and on disk when this returns.
///
/// # Errors
/// `Incomplete` when pachd ends the stream with an error, or an op can't be one.
pub(super) async fn extract_to_file(
    pachd: &Client,
    options: ExtractOptions,
    path: &Path,
    events: &Events,
    movement: &Movement,
) -> Result<Extracted> {
    let file = File::options().create_new(true).read(true).write(true).open(path).map_err(disk)?;
    let (extracted, file) = extract(pachd, options, BufWriter::new(file), events, movement).await?;
    let file = file.into_inner().map_err(|error| disk(error.into_error()))?;
    tokio::task::spawn_blocking(move || file.sync_all()).await.map_err(joined)?.map_err(disk)?;
    Ok(extracted)
}

/// Extracts into a writer, which is given back.
///
/// # Errors
/// As a file's.
pub async fn extract_to<W: Write + Send + 'static>(
    pachd: &Client,
    options: ExtractOptions,
    output: W,
    events: &Events,
) -> Result<(Extracted, W)> {
    extract(pachd, options, output, events, &Movement::new()).await
}

async fn extract<W: Write + Send + 'static>(
    pachd: &Client,
    options: ExtractOptions,
    output: W,
    events: &Events,
    movement: &Movement,
) -> Result<(Extracted, W)> {
    let request = ExtractRequest { no_objects: !options.with_objects, ..ExtractRequest::default() };
    let ops = pachd.extract(request).await.map_err(|error| pachd_error("starting the extract", error))?;
    let (sender, mut receiver) = mpsc::channel::<Vec<Bytes>>(QUEUE);
    let events = events.clone();
    let writing = tokio::task::spawn_blocking(move || {
        let mut writer = Writer::new(output);
        let mut count = 0_u64;
        while let Some(batch) = receiver.blocking_recv() {
            for op in batch {
                writer.write_op(&op)?;
                count += 1;
                if count.is_multiple_of(REPORT_EVERY) {
                    report(&events, count, writer.bytes());
                }
            }
        }
        report(&events, count, writer.bytes());
        writer.finish()
    });
    let mut failure = None;
    let mut batches = ops.ready_chunks(BATCH);
    while let Some(next) = batches.next().await {
        movement.moved();
        let mut batch = Vec::with_capacity(next.len());
        for op in next {
            match op {
                Ok(op) => batch.push(op),
                Err(error) => {
                    failure = Some(
                        Error::new(ErrorKind::Incomplete, "pachd ended the metadata stream before its end")
                            .because(error)
                            .advise(
                                "see pachd's log; an unreadable spec file or a list over 20 MiB ends every extract",
                            ),
                    );
                }
            }
        }
        if sender.send(batch).await.is_err() || failure.is_some() {
            break;
        }
    }
    drop(sender);
    let written = writing.await.map_err(joined)?;
    if let Some(failure) = failure {
        return Err(failure);
    }
    let (output, summary) = written.map_err(|cause| {
        Error::new(ErrorKind::Incomplete, "the metadata stream could not be written").because(cause)
    })?;
    if summary.ops.total() == 0 {
        return Err(Error::new(ErrorKind::Incomplete, "pachd sent an empty metadata stream")
            .advise("even an empty cluster has one op: run again, and see pachd's log"));
    }
    Ok((Extracted { summary }, output))
}

fn report(events: &Events, ops: u64, bytes: u64) {
    events.emit(EventKind::Progress { artifact: Artifact::Metadata, done: ops, total: None, bytes: Some(bytes) });
}

fn disk(cause: std::io::Error) -> Error {
    Error::new(ErrorKind::Failed, "writing the metadata stream to disk").because(cause)
}

fn joined(cause: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Failed, "a writing task ended early").because(cause)
}
