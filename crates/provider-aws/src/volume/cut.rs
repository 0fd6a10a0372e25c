//! Cutting a snapshot: asked for once, looked for when the answer is lost, and one answered whatever happened.

use std::error::Error as _;
use std::time::Duration;

use aws_sdk_ec2::types::{ResourceType, Snapshot, Tag};
use provider::{CutRequest, Error, ErrorKind, Pace, Result, Retry, SnapshotId, VolumeSnapshot};
use tokio::time::Instant;

use super::source::Source;
use super::{EbsSnapshots, described, id, lookup, tags};
use crate::EbsProblem;
use crate::error;

/// EC2 makes at most one snapshot of a volume in 15 s (`SnapshotCreationPerVolumeRateExceeded`); other limits pass sooner.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// The first wait after a refusal.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// The first wait between two looks for a snapshot whose answer was lost.
const FIRST_LOOK: Duration = Duration::from_millis(100);

/// A cut that goes on.
struct Cutting<'a> {
    ebs: &'a EbsSnapshots,
    request: &'a CutRequest,
    volume: String,
    /// How often the snapshot was asked for.
    sent: u32,
    /// Whether an answer was lost: a snapshot may be there that nobody named.
    lost: bool,
    /// What was last answered, for the one who waits in vain.
    last: Option<String>,
    pace: Pace,
}

impl EbsSnapshots {
    /// Cuts, rides out what passes, and gives up at the request's limit.
    pub(super) async fn cut_within(&self, request: &CutRequest) -> Result<VolumeSnapshot> {
        let volume = id::volume_in(&self.clients.region, "CreateSnapshot", &request.volume)?;
        let pace = Pace::new(FIRST_WAIT, LONGEST_WAIT);
        let mut cutting = Cutting { ebs: self, request, volume, sent: 0, lost: false, last: None, pace };
        match tokio::time::timeout(request.limit, cutting.run()).await {
            Ok(result) => result,
            Err(_) => {
                let problem = EbsProblem::NotCut { seconds: request.limit.as_secs(), last: cutting.last.take() };
                let resource = self.resource("volume", &request.volume.0);
                Err(error::own(ErrorKind::Timeout, "CreateSnapshot", resource, problem))
            }
        }
    }
}

