//! The half over plain HTTP: which request asks for what, and the shape of answers.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use percent_encoding::percent_decode_str;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;

use super::Operation;
use super::failure::Failure;
use super::shared::Shared;
use super::{download, metadata_server, resumable, upload};

/// A request's parameters, decoded.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(query: &str) -> Result<Self, Failure> {
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decoded(&name.replace('+', " "))?, decoded(&value.replace('+', " "))?))
        });
        Ok(Self(pairs.collect::<Result<_, Failure>>()?))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is a number.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, Failure> {
        let wrong = |value| Failure::invalid(format!("Invalid value for {name}: '{value}'"));
        self.get(name).map(|value| value.parse().map_err(|_| wrong(value))).transpose()
    }

    pub(super) fn conditions(&self) -> Result<super::preconditions::Preconditions, Failure> {
        Ok(super::preconditions::Preconditions {
            generation: self.number("ifGenerationMatch")?,
            not_generation: self.number("ifGenerationNotMatch")?,
            metageneration: self.number("ifMetagenerationMatch")?,
            not_metageneration: self.number("ifMetagenerationNotMatch")?,
        })
    }

    /// The project that the call is billed to, if it is named here.
    pub(super) fn user_project(&self) -> Option<String> {
        self.get("userProject").map(str::to_owned)
    }
}

fn decoded(text: &str) -> Result<String, Failure> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| Failure::invalid("The URL is not UTF-8."))?;
    Ok(text.into_owned())
}

/// A request as it came, and where its connection is closed.
pub(super) struct Incoming {
    pub(super) server: Arc<Shared>,
    pub(super) hang_up: CancellationToken,
    pub(super) request: Request<Body>,
    pub(super) query: Query,
}

impl Incoming {
    /// A header as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.request.headers().get(name).and_then(|value| value.to_str().ok())
    }

    /// Reads the body.
    pub(super) async fn body(&mut self) -> Result<Bytes, Failure> {
        let body = std::mem::replace(self.request.body_mut(), Body::empty());
        let broken = |_| Failure::invalid("The request's body ended early.");
        Ok(body.collect().await.map_err(broken)?.to_bytes())
    }
}

/// Answers a request that is not gRPC.
pub(super) async fn call(server: Arc<Shared>, hang_up: CancellationToken, request: Request<Body>) -> Response<Body> {
    let query = match Query::parse(request.uri().query().unwrap_or_default()) {
        Ok(query) => query,
        Err(failure) => return refused(&failure),
    };
    let (path, method) = (request.uri().path().to_owned(), request.method().clone());
    let incoming = Incoming { server, hang_up, request, query };
    // Names are decoded after the path was cut: a key may hold encoded slashes.
    let path: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (method, path.as_slice()) {
        (Method::GET, ["storage", "v1", "b", bucket, "o", key]) => match (decoded(bucket), decoded(key)) {
            (Ok(bucket), Ok(key)) => download::call(incoming, &bucket, &key).await,
            (Err(failure), _) | (_, Err(failure)) => refused(&failure),
        },
        (Method::POST, ["upload", "storage", "v1", "b", bucket, "o"]) => {
            let answer = match decoded(bucket) {
                Ok(bucket) => upload::call(incoming, bucket).await,
                Err(failure) => Err(failure),
            };
            answer.unwrap_or_else(|failure| refused(&failure))
        }
        (Method::PUT, ["upload", "storage", "v1", "b", _, "o"]) => {
            resumable::call(incoming).await.unwrap_or_else(|failure| refused(&failure))
        }
        (Method::GET, [""] | ["computeMetadata", ..]) => metadata_server::metadata(incoming, &path).await,
        (Method::POST, ["token"]) => metadata_server::token(incoming).await,
        (method, _) => {
            incoming.server.traffic.begin(Operation::Other as usize).await;
            refused(&Failure::unimplemented(format!("{method} /{}", path.join("/"))))
        }
    }
}

/// An answer with a body.
pub(super) fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(body.into())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// An answer in JSON.
pub(super) fn json(body: String) -> Response<Body> {
    answer(StatusCode::OK, "application/json; charset=UTF-8", body)
}

/// A refusal as the JSON API tells it.
pub(super) fn refused(failure: &Failure) -> Response<Body> {
    let document = answer(failure.status, "application/json; charset=UTF-8", failure.document());
    told_when(document, failure)
}

/// A refusal of a download, which is plain text: what is asked for is the object's bytes, not JSON.
pub(super) fn refused_media(failure: &Failure) -> Response<Body> {
    if failure.status == StatusCode::NOT_MODIFIED {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = failure.status;
        return response;
    }
    told_when(answer(failure.status, "text/html; charset=UTF-8", failure.message.clone()), failure)
}

fn told_when(mut response: Response<Body>, failure: &Failure) -> Response<Body> {
    if let Some(seconds) = failure.retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Sets a header. What can't be one is left out: it came by JSON or gRPC, which allow more.
pub(super) fn set(response: &mut Response<Body>, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded() {
        let query = Query::parse("name=%2F%2Fa+b%2B%C3%A9&ifGenerationMatch=0&flag").unwrap();
        assert_eq!(query.get("name"), Some("//a b+é"));
        assert_eq!(query.conditions().unwrap().generation, Some(0));
        assert_eq!((query.get("flag"), query.get("other")), (Some(""), None));
        assert!(Query::parse("ifGenerationMatch=x").unwrap().conditions().is_err());
        assert!(Query::parse("name=%FF").is_err());
    }
}
