//! A call that got no answer that can be read, as the contract's error.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use hyper_util::client::legacy;
use provider::{Error, ErrorKind};

use super::xml::Malformed;
use crate::error::{Untrusted, is_untrusted, untrusted};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("no credentials")]
    Credentials(#[from] CredentialsError),
    #[error("the request can't be written down as HTTP")]
    Unwritable(#[from] http::Error),
    #[error("the request got no answer")]
    Unsent(#[source] legacy::Error),
    #[error("no answer within {0:?}")]
    Late(Duration),
    #[error("the body of the answer is not there within {0:?}")]
    Slow(Duration),
    #[error("the body of the answer stood still for {0:?}")]
    Stalled(Duration),
    #[error("the answer broke off")]
    Broken(#[source] hyper::Error),
    #[error("the answer has more than {0} bytes")]
    Large(usize),
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl Failure {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Credentials(_) => ErrorKind::Unauthenticated,
            Self::Unwritable(_) => ErrorKind::Invalid,
            Self::Unsent(error) if timed_out(error) => ErrorKind::Timeout,
            Self::Unsent(_) | Self::Broken(_) => ErrorKind::Unavailable,
            Self::Late(_) | Self::Slow(_) | Self::Stalled(_) => ErrorKind::Timeout,
            Self::Large(_) | Self::Malformed(_) => ErrorKind::Corrupt,
        }
    }

    pub(super) fn into_error(self, operation: &'static str, resource: &str) -> Error {
        if is_untrusted(&self) {
            return untrusted(operation, resource, Untrusted(Box::new(self)));
        }
        Error::new(self.kind(), operation, resource).with_source(self)
    }
}

fn timed_out(error: &(dyn StdError + 'static)) -> bool {
    let mut at = Some(error);
    while let Some(error) = at {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
            return true;
        }
        at = error.source();
    }
    false
}
