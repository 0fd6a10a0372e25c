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
use crate::terms::Terms;

const SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const STAMP: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
const SOURCE: HeaderName = HeaderName::from_static("x-amz-copy-source");
const CLASS: HeaderName = HeaderName::from_static("x-amz-storage-class");
const IF_MATCH: HeaderName = HeaderName::from_static("x-amz-copy-source-if-match");

const AGENT: &str = concat!("pachsnap/", env!("CARGO_PKG_VERSION"));

/// A request but for what changes with time.
pub(super) struct Prepared {
    method: Method,
    /// Path and query, encoded; parameters sorted.
    target: String,
    /// Length of the path in it.
    path: usize,
    /// `None` for a listing.
    copy: Option<OfCopy>,
}

/// What the headers of a copy say.
struct OfCopy {
    source: String,
    if_match: Option<String>,
    class: Option<&'static str>,
}

impl Prepared {
    pub(super) fn copy(address: &Address, call: &CopyCall<'_>) -> Self {
        let mut target = begun(address, call.to.len());
        encode_path(&mut target, call.to);
        let path = target.len();
        target.push_str("?x-id=CopyObject");
        let (source, if_match) = (call.source.to_owned(), call.if_match.map(str::to_owned));
        Self { method: Method::PUT, target, path, copy: Some(OfCopy { source, if_match, class: call.class }) }
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
        Self { method: Method::GET, target, path, copy: None }
    }

    /// The request as it is sent at a moment.
    pub(super) fn signed(
        &self,
        address: &Address,
        moment: &Moment,
        terms: &Terms,
    ) -> Result<Request<Empty<Bytes>>, Failure> {
        let target = PathAndQuery::from_maybe_shared(Bytes::from(self.target.clone())).map_err(http::Error::from)?;
        let mut signed = Vec::with_capacity(12);
        signed.push((HOST, address.host.clone()));
        signed.push((SHA256, HeaderValue::from_static(EMPTY_SHA256)));
        let value = |text: &str| HeaderValue::try_from(text.to_owned()).map_err(http::Error::from);
        if let Some(copy) = &self.copy {
            signed.push((SOURCE, value(&copy.source)?));
            if let Some(if_match) = &copy.if_match {
                signed.push((IF_MATCH, value(if_match)?));
            }
        }
        signed.push((STAMP, moment.stamp.clone()));
        if let Some(token) = &moment.token {
            signed.push((TOKEN, token.clone()));
        }
        let more = signed.len();
        match &self.copy {
            Some(copy) => {
                signed.extend(terms.for_new().cloned());
                signed.extend(copy.class.map(|class| (CLASS, HeaderValue::from_static(class))));
            }
            None => signed.extend(terms.all.iter().cloned()),
        }
        if signed.len() > more {
            signed.sort_unstable_by(|a, b| a.0.as_str().cmp(b.0.as_str()));
        }
        let authorization = {
            let pairs: Vec<_> = signed.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
            let (path, query) = (&self.target[..self.path], &self.target[self.path + 1..]);
            Signed { method: self.method.as_str(), path, query, headers: &pairs }.authorization(moment)?
        };
        let mut headers = HeaderMap::with_capacity(signed.len() + 3);
        headers.extend(signed);
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
