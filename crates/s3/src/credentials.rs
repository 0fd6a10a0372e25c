//! The credentials of a store: fetched once, shared by every client, renewed before they expire.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future;
use aws_sdk_s3::config::{BehaviorVersion, ProvideCredentials, Region, SharedCredentialsProvider};
use tokio::sync::Mutex;

use crate::CredentialsConfig;

impl CredentialsConfig {
    /// What every client of the AWS SDK is made of: the credentials, and for [`CredentialsConfig::Chain`] what else the SDK finds
    /// in environment, profile and instance, also a region where `region` names none. Reads them; asks for no credentials yet.
    pub async fn sdk_config(&self, region: Option<&str>) -> SdkConfig {
        let region = region.map(|region| Region::new(region.to_owned()));
        match self {
            Self::Static { access_key_id, secret_access_key, session_token } => {
                let token = session_token.as_ref().map(|token| token.expose().to_owned());
                let pair = Credentials::new(access_key_id, secret_access_key.expose(), token, None, "configuration");
                SdkConfig::builder()
                    .credentials_provider(SharedCredentialsProvider::new(pair))
                    .region(region)
                    .behavior_version(BehaviorVersion::latest())
                    .build()
            }
            Self::Chain { profile } => {
                let mut loader = aws_config::defaults(BehaviorVersion::latest());
                if let Some(profile) = profile {
                    loader = loader.profile_name(profile);
                }
                if let Some(region) = region {
                    loader = loader.region(region);
                }
                loader.load().await
            }
        }
    }
}

/// Credentials are renewed so long before they expire.
const MARGIN: Duration = Duration::from_mins(5);

/// The least time between two tries to renew credentials that still hold.
const PAUSE: Duration = Duration::from_secs(10);

/// Credentials that are shared. Clones share them.
#[derive(Clone)]
pub(crate) struct SharedCredentials {
    inner: Arc<Inner>,
}

struct Inner {
    provider: SharedCredentialsProvider,
    /// Held while the provider is asked, so that it is asked once.
    asking: Mutex<()>,
    held: RwLock<Option<Held>>,
    /// How often `held` was replaced by other credentials.
    changes: AtomicU64,
}

#[derive(Clone)]
struct Held {
    credentials: Arc<Credentials>,
    /// When the provider may be asked again before the credentials end.
    ask_again: SystemTime,
}

impl Held {
    fn is_over(&self, now: SystemTime) -> bool {
        self.credentials.expiry().is_some_and(|expiry| expiry <= now)
    }

    fn is_due(&self, now: SystemTime) -> bool {
        self.credentials.expiry().is_some_and(|expiry| expiry <= now + MARGIN) && self.ask_again <= now
    }
}

impl SharedCredentials {
    pub(crate) fn new(provider: SharedCredentialsProvider) -> Self {
        let inner = Inner { provider, asking: Mutex::default(), held: RwLock::default(), changes: AtomicU64::new(0) };
        Self { inner: Arc::new(inner) }
    }

    /// How often other credentials took the place of those before.
    pub(crate) fn changes(&self) -> u64 {
        self.inner.changes.load(Ordering::Acquire)
    }

    /// The credentials of now.
    ///
    /// # Errors
    /// Those of the provider, unless it failed to renew credentials that still hold.
    pub(crate) async fn get(&self) -> Result<Arc<Credentials>, CredentialsError> {
        let now = SystemTime::now();
        match self.held() {
            Some(held) if held.is_over(now) => {}
            Some(held) if !held.is_due(now) => return Ok(held.credentials),
            Some(held) => {
                // One caller renews them, the others go on with what they have.
                let Ok(_asking) = self.inner.asking.try_lock() else { return Ok(held.credentials) };
                return match self.ask(now).await {
                    Ok(credentials) => Ok(credentials),
                    Err(error) => {
                        tracing::warn!(%error, "the credentials could not be renewed; they still hold");
                        self.put_off(now);
                        Ok(held.credentials)
                    }
                };
            }
            None => {}
        }
        let _asking = self.inner.asking.lock().await;
        match self.held() {
            Some(held) if !held.is_over(now) => Ok(held.credentials),
            _ => self.ask(now).await,
        }
    }

