//! What a request is about: its path, taken apart.

use std::fmt;

use http::Method;

/// Where a resource is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Zone(String),
    Region(String),
    Global,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zone(zone) => write!(f, "zones/{zone}"),
            Self::Region(region) => write!(f, "regions/{region}"),
            Self::Global => f.write_str("global"),
        }
    }
}

/// What is called, on what.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) project: String,
    pub(super) scope: Scope,
    /// `disks`, `snapshots`, `operations`.
    pub(super) collection: String,
    pub(super) name: Option<String>,
    /// As Google's documentation names it: `disks.createSnapshot`.
    pub(super) call: String,
}

impl Target {
    /// The target of a request, if it is one that this server knows.
    pub(super) fn of(method: &Method, path: &str) -> Option<Self> {
        let rest = path.strip_prefix("/compute/v1/projects/")?;
        let parts: Vec<&str> = rest.split('/').collect();
        let (project, scope, rest) = match parts.as_slice() {
            [project, "zones", zone, rest @ ..] => (project, Scope::Zone((*zone).to_owned()), rest),
            [project, "regions", region, rest @ ..] => (project, Scope::Region((*region).to_owned()), rest),
            [project, "global", rest @ ..] => (project, Scope::Global, rest),
            _ => return None,
        };
        let (collection, name, verb) = match rest {
            [collection] => (*collection, None, None),
            [collection, name] => (*collection, Some((*name).to_owned()), None),
            [collection, name, verb] => (*collection, Some((*name).to_owned()), Some(*verb)),
            _ => return None,
        };
        let verb = match (method.as_str(), &name, verb) {
            ("GET", None, None) => "list",
            ("GET", Some(_), None) => "get",
            ("POST", None, None) => "insert",
            ("POST", Some(_), Some(verb)) => verb,
            ("DELETE", Some(_), None) => "delete",
            _ => return None,
        };
        let service = match (collection, &scope) {
            ("disks", Scope::Zone(_)) => "disks",
            ("disks", Scope::Region(_)) => "regionDisks",
            ("snapshots", Scope::Global) => "snapshots",
            ("operations", Scope::Zone(_)) => "zoneOperations",
            ("operations", Scope::Region(_)) => "regionOperations",
            ("operations", Scope::Global) => "globalOperations",
            _ => return None,
        };
        let call = format!("{service}.{verb}");
        Some(Self { project: (*project).to_owned(), scope, collection: collection.to_owned(), name, call })
    }

    /// The collection that holds it: `projects/P/zones/Z`.
    pub(super) fn place(&self) -> String {
        format!("projects/{}/{}", self.project, self.scope)
    }

    /// Its path: `projects/P/zones/Z/disks/D`.
    pub(super) fn path(&self) -> String {
        let name = self.name.as_deref().unwrap_or_default();
        format!("{}/{}/{name}", self.place(), self.collection)
    }

    /// What the call is, without the service: `createSnapshot`.
    pub(super) fn verb(&self) -> &str {
        self.call.split_once('.').map_or("", |(_, verb)| verb)
    }
}
