//! Objects of a restore: where they lie, and their tags.

use std::collections::BTreeMap;

use bytes::Bytes;
use pachyderm::proto::pfs::{CreateObjectRequest, Object, ObjectIndex, Tag, TagObjectRequest};
use prost::Message;
use tonic::Status;

use super::super::PachdService;
use crate::pachd::grpc::plain;

impl PachdService {
    /// Stores bytes as an object of their own, with tags: what streams up to 1.9.5 hold.
    pub(super) fn put_object(&self, bytes: Bytes, tags: &[Tag]) {
        let hash = self.state.objects().write(bytes);
        self.tag(&Object { hash }, tags);
    }

    /// Says in which part of which block an object lies. An earlier word is overwritten; the block is not looked at.
    pub(super) fn create_object(&self, request: CreateObjectRequest) -> Result<(), Status> {
        let object = request.object.ok_or_else(|| plain("object cannot be nil"))?;
        let location = request.block_ref.unwrap_or_default();
        self.state.bucket.put(&format!("object/{}", object.hash), location.encode_to_vec().into());
        Ok(())
    }

    /// Gives tags to an object, which has to be there.
    pub(super) fn tag_object(&self, request: TagObjectRequest) -> Result<(), Status> {
        let object = request.object.unwrap_or_default();
        if self.state.objects().location(&object.hash).is_none() {
            return Err(plain(format!("object hash:\"{}\"  does not exist", object.hash)));
        }
        self.tag(&object, &request.tags);
        Ok(())
    }

    fn tag(&self, object: &Object, tags: &[Tag]) {
        for tag in tags {
            let tags = BTreeMap::from([(tag.name.clone(), object.clone())]);
            let index = ObjectIndex { tags, ..ObjectIndex::default() };
            self.state.bucket.put(&format!("tag/{}", tag.name), index.encode_to_vec().into());
        }
    }
}
