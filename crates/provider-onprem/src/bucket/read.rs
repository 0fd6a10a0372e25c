//! A file being read, held to the facts it had at the beginning.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use provider::{ErrorKind, GetRequest, ObjectMeta, Result};

use super::blocking;
use super::path::{find, missing, object_meta, open, version};
use crate::FileError;
use crate::error::Context;

/// Bytes read at once.
const READ_BYTES: u64 = 256 << 10;

/// A file being read.
#[derive(Debug)]
pub(crate) struct Reading {
    context: Context,
    file: File,
    meta: ObjectMeta,
    position: u64,
    end: u64,
}

impl Reading {
    /// Opens the file under a key and finds the range that is wanted of it.
    pub(crate) fn begin(context: &Context, root: &Path, request: &GetRequest) -> Result<Self> {
        let found = find(context, root, &request.key)?.ok_or_else(|| missing(context))?;
        let file = open(context, &found)?;
        let meta = object_meta(request.key.clone(), &found.metadata);
        if request.if_version.as_ref().is_some_and(|wanted| *wanted != meta.version) {
            return Err(context.plain(ErrorKind::Changed));
        }
        let (position, end) = match &request.range {
            None => (0, meta.size),
            Some(range) if range.start >= range.end.min(meta.size) => return Err(context.plain(ErrorKind::Invalid)),
            Some(range) => (range.start, range.end.min(meta.size)),
        };
        Ok(Self { context: context.clone(), file, meta, position, end })
    }

    /// Facts of the whole object.
    pub(crate) fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    /// The next bytes. With the last ones the file is looked at again.
    fn read(mut self) -> Result<(Bytes, Self)> {
        let length = READ_BYTES.min(self.end - self.position);
        let mut buffer = vec![0; usize::try_from(length).unwrap_or_default()];
        // Too few bytes: somebody made the file shorter.
        self.file.read_exact_at(&mut buffer, self.position).map_err(|cause| self.context.io(cause))?;
        self.position += length;
        if self.position == self.end {
            let after = self.file.metadata().map_err(|cause| self.context.io(cause))?;
            if version(&after) != self.meta.version {
                return Err(self.context.own(ErrorKind::Changed, FileError::ChangedWhileRead));
            }
        }
        Ok((buffer.into(), self))
    }

    /// The rest, piece by piece; nothing after an error.
    pub(crate) fn stream(self) -> BoxStream<'static, Result<Bytes>> {
        let next = |reading: Option<Self>| async {
            let reading = reading.filter(|reading| reading.position < reading.end)?;
            let context = reading.context.clone();
            Some(match blocking(&context, move |_| reading.read()).await {
                Ok((bytes, reading)) => (Ok(bytes), Some(reading)),
                Err(error) => (Err(error), None),
            })
        };
        stream::unfold(Some(self), next).boxed()
    }
}
