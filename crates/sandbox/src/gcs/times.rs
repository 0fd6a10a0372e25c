//! Times as the wire has them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A time as protobuf tells it.
pub(super) fn timestamp(at: SystemTime) -> prost_types::Timestamp {
    prost_types::Timestamp::from(at)
}

/// A time as JSON tells it, to the millisecond: `2026-01-31T10:00:00.042Z`.
pub(super) fn rfc3339(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let second = i64::try_from(since.as_secs()).unwrap_or_default();
    let nanosecond = i32::try_from(since.subsec_millis() * 1_000_000).unwrap_or_default();
    jiff::Timestamp::new(second, nanosecond).unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// A time as an HTTP header tells it: `Sat, 31 Jan 2026 10:00:00 GMT`.
pub(super) fn http_date(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let second = i64::try_from(since.as_secs()).unwrap_or_default();
    jiff::Timestamp::from_second(second).unwrap_or_default().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// A time out of JSON.
pub(super) fn parse(text: &str) -> Option<SystemTime> {
    text.parse::<jiff::Timestamp>().ok().map(SystemTime::from)
}

/// A duration as protobuf tells it.
pub(super) fn duration(period: Duration) -> prost_types::Duration {
    let nanos = i32::try_from(period.subsec_nanos()).unwrap_or_default();
    prost_types::Duration { seconds: i64::try_from(period.as_secs()).unwrap_or(i64::MAX), nanos }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_google_does() {
        let at = UNIX_EPOCH + Duration::from_millis(1_700_000_000_042);
        assert_eq!(rfc3339(at), "2023-11-14T22:13:20.042Z");
        assert_eq!(http_date(at), "Tue, 14 Nov 2023 22:13:20 GMT");
        assert_eq!(parse("2023-11-14T22:13:20.042Z"), Some(at));
        assert_eq!(parse("yesterday"), None);
    }
}
