//! The gRPC half: `google.storage.v2.Storage`, each of its calls by the same way.

use std::sync::Arc;

use googleapis_tonic_google_storage_v2::google::iam::v1 as iam;
use googleapis_tonic_google_storage_v2::google::storage::v2 as proto;
use http::{HeaderMap, Request, Response};
use percent_encoding::percent_decode_str;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tonic_prost::ProstCodec;

use super::Operation;
use super::accounts::Caller;
use super::failure::Failure;
use super::fault::Fault;
use super::operation::Call;
use super::shared::{Shared, drop_connection};

/// A request of a unary call.
pub(super) trait Rpc: prost::Message + Default + 'static {
    type Response: prost::Message + Default + 'static;
    const OPERATION: Operation;

    /// What `x-goog-request-params` must hold; see [`routed`].
    fn routing(&self) -> [Option<(&'static str, &str)>; 2];

    /// The key of the object, for calls that are about one.
    fn key(&self) -> &str {
        ""
    }

    fn run(self, server: &Shared, caller: &Caller) -> Result<Self::Response, Failure>;

    /// Puts a wrong checksum into a response that tells one.
    fn spoil(_: &mut Self::Response) {}
}

/// A routing parameter: the proto files' `google.api.routing` has its name, a field of the request its value. A field that
/// isn't set has no parameter.
pub(super) fn routed<'a>(name: &'static str, value: &'a str) -> Option<(&'static str, &'a str)> {
    (!value.is_empty()).then_some((name, value))
}

/// The bucket in a name such as `projects/_/buckets/data`.
pub(super) fn bucket_of(resource: &str) -> Result<&str, Failure> {
    let name = resource.strip_prefix("projects/_/buckets/").filter(|name| !name.is_empty() && !name.contains('/'));
    name.ok_or_else(|| Failure::invalid(format!("Invalid bucket name: '{resource}'")))
}

/// Refuses a request without the routing header that its fields ask for.
fn check_routing(headers: &HeaderMap, wanted: &[Option<(&'static str, &str)>]) -> Result<(), Failure> {
    let Some(header) = headers.get("x-goog-request-params").and_then(|header| header.to_str().ok()) else {
        let message = "An x-goog-request-params request metadata property must be provided for this request.";
        return Err(Failure::invalid(message));
    };
    for (name, value) in wanted.iter().flatten() {
        let named = header.split('&').filter_map(|pair| pair.split_once('=')).find(|(found, _)| found == name);
        if !named.is_some_and(|(_, found)| percent_decode_str(found).eq(value.bytes())) {
            let message = format!("The x-goog-request-params request metadata property must have {name}={value}.");
            return Err(Failure::invalid(message));
        }
    }
    Ok(())
}

async fn answer<R: Rpc>(
    server: Arc<Shared>,
    hang_up: CancellationToken,
    request: tonic::Request<R>,
) -> Result<tonic::Response<R::Response>, Status> {
    let (metadata, _, request) = request.into_parts();
    let headers = metadata.into_headers();
    let fault = server.enter(Call { operation: R::OPERATION, key: request.key() }, &hang_up).await?;
    let caller = server.caller(&headers, None)?;
    check_routing(&headers, &request.routing())?;
    let mut response = request.run(&server, &caller)?;
    match fault {
        Some(Fault::DropAfter) => return drop_connection(&hang_up).await,
        Some(Fault::WrongChecksum) => R::spoil(&mut response),
        _ => {}
    }
    Ok(tonic::Response::new(response))
}

async fn unary<R: Rpc>(server: Arc<Shared>, hang_up: CancellationToken, request: Request<Body>) -> Response<Body> {
    let service = tower::service_fn(move |request| answer::<R>(Arc::clone(&server), hang_up.clone(), request));
    tonic::server::Grpc::new(ProstCodec::<R::Response, R>::default()).unary(service, request).await
}

/// Answers a request whose content type is gRPC's.
pub(super) async fn call(server: Arc<Shared>, hang_up: CancellationToken, request: Request<Body>) -> Response<Body> {
    let path = request.uri().path();
    // The SDK asks another service for what a caller may do.
    if path == "/google.storage.control.v2.StorageControl/TestIamPermissions" {
        return unary::<iam::TestIamPermissionsRequest>(server, hang_up, request).await;
    }
    match path.strip_prefix("/google.storage.v2.Storage/") {
        Some("TestIamPermissions") => unary::<iam::TestIamPermissionsRequest>(server, hang_up, request).await,
        Some("RewriteObject") => unary::<proto::RewriteObjectRequest>(server, hang_up, request).await,
        Some("ListObjects") => unary::<proto::ListObjectsRequest>(server, hang_up, request).await,
        Some("GetObject") => unary::<proto::GetObjectRequest>(server, hang_up, request).await,
        Some("DeleteObject") => unary::<proto::DeleteObjectRequest>(server, hang_up, request).await,
        Some("GetBucket") => unary::<proto::GetBucketRequest>(server, hang_up, request).await,
        Some("ListBuckets") => unary::<proto::ListBucketsRequest>(server, hang_up, request).await,
        Some("CreateBucket") => unary::<proto::CreateBucketRequest>(server, hang_up, request).await,
        Some("UpdateBucket") => unary::<proto::UpdateBucketRequest>(server, hang_up, request).await,
        Some("DeleteBucket") => unary::<proto::DeleteBucketRequest>(server, hang_up, request).await,
        _ => {
            server.traffic.begin(Operation::Other as usize).await;
            Status::from(Failure::unimplemented(path)).into_http()
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_routing_header_names_the_buckets() {
        let wanted = [routed("bucket", "projects/_/buckets/b"), routed("source_bucket", "")];
        let headers =
            |text: &str| HeaderMap::from_iter([("x-goog-request-params".parse().unwrap(), text.parse().unwrap())]);
        for right in ["bucket=projects%2F_%2Fbuckets%2Fb", "a=b&bucket=projects/_/buckets/b"] {
            assert_eq!(check_routing(&headers(right), &wanted), Ok(()), "{right}");
        }
        for wrong in ["", "bucket=", "bucket=projects%2F_%2Fbuckets%2Fc", "source_bucket=projects%2F_%2Fbuckets%2Fb"] {
            assert!(check_routing(&headers(wrong), &wanted).is_err(), "{wrong}");
        }
        assert!(check_routing(&HeaderMap::new(), &wanted).is_err());
    }

    #[test]
    fn a_bucket_is_named_as_a_resource() {
        assert_eq!(bucket_of("projects/_/buckets/b"), Ok("b"));
        for wrong in ["b", "projects/_/buckets/", "projects/p/buckets/b", "projects/_/buckets/b/objects/k"] {
            assert!(bucket_of(wrong).is_err(), "{wrong}");
        }
    }
}
