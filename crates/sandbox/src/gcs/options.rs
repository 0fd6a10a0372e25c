//! How a server is started.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// How to start a server.
#[derive(Clone)]
pub struct GcsOptions {
    /// Where to listen; port 0 takes a free one.
    pub addr: SocketAddr,
    /// The project of every bucket.
    pub project: String,
    /// The project's number.
    pub project_number: u64,
    /// The service account whose tokens the metadata server gives.
    pub account: String,
    /// The account behind the refresh token.
    pub user: String,
    /// What the OAuth endpoint `/token` gives tokens of [`GcsOptions::user`] for.
    pub refresh_token: String,
    /// How long a token is good.
    pub token_lifetime: Duration,
    /// Whether calls may come without a token. A wrong one is refused either way.
    pub anonymous: bool,
    /// Most bytes that one call rewrites if source and destination differ in location, class or key; all without it.
    pub rewrite_bytes_per_call: Option<u64>,
    /// Whether that limit holds for every rewrite.
    pub rewrite_always_in_steps: bool,
}

impl Default for GcsOptions {
    fn default() -> Self {
        Self {
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            project: "sandbox".to_owned(),
            project_number: 123_456_789_012,
            account: "sandbox@sandbox.iam.gserviceaccount.com".to_owned(),
            user: "user@sandbox.example".to_owned(),
            refresh_token: "sandbox-refresh-token".to_owned(),
            token_lifetime: Duration::from_secs(3600),
            anonymous: false,
            rewrite_bytes_per_call: None,
            rewrite_always_in_steps: false,
        }
    }
}

impl fmt::Debug for GcsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GcsOptions")
            .field("addr", &self.addr)
            .field("project", &self.project)
            .field("account", &self.account)
            .field("user", &self.user)
            .field("refresh_token", &"<redacted>")
            .field("token_lifetime", &self.token_lifetime)
            .field("anonymous", &self.anonymous)
            .field("rewrite_bytes_per_call", &self.rewrite_bytes_per_call)
            .field("rewrite_always_in_steps", &self.rewrite_always_in_steps)
            .finish_non_exhaustive()
    }
}
