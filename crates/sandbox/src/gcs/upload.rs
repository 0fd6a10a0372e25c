//! `POST /upload/storage/v1/b/{bucket}/o`: an object in one request, or the beginning of a resumable upload.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use tonic::body::Body;

use super::Operation;
use super::accounts::Caller;
use super::failure::Failure;
use super::fault::Fault;
use super::http_api::{Incoming, json};
use super::json_object::{self, Described, Sums};
use super::multipart_related::parts;
use super::object::{Object, check_metadata, check_name};
use super::operation::Call;
use super::preconditions::Preconditions;
use super::resumable;
use super::shared::{Shared, drop_connection};
use super::write::{check_replaced, check_retention};

/// What is to be written where.
pub(super) struct Insert {
    caller: Caller,
    pub(super) bucket: String,
    pub(super) key: String,
    conditions: Preconditions,
    described: Described,
    kms_key: Option<Arc<str>>,
}

/// A resumable upload that was begun.
pub(super) struct Upload {
    pub(super) insert: Insert,
    /// What has arrived.
    pub(super) bytes: Vec<u8>,
    /// The object's document, once it is written.
    pub(super) written: Option<String>,
}

impl Insert {
    fn new(incoming: &Incoming, bucket: String, described: Described) -> Result<Self, Failure> {
        let query = &incoming.query;
        if query.get("predefinedAcl").is_some() {
            return Err(Failure::unimplemented("ACLs of objects"));
        }
        if incoming.header("x-goog-encryption-key").is_some() {
            return Err(Failure::unimplemented("writes with a customer-supplied encryption key"));
        }
        let name = query.get("name").map(str::to_owned).or_else(|| described.name.clone());
        let insert = Self {
            caller: incoming.server.caller(incoming.request.headers(), query.user_project())?,
            bucket,
            key: name.ok_or_else(|| Failure::invalid("Required parameter: name"))?,
            conditions: query.conditions()?,
            kms_key: query.get("kmsKeyName").map(Arc::from),
            described,
        };
        check_name(&insert.key)?;
        check_metadata(&insert.described.headers)?;
        Ok(insert)
    }

    /// Refuses what can't be written, before the bytes are there.
    pub(super) fn check(&self, server: &Shared) -> Result<(), Failure> {
        server.permit(&self.caller, "storage.objects.create", &self.bucket, "object")?;
        server.store.read(&self.bucket, |bucket| {
            self.caller.pays(bucket)?;
            check_retention(server, &self.caller, bucket, &self.described.holds)?;
            check_replaced(server, &self.caller, bucket, &self.key, &self.conditions)
        })
    }

    /// Writes the object. Answers its document.
    pub(super) fn commit(&self, server: &Shared, bytes: Bytes, sums: &Sums) -> Result<String, Failure> {
        let mut object = Object::new(bytes, Arc::new(self.described.headers.clone()));
        self.described.sums.check(&object)?;
        sums.check(&object)?;
        object.holds = self.described.holds.clone();
        object.kms_key.clone_from(&self.kms_key);
        if let Some(class) = &self.described.storage_class {
            object.storage_class = class.as_str().into();
        }
        server.store.with(&self.bucket, |bucket| {
            check_replaced(server, &self.caller, bucket, &self.key, &self.conditions)?;
            let object = bucket.write(&self.key, object).clone();
            Ok(json_object::told(&self.bucket, &self.key, &object, bucket.retained_until(&object)))
        })
    }
}

pub(super) async fn call(mut incoming: Incoming, bucket: String) -> Result<Response<Body>, Failure> {
    let server = Arc::clone(&incoming.server);
    let kind = incoming.query.get("uploadType").unwrap_or_default().to_owned();
    let operation = match kind.as_str() {
        "multipart" => Operation::WriteObject,
        "resumable" => Operation::StartResumableWrite,
        _ => Operation::Other,
    };
    let key = incoming.query.get("name").unwrap_or_default().to_owned();
    // The body is read first, so that the client sees an answer rather than a broken pipe.
    let content_type = incoming.header("content-type").unwrap_or_default().to_owned();
    let body = incoming.body().await;
    let fault = server.enter(Call { operation, key: &key }, &incoming.hang_up).await?;
    let body = body?;
    let mut response = match operation {
        Operation::WriteObject => multipart(&incoming, bucket, &content_type, &body)?,
        Operation::StartResumableWrite => {
            let mut described = json_object::described(&body)?;
            let named = incoming.header("x-upload-content-type").map(str::to_owned);
            described.headers.content_type = described.headers.content_type.or(named);
            let insert = Insert::new(&incoming, bucket, described)?;
            insert.check(&server)?;
            resumable::begin(&server, insert)
        }
        _ => return Err(Failure::unimplemented(format!("uploads of the type '{kind}'"))),
    };
    match fault {
        Some(Fault::DropAfter) => return drop_connection(&incoming.hang_up).await,
        Some(Fault::WrongChecksum) => response = spoiled(response).await,
        _ => {}
    }
    Ok(response)
}

fn multipart(incoming: &Incoming, bucket: String, kind: &str, body: &Bytes) -> Result<Response<Body>, Failure> {
    let parts = parts(kind, body)?;
    let (metadata, content, trailer) = match parts.as_slice() {
        [metadata, content] => (metadata, content, None),
        // What was not known before the content was read.
        [metadata, content, trailer] => (metadata, content, Some(trailer)),
        _ => return Err(Failure::invalid("A multipart upload has a part of metadata and a part of content.")),
    };
    let mut described = json_object::described(&metadata.body)?;
    described.headers.content_type = described.headers.content_type.or_else(|| content.content_type.clone());
    let trailing = match trailer {
        Some(trailer) => Sums::document(&trailer.body)?,
        None => Sums::default(),
    };
    let header = incoming.header("x-goog-hash").map(Sums::header).transpose()?.unwrap_or_default();
    let insert = Insert::new(incoming, bucket, described)?;
    insert.check(&incoming.server)?;
    let sums = Sums { crc32c: trailing.crc32c.or(header.crc32c), md5: trailing.md5.or(header.md5) };
    insert.commit(&incoming.server, content.body.clone(), &sums).map(json)
}

/// The answer with a CRC32C that isn't the object's.
pub(super) async fn spoiled(response: Response<Body>) -> Response<Body> {
    use http_body_util::BodyExt as _;
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let Ok(mut document) = serde_json::from_slice::<serde_json::Value>(&bytes) else {
        return Response::from_parts(parts, Body::new(http_body_util::Full::new(bytes)));
    };
    let crc32c = document["crc32c"].as_str().unwrap_or_default();
    document["crc32c"] = if crc32c == "AAAAAA==" { "AAAAAQ==" } else { "AAAAAA==" }.into();
    Response::from_parts(parts, Body::new(http_body_util::Full::new(Bytes::from(document.to_string()))))
}
