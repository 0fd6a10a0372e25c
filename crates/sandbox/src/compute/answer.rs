//! Answers of the REST API, and its errors.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

/// Why a request is refused.
#[derive(Clone, Debug)]
pub struct Refused {
    pub(super) status: u16,
    pub(super) reason: String,
    pub(super) message: String,
}

impl Refused {
    pub(super) fn new(status: u16, reason: &str, message: impl Into<String>) -> Self {
        Self { status, reason: reason.to_owned(), message: message.into() }
    }

    /// A mistake of the request.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid", message)
    }

    /// Nothing of that name.
    pub(super) fn not_found(path: &str) -> Self {
        Self::new(404, "notFound", format!("The resource '{path}' was not found"))
    }

    /// The name is taken.
    pub(super) fn already_exists(path: &str) -> Self {
        Self::new(409, "alreadyExists", format!("The resource '{path}' already exists"))
    }

    /// Google's JSON of an error. Compute Engine's own leave out `status`, those of the front end have it.
    fn told(&self) -> Value {
        let (domain, status) = match (self.status, self.reason.as_str()) {
            (401, _) => ("global", Some("UNAUTHENTICATED")),
            (_, "rateLimitExceeded" | "quotaExceeded") => ("usageLimits", None),
            (429, _) => ("global", Some("RESOURCE_EXHAUSTED")),
            (503, _) => ("global", Some("UNAVAILABLE")),
            _ => ("global", None),
        };
        let mut error = json!({
            "code": self.status,
            "message": self.message,
            "errors": [{"message": self.message, "domain": domain, "reason": self.reason}],
        });
        if let Some(status) = status {
            error["status"] = json!(status);
        }
        json!({ "error": error })
    }
}

/// An answer as it is sent.
pub(super) fn response(result: Result<Value, Refused>) -> Response {
    let (status, body) = match result {
        Ok(body) => (200, body),
        Err(refused) => (refused.status, refused.told()),
    };
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
    response
}
