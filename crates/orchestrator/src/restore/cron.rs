//! When a cron input ticks: Pachyderm commits every tick that was missed, one after another, as soon as the pipeline starts.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The words for months and days of the week.
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// A schedule as a cron input writes it, in UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Schedule {
    /// `@every 10m`.
    Every(Duration),
    /// Five fields, or a word for them. Each is a set of bits.
    Fields { minutes: u64, hours: u64, days: u64, months: u64, weekdays: u64, either_day: bool },
}

impl Schedule {
    /// Reads five fields or one of the words `@hourly`, `@daily`, `@every 10m`, …; `None` for what isn't understood.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let fields = match text {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            _ => text,
        };
        if let Some(every) = fields.strip_prefix("@every ") {
            return duration(every.trim()).map(Self::Every);
        }
        let parts: Vec<&str> = fields.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = parts.as_slice() else { return None };
        let is_any = |part: &str| part.starts_with('*') || part == "?";
        // Sunday may be written as 7.
        let week = field(weekdays, 0, 7, &DAYS, 0)?;
        Some(Self::Fields {
            minutes: field(minutes, 0, 59, &[], 0)?,
            hours: field(hours, 0, 23, &[], 0)?,
            days: field(days, 1, 31, &[], 0)?,
            months: field(months, 1, 12, &MONTHS, 1)?,
            weekdays: (week & 0x7f) | (week >> 7 & 1),
            either_day: !is_any(days) && !is_any(weekdays),
        })
    }

    /// Ticks after `from` and up to `to`. Counts no further than a little beyond `enough`.
    pub(super) fn ticks(&self, from: Timestamp, to: Timestamp, enough: u64) -> u64 {
        let seconds = u64::try_from(to.as_second() - from.as_second()).unwrap_or(0);
        match self {
            Self::Every(every) => seconds / every.as_secs().max(1),
            Self::Fields { minutes, hours, .. } => {
                let (mut day, last) = (date(from), date(to));
                let mut ticks = 0;
                while day <= last && ticks <= enough {
                    if self.is_on(day) {
                        let begin = day.to_zoned(TimeZone::UTC).map_or(0, |begin| begin.timestamp().as_second());
                        for hour in (0..24).filter(|hour| hours >> hour & 1 == 1) {
                            for minute in (0..60).filter(|minute| minutes >> minute & 1 == 1) {
                                let at = begin + hour * 3600 + minute * 60;
                                ticks += u64::from(at > from.as_second() && at <= to.as_second());
                            }
                        }
                    }
                    let Ok(next) = day.tomorrow() else { break };
                    day = next;
                }
                ticks
            }
        }
    }

    /// Whether it ticks on a day. Where both kinds of day are given, either is enough.
    fn is_on(&self, date: Date) -> bool {
        let Self::Fields { days, months, weekdays, either_day, .. } = self else { return true };
        let month = months >> date.month() & 1 == 1;
        let day = days >> date.day() & 1 == 1;
        let weekday = weekdays >> date.weekday().to_sunday_zero_offset() & 1 == 1;
        month && if *either_day { day || weekday } else { day && weekday }
    }
}

fn date(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date()
}

/// One field as a set of bits: lists of values, ranges, steps, and words.
fn field(text: &str, least: u64, most: u64, words: &[&str], first_word: u64) -> Option<u64> {
    let value = |text: &str| {
        let word = words.iter().position(|word| text.eq_ignore_ascii_case(word));
        let value = word.map_or_else(|| text.parse().ok(), |word| Some(word as u64 + first_word))?;
        (least..=most).contains(&value).then_some(value)
    };
    let mut set = 0_u64;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse::<u64>().ok().filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (value(from)?, value(to)?),
            None if range == "*" || range == "?" => (least, if most == 7 { 6 } else { most }),
            // With a step, one value stands for all from there on.
            None if part.contains('/') => (value(range)?, most),
            None => (value(range)?, value(range)?),
        };
        let mut next = from;
        while next <= to {
            set |= 1 << next;
            next += step;
        }
    }
    Some(set)
}

/// A duration as Go writes it, such as `1h30m`.
fn duration(text: &str) -> Option<Duration> {
    let (mut total, mut number) = (0.0, String::new());
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        if next.is_ascii_digit() || next == '.' {
            number.push(next);
            continue;
        }
        let unit = match next {
            'h' => 3600.0,
            'm' if rest.peek() == Some(&'s') => {
                rest.next();
                1e-3
            }
            'm' => 60.0,
            's' => 1.0,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * unit;
        number.clear();
    }
    (number.is_empty() && total > 0.0).then(|| Duration::from_secs_f64(total))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn ticks(spec: &str, from: &str, to: &str) -> u64 {
        Schedule::parse(spec).unwrap().ticks(from.parse().unwrap(), to.parse().unwrap(), u64::MAX - 1)
    }

    #[test]
    fn missed_ticks_are_counted() {
        for (spec, from, to, expected) in [
            ("* * * * *", "2024-01-01T00:00:00Z", "2024-01-31T00:00:00Z", 43_200),
            ("0 * * * *", "2024-01-01T00:30:00Z", "2024-01-01T03:00:00Z", 3),
            ("@daily", "2024-02-28T12:00:00Z", "2024-03-02T12:00:00Z", 3),
            ("*/15 9-17 * * mon-fri", "2024-01-06T00:00:00Z", "2024-01-09T00:00:00Z", 36),
            ("0 0 1,15 * 5", "2024-01-01T00:30:00Z", "2024-01-16T00:00:00Z", 3),
            ("0 0 * * 7", "2024-01-01T00:00:00Z", "2024-01-15T00:00:00Z", 2),
            ("@every 1h30m", "2024-01-01T00:00:00Z", "2024-01-01T10:00:00Z", 6),
            ("@yearly", "2024-01-01T00:00:00Z", "2023-01-01T00:00:00Z", 0),
        ] {
            assert_eq!(ticks(spec, from, to), expected, "{spec}");
        }
    }

    #[test]
    fn what_is_not_understood_is_no_schedule() {
        for spec in ["", "* * * *", "61 * * * *", "@every x", "@often", "TZ=UTC 0 0 * * *", "*/0 * * * *"] {
            assert_eq!(Schedule::parse(spec), None, "{spec}");
        }
    }

    #[test]
    fn counting_ends_where_it_is_enough() {
        let schedule = Schedule::parse("* * * * *").unwrap();
        let ticks =
            schedule.ticks("1990-01-01T00:00:00Z".parse().unwrap(), "2024-01-01T00:00:00Z".parse().unwrap(), 10);
        assert!(ticks > 10 && ticks <= 10 + 1440, "{ticks}");
    }
}
