//! A codec that hands messages out as the bytes they came in.

use std::marker::PhantomData;

use bytes::{Buf, Bytes};
use tonic::{
    Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder},
};
use tonic_prost::{ProstCodec, ProstEncoder};

/// Encodes requests with prost, and hands answers out undecoded, so that fields nobody here knows survive.
#[derive(Debug)]
pub struct RawCodec<Request>(PhantomData<fn(Request)>);

impl<Request> Default for RawCodec<Request> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<Request: prost::Message + Send + 'static> Codec for RawCodec<Request> {
    type Encode = Request;
    type Decode = Bytes;
    type Encoder = ProstEncoder<Request>;
    type Decoder = RawDecoder;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<Request, ()>::raw_encoder(BufferSettings::default())
    }

    fn decoder(&mut self) -> Self::Decoder {
        RawDecoder
    }
}

/// The decoding half of [`RawCodec`].
#[derive(Debug)]
pub struct RawDecoder;

impl Decoder for RawDecoder {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = source.remaining();
        Ok(Some(source.copy_to_bytes(length)))
    }
}
