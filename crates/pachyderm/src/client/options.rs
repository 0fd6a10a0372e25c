//! How a client connects and how long it waits.

use std::{fmt, time::Duration};

/// A Pachyderm auth token. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Box<str>);

impl Token {
    /// Wraps a token.
    #[must_use]
    pub fn new(token: impl Into<Box<str>>) -> Self {
        Self(token.into())
    }

    /// The token itself.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

/// Whom a client believes when the server speaks TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsRoots {
    /// The certificates of the machine.
    #[default]
    Native,
    /// These certificates only, in PEM.
    Pem(Vec<u8>),
}

/// How a client connects and how long it waits.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Sent as `authn-token` with every call; etcd never gets it.
    pub token: Option<Token>,
    /// Longest time to make a connection.
    pub connect_timeout: Duration,
    /// Longest time for a call with one answer.
    pub deadline: Duration,
    /// Longest time that a stream may deliver nothing while it is waited for. The stream as a whole may take any time.
    pub progress_deadline: Duration,
    /// Whom to believe when the server speaks TLS.
    pub tls_roots: TlsRoots,
}

impl Default for ClientOptions {
    /// No token, 30 s to connect, 2 minutes for a call, 5 minutes without progress, the machine's certificates.
    fn default() -> Self {
        Self {
            token: None,
            connect_timeout: Duration::from_secs(30),
            deadline: Duration::from_secs(120),
            progress_deadline: Duration::from_secs(300),
            tls_roots: TlsRoots::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ClientOptions, Token};

    #[test]
    fn debug_hides_the_token() {
        let options = ClientOptions { token: Some(Token::new("very-secret")), ..ClientOptions::default() };
        assert!(!format!("{options:?}").contains("very-secret"));
    }
}
