//! What is the same in all signatures of one second: the date, the credentials, and the key made of both.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::sign::v4::generate_signing_key;
use http::HeaderValue;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Store;
use super::address::Address;
use super::failure::Failure;

/// One second of one pair of keys.
pub(super) struct Moment {
    /// Since 1970, by the store's clock.
    pub(super) second: i64,
    /// As `x-amz-date` has it: `20260102T030405Z`.
    pub(super) stamp: HeaderValue,
    pub(super) credentials: Arc<Credentials>,
    /// Value of `x-amz-security-token`.
    pub(super) token: Option<HeaderValue>,
    /// `20260102/region/s3/aws4_request`.
    pub(super) scope: String,
    /// Derived of the secret, the day and the region.
    pub(super) key: Arc<SigningKey>,
}

/// A key that signs one day's requests to one region.
pub(super) struct SigningKey {
    day: String,
    access_key_id: String,
    bytes: Box<[u8]>,
}

impl AsRef<[u8]> for SigningKey {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Moment {
    /// `known` is the key of a moment before, used again if it is this moment's too.
    pub(super) fn new(
        second: i64,
        region: &str,
        credentials: Arc<Credentials>,
        known: Option<Arc<SigningKey>>,
    ) -> Result<Self, Failure> {
        let time = Timestamp::from_second(second).unwrap_or_default().to_zoned(TimeZone::UTC);
        let day = time.strftime("%Y%m%d").to_string();
        let header = |text: String| HeaderValue::try_from(text).map_err(http::Error::from);
        let mut token = credentials.session_token().map(|token| header(token.to_owned())).transpose()?;
        if let Some(token) = &mut token {
            token.set_sensitive(true);
        }
        let known = known.filter(|key| key.day == day && key.access_key_id == credentials.access_key_id());
        let key = known.unwrap_or_else(|| {
            let at = UNIX_EPOCH + Duration::from_secs(second.unsigned_abs());
            let bytes = generate_signing_key(credentials.secret_access_key(), at, region, "s3");
            let access_key_id = credentials.access_key_id().to_owned();
            Arc::new(SigningKey { day: day.clone(), access_key_id, bytes: bytes.as_ref().into() })
        });
        Ok(Self {
            second,
            stamp: header(time.strftime("%Y%m%dT%H%M%SZ").to_string())?,
            token,
            scope: format!("{day}/{region}/s3/aws4_request"),
            key,
            credentials,
        })
    }
}

/// The last moment, kept for the requests of the same second.
#[derive(Default)]
pub(super) struct Moments {
    last: Mutex<Option<(u64, Arc<Moment>)>>,
}

impl Moments {
    /// This moment.
    ///
    /// # Errors
    /// When there are no credentials, or none that fit into a header.
    pub(super) async fn now(&self, store: &Store, address: &Address) -> Result<Arc<Moment>, Failure> {
        let second = store.now();
        let changes = store.credentials.changes();
        let known = match &*self.last.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((known, moment)) if *known == changes => {
                if moment.second == second {
                    return Ok(moment.clone());
                }
                Some(moment.key.clone())
            }
            _ => None,
        };
        let credentials = store.credentials.get().await?;
        let moment = Arc::new(Moment::new(second, &address.region, credentials, known)?);
        // Changed in the meantime or not: at worst the next request makes it anew.
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((changes, moment.clone()));
        Ok(moment)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_key_serves_its_day_and_its_pair() {
        let pair = |id: &str| Arc::new(Credentials::new(id, "secret", None, None, "test"));
        let midnight = 1_369_353_600;
        let first = Moment::new(midnight, "us-east-1", pair("one"), None).unwrap();
        let at = |second, pair| Moment::new(second, "us-east-1", pair, Some(first.key.clone())).unwrap();
        assert!(Arc::ptr_eq(&at(midnight + 86_399, pair("one")).key, &first.key));
        for other in [at(midnight + 86_400, pair("one")), at(midnight - 1, pair("one")), at(midnight, pair("two"))] {
            assert!(!Arc::ptr_eq(&other.key, &first.key), "{}", other.scope);
        }
        assert_eq!(at(midnight + 86_400, pair("one")).scope, "20130525/us-east-1/s3/aws4_request");
    }
}
