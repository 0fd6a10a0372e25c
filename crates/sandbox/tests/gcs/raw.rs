//! Plain clients: gRPC by messages, HTTP by requests.

use bytes::Bytes;
use googleapis_tonic_google_storage_v2::google::storage::v2::storage_client::StorageClient;
use googleapis_tonic_google_storage_v2::google::storage::v2::{self as proto, RewriteObjectRequest};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sandbox::gcs::{GcsOptions, GcsServer};
use tonic::transport::Channel;

pub(crate) const DATA: &str = "projects/_/buckets/data";
pub(crate) const CLONE: &str = "projects/_/buckets/clone";

/// A server with the buckets `data` and `clone`, and clients of it.
pub(crate) struct Raw {
    pub(crate) server: GcsServer,
    pub(crate) grpc: StorageClient<Channel>,
    pub(crate) token: String,
}

pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

impl Raw {
    pub(crate) async fn start() -> Self {
        Self::start_with(GcsOptions::default()).await
    }

    pub(crate) async fn start_with(options: GcsOptions) -> Self {
        let server = GcsServer::start(options).await.unwrap();
        let (_, _) = (server.bucket("data"), server.bucket("clone"));
        let channel = Channel::from_shared(server.endpoint()).unwrap().connect_lazy();
        Self { grpc: StorageClient::new(channel), token: server.token(), server }
    }

    /// A request with its token and routing header.
    pub(crate) fn ask<R>(&self, request: R, params: &[(&str, &str)]) -> tonic::Request<R> {
        let mut request = tonic::Request::new(request);
        let params: Vec<String> = params.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        request.metadata_mut().insert("x-goog-request-params", params.join("&").parse().unwrap());
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        request
    }

    pub(crate) async fn get(&mut self, request: proto::GetObjectRequest) -> Result<proto::Object, tonic::Status> {
        let bucket = request.bucket.clone();
        let request = self.ask(request, &[("bucket", &bucket)]);
        Ok(self.grpc.get_object(request).await?.into_inner())
    }

    pub(crate) async fn delete(&mut self, request: proto::DeleteObjectRequest) -> Result<(), tonic::Status> {
        let bucket = request.bucket.clone();
        let request = self.ask(request, &[("bucket", &bucket)]);
        self.grpc.delete_object(request).await.map(|_| ())
    }

    pub(crate) async fn list(
        &mut self,
        request: proto::ListObjectsRequest,
    ) -> Result<proto::ListObjectsResponse, tonic::Status> {
        let bucket = request.parent.clone();
        let request = self.ask(request, &[("bucket", &bucket)]);
        Ok(self.grpc.list_objects(request).await?.into_inner())
    }

    pub(crate) async fn rewrite(
        &mut self,
        request: RewriteObjectRequest,
    ) -> Result<proto::RewriteResponse, tonic::Status> {
        let (to, from) = (request.destination_bucket.clone(), request.source_bucket.clone());
        let params = [("bucket", to.as_str()), ("source_bucket", from.as_str())];
        let request = self.ask(request, &params);
        Ok(self.grpc.rewrite_object(request).await?.into_inner())
    }

    /// Sends a request with the token, unless it has one.
    pub(crate) async fn send(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.try_send(request).await.unwrap()
    }

    pub(crate) async fn try_send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        let (mut parts, body) = request.into_parts();
        let bearer = format!("Bearer {}", self.token).parse().unwrap();
        parts.headers.entry("authorization").or_insert(bearer);
        let uri = parts.uri.to_string();
        if uri.starts_with('/') {
            parts.uri = format!("{}{uri}", self.server.endpoint()).parse().unwrap();
        }
        let client = Client::builder(TokioExecutor::new()).build_http();
        let response = client.request(Request::from_parts(parts, Full::new(body))).await.map_err(|e| e.to_string())?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
        Ok(Response::from_parts(parts, body))
    }

    /// Uploads an object in one request, with this metadata, and a third part if there is one.
    pub(crate) async fn upload(
        &self,
        query: &str,
        metadata: &str,
        content: &[u8],
        trailer: Option<&str>,
    ) -> Response<Bytes> {
        let mut body = format!("--B\r\nContent-Type: application/json\r\n\r\n{metadata}\r\n--B\r\n\r\n").into_bytes();
        body.extend_from_slice(content);
        if let Some(trailer) = trailer {
            body.extend_from_slice(format!("\r\n--B\r\nContent-Type: application/json\r\n\r\n{trailer}").as_bytes());
        }
        body.extend_from_slice(b"\r\n--B--\r\n");
        let uri = format!("/upload/storage/v1/b/data/o?uploadType=multipart&{query}");
        let request = Request::post(uri).header("content-type", "multipart/related; boundary=B");
        self.send(request.body(body.into()).unwrap()).await
    }

    /// Reads an object's bytes.
    pub(crate) async fn read(&self, key: &str, query: &str, range: Option<&str>) -> Response<Bytes> {
        let request = Request::get(format!("/storage/v1/b/data/o/{}?alt=media{query}", encoded(key)));
        let request = match range {
            Some(range) => request.header("range", range),
            None => request,
        };
        self.send(request.body(Bytes::new()).unwrap()).await
    }
}

/// `GetObject` for a key of the bucket `data`.
pub(crate) fn get(key: &str) -> proto::GetObjectRequest {
    proto::GetObjectRequest { bucket: DATA.to_owned(), object: key.to_owned(), ..Default::default() }
}

/// `DeleteObject` for a key of the bucket `data`.
pub(crate) fn delete(key: &str) -> proto::DeleteObjectRequest {
    proto::DeleteObjectRequest { bucket: DATA.to_owned(), object: key.to_owned(), ..Default::default() }
}

/// `RewriteObject` from `data` to the same key of `clone`.
pub(crate) fn rewrite(key: &str) -> RewriteObjectRequest {
    RewriteObjectRequest {
        source_bucket: DATA.to_owned(),
        source_object: key.to_owned(),
        destination_bucket: CLONE.to_owned(),
        destination_name: key.to_owned(),
        ..Default::default()
    }
}

/// `ListObjects` of the bucket `data`.
pub(crate) fn list() -> proto::ListObjectsRequest {
    proto::ListObjectsRequest { parent: DATA.to_owned(), ..Default::default() }
}
