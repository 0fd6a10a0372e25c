//! The two calls by a client that does nothing else: HTTP/1 over pooled connections, signatures with a key that is derived once a
//! day, answers read in place.
//!
//! What the SDK finds out is taken from it: credentials, the bucket's address, how requests to it are signed. The SDK's own requests
//! and answers are what the tests hold this client against.

mod address;
mod body;
mod connect;
mod failure;
mod moment;
mod request;
mod signature;
mod xml;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{DATE, RETRY_AFTER};
use http::response::Parts;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use provider::{Error, Result};
use tokio::time::timeout;

use address::Address;
pub(crate) use address::AddressRules;
pub(crate) use connect::Connections;
use failure::Failure;
use moment::{Moment, Moments};
use request::Prepared;
use xml::Unreadable;

use super::{COPY, CopyAnswer, CopyCall, HotCalls, LIST, ListAnswer, ListCall};
use crate::Timeouts;
use crate::credentials::SharedCredentials;
use crate::error::{Answered, answered, retry_after};
use crate::terms::Terms;

/// Largest page that is read, in bytes. A thousand keys of 1,024 bytes, each byte percent-encoded, take 3 MiB.
const PAGE_BYTES: usize = 64 << 20;

/// Largest other answer that is read, in bytes.
const ANSWER_BYTES: usize = 1 << 20;

/// What all buckets and all connections of a store share.
#[derive(Debug)]
pub(crate) struct Store {
    credentials: SharedCredentials,
    patience: Patience,
    /// How far the store's clock is ahead of ours, in seconds; known once a request was refused for it.
    ahead: AtomicI64,
}

/// How long to wait.
#[derive(Clone, Copy, Debug)]
struct Patience {
    answer: Duration,
    copy: Duration,
    stall: Duration,
}

impl Store {
    pub(crate) fn new(credentials: SharedCredentials, timeouts: &Timeouts) -> Self {
        let seconds = Duration::from_secs;
        let patience = Patience {
            answer: seconds(timeouts.answer_seconds),
            copy: seconds(timeouts.copy_seconds),
            stall: seconds(timeouts.stall_seconds),
        };
        Self { credentials, patience, ahead: AtomicI64::new(0) }
    }

    /// The store's time, in seconds since 1970.
    fn now(&self) -> i64 {
        our_clock().saturating_add(self.ahead.load(Ordering::Relaxed))
    }

    /// Takes over the store's clock from the date of an answer. Whether that could help: it is another time than was signed.
    fn set_clock(&self, headers: &http::HeaderMap, signed: i64) -> bool {
        let Some(date) = headers.get(DATE).and_then(|date| date.to_str().ok()) else { return false };
        let Ok(theirs) = rfc2822::parse(date) else { return false };
        let theirs = Timestamp::from(&theirs).as_second();
        self.ahead.store(theirs.saturating_sub(our_clock()), Ordering::Relaxed);
        theirs.abs_diff(signed) > 60
    }
}

fn our_clock() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The client for one bucket.
pub(crate) struct Lean {
    connections: Connections,
    store: Arc<Store>,
    address: Address,
    moments: Moments,
    terms: Arc<Terms>,
}

impl fmt::Debug for Lean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lean").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Lean {
    pub(crate) fn new(connections: Connections, store: Arc<Store>, address: Address, terms: Arc<Terms>) -> Self {
        Self { connections, store, address, moments: Moments::default(), terms }
    }

    /// Sends a request and reads its answer. Sent a second time: what was refused for the clock, once the clock is set, and what was
    /// refused for an expired session, once there is another one.
    async fn call<T>(
        &self,
        about: About<'_>,
        prepared: &Prepared,
        read: impl Fn(&[u8]) -> std::result::Result<T, Unreadable>,
    ) -> Result<T> {
        let (mut clock_set, mut renewed) = (false, false);
        loop {
            let moment = self.moments.now(&self.store, &self.address).await.map_err(|error| about.failed(error))?;
            let (parts, body) = self.exchange(about, prepared, &moment).await.map_err(|error| about.failed(error))?;
            let answer = match read_answer(&parts, &body, &read) {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(answered)) => answered,
                Err(failure) => return Err(about.failed(failure)),
            };
            match answer.code.as_deref() {
                Some("RequestTimeTooSkewed") if !clock_set && self.store.set_clock(&parts.headers, moment.second) => {
                    tracing::warn!(operation = about.operation, "the store's clock is another one: taken over");
                    clock_set = true;
                }
                Some("ExpiredToken" | "TokenRefreshRequired")
                    if !renewed && self.store.credentials.renew(&moment.credentials).await =>
                {
                    renewed = true;
                }
                _ => return Err(answered(about.operation, about.resource, answer)),
            }
        }
    }

    async fn exchange(
        &self,
        about: About<'_>,
        prepared: &Prepared,
        moment: &Moment,
    ) -> std::result::Result<(Parts, Bytes), Failure> {
        let request = prepared.signed(&self.address, moment, &self.terms)?;
        let Patience { answer, copy, stall } = self.store.patience;
        match about.pace {
            // The headers may come at once and the body when the copy is done.
            Pace::Patient => {
                let whole = async {
                    let (parts, body) = self.connections.send_copy(request).await?.into_parts();
                    Ok((parts, body::collect(body, ANSWER_BYTES, copy).await?))
                };
                timeout(copy, whole).await.map_err(|_| Failure::Late(copy))?
            }
            Pace::Quick => {
                let response = timeout(answer, self.connections.send_list(request)).await;
                let (parts, body) = response.map_err(|_| Failure::Late(answer))??.into_parts();
                let body = timeout(answer, body::collect(body, PAGE_BYTES, stall)).await;
                Ok((parts, body.map_err(|_| Failure::Slow(answer))??))
            }
        }
    }
}

