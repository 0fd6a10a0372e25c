//! The two requests, written down and signed.

use std::fmt::Write as _;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HOST, HeaderName, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::Empty;

use super::address::Address;
use super::failure::Failure;
use super::moment::Moment;
use super::signature::{EMPTY_SHA256, Signed};
use crate::encoding::{encode_path, encode_query};
use crate::hot::{CopyCall, ListCall, ListStart};

const SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const STAMP: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
const SOURCE: HeaderName = HeaderName::from_static("x-amz-copy-source");
const IF_MATCH: HeaderName = HeaderName::from_static("x-amz-copy-source-if-match");

const AGENT: &str = concat!("pachsnap/", env!("CARGO_PKG_VERSION"));

/// A request but for what changes with time.
pub(super) struct Prepared {
    method: Method,
    /// Path and query, encoded; parameters sorted.
    target: String,
    /// Length of the path in it.
    path: usize,
    /// `x-amz-copy-source` and its condition.
    source: Option<(String, Option<String>)>,
}

impl Prepared {
    pub(super) fn copy(address: &Address, call: &CopyCall<'_>) -> Self {
        let mut target = begun(address, call.to.len());
        encode_path(&mut target, call.to);
        let path = target.len();
        target.push_str("?x-id=CopyObject");
        let source = (call.source.to_owned(), call.if_match.map(str::to_owned));
        Self { method: Method::PUT, target, path, source: Some(source) }
    }

    pub(super) fn list(address: &Address, call: &ListCall<'_>) -> Self {
        let mut target = begun(address, call.prefix.len());
        let path = target.len();
        target.push('?');
        if let ListStart::Token(token) = call.start {
            target.push_str("continuation-token=");
            encode_query(&mut target, token);
            target.push('&');
        }
        let _ = write!(target, "encoding-type=url&list-type=2&max-keys={}", call.max_keys);
        if !call.prefix.is_empty() {
            target.push_str("&prefix=");
            encode_query(&mut target, call.prefix);
        }
        if let ListStart::After(key) = call.start {
            target.push_str("&start-after=");
            encode_query(&mut target, key);
        }
        Self { method: Method::GET, target, path, source: None }
    }

    /// The request as it is sent at a moment.
    pub(super) fn signed(&self, address: &Address, moment: &Moment) -> Result<Request<Empty<Bytes>>, Failure> {
        let target = PathAndQuery::from_maybe_shared(Bytes::from(self.target.clone())).map_err(http::Error::from)?;
        let mut headers = HeaderMap::with_capacity(10);
        headers.insert(HOST, address.host.clone());
        headers.insert(SHA256, HeaderValue::from_static(EMPTY_SHA256));
        if let Some((source, if_match)) = &self.source {
            let value = |text: &str| HeaderValue::try_from(text.to_owned()).map_err(http::Error::from);
            headers.insert(SOURCE, value(source)?);
            if let Some(if_match) = if_match {
                headers.insert(IF_MATCH, value(if_match)?);
            }
        }
        headers.insert(STAMP, moment.stamp.clone());
        if let Some(token) = &moment.token {
            headers.insert(TOKEN, token.clone());
        }
        let authorization = {
            let mut values = [("", [].as_slice()); 6];
            let mut count = 0;
            let names = [HOST, SHA256, SOURCE, IF_MATCH, STAMP, TOKEN];
            for name in &names {
                if let Some(value) = headers.get(name) {
                    values[count] = (name.as_str(), value.as_bytes());
                    count += 1;
                }
            }
            let (path, query) = (&self.target[..self.path], &self.target[self.path + 1..]);
            Signed { method: self.method.as_str(), path, query, headers: &values[..count] }.authorization(moment)?
        };
        headers.insert(AUTHORIZATION, authorization);
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        if self.method == Method::PUT {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let mut request = Request::new(Empty::new());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = address.url(target).map_err(http::Error::from)?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// A target that ends where a key begins.
fn begun(address: &Address, key_bytes: usize) -> String {
    let mut target = String::with_capacity(address.path.len() + key_bytes + key_bytes / 4 + 96);
    target.push_str(&address.path);
    target.push('/');
    target
}
