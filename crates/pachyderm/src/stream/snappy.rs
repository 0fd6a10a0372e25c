//! Reading the snappy framing format, with each kind of damage told apart.

use std::io::{self, Read};

use super::StreamError;

const IDENTIFIER: &[u8; 6] = b"sNaPpY";
/// Most bytes that a chunk may hold unpacked.
const MAX_UNPACKED: usize = 65_536;
/// Most bytes that a data chunk may hold packed: the worst case of the compressor, and the checksum.
const MAX_PACKED: usize = 4 + 32 + MAX_UNPACKED + MAX_UNPACKED / 6;

/// Unpacks a snappy-framed file chunk by chunk. Holds one chunk at a time.
pub(super) struct SnappyReader<R> {
    inner: R,
    decoder: snap::raw::Decoder,
    packed: Vec<u8>,
    unpacked: Vec<u8>,
    /// How much of `unpacked` was handed out.
    taken: usize,
    offset: u64,
    seen_identifier: bool,
    seen_data: bool,
}

impl<R: Read> SnappyReader<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            decoder: snap::raw::Decoder::new(),
            packed: Vec::new(),
            unpacked: Vec::new(),
            taken: 0,
            offset: 0,
            seen_identifier: false,
            seen_data: false,
        }
    }

    pub(super) fn into_inner(self) -> R {
        self.inner
    }

    /// Unpacked bytes that follow, at most `limit` of them. Empty only at the end of the file.
    pub(super) fn next_bytes(&mut self, limit: usize) -> Result<&[u8], StreamError> {
        while self.taken == self.unpacked.len() {
            if !self.read_chunk()? {
                return Ok(&[]);
            }
        }
        let start = self.taken;
        self.taken = self.unpacked.len().min(start.saturating_add(limit));
        Ok(&self.unpacked[start..self.taken])
    }

    /// Reads one chunk of whatever type. False at the end of the file.
    fn read_chunk(&mut self) -> Result<bool, StreamError> {
        let offset = self.offset;
        let mut header = [0; 4];
        match self.fill(&mut header)? {
            0 if self.seen_identifier && !self.seen_data => return Err(StreamError::TruncatedAfterIdentifier),
            0 => return Ok(false),
            4 => {}
            _ if !self.seen_identifier && header[0] != 0xff => return Err(StreamError::NotSnappy { offset }),
            _ => return Err(StreamError::TruncatedChunk { offset }),
        }
        let [chunk_type, a, b, c] = header;
        let length = u32::from_le_bytes([a, b, c, 0]) as usize;
        if !self.seen_identifier && chunk_type != 0xff {
            return Err(StreamError::NotSnappy { offset });
        }
        match chunk_type {
            0xff => {
                if length != IDENTIFIER.len() {
                    return Err(StreamError::NotSnappy { offset });
                }
                self.read_body(length, offset)?;
                if self.packed != IDENTIFIER {
                    return Err(StreamError::NotSnappy { offset });
                }
                self.seen_identifier = true;
            }
            0x00 | 0x01 => {
                if !(4..=MAX_PACKED).contains(&length) {
                    return Err(StreamError::BadChunkSize { offset, length });
                }
                self.read_body(length, offset)?;
                self.unpack(chunk_type == 0x00, offset)?;
                self.seen_data = true;
            }
            0x80..=0xfe => self.skip(length, offset)?,
            _ => return Err(StreamError::UnknownChunk { offset, chunk_type }),
        }
        Ok(true)
    }

    fn unpack(&mut self, compressed: bool, offset: u64) -> Result<(), StreamError> {
        let (checksum, data) = self.packed.split_at(4);
        let stored = checksum.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte));
        self.taken = 0;
        self.unpacked.clear();
        if compressed {
            let bad = |source| StreamError::BadCompression { offset, source };
            let length = snap::raw::decompress_len(data).map_err(bad)?;
            if length > MAX_UNPACKED {
                return Err(StreamError::BadChunkSize { offset, length });
            }
            self.unpacked.resize(length, 0);
            let got = self.decoder.decompress(data, &mut self.unpacked).map_err(bad);
            self.unpacked.truncate(*got.as_ref().unwrap_or(&0));
            got?;
        } else {
            if data.len() > MAX_UNPACKED {
                return Err(StreamError::BadChunkSize { offset, length: data.len() });
            }
            self.unpacked.extend_from_slice(data);
        }
        let computed = crc32c::crc32c(&self.unpacked).rotate_right(15).wrapping_add(0xa282_ead8);
        if stored != computed {
            self.unpacked.clear();
            return Err(StreamError::BadChecksum { offset, stored, computed });
        }
        Ok(())
    }

    fn read_body(&mut self, length: usize, chunk: u64) -> Result<(), StreamError> {
        let mut packed = std::mem::take(&mut self.packed);
        packed.resize(length, 0);
        let got = self.fill(&mut packed);
        self.packed = packed;
        if got? == length { Ok(()) } else { Err(StreamError::TruncatedChunk { offset: chunk }) }
    }

    fn skip(&mut self, length: usize, chunk: u64) -> Result<(), StreamError> {
        let skipped = io::copy(&mut (&mut self.inner).take(length as u64), &mut io::sink())?;
        self.offset += skipped;
        if skipped == length as u64 { Ok(()) } else { Err(StreamError::TruncatedChunk { offset: chunk }) }
    }

    /// Reads until `buffer` is full or the file ends; the number of bytes read.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError> {
        let mut got = 0;
        while got < buffer.len() {
            match self.inner.read(&mut buffer[got..]) {
                Ok(0) => break,
                Ok(read) => got += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.offset += got as u64;
        Ok(got)
    }
}
