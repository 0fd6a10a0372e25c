//! The name of one run.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How the instant is written: UTC, to the second.
const INSTANT: &str = "%Y%m%dt%H%M%Sz";
/// Hexadecimal digits that keep runs of the same second apart.
const SUFFIX: usize = 6;

/// The name of one run: the second it began in, and six random hexadecimal digits, as in `20261124t034500z-1f3a9c`.
///
/// Ids sort by time, hold only `a-z0-9-`, and are 23 characters long, so that they fit into a Kubernetes label, a
/// bucket's name and a provider's token.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct RunId(String);

impl RunId {
    /// A new id of a run that begins at `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        let random = Uuid::new_v4().simple().to_string();
        Self(format!("{}-{}", now.strftime(INSTANT), &random[..SUFFIX]))
    }

    /// The id's characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// When the run began, to the second.
    #[must_use]
    pub fn began(&self) -> Timestamp {
        parse_instant(&self.0).expect("an id is parsed before it becomes a RunId")
    }
}

/// Instant of an id in exactly the form that [`RunId::new`] writes.
fn parse_instant(id: &str) -> Option<Timestamp> {
    let (instant, suffix) = id.split_once('-')?;
    let hexadecimal = suffix.len() == SUFFIX && suffix.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let began = DateTime::strptime(INSTANT, instant).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
    (hexadecimal && began.strftime(INSTANT).to_string() == instant).then_some(began)
}

/// A text that is not the id of a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a run id; one looks like 20261124t034500z-1f3a9c")]
pub struct InvalidRunId(pub String);

impl FromStr for RunId {
    type Err = InvalidRunId;

    fn from_str(id: &str) -> Result<Self, Self::Err> {
        id.to_owned().try_into()
    }
}

impl TryFrom<String> for RunId {
    type Error = InvalidRunId;

    fn try_from(id: String) -> Result<Self, Self::Error> {
        if parse_instant(&id).is_some() { Ok(Self(id)) } else { Err(InvalidRunId(id)) }
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ids_round_trip_sort_by_time_and_fit_a_label() {
        let earlier: Timestamp = "2026-11-24T03:45:00.9Z".parse().unwrap();
        let later: Timestamp = "2026-11-24T03:45:01Z".parse().unwrap();
        let (first, second) = (RunId::new(earlier), RunId::new(later));
        assert!(first < second);
        assert!(first.as_str().starts_with("20261124t034500z-"));
        assert!(first.as_str().len() <= 63);
        assert!(first.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
        assert_eq!(first.to_string().parse::<RunId>().unwrap(), first);
        assert_eq!(first.began(), "2026-11-24T03:45:00Z".parse::<Timestamp>().unwrap());
        let json = serde_json::to_string(&first).unwrap();
        assert_eq!(serde_json::from_str::<RunId>(&json).unwrap(), first);
    }

    #[test]
    fn runs_of_one_second_differ() {
        let now = Timestamp::UNIX_EPOCH;
        assert_ne!(RunId::new(now), RunId::new(now));
    }

    #[test]
    fn anything_else_is_refused() {
        for id in [
            "",
            "latest",
            "20261124t034500z",
            "20261124t034500z-1F3A9C",
            "20261124t034500z-1f3a9",
            "20261124t034500z-1f3a9c0",
            "20261324t034500z-1f3a9c",
            " 20261124t034500z-1f3a9c",
            "20261124t034500z-1f3a9c/",
        ] {
            assert_eq!(id.parse::<RunId>(), Err(InvalidRunId(id.to_owned())));
        }
    }
}
