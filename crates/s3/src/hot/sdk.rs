//! The two calls by the SDK.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{EncodingType, Object, StorageClass};
use provider::Result;

use super::{COPY, CopyAnswer, CopyCall, HotCalls, LIST, ListAnswer, ListCall, ListStart, Listed};
use crate::bucket::{checksum, timestamp};
use crate::class;
use crate::encoding::decode;
use crate::error::{contradiction, from_sdk};
use crate::terms::Terms;

/// The SDK's clients, for one bucket.
#[derive(Debug)]
pub(crate) struct Sdk {
    pub(crate) quick: Client,
    pub(crate) patient: Client,
    pub(crate) bucket: String,
    pub(crate) terms: Arc<Terms>,
}

#[async_trait]
impl HotCalls for Sdk {
    async fn copy(&self, call: &CopyCall<'_>) -> Result<CopyAnswer> {
        let request = self
            .patient
            .copy_object()
            .bucket(&self.bucket)
            .key(call.to)
            // The SDK sends this header as it is given.
            .copy_source(call.source)
            .set_storage_class(call.class.map(StorageClass::from))
            .set_copy_source_if_match(call.if_match.map(str::to_owned));
        let terms = Arc::clone(&self.terms);
        let output = request
            .customize()
            .mutate_request(move |request| terms.add_to_new(request))
            .send()
            .await
            .map_err(|error| from_sdk(COPY, call.resource.to_owned(), error))?;
        let Some(result) = output.copy_object_result else { return Ok(CopyAnswer::default()) };
        let checksum = checksum(result.checksum_sha256(), result.checksum_crc64_nvme(), result.checksum_crc32_c());
        Ok(CopyAnswer { modified: timestamp(result.last_modified()), checksum, etag: result.e_tag })
    }

    async fn list(&self, call: &ListCall<'_>) -> Result<ListAnswer> {
        let mut request = self
            .quick
            .list_objects_v2()
            .bucket(&self.bucket)
            // Without it, a control character in a key makes the answer unreadable.
            .encoding_type(EncodingType::Url)
            .max_keys(i32::try_from(call.max_keys).unwrap_or(i32::MAX));
        if !call.prefix.is_empty() {
            request = request.prefix(call.prefix);
        }
        match call.start {
            ListStart::Beginning => {}
            ListStart::After(key) => request = request.start_after(key),
            ListStart::Token(token) => request = request.continuation_token(token),
        }
        let output = request.send().await.map_err(|error| from_sdk(LIST, call.resource.to_owned(), error))?;
        let url = output.encoding_type == Some(EncodingType::Url);
        let not_encoded = || contradiction(LIST, call.resource.to_owned(), "a key that is not encoded");
        let objects = output.contents.unwrap_or_default().into_iter();
        Ok(ListAnswer {
            objects: objects.map(|object| listed(object, url).ok_or_else(not_encoded)).collect::<Result<_>>()?,
            key_count: output.key_count.and_then(|count| usize::try_from(count).ok()),
            truncated: output.is_truncated == Some(true),
            next: output.next_continuation_token,
        })
    }
}

/// One object; `None` when its key is not encoded as the page says.
fn listed(object: Object, url: bool) -> Option<Listed> {
    let key = match object.key() {
        Some(key) if url => Some(decode(key)?),
        key => key.map(str::to_owned),
    };
    let size = object.size.and_then(|size| u64::try_from(size).ok());
    let class = object.storage_class().and_then(|class| class::told(class.as_str()));
    Some(Listed { key, size, modified: timestamp(object.last_modified()), etag: object.e_tag, class })
}
