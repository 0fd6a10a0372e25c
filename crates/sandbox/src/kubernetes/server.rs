//! The HTTP side: connections, authentication, faults, and which part answers what.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts as _, WebSocketUpgrade};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::authorization::Users;
use super::faults::{FaultAction, Faults};
use super::objects::{self, Deleted, Part};
use super::port_forward::{self, Forwards};
use super::request::{RequestInfo, Target};
use super::request_log::LoggedRequest;
use super::resource_types::ResourceType;
use super::selector::Selector;
use super::status::{Cause, StatusError};
use super::store::{ObjectKey, Store};
use super::{discovery, list, patch, request_body, scale, watch as watches};
use crate::http1;

/// The largest body of a request.
const BODY_LIMIT: usize = 3 * 1024 * 1024;

/// Everything that a request can reach.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) store: Arc<Store>,
    pub(crate) users: Mutex<Users>,
    pub(crate) faults: Mutex<Faults>,
    pub(crate) forwards: Mutex<Forwards>,
    pub(crate) log: Mutex<Vec<LoggedRequest>>,
    pub(crate) watch_cut: watch::Sender<u64>,
    pub(crate) git_version: String,
    /// Whether volume snapshots are served.
    pub(crate) snapshots: bool,
    pub(crate) bookmark_interval: Duration,
}

/// Locks without minding a panic elsewhere: no value here is ever left half-changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why a connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is dropped, as a fault asks for")]
struct Dropped;

/// Serves connections until `stop`.
pub(crate) async fn run(api: Arc<Api>, listener: TcpListener, stop: CancellationToken) {
    http1::serve(listener, stop, move |request| serve(api.clone(), request)).await;
}

async fn serve(api: Arc<Api>, request: Request<Incoming>) -> Result<Response, Dropped> {
    let info = RequestInfo::read(request.method(), request.uri());
    let token = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .map(str::to_owned);
    let user = lock(&api.users).authenticate(token.as_deref());
    let known = user.as_ref().cloned().unwrap_or_default();
    let fault = lock(&api.faults).take(&info, &known);

    let mut entry = LoggedRequest {
        verb: info.verb.to_owned(),
        path: info.path.clone(),
        resource: info.resource().to_owned(),
        subresource: info.subresource().to_owned(),
        namespace: info.namespace().to_owned(),
        name: info.name().to_owned(),
        user: known,
        status: 0,
        body: None,
        change: info.is_change(),
    };
    let resource = match &info.target {
        Target::Object { resource, .. } => Some(*resource),
        _ => None,
    };
    match fault {
        Some(FaultAction::DropConnection) => {
            lock(&api.log).push(entry);
            return Err(Dropped);
        }
        Some(FaultAction::Delay(delay)) => tokio::time::sleep(delay).await,
        _ => {}
    }
    let answer = match (user, fault) {
        (Err(error), _) => Err(error),
        (Ok(_), Some(FaultAction::Status(code))) => Err(StatusError::of_code(code, resource, info.name())),
        (Ok(user), _) => answer(&api, &info, &user, request, &mut entry).await,
    };
    let response = answer.unwrap_or_else(|error| error.to_response());
    if fault != Some(FaultAction::LoseReply) {
        entry.status = response.status().as_u16();
    }
    lock(&api.log).push(entry);
    if fault == Some(FaultAction::LoseReply) {
        return Err(Dropped);
    }
    Ok(response)
}

