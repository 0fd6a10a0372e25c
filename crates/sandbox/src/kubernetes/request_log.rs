//! What was asked of the server, for tests to read.

use serde_json::Value;

/// One request that the server has answered.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedRequest {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or `deletecollection`.
    pub verb: String,
    /// The path without its query.
    pub path: String,
    /// The plural name of the kind (`services`); empty for discovery and the like.
    pub resource: String,
    /// The subresource (`scale`); empty for the object itself.
    pub subresource: String,
    /// The namespace; empty for cluster-wide kinds.
    pub namespace: String,
    /// The object's name; for a `create` the name in the body.
    pub name: String,
    /// Who asked; `system:anonymous` without a token, empty with a bad one.
    pub user: String,
    /// The status code of the answer; 0 when the connection was closed without one.
    pub status: u16,
    /// The body of a request that changes something, when it is JSON.
    pub body: Option<Value>,
    /// Whether the request asks for a change that is stored (a dry run and a review do not).
    pub change: bool,
}