/// What a call is in messages, and how long its answer may take.
#[derive(Clone, Copy)]
struct About<'a> {
    operation: &'static str,
    resource: &'a str,
    pace: Pace,
}

#[derive(Clone, Copy)]
enum Pace {
    Quick,
    Patient,
}

impl About<'_> {
    fn failed(self, failure: impl Into<Failure>) -> Error {
        failure.into().into_error(self.operation, self.resource)
    }
}

/// The answer, or what the store answered in its place: told by the status, or by the body alone.
fn read_answer<T>(
    parts: &Parts,
    body: &[u8],
    read: impl Fn(&[u8]) -> std::result::Result<T, Unreadable>,
) -> std::result::Result<std::result::Result<T, Answered>, Failure> {
    let document = if parts.status.is_success() {
        match read(body) {
            Ok(answer) => return Ok(Ok(answer)),
            Err(Unreadable::Fault(document)) => document,
            Err(Unreadable::Malformed(malformed)) => return Err(malformed.into()),
        }
    } else {
        // What can't be read leaves the status.
        xml::fault(body).unwrap_or_default()
    };
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    Ok(Err(Answered {
        status: parts.status.as_u16(),
        code: document.code,
        message: document.message,
        request_id: document.request_id.or_else(|| header("x-amz-request-id").map(str::to_owned)),
        retry_after: header(RETRY_AFTER.as_str()).and_then(retry_after),
        region: header("x-amz-bucket-region").map(str::to_owned),
    }))
}

#[async_trait]
impl HotCalls for Lean {
    async fn copy(&self, call: &CopyCall<'_>) -> Result<CopyAnswer> {
        let about = About { operation: COPY, resource: call.resource, pace: Pace::Patient };
        self.call(about, &Prepared::copy(&self.address, call), xml::copied).await
    }

    async fn list(&self, call: &ListCall<'_>) -> Result<ListAnswer> {
        let about = About { operation: LIST, resource: call.resource, pace: Pace::Quick };
        self.call(about, &Prepared::list(&self.address, call), |body| xml::page(body, call.max_keys)).await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use aws_credential_types::Credentials;
    use aws_credential_types::provider::error::CredentialsError;
    use aws_credential_types::provider::future;
    use aws_sdk_s3::config::{ProvideCredentials, SharedCredentialsProvider};
    use provider::{ErrorKind, Retry};

    use super::*;
    use crate::hot::ListStart;
    use crate::raw_server::{Act, RawServer, answer, fault, page};

    /// A session that is another one each time it is asked for.
    #[derive(Clone, Debug, Default)]
    struct Sessions(Arc<AtomicUsize>);

    impl ProvideCredentials for Sessions {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let token = format!("session-{}", self.0.fetch_add(1, Ordering::Relaxed));
            future::ProvideCredentials::ready(Ok(Credentials::new("id", "secret", Some(token), None, "test")))
        }
    }

    #[derive(Debug)]
    struct Nobody;

    impl ProvideCredentials for Nobody {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("nobody is known")))
        }
    }

    fn lean(server: &RawServer, provider: impl ProvideCredentials + 'static) -> Lean {
        let credentials = SharedCredentials::new(SharedCredentialsProvider::new(provider));
        let endpoint = Some(server.endpoint());
        let connections = Connections::new(endpoint.as_deref(), &Timeouts::default()).unwrap();
        let region = "us-east-1".to_owned();
        let rules = AddressRules { region, endpoint, path_style: true, fips: None, dual_stack: None };
        let address = rules.resolve("data").unwrap();
        Lean::new(connections, Arc::new(Store::new(credentials, &Timeouts::default())), address, Arc::default())
    }

    async fn list(lean: &Lean) -> Result<ListAnswer> {
        let call = ListCall { prefix: "", start: ListStart::Beginning, max_keys: 1000, resource: "s3://data/" };
        lean.list(&call).await
    }

    #[tokio::test]
    async fn an_expired_session_is_renewed_once_and_the_request_sent_again() {
        let server = RawServer::start(|request, _| {
            let expired = request.header("x-amz-security-token") == "session-0";
            let said = if expired { answer(400, &[], fault("ExpiredToken")) } else { answer(200, &[], page("")) };
            vec![Act::Send(said)]
        })
        .await;
        let sessions = Sessions::default();
        let lean = lean(&server, sessions.clone());
        list(&lean).await.unwrap();
        list(&lean).await.unwrap();
        let tokens: Vec<String> =
            server.seen().iter().map(|request| request.header("x-amz-security-token").to_owned()).collect();
        assert_eq!(tokens, ["session-0", "session-1", "session-1"]);
        assert!(server.seen()[0].header("authorization").contains(";x-amz-security-token,"));
        assert_eq!(sessions.0.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_store_that_calls_every_session_expired_is_asked_twice() {
        let server = RawServer::start(|_, _| vec![Act::Send(answer(400, &[], fault("ExpiredToken")))]).await;
        let error = list(&lean(&server, Sessions::default())).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Unauthenticated, Retry::Never), "{error:?}");
        assert_eq!(server.seen().len(), 2);
    }

    #[tokio::test]
    async fn without_credentials_nothing_is_sent() {
        let server = RawServer::start(|_, _| Vec::new()).await;
        let error = list(&lean(&server, Nobody)).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Unauthenticated, Retry::Never), "{error:?}");
        assert_eq!(server.connections(), 0);
    }
}
