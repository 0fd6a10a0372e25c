//! What the API answers when it refuses: `Status` objects, and the two answers that are plain text.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::resource_types::ResourceType;

/// A refusal by the API server, as a client sees it.
///
/// A retry helps for the codes 409 (after reading again), 429, 500, 503 and 504.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct StatusError {
    /// The HTTP status code.
    pub code: u16,
    /// The machine-readable reason (`NotFound`, `Conflict`, …); empty where a real server sends none.
    pub reason: &'static str,
    /// The text for people.
    pub message: String,
    /// `details` of the Status object.
    details: Option<Box<Value>>,
    plain_text: bool,
    retry_after_seconds: Option<u32>,
}

/// One reason why an object is invalid.
pub(crate) struct Cause {
    reason: &'static str,
    field: String,
    message: String,
}

impl Cause {
    /// A value that may not be there.
    pub(crate) fn invalid(field: impl Into<String>, value: impl std::fmt::Display, why: &str) -> Self {
        Cause { reason: "FieldValueInvalid", field: field.into(), message: format!("Invalid value: {value}: {why}") }
    }

    /// An object that breaks a rule over several of its fields.
    pub(crate) fn broken_rule(field: impl Into<String>, rule: &str) -> Self {
        Cause { reason: "FieldValueInvalid", field: field.into(), message: format!("Invalid value: {rule}") }
    }

    /// A value that is none of those that there are.
    pub(crate) fn not_supported(field: impl Into<String>, value: &Value, supported: &str) -> Self {
        let message = format!("Unsupported value: {value}: supported values: {supported}");
        Cause { reason: "FieldValueNotSupported", field: field.into(), message }
    }

    /// A field that may not be set or changed.
    pub(crate) fn forbidden(field: impl Into<String>, why: &str) -> Self {
        Cause { reason: "FieldValueForbidden", field: field.into(), message: format!("Forbidden: {why}") }
    }

    /// A field that must be set.
    pub(crate) fn required(field: impl Into<String>, why: &str) -> Self {
        let message = if why.is_empty() { "Required value".into() } else { format!("Required value: {why}") };
        Cause { reason: "FieldValueRequired", field: field.into(), message }
    }

    /// Too much data.
    pub(crate) fn too_long(field: impl Into<String>, limit: usize) -> Self {
        let message = format!("Too long: may not be more than {limit} bytes");
        Cause { reason: "FieldValueTooLong", field: field.into(), message }
    }
}

