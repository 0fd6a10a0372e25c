//! What a clone would take, for people.

use orchestrator::clone::{CloneSpec, CopyPath, Survey};

use crate::render::{bytes, seconds};

/// Amazon's list prices in us-east-1, Standard storage, in dollars: 1,000 of PUT, COPY, POST or LIST; 1,000 of GET or HEAD.
/// Deletes are free.
const WRITES: f64 = 0.005 / 1000.0;
const READS: f64 = 0.0004 / 1000.0;
/// A GB (10^9 bytes here, a little more than they count) of storage for a month.
const GB_MONTH: f64 = 0.023;
/// Copies a second that one partition of a bucket is published to take.
const COPIES_PER_SECOND: f64 = 3500.0;

/// One line for the log.
pub(super) fn summary(survey: &Survey) -> String {
    format!("{} of {} objects would be copied, {}", survey.to_copy, survey.objects, bytes(survey.bytes_to_copy))
}

/// The whole answer.
pub(super) fn text(survey: &Survey, spec: &CloneSpec, amazon: bool) -> String {
    let requests = &survey.requests;
    let mut lines = vec![
        format!(
            "source     {} objects, {}, the largest {}",
            survey.objects,
            bytes(survey.bytes),
            bytes(survey.largest)
        ),
        format!("to copy    {} objects, {}", survey.to_copy, bytes(survey.bytes_to_copy)),
        format!("only there {} objects", survey.extra),
        format!(
            "requests   {} lists, {} copies, {} gets, {} puts, {} heads, {} deletes",
            requests.lists, requests.copies, requests.gets, requests.puts, requests.heads, requests.deletes
        ),
    ];
    if survey.archived > 0 {
        lines.push(format!(
            "archived   {} of those to copy: bring them back first (`aws s3api restore-object`), or the clone ends at the first one that \
             was not",
            survey.archived
        ));
    }
    let ceiling = spec.ceilings.requests_per_second.map_or(COPIES_PER_SECOND, f64::from).min(COPIES_PER_SECOND);
    let calls = (requests.copies + requests.gets + requests.puts) as f64;
    let mut took = calls / ceiling;
    let ramp = spec.destination.capabilities().write_ramp;
    if let Some(ramp) = ramp {
        took = took.max(ramp.seconds_for((requests.copies + requests.puts + requests.deletes) as f64));
        let (first, minutes) = (ramp.per_second, ramp.doubles_every_seconds / 60);
        lines.push(format!(
            "writes     {first}/s at first, twice as many after each {minutes} minutes, as the store wants it"
        ));
    }
    if let Some(most) = spec.ceilings.bytes_per_second {
        took = took.max(survey.bytes_to_copy as f64 / most as f64);
    }
    let how = match spec.path {
        CopyPath::ServerSide => "the store copies by itself",
        CopyPath::Streamed => "through this machine, so its network decides",
    };
    lines.push(match ramp {
        Some(_) => format!("time       at least {} ({how})", seconds(took)),
        None => format!("time       about {} at {ceiling:.0} requests/s ({how})", seconds(took)),
    });
    lines.push(if amazon {
        let writes = (requests.lists + requests.copies + requests.puts) as f64 * WRITES;
        let reads = (requests.gets + requests.heads) as f64 * READS;
        let stored = survey.bytes_to_copy as f64 / 1e9 * GB_MONTH;
        format!(
            "cost       ${:.2} for requests, ${stored:.2} a month for storage, at list prices of us-east-1; traffic between \
             regions comes on top",
            writes + reads
        )
    } else {
        "cost       not known for this store".to_owned()
    });
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use orchestrator::clone::{CloneOrder, Kind, Requests};
    use provider::testkit::memory::MemoryBucket;

    use super::*;

    #[test]
    fn counts_become_time_and_money() {
        let survey = Survey {
            objects: 1_000_000,
            bytes: 10_000_000_000,
            to_copy: 700_000,
            bytes_to_copy: 6_000_000_000,
            archived: 2,
            extra: 3,
            largest: 1 << 30,
            requests: Requests { lists: 2000, copies: 700_000, ..Requests::default() },
        };
        let bucket = || Arc::new(MemoryBucket::new("data"));
        let order = CloneOrder::by_key(|_| Kind::Other);
        let spec = CloneSpec::new(bucket(), bucket(), CopyPath::ServerSide, order);
        let text = text(&survey, &spec, true);
        assert!(text.contains("about 3 min 20 s at 3500 requests/s"), "{text}");
        assert!(text.contains("$3.51 for requests, $0.14 a month"), "{text}");
        assert!(text.contains("archived   2 of those to copy"), "{text}");
        assert_eq!(summary(&survey), "700000 of 1000000 objects would be copied, 5.6 GiB");
    }
}
