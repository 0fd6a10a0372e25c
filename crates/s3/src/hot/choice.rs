//! Which client makes the two hot calls of a bucket.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A client for copying and listing. Everything else goes through the SDK.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientKind {
    /// A client of its own, which takes a fraction of the CPU time that the SDK takes. Where it can't work, the SDK does
    /// ([`ClientChoice`]).
    #[default]
    Lean,
    /// The SDK.
    Sdk,
}

/// The client that copies and lists in one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientChoice {
    /// The client in use.
    pub kind: ClientKind,
    /// Why it is not the one that was asked for; `None` when it is.
    pub because: Option<WhySdk>,
}

/// Why the SDK has to copy and list in a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhySdk {
    /// The bucket is named by an ARN: an access point, an outpost.
    Arn,
    /// The bucket is one of S3 Express One Zone.
    Express,
    /// Requests to the bucket are signed in another way than with a key of one region (SigV4).
    Signing,
    /// The bucket's address is not known beforehand, or no plain URL.
    Address,
    /// The bucket is reached through an HTTP proxy.
    Proxy,
    /// There is nobody to ask for credentials.
    Credentials,
    /// The machine has no root certificates to check the store's by.
    Certificates,
}

impl fmt::Display for WhySdk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Arn => "the bucket is named by an ARN",
            Self::Express => "the bucket is one of S3 Express One Zone",
            Self::Signing => "requests to the bucket are signed otherwise than with SigV4",
            Self::Address => "the bucket's address is no plain URL",
            Self::Proxy => "the bucket is reached through an HTTP proxy",
            Self::Credentials => "there is nobody to ask for credentials",
            Self::Certificates => "the machine has no root certificates",
        })
    }
}
