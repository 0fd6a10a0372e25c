//! What a request asks for, read from its method, path and query.

use std::collections::HashMap;

use http::{Method, Uri};

use super::authorization::Access;
use super::resource_types::{self, ResourceType};

/// What the path names.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// A stored kind: all its objects, or one, or a part of one.
    Object {
        resource: &'static ResourceType,
        /// Absent for cluster-wide kinds and for lists over all namespaces.
        namespace: Option<String>,
        name: Option<String>,
        subresource: Option<String>,
    },
    /// A review that is answered and not stored: its plural name.
    Review(String),
    /// Discovery, health, version; or nothing.
    Other,
}

/// One request, understood.
#[derive(Debug, Clone)]
pub(crate) struct RequestInfo {
    pub(crate) path: String,
    pub(crate) query: HashMap<String, String>,
    pub(crate) verb: &'static str,
    pub(crate) target: Target,
}

impl RequestInfo {
    pub(crate) fn read(method: &Method, uri: &Uri) -> Self {
        let query =
            axum::extract::Query::<HashMap<String, String>>::try_from_uri(uri).map(|it| it.0).unwrap_or_default();
        let target = read_path(uri.path());
        let watches = query.get("watch").is_some_and(|it| it == "true" || it == "1");
        let named = matches!(&target, Target::Object { name: Some(_), .. });
        let object = matches!(&target, Target::Object { .. });
        let verb = match method.as_str() {
            "GET" if named || !object => "get",
            "GET" if watches => "watch",
            "GET" => "list",
            "POST" => "create",
            "PUT" => "update",
            "PATCH" => "patch",
            "DELETE" if named => "delete",
            "DELETE" => "deletecollection",
            _ => "unknown",
        };
        RequestInfo { path: uri.path().to_owned(), query, verb, target }
    }

    /// A query parameter, empty when absent.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.query.get(name).map(String::as_str).unwrap_or_default()
    }

    /// A query parameter that is a truth value.
    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.parameter(name), "true" | "1")
    }

    /// Whether nothing may be stored.
    pub(crate) fn dry_run(&self) -> bool {
        self.parameter("dryRun") == "All"
    }

    /// Whether the request changes objects.
    pub(crate) fn is_change(&self) -> bool {
        matches!(&self.target, Target::Object { subresource, .. } if subresource.as_deref() != Some("portforward"))
            && !matches!(self.verb, "get" | "list" | "watch" | "unknown")
            && !self.dry_run()
    }

    /// Whether anybody may ask, even without a token.
    pub(crate) fn is_public(&self) -> bool {
        matches!(self.path.as_str(), "/version" | "/version/" | "/healthz" | "/livez" | "/readyz")
    }

    /// The plural name of the kind, or of the review; empty for other paths.
    pub(crate) fn resource(&self) -> &str {
        match &self.target {
            Target::Object { resource, .. } => resource.plural,
            Target::Review(plural) => plural,
            Target::Other => "",
        }
    }

    /// The object's name, empty for lists.
    pub(crate) fn name(&self) -> &str {
        match &self.target {
            Target::Object { name, .. } => name.as_deref().unwrap_or_default(),
            _ => "",
        }
    }

    /// The namespace, empty for cluster-wide kinds and lists over all namespaces.
    pub(crate) fn namespace(&self) -> &str {
        match &self.target {
            Target::Object { namespace, .. } => namespace.as_deref().unwrap_or_default(),
            _ => "",
        }
    }

    /// The subresource, empty for the object itself.
    pub(crate) fn subresource(&self) -> &str {
        match &self.target {
            Target::Object { subresource, .. } => subresource.as_deref().unwrap_or_default(),
            _ => "",
        }
    }

    /// The question that authorization has to answer.
    pub(crate) fn access(&self) -> Access {
        let group = match &self.target {
            Target::Object { resource, .. } => resource.group,
            _ => "",
        };
        // A Namespace is looked at as if it were inside itself.
        let namespace = if self.resource() == "namespaces" { self.name() } else { self.namespace() };
        Access {
            verb: self.verb.to_owned(),
            group: group.to_owned(),
            resource: self.resource().to_owned(),
            subresource: self.subresource().to_owned(),
            namespace: namespace.to_owned(),
            name: self.name().to_owned(),
        }
    }
}

fn read_path(path: &str) -> Target {
    let parts: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(decode).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let (group, version, rest) = match &parts[..] {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return Target::Other,
    };
    if (group, version) == ("authorization.k8s.io", "v1") {
        return match rest {
            [review @ ("selfsubjectaccessreviews" | "selfsubjectrulesreviews")] => Target::Review((*review).to_owned()),
            _ => Target::Other,
        };
    }
    let (namespace, rest) = match rest {
        ["namespaces", _, "status" | "finalize"] => (None, rest),
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some((*namespace).to_owned()), rest),
        _ => (None, rest),
    };
    let (plural, name, subresource) = match rest {
        [plural] => (*plural, None, None),
        [plural, name] => (*plural, Some(*name), None),
        [plural, name, subresource] => (*plural, Some(*name), Some(*subresource)),
        _ => return Target::Other,
    };
    match resource_types::by_path(group, version, plural) {
        Some(resource) if resource.namespaced == namespace.is_some() || (name.is_none() && namespace.is_none()) => {
            Target::Object {
                resource,
                namespace,
                name: name.map(str::to_owned),
                subresource: subresource.map(str::to_owned),
            }
        }
        _ => Target::Other,
    }
}

/// Undoes percent encoding in one path segment.
fn decode(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = if *first == b'%' { tail.get(..2).and_then(|pair| hex::decode(pair).ok()) } else { None };
        match escaped {
            Some(byte) => {
                bytes.extend(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
