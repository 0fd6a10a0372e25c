//! Access tokens, and the accounts behind them.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::failure::Failure;

/// The tokens that were issued.
pub(super) struct Accounts {
    tokens: RwLock<HashMap<String, Token>>,
    lifetime: Duration,
    /// Whether a call may come without a token.
    anonymous: bool,
}

struct Token {
    account: Arc<str>,
    over: Instant,
}

/// Who makes a call.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// An account's address; `Anonymous caller` without a token.
    pub(super) account: Arc<str>,
    /// The project that the call is billed to.
    pub(super) user_project: Option<String>,
}

impl Accounts {
    pub(super) fn new(lifetime: Duration, anonymous: bool) -> Self {
        Self { tokens: RwLock::default(), lifetime, anonymous }
    }

    pub(super) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// A new token of an account.
    pub(super) fn issue(&self, account: &str) -> String {
        let token = format!("ya29.sandbox-{}", uuid::Uuid::new_v4().simple());
        let issued = Token { account: account.into(), over: Instant::now() + self.lifetime };
        self.tokens.write().unwrap_or_else(PoisonError::into_inner).insert(token.clone(), issued);
        token
    }

    /// From now on no token is good that was issued so far.
    pub(super) fn revoke_all(&self) {
        self.tokens.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The account behind a request's `Authorization`.
    pub(super) fn account(&self, headers: &HeaderMap) -> Result<Arc<str>, Failure> {
        let Some(authorization) = headers.get(AUTHORIZATION) else {
            return if self.anonymous { Ok("Anonymous caller".into()) } else { Err(Failure::no_token()) };
        };
        let token = authorization.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
        token.and_then(|token| self.account_of(token)).ok_or_else(Failure::wrong_token)
    }

    /// Whether a token was issued here and is good.
    pub(super) fn knows(&self, token: &str) -> bool {
        self.account_of(token).is_some()
    }

    fn account_of(&self, token: &str) -> Option<Arc<str>> {
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let found = tokens.get(token).filter(|found| Instant::now() < found.over);
        found.map(|found| Arc::clone(&found.account))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn headers(authorization: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, authorization.parse().unwrap())])
    }

    #[test]
    fn a_token_is_good_until_it_is_over_or_revoked() {
        let accounts = Accounts::new(Duration::from_secs(3600), false);
        let issued = accounts.issue("me@project");
        let token = headers(&format!("Bearer {issued}"));
        assert_eq!(accounts.account(&token).as_deref(), Ok("me@project"));
        assert!(accounts.knows(&issued) && !accounts.knows("other"));
        for wrong in ["Bearer other", "Basic abc"] {
            assert_eq!(accounts.account(&headers(wrong)), Err(Failure::wrong_token()), "{wrong}");
        }
        assert_eq!(accounts.account(&HeaderMap::new()), Err(Failure::no_token()));
        accounts.revoke_all();
        assert_eq!(accounts.account(&token), Err(Failure::wrong_token()));
        assert!(!accounts.knows(&issued));

        let short = Accounts::new(Duration::ZERO, true);
        let token = headers(&format!("Bearer {}", short.issue("me@project")));
        assert_eq!(short.account(&token), Err(Failure::wrong_token()));
        assert_eq!(short.account(&HeaderMap::new()).as_deref(), Ok("Anonymous caller"));
    }
}