impl StatusError {
    pub(crate) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        StatusError { code, reason, message, details: None, plain_text: false, retry_after_seconds: None }
    }

    fn with_object(mut self, resource: &ResourceType, name: &str) -> Self {
        let mut details = json!({});
        if !name.is_empty() {
            details["name"] = json!(name);
        }
        if !resource.group.is_empty() {
            details["group"] = json!(resource.group);
        }
        details["kind"] = json!(resource.plural);
        self.details = Some(Box::new(details));
        self
    }

    pub(crate) fn not_found(resource: &ResourceType, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", resource.qualified());
        StatusError::new(404, "NotFound", message).with_object(resource, name)
    }

    pub(crate) fn already_exists(resource: &ResourceType, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", resource.qualified());
        StatusError::new(409, "AlreadyExists", message).with_object(resource, name)
    }

    pub(crate) fn stale(resource: &ResourceType, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        StatusError::conflict(resource, name, why)
    }

    pub(crate) fn conflict(resource: &ResourceType, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", resource.qualified());
        StatusError::new(409, "Conflict", message).with_object(resource, name)
    }

    pub(crate) fn invalid(resource: &ResourceType, name: &str, causes: Vec<Cause>) -> Self {
        let kind = match resource.group {
            "" => resource.kind.to_owned(),
            group => format!("{}.{group}", resource.kind),
        };
        let texts: Vec<String> = causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        let text = if texts.len() == 1 { texts.concat() } else { format!("[{}]", texts.join(", ")) };
        let mut error = StatusError::new(422, "Invalid", format!("{kind} \"{name}\" is invalid: {text}"));
        let causes: Vec<Value> = causes
            .into_iter()
            .map(|cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field}))
            .collect();
        let mut details = json!({"name": name, "kind": resource.kind, "causes": causes});
        if !resource.group.is_empty() {
            details["group"] = json!(resource.group);
        }
        error.details = Some(Box::new(details));
        error
    }

    /// A JSON patch whose `test` failed or whose path is absent.
    pub(crate) fn patch_not_applicable() -> Self {
        StatusError::new(422, "Invalid", "the server rejected our request due to an error in our request")
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        StatusError::new(400, "BadRequest", message)
    }

    pub(crate) fn unsupported_media_type(accepted: &str) -> Self {
        let message =
            format!("the body of the request was in an unknown format - accepted media types include: {accepted}");
        StatusError::new(415, "UnsupportedMediaType", message)
    }

    pub(crate) fn unauthorized() -> Self {
        StatusError::new(401, "Unauthorized", "Unauthorized")
    }

    /// `message` is the whole text; `resource` and `name` go to the details.
    pub(crate) fn forbidden(resource: Option<&ResourceType>, name: &str, message: String) -> Self {
        let error = StatusError::new(403, "Forbidden", message);
        match resource {
            Some(resource) => error.with_object(resource, name),
            None => error,
        }
    }

    pub(crate) fn expired(message: impl Into<String>) -> Self {
        StatusError::new(410, "Expired", message)
    }

    pub(crate) fn version_in_the_future(asked: u64, current: u64) -> Self {
        let message = format!("Too large resource version: {asked}, current: {current}");
        let mut error = StatusError::new(504, "Timeout", format!("Timeout: {message}"));
        error.details = Some(Box::new(json!({
            "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
            "retryAfterSeconds": 1,
        })));
        error
    }

    pub(crate) fn body_too_large() -> Self {
        StatusError::new(413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728")
    }

    pub(crate) fn method_not_allowed() -> Self {
        StatusError::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
    }

    /// A version, resource or part of a group that is served.
    pub(crate) fn unknown_resource() -> Self {
        StatusError::new(404, "NotFound", "the server could not find the requested resource")
    }

    /// A group that nobody serves: plain text, not a Status object.
    pub(crate) fn unknown_path() -> Self {
        let mut error = StatusError::new(404, "", "404 page not found");
        error.plain_text = true;
        error
    }

    /// Two ports of one Service with the same node port: a server's error without a reason.
    pub(crate) fn duplicate_node_port(protocol: &str, port: u64) -> Self {
        StatusError::new(500, "", format!("duplicate nodePort: {{{protocol} {port}}}"))
    }

    /// What a server answers when it fails with `code` for no fault of the request.
    ///
    /// 429 is plain text with `Retry-After: 1`, as a server with too many requests in flight sends it.
    pub(crate) fn of_code(code: u16, resource: Option<&ResourceType>, name: &str) -> Self {
        let mut error = match (code, resource) {
            (401, _) => StatusError::unauthorized(),
            (409, Some(resource)) => StatusError::stale(resource, name),
            (409, None) => StatusError::new(409, "Conflict", "the object has been modified"),
            (410, _) => StatusError::expired("The resourceVersion for the provided list is too old."),
            (429, _) => StatusError::new(429, "", "Too many requests, please try again later."),
            (500, _) => {
                StatusError::new(500, "InternalError", "Internal error occurred: etcdserver: request timed out")
            }
            (503, _) => {
                StatusError::new(503, "ServiceUnavailable", "the server is currently unable to handle the request")
            }
            (504, _) => StatusError::new(504, "Timeout", "request did not complete within the allotted timeout"),
            (code, _) => StatusError::new(code, "", format!("an error of code {code} was asked for")),
        };
        if code == 429 {
            error.plain_text = true;
            error.retry_after_seconds = Some(1);
        }
        error
    }

    /// The `Status` object of this error.
    pub(crate) fn to_value(&self) -> Value {
        let mut value = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message,
        });
        if !self.reason.is_empty() {
            value["reason"] = json!(self.reason);
        }
        if let Some(details) = &self.details {
            value["details"] = Value::clone(details);
        }
        value["code"] = json!(self.code);
        value
    }

    /// The HTTP answer of this error.
    pub(crate) fn to_response(&self) -> Response {
        let (content_type, body) = if self.plain_text {
            ("text/plain; charset=utf-8", format!("{}\n", self.message))
        } else {
            ("application/json", self.to_value().to_string())
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
