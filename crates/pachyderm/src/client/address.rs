//! Where a server is.

use std::fmt;

/// Where a server is, and whether it speaks TLS.
///
/// Written as Pachyderm's own clients accept it: `host[:port]`, or with one of the schemes `grpc://`, `http://`
/// (plaintext) and `grpcs://`, `https://` (TLS). An IPv6 address stands in brackets. Shown in the long form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    host: Box<str>,
    port: u16,
    tls: bool,
}

/// A text that is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no address: {problem}")]
pub struct AddressError {
    text: Box<str>,
    problem: &'static str,
}

impl Address {
    /// pachd's port in what `pachctl deploy` sets up.
    pub const PACHD_PORT: u16 = 30650;
    /// etcd's client port.
    pub const ETCD_PORT: u16 = 2379;

    /// An address that speaks plaintext. An IPv6 address stands in brackets.
    #[must_use]
    pub fn plaintext(host: &str, port: u16) -> Self {
        Self { host: host.into(), port, tls: false }
    }

    /// Reads an address; `default_port` holds where none is given.
    ///
    /// # Errors
    ///
    /// The text has an unknown scheme, no host, a bad port, or something after the port.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, AddressError> {
        let problem = |problem| AddressError { text: text.into(), problem };
        let (scheme, rest) = text.split_once("://").unwrap_or(("grpc", text));
        let tls = match scheme {
            "grpc" | "http" => false,
            "grpcs" | "https" => true,
            _ => return Err(problem("its scheme is none of grpc, grpcs, http, https")),
        };
        let (host, port) = match rest.strip_prefix('[') {
            Some(bracketed) => {
                let (inside, after) = bracketed.split_once(']').ok_or_else(|| problem("a bracket is not closed"))?;
                if inside.parse::<std::net::Ipv6Addr>().is_err() {
                    return Err(problem("what stands in brackets is no IPv6 address"));
                }
                let port = match after.strip_prefix(':') {
                    Some(port) => Some(port),
                    None if after.is_empty() => None,
                    None => return Err(problem("something but a port follows the brackets")),
                };
                (&rest[..inside.len() + 2], port)
            }
            None => match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            },
        };
        if host.is_empty() {
            return Err(problem("it has no host"));
        }
        if !host.starts_with('[') && !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
            return Err(problem("its host holds a character that hosts cannot hold"));
        }
        let port = match port {
            None => default_port,
            Some(port) => match port.parse() {
                Ok(port) if port != 0 => port,
                _ => return Err(problem("its port is no number from 1 to 65535")),
            },
        };
        Ok(Self { host: host.into(), port, tls })
    }

    /// The host; an IPv6 address with its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it speaks TLS.
    #[must_use]
    pub fn tls(&self) -> bool {
        self.tls
    }

    pub(crate) fn uri(&self) -> String {
        format!("{}://{}:{}", if self.tls { "https" } else { "http" }, self.host, self.port)
    }
}

/// Reads an address of pachd: without a port, [`Address::PACHD_PORT`].
impl std::str::FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text, Self::PACHD_PORT)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", if self.tls { "grpcs" } else { "grpc" }, self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::Address;

    #[test]
    fn every_form_that_pachctl_takes_is_read() {
        for (text, shown) in [
            ("pachd", "grpc://pachd:30650"),
            ("10.0.0.1:650", "grpc://10.0.0.1:650"),
            ("grpc://pachd.example.com", "grpc://pachd.example.com:30650"),
            ("http://h:1", "grpc://h:1"),
            ("grpcs://h", "grpcs://h:30650"),
            ("https://h:443", "grpcs://h:443"),
            ("[::1]", "grpc://[::1]:30650"),
            ("grpcs://[fe80::1]:650", "grpcs://[fe80::1]:650"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "", "ftp://h", "h:", "h:0", "h:65536", "h:x", "h:1/path", "h/path", "[::1", "[::1]x", "[x]:1", "::1", "a b",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