fn json_response(status: StatusCode, value: &Value) -> Response {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn answer(
    api: &Arc<Api>,
    info: &RequestInfo,
    user: &str,
    request: Request<Incoming>,
    entry: &mut LoggedRequest,
) -> Result<Response, StatusError> {
    api.store.with(|state| lock(&api.users).authorize(state, user, info))?;
    match &info.target {
        Target::Other => match discovery::document(&info.path, &api.git_version, api.snapshots) {
            Some(Value::String(text)) => Ok(text.into_response()),
            Some(document) => Ok(json_response(StatusCode::OK, &document)),
            None if discovery::is_in_a_group(&info.path, api.snapshots) => Err(StatusError::unknown_resource()),
            None => Err(StatusError::unknown_path()),
        },
        Target::Review(kind) if info.verb == "create" => {
            let review = read_json(&read_body(request).await?)?;
            let review = api.store.with(|state| {
                let users = lock(&api.users);
                match kind.as_str() {
                    "selfsubjectaccessreviews" => users.review_access(state, user, review),
                    _ => users.review_rules(state, user, review),
                }
            });
            Ok(json_response(StatusCode::CREATED, &review))
        }
        Target::Review(_) => Err(StatusError::method_not_allowed()),
        Target::Object { resource, .. } if resource.is_custom() && !api.snapshots => Err(StatusError::unknown_path()),
        Target::Object { resource, .. } if info.subresource() == "portforward" && resource.kind == "Pod" => {
            forward(api, info, resource, request).await
        }
        Target::Object { resource, .. } => {
            let content_type = request
                .headers()
                .get(header::CONTENT_TYPE)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .to_owned();
            let body = read_body(request).await?;
            entry.body = Some(&body).filter(|_| info.is_change()).and_then(|body| serde_json::from_slice(body).ok());
            if info.verb == "create" {
                let name = entry.body.as_ref().and_then(|body| body["metadata"]["name"].as_str());
                entry.name = name.unwrap_or_default().to_owned();
            }
            object_request(api, info, resource, &content_type, &body)
        }
    }
}

async fn read_body(request: Request<Incoming>) -> Result<Bytes, StatusError> {
    match Limited::new(request.into_body(), BODY_LIMIT).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(StatusError::body_too_large()),
        Err(error) => Err(StatusError::bad_request(format!("the body could not be read: {error}"))),
    }
}

fn read_json(body: &[u8]) -> Result<Value, StatusError> {
    serde_json::from_slice(body)
        .map_err(|error| StatusError::bad_request(format!("the object provided is unrecognized: {error}")))
}

fn read_object(resource: &ResourceType, body: &[u8]) -> Result<Value, StatusError> {
    let object = read_json(body)?;
    match request_body::wrong_type(resource, &object) {
        Some(message) => Err(StatusError::bad_request(message)),
        None => Ok(object),
    }
}

/// A patch may make what no body may be, and is then invalid and not unreadable.
fn check_patched(resource: &ResourceType, old: &Value, new: &Value) -> Result<(), StatusError> {
    let name = old["metadata"]["name"].as_str().unwrap_or_default();
    let invalid = |field: &str, value: &Value, why: &str| {
        Err(StatusError::invalid(resource, name, vec![Cause::invalid(field, value, why)]))
    };
    if let Some(message) = request_body::wrong_type(resource, new) {
        return invalid("patch", new, &message);
    }
    let uid = &new["metadata"]["uid"];
    if uid.as_str().is_some_and(|uid| !uid.is_empty()) && *uid != old["metadata"]["uid"] {
        return invalid("metadata.uid", uid, "field is immutable");
    }
    Ok(())
}

fn object_request(
    api: &Arc<Api>,
    info: &RequestInfo,
    resource: &'static ResourceType,
    content_type: &str,
    body: &[u8],
) -> Result<Response, StatusError> {
    let key = ObjectKey::new(resource, info.namespace(), info.name());
    let namespace = Some(info.namespace()).filter(|it| !it.is_empty());
    let known_part = match info.subresource() {
        "" => true,
        "status" => resource.status,
        "scale" => resource.scale,
        _ => false,
    };
    if !known_part {
        return Err(StatusError::unknown_resource());
    }
    match info.verb {
        "watch" => {
            let cut = api.watch_cut.subscribe();
            watches::open(&api.store, cut, resource, info, api.bookmark_interval)
        }
        "list" => {
            let list = api.store.with(|state| list::list(state, resource, namespace, info))?;
            Ok(json_response(StatusCode::OK, &list))
        }
        "get" => api.store.with(|state| {
            let object = state.get(&key).ok_or_else(|| StatusError::not_found(resource, &key.name))?;
            let value = if info.subresource() == "scale" { &scale::of(resource, object) } else { &**object };
            Ok(json_response(StatusCode::OK, value))
        }),
        "create" if info.name().is_empty() && (namespace.is_some() || !resource.namespaced) => {
            request_body::check_media_type(content_type)?;
            let object = read_object(resource, body)?;
            let created = api
                .store
                .with(|state| objects::create(state, resource, info.namespace(), object, info.dry_run(), false))?;
            Ok(json_response(StatusCode::CREATED, &created))
        }
        "update" | "patch" if !info.name().is_empty() => write(api, info, resource, &key, content_type, body),
        "delete" if info.subresource().is_empty() => {
            let options = if body.is_empty() { Value::Null } else { read_json(body)? };
            let options = with_query_options(options, info);
            let deleted = api.store.with(|state| objects::delete(state, resource, &key, &options, info.dry_run()))?;
            Ok(match deleted {
                Deleted::Gone(object) if resource.kind != "Pod" => {
                    let mut details = json!({"name": key.name, "kind": resource.plural});
                    details["uid"] = object["metadata"]["uid"].clone();
                    let status = json!({
                        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
                    });
                    json_response(StatusCode::OK, &status)
                }
                Deleted::Gone(object) | Deleted::Pending(object) => json_response(StatusCode::OK, &object),
            })
        }
        "deletecollection" => {
            let selector = Selector::parse(info.parameter("labelSelector"), info.parameter("fieldSelector"))?;
            let options = if body.is_empty() { Value::Null } else { read_json(body)? };
            let list = api.store.with(|state| {
                let list = list::list(state, resource, namespace, info)?;
                let keys: Vec<ObjectKey> = state
                    .list(resource, namespace)
                    .filter(|(_, object)| selector.matches(object))
                    .map(|(key, _)| key.clone())
                    .collect();
                for key in keys {
                    objects::delete(state, resource, &key, &options, info.dry_run())?;
                }
                Ok::<_, StatusError>(list)
            })?;
            Ok(json_response(StatusCode::OK, &list))
        }
        _ => Err(StatusError::method_not_allowed()),
    }
}