impl Cutting<'_> {
    async fn run(&mut self) -> Result<VolumeSnapshot> {
        let source = loop {
            let asked = tokio::join!(self.ebs.made_for(self.request), self.source());
            match asked {
                // What an earlier call made is the answer, whatever became of the volume.
                (Ok(found), _) if !found.is_empty() => return self.settle(found).await,
                (Ok(_), Ok(source)) => break source,
                (Err(error), _) | (_, Err(error)) => self.ride_out(error).await?,
            }
        };
        loop {
            let error = match self.send(&source).await {
                Ok(made) => return self.settle(vec![made]).await,
                Err(error) => error,
            };
            let unknown = matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::Corrupt);
            if unknown && error.retry() != Retry::Never {
                self.lost = true;
                self.tell(&error, "the answer to CreateSnapshot was lost, and the snapshot is looked for");
            }
            // A refusal after a lost answer (the rate of one volume, its pending snapshots) may mean that the first request was heard.
            if self.lost {
                let found = self.look_for().await?;
                if !found.is_empty() {
                    return self.settle(found).await;
                }
            }
            if !unknown {
                self.ride_out(error).await?;
            }
        }
    }

    /// What the volume is: as `inspect` saw it, else asked for now.
    async fn source(&self) -> Result<Source> {
        let known = self.ebs.sources().get(&self.volume).cloned();
        match known {
            Some(known) => Ok(known),
            None => Ok(Source::of(&self.ebs.volume(&self.ebs.clients.once, &self.volume).await?)),
        }
    }

    /// Asks for the snapshot, once.
    async fn send(&mut self, source: &Source) -> Result<Snapshot> {
        let request = self.request;
        self.sent += 1;
        let mut tags = tags::of("CreateSnapshot", &request.identity, &request.owner)?;
        tags.insert(tags::VOLUME.to_owned(), request.volume.0.clone());
        tags.insert(tags::ATTEMPT.to_owned(), self.sent.to_string());
        tags.extend(source.tags());
        let call = self.ebs.clients.once.create_snapshot();
        let answer = call
            .volume_id(&self.volume)
            .description(request.description.chars().take(255).collect::<String>())
            .tag_specifications(tags::specification(ResourceType::Snapshot, &tags))
            .send()
            .await;
        let resource = self.ebs.resource("volume", &self.volume);
        let answer = answer.map_err(|error| error::from_sdk("CreateSnapshot", resource, error))?;
        Ok(described::answered(answer, &tags))
    }

    /// Looks for what a request made whose answer was lost, for as long as the options say.
    async fn look_for(&mut self) -> Result<Vec<Snapshot>> {
        let ends = Instant::now() + self.ebs.options.lookup_limit;
        let mut pace = Pace::new(FIRST_LOOK, Duration::from_secs(1));
        loop {
            match self.ebs.made_for(self.request).await {
                Ok(found) if !found.is_empty() => return Ok(found),
                Ok(_) => {}
                Err(error) if error.retry() == Retry::Never => return Err(error),
                Err(error) => self.last = Some(words(&error)),
            }
            let left = ends.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Vec::new());
            }
            tokio::time::sleep(pace.wait().min(left)).await;
        }
    }

    /// Answers the first of what was found. Where others may be, it is marked as the one.
    async fn settle(&mut self, found: Vec<Snapshot>) -> Result<VolumeSnapshot> {
        let several = found.len() > 1 || (self.lost && self.sent > 1);
        let Some(chosen) = found.into_iter().next() else {
            let problem = EbsProblem::Contradiction("no snapshot was made and none refused");
            return Err(error::own(
                ErrorKind::Corrupt,
                "CreateSnapshot",
                self.ebs.resource("volume", &self.volume),
                problem,
            ));
        };
        let told = self.ebs.told(&chosen)?;
        if several && !lookup::is_chosen(&tags::read(chosen.tags.as_deref())) {
            self.mark(&told.id).await;
        }
        if self.sent > 0 {
            self.ebs.recent().insert(told.id.0.clone(), Instant::now());
        }
        Ok(told)
    }

    async fn mark(&mut self, chosen: &SnapshotId) {
        let notices = &self.request.notices;
        notices.tell(format!(
            "an answer to CreateSnapshot was lost, so a second snapshot of {} may be there or appear beside {}; it carries the same tags, and is \
             deleted once it is listed, at the latest with this run",
            self.volume, chosen.0
        ));
        let tag = Tag::builder().key(tags::CHOSEN).value("yes").build();
        let call = self.ebs.clients.retrying.create_tags().resources(&chosen.0).tags(tag);
        if let Err(error) = call.send().await {
            let error = error::from_sdk("CreateTags", self.ebs.resource("snapshot", &chosen.0), error);
            notices.tell(format!(
                "{} could not be marked as the chosen one, so a second one is deleted with this run only: {}",
                chosen.0,
                words(&error)
            ));
        }
    }

    /// Waits before the next try.
    ///
    /// # Errors
    /// The error itself when it is final.
    async fn ride_out(&mut self, error: Error) -> Result<()> {
        if error.retry() == Retry::Never {
            return Err(error);
        }
        let wait = self.pace.wait();
        self.tell(&error, &format!("EC2 is asked again in {:.1} s", wait.as_secs_f64()));
        tokio::time::sleep(wait).await;
        Ok(())
    }

    fn tell(&mut self, error: &Error, what: &str) {
        let words = words(error);
        self.request.notices.tell(format!("{what}: {words}"));
        self.last = Some(words);
    }
}

/// An error with its causes.
fn words(error: &Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(&format!(": {error}"));
        // What EC2 said is told whole; the SDK's own errors below repeat it.
        if error.is::<crate::Refusal>() {
            break;
        }
        cause = error.source();
    }
    words
}
