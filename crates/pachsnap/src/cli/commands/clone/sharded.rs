//! A clone that several processes make together.

use std::time::Instant;

use orchestrator::clone::{CloneShard, bring_shard_up_to_date, plan_shards};
use orchestrator::event::{EventKind, Events};
use orchestrator::{Error, ErrorKind};

use super::{Clone, Prepared, summary, writing};
use crate::cli::{Ended, Session};

impl Clone {
    /// Plans so many shards at most; answers with a line of JSON for each.
    pub(super) async fn plan(&self, session: &Session, prepared: Prepared, count: usize) -> Result<String, Ended> {
        let Prepared { spec, state, .. } = prepared;
        let job = self.job(spec);
        let shards = session.reading(async { Ok(plan_shards(&job, &state, count).await?) }).await?;
        let lines = shards.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>();
        let unwritable = |cause| Error::new(ErrorKind::Failed, "the plan can't be written as JSON").because(cause);
        Ok(lines.map_err(unwritable)?.join("\n"))
    }

    /// Does one shard of a plan.
    pub(super) async fn bring_shard_up_to_date(
        &self,
        session: &Session,
        prepared: Prepared,
        events: &Events,
        shard: &CloneShard,
    ) -> Result<String, Ended> {
        let Prepared { spec, state, .. } = prepared;
        let job = self.job(spec);
        let began = Instant::now();
        let work = async {
            let report = bring_shard_up_to_date(&job, &state, shard).await?;
            events.emit(EventKind::Cloned { report: report.clone() });
            let text = format!("shard {}: {}", shard.shard, summary(&report, began));
            Ok::<_, Error>((text.clone(), text))
        };
        writing(session, events, work).await
    }
}

/// The folder for what a shard keeps on this machine while it is under way.
pub(super) fn folder_of(shard: &CloneShard) -> String {
    // Only letters: the text may come from anywhere.
    let plan: String = shard.plan.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("shard-{plan}-{:05}", shard.shard)
}

/// A shard from its JSON, or from a line of a file: `@FILE:LINE`, where the first line is 0.
pub(super) fn read(text: &str) -> Result<CloneShard, Error> {
    let line = match text.strip_prefix('@') {
        Some(place) => line_of(place)?,
        None => text.to_owned(),
    };
    let wrong = |cause| Error::new(ErrorKind::Configuration, "this is no shard of a plan").because(cause);
    serde_json::from_str(&line).map_err(wrong).map_err(|error| error.advise("give a line of --plan-shards as it is"))
}

fn line_of(place: &str) -> Result<String, Error> {
    let wrong =
        |what: String| Error::new(ErrorKind::Configuration, what).advise("give @FILE:LINE; the first line is 0");
    let (file, number) = place.rsplit_once(':').ok_or_else(|| wrong(format!("@{place} names no line")))?;
    let number: usize = number.parse().map_err(|_| wrong(format!("@{place} names no line")))?;
    let text = std::fs::read_to_string(file).map_err(|cause| wrong(format!("{file} can't be read")).because(cause))?;
    let line = text.lines().nth(number).ok_or_else(|| wrong(format!("{file} has no line {number}")))?;
    Ok(line.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_read_from_its_text_or_a_line_of_a_file() {
        let line = |number: u32| format!(r#"{{"plan":"a1","shard":{number},"range":{{"prefix":""}},"objects":7}}"#);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plan.jsonl");
        std::fs::write(&file, format!("{}\n{}\n", line(0), line(1))).unwrap();
        let at = |number: u32| format!("@{}:{number}", file.display());
        assert_eq!(read(&at(1)).unwrap(), read(&line(1)).unwrap());
        assert_eq!(folder_of(&read(&at(1)).unwrap()), "shard-a1-00001");
        for wrong in [at(2), "@nowhere:0".to_owned(), "@nowhere".to_owned(), "{}".to_owned()] {
            assert_eq!(read(&wrong).unwrap_err().kind(), ErrorKind::Configuration, "{wrong}");
        }
    }
}
