//! Spans of time as people write them: `90s`, `15m`, `1h30m`.

use std::time::Duration;

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Reads `15m`, `1h30m`, `500ms`. Without a unit it isn't a span of time.
///
/// # Errors
/// A sentence that says what was expected.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let expected = || "a span of time such as \"90s\", \"15m\" or \"1h30m\"".to_owned();
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(expected());
    }
    let mut milliseconds: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(expected)?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, next) = after.split_at(letters);
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(expected)?;
        milliseconds = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(*factor))
            .and_then(|part| milliseconds.checked_add(part))
            .ok_or_else(expected)?;
        rest = next;
    }
    Ok(Duration::from_millis(milliseconds))
}

/// Writes a span of time so that [`parse`] reads it back; exact to the millisecond.
pub(crate) fn format(span: Duration) -> String {
    let mut rest = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, factor) in UNITS.iter().rev() {
        if rest >= *factor {
            text.push_str(&format!("{}{unit}", rest / factor));
            rest %= factor;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn reads_and_writes_back() {
        for text in ["90s", "15m", "1h30m", "500ms", "1d", "0s"] {
            let span = parse(text).unwrap();
            assert_eq!(parse(&format(span)).unwrap(), span, "{text}");
        }
        assert_eq!(parse("1h30m").unwrap(), Duration::from_secs(5_400));
        assert_eq!(format(Duration::from_secs(90)), "1m30s");
    }

    #[test]
    fn refuses_what_has_no_unit() {
        for text in ["", "15", "m", "15 m", "-5s", "5y", "1h30", "99999999999999999999d"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
