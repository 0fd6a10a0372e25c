//! How a command that did not succeed ended.

use orchestrator::Error;
use orchestrator::outcome::Failure;

use crate::config::ConfigError;

/// A failure on its way to the user.
#[derive(Debug)]
pub(crate) struct Ended(pub(crate) Box<Failure>);

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self(Box::new(failure))
    }
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Failure::untouched(error).into()
    }
}

impl From<ConfigError> for Ended {
    fn from(error: ConfigError) -> Self {
        Error::from(error).into()
    }
}
