//! Service `pfs.ObjectAPI`: blocks, objects and tags straight from the bucket.

use futures::StreamExt;
use futures::stream;
use pachyderm::proto::pfs::{
    Block, CheckObjectRequest, CheckObjectResponse, ListTagsRequest, ListTagsResponse, Object, ObjectIndex, ObjectInfo,
};
use prost::Message;
use tonic::Status;

use super::{PachdService, errors};
use crate::pachd::grpc::{Answer, Call, many, one, plain, unknown_method};

/// Largest piece in which pachd streams bytes.
pub(super) const PIECE: usize = 2 * 1024 * 1024;

impl PachdService {
    pub(super) async fn object(&self, call: &mut Call) -> Result<Answer, Status> {
        match call.method.as_str() {
            "CheckObject" => {
                let request: CheckObjectRequest = call.message().await?;
                let hash = request.object.unwrap_or_default().hash;
                one(&CheckObjectResponse { exists: self.state.bucket.get(&format!("object/{hash}")).is_some() })
            }
            "InspectObject" => {
                let object: Object = call.message().await?;
                one(&self.object_info(object.hash)?)
            }
            "ListBlock" => {
                let blocks = self.state.bucket.list("block/").into_iter();
                Ok(many(blocks.map(|key| Block { hash: key["block/".len()..].to_owned() })))
            }
            "ListObjects" => {
                let keys = self.state.bucket.list("object/").into_iter();
                let objects: Result<Vec<_>, _> =
                    keys.map(|key| self.object_info(key["object/".len()..].to_owned())).collect();
                Ok(many(objects?))
            }
            "ListTags" => {
                let request: ListTagsRequest = call.message().await?;
                let tags = self.tags(&request.prefix)?.into_iter().map(|mut tag| {
                    tag.object = tag.object.take_if(|_| request.include_object);
                    tag
                });
                Ok(many(tags))
            }
            "GetObject" => {
                let object: Object = call.message().await?;
                let location = self.object_info(object.hash.clone())?.block_ref.unwrap_or_default();
                let block = location.block.unwrap_or_default().hash;
                let bytes = self.state.objects().content(&object.hash);
                let bytes = bytes.ok_or_else(|| plain(format!("object block/{block} not found")))?;
                let pieces: Vec<_> = (0..bytes.len())
                    .step_by(PIECE)
                    .map(|at| bytes.slice(at..bytes.len().min(at + PIECE)))
                    .map(|piece| Ok(piece.encode_to_vec().into()))
                    .collect();
                Ok(stream::iter(pieces).boxed())
            }
            _ => Err(unknown_method(&call.service, &call.method)),
        }
    }

    /// Where an object lies.
    pub(super) fn object_info(&self, hash: String) -> Result<ObjectInfo, Status> {
        let location = self.state.objects().location(&hash).ok_or_else(|| errors::object_not_found(&hash))?;
        Ok(ObjectInfo { object: Some(Object { hash }), block_ref: Some(location) })
    }

    /// All tags that begin with `prefix`, with their objects, in order of name.
    pub(super) fn tags(&self, prefix: &str) -> Result<Vec<ListTagsResponse>, Status> {
        let mut tags = Vec::new();
        for key in self.state.bucket.list(&format!("tag/{prefix}")) {
            // Deleted since the listing.
            let Some(value) = self.state.bucket.get(&key) else { continue };
            let index = ObjectIndex::decode(value).map_err(|error| plain(error.to_string()))?;
            let name = key["tag/".len()..].to_owned();
            let object = index.tags.get(&name).cloned();
            tags.push(ListTagsResponse { tag: Some(pachyderm::proto::pfs::Tag { name }), object });
        }
        Ok(tags)
    }
}
