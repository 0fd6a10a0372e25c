//! The API server's audit log: what was asked of it, by whom, and how it was answered.

use serde::Deserialize;
use serde_json::Value;

/// The policy: one event for each request, when it has been answered, with the body that came.
pub(super) const POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: Request
";

/// One request that the API server has answered. Fields of other interest are in [`Self::event`].
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEvent {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or `deletecollection`.
    pub verb: String,
    /// The path with its query.
    pub request_uri: String,
    /// Who asked.
    pub user: String,
    /// What the client says that it is.
    pub user_agent: String,
    /// The plural name of the kind; empty for discovery and the like.
    pub resource: String,
    /// The subresource; empty for the object itself.
    pub subresource: String,
    /// The namespace; empty for cluster-wide kinds.
    pub namespace: String,
    /// The object's name; empty for lists.
    pub name: String,
    /// The status code of the answer.
    pub code: u16,
    /// The whole event as the API server wrote it.
    pub event: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    verb: String,
    #[serde(rename = "requestURI")]
    request_uri: String,
    user: User,
    #[serde(default)]
    user_agent: String,
    #[serde(default)]
    object_ref: ObjectRef,
    #[serde(default)]
    response_status: ResponseStatus,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ObjectRef {
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Deserialize, Default)]
struct ResponseStatus {
    #[serde(default)]
    code: u16,
}

impl AuditEvent {
    fn parse(line: &str) -> Result<Self, serde_json::Error> {
        let event: Value = serde_json::from_str(line)?;
        let line = Line::deserialize(&event)?;
        let object = line.object_ref;
        Ok(Self {
            verb: line.verb,
            request_uri: line.request_uri,
            user: line.user.username,
            user_agent: line.user_agent,
            resource: object.resource,
            subresource: object.subresource,
            namespace: object.namespace,
            name: object.name,
            code: line.response_status.code,
            event,
        })
    }
}

/// All events of a log. A line that is still being written has no end yet and is left out.
pub(super) fn parse(log: &str) -> Result<Vec<AuditEvent>, serde_json::Error> {
    log.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(AuditEvent::parse).collect()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_line_is_an_event_once_it_is_whole() {
        let line = r#"{"verb":"get","requestURI":"/api/v1/namespaces/n/pods/p","user":{"username":"u"},
            "objectRef":{"resource":"pods","namespace":"n","name":"p"},"responseStatus":{"code":404}}"#;
        let line = line.replace('\n', "");
        let events = parse(&format!("{line}\n{}", &line[..30])).unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!((events[0].verb.as_str(), events[0].name.as_str(), events[0].code), ("get", "p", 404));
        assert!(parse("{}\n").is_err());
    }
}
