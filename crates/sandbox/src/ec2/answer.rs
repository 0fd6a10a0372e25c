//! Answers of the Query protocol.

use std::fmt::Write as _;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};

/// Why a request is refused.
#[derive(Clone, Debug)]
pub struct Refused {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
}

impl Refused {
    pub(super) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }

    /// A mistake of the request.
    pub(super) fn bad(code: &str, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }
}

/// What an action answers: elements in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct Xml(String);

impl Xml {
    /// An element with a text.
    pub(super) fn text(mut self, name: &str, text: impl ToString) -> Self {
        let _ = write!(self.0, "<{name}>{}</{name}>", escaped(&text.to_string()));
        self
    }

    /// An element with a text, if there is one.
    pub(super) fn maybe(self, name: &str, text: Option<impl ToString>) -> Self {
        match text {
            Some(text) => self.text(name, text),
            None => self,
        }
    }

    /// A list.
    pub(super) fn list(mut self, name: &str, items: impl IntoIterator<Item = Self>) -> Self {
        let items: String = items.into_iter().map(|item| format!("<item>{}</item>", item.0)).collect();
        let _ = write!(self.0, "<{name}>{items}</{name}>");
        self
    }
}

/// An answer as it is sent.
pub(super) fn response(action: &str, request: &str, result: Result<Xml, Refused>) -> Response {
    match result {
        Ok(Xml(body)) => sent(
            200,
            format!(
                "<{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>{request}</requestId>{body}\
                 </{action}Response>"
            ),
        ),
        Err(Refused { status, code, message }) => sent(
            status,
            format!(
                "<Response><Errors><Error><Code>{}</Code><Message>{}</Message></Error></Errors><RequestID>{request}</RequestID>\
                 </Response>",
                escaped(&code),
                escaped(&message)
            ),
        ),
    }
}

fn sent(status: u16, body: String) -> Response {
    let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml;charset=UTF-8"));
    response
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}
