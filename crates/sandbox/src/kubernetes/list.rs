//! Lists in pages.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::request::RequestInfo;
use super::resource_types::ResourceType;
use super::selector::Selector;
use super::status::StatusError;
use super::store::State;

/// Answers a list request.
///
/// Pages of one list show the state at its first page. After a compaction the rest of the list is gone (410).
pub(crate) fn list(
    state: &mut State,
    resource: &'static ResourceType,
    namespace: Option<&str>,
    request: &RequestInfo,
) -> Result<Value, StatusError> {
    let limit: usize = request.parameter("limit").parse().ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let (version, items, snapshot, from) = match request.parameter("continue") {
        "" => {
            check_version(state, request)?;
            let selector = Selector::parse(request.parameter("labelSelector"), request.parameter("fieldSelector"))?;
            let items: Vec<Arc<Value>> = state
                .list(resource, namespace)
                .filter(|(_, object)| selector.matches(object))
                .map(|(_, object)| object.clone())
                .collect();
            (state.version(), Arc::new(items), None, 0)
        }
        token => {
            let place = Place::decode(token)?;
            let gone = "The provided continue parameter is too old to display a consistent list result. You can start a \
                        new list without the continue parameter.";
            let items = state.snapshots.get(&place.snapshot).cloned().ok_or_else(|| StatusError::expired(gone))?;
            (place.version, items, Some(place.snapshot), place.from)
        }
    };
    let page: Vec<&Value> = items.iter().skip(from).take(limit).map(|item| &**item).collect();
    let next = from + page.len();
    let mut metadata = json!({"resourceVersion": version.to_string()});
    if next < items.len() {
        let snapshot = snapshot.unwrap_or_else(|| {
            let number = state.snapshots.keys().max().map_or(0, |last| last + 1);
            state.snapshots.insert(number, items.clone());
            number
        });
        metadata["continue"] = json!(Place { version, snapshot, from: next }.encode());
        metadata["remainingItemCount"] = json!(items.len() - next);
    }
    let kind = format!("{}List", resource.kind);
    Ok(json!({"kind": kind, "apiVersion": resource.api_version(), "metadata": metadata, "items": page}))
}

fn check_version(state: &State, request: &RequestInfo) -> Result<(), StatusError> {
    let asked = request.parameter("resourceVersion");
    if !matches!(request.parameter("resourceVersionMatch"), "" | "Exact" | "NotOlderThan") {
        return Err(StatusError::new(422, "Invalid", "resourceVersionMatch: supported values: Exact, NotOlderThan"));
    }
    if asked.is_empty() || asked == "0" {
        return Ok(());
    }
    let asked: u64 = asked
        .parse()
        .map_err(|_| StatusError::bad_request(format!("Invalid value: \"{asked}\": invalid resourceVersion")))?;
    if asked > state.version() {
        return Err(StatusError::version_in_the_future(asked, state.version()));
    }
    if request.parameter("resourceVersionMatch") == "Exact" && asked < state.compacted() {
        return Err(StatusError::expired("The resourceVersion for the provided list is too old."));
    }
    Ok(())
}

/// Where the next page begins.
struct Place {
    version: u64,
    snapshot: u64,
    from: usize,
}

impl Place {
    fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}/{}/{}", self.version, self.snapshot, self.from))
    }

    fn decode(token: &str) -> Result<Self, StatusError> {
        let read = || {
            let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
            let mut parts = text.split('/');
            let place = Place {
                version: parts.next()?.parse().ok()?,
                snapshot: parts.next()?.parse().ok()?,
                from: parts.next()?.parse().ok()?,
            };
            Some(place)
        };
        read().ok_or_else(|| StatusError::bad_request("continue key is not valid"))
    }
}