    /// Asks for others in place of credentials that a store called expired. Whether there are others now.
    pub(crate) async fn renew(&self, refused: &Credentials) -> bool {
        let _asking = self.inner.asking.lock().await;
        let others = |credentials: &Credentials| {
            credentials.access_key_id() != refused.access_key_id()
                || credentials.session_token() != refused.session_token()
        };
        if self.held().is_some_and(|held| others(&held.credentials)) {
            return true;
        }
        match self.ask(SystemTime::now()).await {
            Ok(credentials) => others(&credentials),
            Err(error) => {
                tracing::warn!(%error, "expired credentials could not be renewed");
                false
            }
        }
    }

    fn held(&self) -> Option<Held> {
        self.inner.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn ask(&self, now: SystemTime) -> Result<Arc<Credentials>, CredentialsError> {
        let credentials = Arc::new(self.inner.provider.provide_credentials().await?);
        let held = Held { credentials: credentials.clone(), ask_again: now + PAUSE };
        *self.inner.held.write().unwrap_or_else(PoisonError::into_inner) = Some(held);
        self.inner.changes.fetch_add(1, Ordering::Release);
        Ok(credentials)
    }

    fn put_off(&self, now: SystemTime) {
        if let Some(held) = self.inner.held.write().unwrap_or_else(PoisonError::into_inner).as_mut() {
            held.ask_again = now + PAUSE;
        }
    }
}

impl fmt::Debug for SharedCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedCredentials").finish_non_exhaustive()
    }
}

impl ProvideCredentials for SharedCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async { self.get().await.map(|credentials| Credentials::clone(&credentials)) })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// Names its credentials by the number of the call; each set holds for a while, and some calls fail.
    #[derive(Clone, Debug, Default)]
    struct Numbered {
        calls: Arc<AtomicUsize>,
        lasts: Option<Duration>,
        fails_from: Option<usize>,
    }

    impl ProvideCredentials for Numbered {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let call = self.calls.fetch_add(1, Ordering::Relaxed);
            let expiry = self.lasts.map(|lasts| SystemTime::now() + lasts);
            future::ProvideCredentials::new(async move {
                tokio::task::yield_now().await;
                if self.fails_from.is_some_and(|from| call >= from) {
                    return Err(CredentialsError::not_loaded("not this time"));
                }
                Ok(Credentials::new(format!("key-{call}"), "secret", None, expiry, "test"))
            })
        }
    }

    fn shared(provider: &Numbered) -> SharedCredentials {
        SharedCredentials::new(SharedCredentialsProvider::new(provider.clone()))
    }

    #[tokio::test]
    async fn many_callers_ask_once() {
        let provider = Numbered { lasts: Some(Duration::from_hours(1)), ..Numbered::default() };
        let credentials = shared(&provider);
        let callers = (0..50).map(|_| {
            let credentials = credentials.clone();
            async move { credentials.get().await.unwrap().access_key_id().to_owned() }
        });
        assert_eq!(futures::future::join_all(callers).await, vec!["key-0"; 50]);
        assert_eq!((provider.calls.load(Ordering::Relaxed), credentials.changes()), (1, 1));
    }

    #[tokio::test]
    async fn what_expires_soon_is_renewed_and_kept_when_that_fails() {
        let soon = Numbered { lasts: Some(Duration::from_mins(2)), fails_from: Some(1), ..Numbered::default() };
        let credentials = shared(&soon);
        for _ in 0..3 {
            assert_eq!(credentials.get().await.unwrap().access_key_id(), "key-0");
        }
        credentials.inner.held.write().unwrap().as_mut().unwrap().ask_again = SystemTime::UNIX_EPOCH;
        for _ in 0..3 {
            assert_eq!(credentials.get().await.unwrap().access_key_id(), "key-0");
        }
        // The failed try is not repeated at once.
        assert_eq!(soon.calls.load(Ordering::Relaxed), 2);

        let over = Numbered { lasts: Some(Duration::ZERO), fails_from: Some(1), ..Numbered::default() };
        let credentials = shared(&over);
        credentials.get().await.unwrap();
        credentials.get().await.unwrap_err();
    }

    #[tokio::test]
    async fn refused_credentials_are_renewed_once_for_all_who_were_refused() {
        let provider = Numbered { lasts: Some(Duration::from_hours(1)), ..Numbered::default() };
        let credentials = shared(&provider);
        let refused = credentials.get().await.unwrap();
        assert!(credentials.renew(&refused).await && credentials.renew(&refused).await);
        assert_eq!(credentials.get().await.unwrap().access_key_id(), "key-1");

        let pair = Credentials::new("id", "secret", None, None, "test");
        let written_down = SharedCredentials::new(SharedCredentialsProvider::new(pair.clone()));
        assert!(!written_down.renew(&pair).await, "the same pair again is no help");
    }
}
