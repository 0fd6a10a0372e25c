//! Where credentials come from: a Compute Engine metadata server, and the OAuth endpoint for a user's refresh token.

use http::{Response, StatusCode};
use serde_json::{Value, json};
use tonic::body::Body;

use super::Operation;
use super::fault::Fault;
use super::http_api::{Incoming, Query, answer, json, refused, set};
use super::operation::Call;
use super::shared::drop_connection;

/// What a Google Cloud universe is called that is not somebody else's.
const UNIVERSE: &str = "googleapis.com";

/// Answers what a metadata server is asked (Google's page "VM metadata server").
pub(super) async fn metadata(incoming: Incoming, path: &[&str]) -> Response<Body> {
    let path = path.get(2..).unwrap_or_default();
    let is_token = matches!(path, ["instance", "service-accounts", _, "token"]);
    let operation = if is_token { Operation::Token } else { Operation::Metadata };
    let server = &incoming.server;
    let fault = match server.enter(Call { operation, key: "" }, &incoming.hang_up).await {
        Ok(fault) => fault,
        Err(failure) => return refused(&failure),
    };
    let mut response = if incoming.header("metadata-flavor") == Some("Google") {
        told(&incoming, path)
    } else {
        answer(StatusCode::FORBIDDEN, "text/html", "Missing Metadata-Flavor:Google header.")
    };
    set(&mut response, "metadata-flavor", "Google");
    match fault {
        Some(Fault::DropAfter) => drop_connection(&incoming.hang_up).await,
        _ => response,
    }
}

fn told(incoming: &Incoming, path: &[&str]) -> Response<Body> {
    let server = &incoming.server;
    let options = &server.options;
    let text = |text: &str| answer(StatusCode::OK, "application/text", text.to_owned());
    let ours = |account: &str| account == "default" || account == options.account;
    match path {
        [] | [""] => text("instance/\nproject/\nuniverse/\n"),
        ["project", "project-id"] => text(&options.project),
        ["project", "numeric-project-id"] => text(&options.project_number.to_string()),
        ["universe", "universe-domain" | "universe_domain"] => text(UNIVERSE),
        ["instance", "service-accounts" | "service-accounts/"] => text(&format!("default/\n{}/\n", options.account)),
        ["instance", "service-accounts", ""] => text(&format!("default/\n{}/\n", options.account)),
        ["instance", "service-accounts", account, rest @ ..] if ours(account) => match rest {
            ["token"] => issued(incoming, &options.account),
            ["email"] => text(&options.account),
            ["scopes"] => text("https://www.googleapis.com/auth/cloud-platform\n"),
            [] | [""] => json(json!({"aliases": ["default"], "email": options.account}).to_string()),
            _ => answer(StatusCode::NOT_FOUND, "text/html", "Not Found"),
        },
        _ => answer(StatusCode::NOT_FOUND, "text/html", "Not Found"),
    }
}

fn issued(incoming: &Incoming, account: &str) -> Response<Body> {
    let accounts = &incoming.server.accounts;
    let token = accounts.issue(account);
    let lifetime = accounts.lifetime().as_secs();
    json(json!({"access_token": token, "expires_in": lifetime, "token_type": "Bearer"}).to_string())
}

/// Answers `POST /token`, in JSON or as a form (RFC 6749 section 6).
pub(super) async fn token(mut incoming: Incoming) -> Response<Body> {
    let body = incoming.body().await.unwrap_or_default();
    let call = Call { operation: Operation::Token, key: "" };
    let fault = match incoming.server.enter(call, &incoming.hang_up).await {
        Ok(fault) => fault,
        Err(failure) => return refused(&failure),
    };
    let document: Option<Value> = serde_json::from_slice(&body).ok();
    let form = Query::parse(&String::from_utf8_lossy(&body)).ok();
    let field = |name: &str| {
        let in_document = document.as_ref().and_then(|document| document[name].as_str());
        in_document.or_else(|| form.as_ref().and_then(|form| form.get(name))).map(str::to_owned)
    };
    let options = &incoming.server.options;
    let refuse = |error: &str| {
        let document = json!({"error": error, "error_description": "Bad Request"}).to_string();
        answer(StatusCode::BAD_REQUEST, "application/json; charset=utf-8", document)
    };
    let response = match (field("grant_type").as_deref(), field("refresh_token")) {
        (Some("refresh_token"), Some(token)) if token == options.refresh_token => issued(&incoming, &options.user),
        (Some("refresh_token"), Some(_)) => refuse("invalid_grant"),
        (Some("refresh_token"), None) => refuse("invalid_request"),
        _ => refuse("unsupported_grant_type"),
    };
    match fault {
        Some(Fault::DropAfter) => drop_connection(&incoming.hang_up).await,
        _ => response,
    }
}