/// `gracePeriodSeconds` and `propagationPolicy` may come in the query too.
fn with_query_options(mut options: Value, info: &RequestInfo) -> Value {
    if let Ok(seconds) = info.parameter("gracePeriodSeconds").parse::<u64>() {
        options["gracePeriodSeconds"] = json!(seconds);
    }
    if !info.parameter("propagationPolicy").is_empty() {
        options["propagationPolicy"] = json!(info.parameter("propagationPolicy"));
    }
    options
}

/// PUT and PATCH of an object, its status or its scale.
fn write(
    api: &Arc<Api>,
    info: &RequestInfo,
    resource: &'static ResourceType,
    key: &ObjectKey,
    content_type: &str,
    body: &[u8],
) -> Result<Response, StatusError> {
    let part = if info.subresource() == "status" { Part::Status } else { Part::Main };
    let scales = info.subresource() == "scale";
    if info.verb == "patch" && resource.is_custom() && content_type.starts_with(patch::STRATEGIC_MERGE) {
        return Err(StatusError::unsupported_media_type("application/json-patch+json, application/merge-patch+json"));
    }
    let written = api.store.with(|state| {
        let current = state.get(key).cloned().ok_or_else(|| StatusError::not_found(resource, &key.name))?;
        let shown = if scales { &scale::of(resource, &current) } else { &*current };
        let new = if info.verb == "patch" {
            let new = patch::apply(content_type, shown, body)?;
            check_patched(resource, shown, &new)?;
            new
        } else {
            request_body::check_media_type(content_type)?;
            read_object(resource, body)?
        };
        let new = if scales { scale::write_into(&current, &new) } else { new };
        objects::update(state, resource, key, new, part, info.dry_run())
    })?;
    let value = if scales { &scale::of(resource, &written) } else { &*written };
    Ok(json_response(StatusCode::OK, value))
}

async fn forward(
    api: &Arc<Api>,
    info: &RequestInfo,
    resource: &'static ResourceType,
    request: Request<Incoming>,
) -> Result<Response, StatusError> {
    let key = ObjectKey::new(resource, info.namespace(), info.name());
    let pod = api.store.with(|state| state.get(&key).cloned());
    let pod = pod.ok_or_else(|| StatusError::not_found(resource, &key.name))?;
    let ports = port_forward::ports(info)?;
    let running = pod["status"]["phase"] == "Running";
    let addresses: Vec<(u16, Option<SocketAddr>)> = {
        let forwards = lock(&api.forwards);
        ports.into_iter().map(|port| (port, forwards.find(&pod, port).filter(|_| running))).collect()
    };
    let (mut parts, _) = request.into_parts();
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &())
        .await
        .map_err(|rejection| StatusError::bad_request(format!("Upgrade request required: {rejection}")))?;
    let store = api.store.clone();
    let uid = pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    Ok(upgrade
        .protocols(["v4.channel.k8s.io"])
        .on_upgrade(move |socket| port_forward::serve(socket, store, key, uid, addresses)))
}
