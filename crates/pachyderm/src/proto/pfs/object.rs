//! Service `pfs.ObjectAPI`: blocks, objects and tags. On the external port only with `EXPOSE_OBJECT_API=true`.

use std::collections::BTreeMap;

use bytes::Bytes;

/// Names a block.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Block {
    /// A random id, not a hash of the content.
    #[prost(string, tag = "1")]
    pub hash: String,
}

/// Names an object.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Object {
    /// 128 hexadecimal digits: SHA-512 of the content.
    #[prost(string, tag = "1")]
    pub hash: String,
}

/// Names a tag.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Tag {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
}

/// A range of bytes.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ByteRange {
    /// The first.
    #[prost(uint64, tag = "1")]
    pub lower: u64,
    /// One after the last.
    #[prost(uint64, tag = "2")]
    pub upper: u64,
}

/// A part of a block. Also the stored value of an object key.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct BlockRef {
    /// The block.
    #[prost(message, optional, tag = "1")]
    pub block: Option<Block>,
    /// The part.
    #[prost(message, optional, tag = "2")]
    pub range: Option<ByteRange>,
}

/// Where an object is.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ObjectInfo {
    /// The object.
    #[prost(message, optional, tag = "1")]
    pub object: Option<Object>,
    /// Its bytes.
    #[prost(message, optional, tag = "2")]
    pub block_ref: Option<BlockRef>,
}

/// The stored value of tag and index keys.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ObjectIndex {
    /// Where objects are, by hash.
    #[prost(btree_map = "string, message", tag = "1")]
    pub objects: BTreeMap<String, BlockRef>,
    /// Objects by tag.
    #[prost(btree_map = "string, message", tag = "2")]
    pub tags: BTreeMap<String, Object>,
}

/// Several objects.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Objects {
    /// One for each.
    #[prost(message, repeated, tag = "1")]
    pub objects: Vec<Object>,
}

/// A piece of an object.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct PutObjectRequest {
    /// Its bytes; an empty value ends the object.
    #[prost(bytes = "bytes", tag = "1")]
    pub value: Bytes,
    /// Tags to give it.
    #[prost(message, repeated, tag = "2")]
    pub tags: Vec<Tag>,
    /// The block to write to (absent in 1.7).
    #[prost(message, optional, tag = "3")]
    pub block: Option<Block>,
}

/// Names a part of a block as an object.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CreateObjectRequest {
    /// The object.
    #[prost(message, optional, tag = "1")]
    pub object: Option<Object>,
    /// Its bytes.
    #[prost(message, optional, tag = "2")]
    pub block_ref: Option<BlockRef>,
}

/// Asks for the bytes of objects, one after another.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GetObjectsRequest {
    /// The objects.
    #[prost(message, repeated, tag = "1")]
    pub objects: Vec<Object>,
    /// Where to begin.
    #[prost(uint64, tag = "2")]
    pub offset_bytes: u64,
    /// At most so many; 0 is all.
    #[prost(uint64, tag = "3")]
    pub size_bytes: u64,
    /// Bytes of all of them, if known.
    #[prost(uint64, tag = "4")]
    pub total_size: u64,
}

/// A piece of a block.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct PutBlockRequest {
    /// The block.
    #[prost(message, optional, tag = "1")]
    pub block: Option<Block>,
    /// Its bytes; in an extract stream an empty value ends the block.
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
}

/// Asks for the bytes of a block.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GetBlockRequest {
    /// The block.
    #[prost(message, optional, tag = "1")]
    pub block: Option<Block>,
}

/// Asks for the bytes of parts of blocks.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GetBlocksRequest {
    /// The parts.
    #[prost(message, repeated, tag = "1")]
    pub block_refs: Vec<BlockRef>,
    /// Where to begin.
    #[prost(uint64, tag = "2")]
    pub offset_bytes: u64,
    /// At most so many; 0 is all.
    #[prost(uint64, tag = "3")]
    pub size_bytes: u64,
    /// Bytes of all of them, if known.
    #[prost(uint64, tag = "4")]
    pub total_size: u64,
}

/// Asks for all blocks, and the keys beside them.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ListBlockRequest {}

/// Gives an object tags.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct TagObjectRequest {
    /// The object.
    #[prost(message, optional, tag = "1")]
    pub object: Option<Object>,
    /// The tags.
    #[prost(message, repeated, tag = "2")]
    pub tags: Vec<Tag>,
}

/// Asks whether an object exists.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CheckObjectRequest {
    /// The object.
    #[prost(message, optional, tag = "1")]
    pub object: Option<Object>,
}

/// Whether an object exists.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CheckObjectResponse {
    /// Its key is in the object store.
    #[prost(bool, tag = "1")]
    pub exists: bool,
}

/// Asks for all objects.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ListObjectsRequest {}

/// Deletes objects.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct DeleteObjectsRequest {
    /// The objects.
    #[prost(message, repeated, tag = "1")]
    pub objects: Vec<Object>,
}

/// The answer: nothing.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct DeleteObjectsResponse {}

/// Asks for tags.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ListTagsRequest {
    /// Only those that begin with it.
    #[prost(string, tag = "1")]
    pub prefix: String,
    /// Also what they name.
    #[prost(bool, tag = "2")]
    pub include_object: bool,
}

/// One tag.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ListTagsResponse {
    /// The tag.
    #[prost(message, optional, tag = "1")]
    pub tag: Option<Tag>,
    /// What it names, if asked for.
    #[prost(message, optional, tag = "2")]
    pub object: Option<Object>,
}

/// Deletes tags.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct DeleteTagsRequest {
    /// The tags.
    #[prost(message, repeated, tag = "1")]
    pub tags: Vec<Tag>,
}

/// The answer: nothing.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct DeleteTagsResponse {}

/// A piece of a raw key.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct PutObjDirectRequest {
    /// The key.
    #[prost(string, tag = "1")]
    pub obj: String,
    /// Its bytes.
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
}

/// Asks for the bytes of a raw key.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GetObjDirectRequest {
    /// The key.
    #[prost(string, tag = "1")]
    pub obj: String,
}

/// Deletes raw keys.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct DeleteObjDirectRequest {
    /// The key.
    #[prost(string, tag = "1")]
    pub object: String,
    /// Or everything that begins with it.
    #[prost(string, tag = "2")]
    pub prefix: String,
}
