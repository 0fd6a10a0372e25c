//! The HTTP side: connections, who asks, faults, and which call answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::http1;

use super::answer::{self, Refused};
use super::faults::{ComputeFault, Effect};
use super::lock;
use super::rules;
use super::state::{Call, State};
use super::target::Target;

/// The largest body of a request.
const BODY_LIMIT: usize = 1 << 20;

/// Why a connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is dropped, as a fault asks for")]
struct Dropped;

/// A request, read.
struct Asked {
    method: Method,
    path: String,
    query: BTreeMap<String, String>,
    authorization: Option<String>,
    body: Value,
}

/// Serves connections until `stop`.
pub(super) async fn run(state: Arc<Mutex<State>>, listener: TcpListener, stop: CancellationToken) {
    http1::serve(listener, stop, move |request| serve(state.clone(), request)).await;
}

async fn serve(state: Arc<Mutex<State>>, request: Request<Incoming>) -> Result<Response, Dropped> {
    let authorization = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let authorization = authorization.map(str::to_owned);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let query = url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).into_owned();
    // `$alt` and `$apiVersion` are the SDK's.
    let query = query.filter(|(name, _)| !name.starts_with('$')).collect();
    let Ok(body) = Limited::new(request.into_body(), BODY_LIMIT).collect().await else {
        return Ok(StatusCode::PAYLOAD_TOO_LARGE.into_response());
    };
    let bytes = body.to_bytes();
    let body = if bytes.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&bytes) };
    let Ok(body) = body else {
        return Ok(answer::response(Err(Refused::new(400, "parseError", "Invalid JSON payload received."))));
    };
    let Some(target) = Target::of(&method, &path) else {
        return Ok(answer::response(Err(Refused::new(404, "notFound", format!("{method} {path} is not served")))));
    };
    let asked = Asked { method, path, query, authorization, body };
    let mut state = lock(&state);
    let effect = ComputeFault::take(&mut state.faults, &target.call);
    let result = match effect {
        Some(Effect::DropConnection) => None,
        Some(Effect::LoseReply) => {
            let _ = state.answer(&target, &asked);
            None
        }
        Some(Effect::Status(status)) => {
            let mut response = Response::new(Body::from("<html>not now</html>"));
            *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            state.note(target, asked, Some((status, None)));
            return Ok(response);
        }
        Some(Effect::Refuse(refused)) => Some(Err(refused)),
        Some(Effect::FailOperation(error)) => {
            state.failing = Some(error);
            let result = state.answer(&target, &asked);
            state.failing = None;
            Some(result)
        }
        None => Some(state.answer(&target, &asked)),
    };
    let told = result.as_ref().map(|result| match result {
        Ok(_) => (200, None),
        Err(refused) => (refused.status, Some(refused.reason.clone())),
    });
    state.note(target, asked, told);
    drop(state);
    result.map(answer::response).ok_or(Dropped)
}

impl State {
    fn note(&mut self, target: Target, asked: Asked, answer: Option<(u16, Option<String>)>) {
        let Asked { path, query, body, .. } = asked;
        self.calls.push(Call { call: target.call, path, query, body, answer });
    }

    /// Carries a request out.
    fn answer(&mut self, target: &Target, asked: &Asked) -> Result<Value, Refused> {
        self.authenticate(asked.authorization.as_deref())?;
        self.authorize(target, &asked.body)?;
        if asked.method == Method::GET || target.verb() == "wait" || target.verb() == "testIamPermissions" {
            return self.read(target, asked);
        }
        let told = (format!("{} {}", asked.method, asked.path), asked.body.clone());
        let id = asked.query.get("requestId");
        if let Some(id) = id {
            rules::request_id(id)?;
            if let Some((first, operation)) = self.requests.get(id).cloned() {
                if first != told {
                    let message = "The request id was already used by another request";
                    return Err(Refused::invalid(message));
                }
                return self.told_operation(&operation, false);
            }
        }
        let (operation, answer) = self.change(target, &asked.body)?;
        if let Some(id) = id {
            self.requests.insert(id.clone(), (told, operation));
        }
        Ok(answer)
    }

    fn read(&mut self, target: &Target, asked: &Asked) -> Result<Value, Refused> {
        match (target.collection.as_str(), target.verb()) {
            ("disks", "get") => self.get_disk(target),
            ("snapshots", "get") => self.get_snapshot(target),
            ("snapshots", "list") => self.list_snapshots(target, &asked.query),
            ("operations", "get" | "wait") => self.operation(target),
            ("disks" | "snapshots", "testIamPermissions") => self.test_permissions(target, &asked.body),
            _ => Err(unserved(target)),
        }
    }

    /// What changes something answers an operation: its path, and how it is told.
    fn change(&mut self, target: &Target, body: &Value) -> Result<(String, Value), Refused> {
        match (target.collection.as_str(), target.verb()) {
            ("disks", "insert") => self.insert_disk(target, body),
            ("disks", "delete") => self.delete_disk(target),
            ("disks", "createSnapshot") => self.create_snapshot(target, body),
            ("snapshots", "delete") => self.delete_snapshot(target),
            ("snapshots", "setLabels") => self.set_labels(target, body),
            _ => Err(unserved(target)),
        }
    }
}

fn unserved(target: &Target) -> Refused {
    Refused::new(404, "notFound", format!("{} is not served", target.call))
}
