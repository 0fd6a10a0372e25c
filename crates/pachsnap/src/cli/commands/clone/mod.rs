//! `pachsnap clone`

mod dry_run;
mod filter;
mod kept;
mod options;
mod sharded;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use orchestrator::clone::{
    CloneError, CloneIdentity, CloneJob, CloneOrder, CloneReport, CloneShard, CloneSpec, CloneState, CopyPath, Kind,
    bring_up_to_date, survey,
};
use orchestrator::clone_progress::EventProgress;
use orchestrator::clone_use::ensure_unused;
use orchestrator::event::{EventKind, Events, Step};
use orchestrator::job::{Opened, Stores as _};
use orchestrator::outcome::{Failure, exit_code};
use orchestrator::{Error, ErrorKind};
use pachyderm::layout::{Backend, KeyKind, Layout};

pub(crate) use options::Clone;

use crate::cli::{Ended, Session};
use crate::config::Config;
use crate::process;
use crate::render::{EventFormat, bytes, seconds, stderr_line, stdout_text};
use crate::stores::ConfiguredStores;

/// Objects in flight for each thread, and as many for the first one, where each passes through this machine.
const LANES: usize = 128;

/// The same where the store copies by itself: what a thread keeps busy with at 20 ms a copy.
const LANES_IN_STORE: usize = 300;

/// Everything opened and decided, before anything is written.
struct Prepared {
    spec: CloneSpec,
    state: CloneState,
    amazon: bool,
}

impl Clone {
    /// Brings the clone up to date, or says what that would take.
    ///
    /// # Errors
    /// Those of the stores. What was copied stays.
    pub(crate) async fn run(self, session: &Session) -> Result<u8, Ended> {
        let shard = self.shard.as_deref().map(sharded::read).transpose()?;
        let config = session.config(&[])?;
        let stores = session.stores(&config);
        let progress = session.progress(self.output);
        let events = progress.events();
        let prepared = session.reading(self.prepare(&config, &stores, &events, shard.as_ref())).await?;
        let result = match (shard, self.plan_shards) {
            (Some(shard), _) => self.bring_shard_up_to_date(session, prepared, &events, &shard).await,
            (None, Some(count)) => self.plan(session, prepared, count).await,
            (None, None) if self.dry_run => self.survey(session, prepared, &events).await,
            (None, None) => self.bring_up_to_date(session, prepared, &events).await,
        };
        progress.finish();
        let text = result?;
        if self.output == EventFormat::Text {
            stdout_text(&(text + "\n")).map_err(|cause| {
                Error::new(ErrorKind::Failed, "the result can't be written to stdout").because(cause)
            })?;
        }
        Ok(exit_code::OK)
    }

    async fn prepare(
        &self,
        config: &Config,
        stores: &ConfiguredStores,
        events: &Events,
        shard: Option<&CloneShard>,
    ) -> Result<Prepared, Error> {
        let source = stores.open_place(&self.source, &self.store_options(self.source_endpoint.as_ref()))?;
        let destination =
            stores.open_place(&self.destination, &self.store_options(self.destination_endpoint.as_ref()))?;
        if let Some(vault) = config.text("vault.url") {
            ensure_unused(stores, vault, &destination).await?;
        }
        let path = if source.realm == destination.realm && !self.through_here {
            CopyPath::ServerSide
        } else {
            CopyPath::Streamed
        };
        let amazon = source.realm == "s3:amazon" && destination.realm == "s3:amazon";
        let identity = CloneIdentity {
            source: source.bucket.location(),
            destination: destination.bucket.location(),
            key_map: self.key_map.clone(),
            filter: filter::texts(&self.include, &self.exclude),
        };
        let state = self.open_state(config, stores, &identity, shard).await?;
        let spec = self.spec(source, destination, path, events);
        Ok(Prepared { spec, state, amazon })
    }

    fn spec(&self, source: Opened, destination: Opened, path: CopyPath, events: &Events) -> CloneSpec {
        let spec = CloneSpec::new(source.bucket, destination.bucket, path, order());
        let threads = self.threads.unwrap_or_else(threads);
        let lanes = if path == CopyPath::ServerSide { LANES_IN_STORE } else { LANES };
        CloneSpec {
            in_turn: self.in_turn,
            key_map: self.key_map.clone(),
            filter: filter::of(&self.include, &self.exclude),
            concurrency: self.max_concurrency.unwrap_or(lanes * (threads + 1)),
            listers: self.listers,
            threads,
            ceilings: self.ceilings(),
            most_deletes: f64::from(self.max_deletes) / 100.0,
            progress: Arc::new(EventProgress::new(events.clone())),
            ..spec
        }
    }

    /// What is kept of this clone: where `--state` says, else in the vault, else in the user's state folder.
    async fn open_state(
        &self,
        config: &Config,
        stores: &ConfiguredStores,
        identity: &CloneIdentity,
        shard: Option<&CloneShard>,
    ) -> Result<CloneState, Error> {
        let name = kept::name_of(identity);
        let folder = config.staging().join("clones").join(&name);
        // Shards may be under way side by side on this machine.
        let folder = shard.map_or(folder.clone(), |shard| folder.join(sharded::folder_of(shard)));
        let (url, prefix) = match (&self.state, config.text("vault.url")) {
            (Some(url), _) if url.contains("://") => (url.clone(), String::new()),
            (Some(path), _) => (url_of(&PathBuf::from(path))?, String::new()),
            (None, Some(vault)) => (vault.to_owned(), format!("clones/{name}/")),
            (None, None) => (url_of(&config.state_folder().join("clones").join(&name))?, String::new()),
        };
        let place = stores.open_url(&url)?;
        Ok(CloneState::open(place.bucket, prefix, folder, identity).await?)
    }

    async fn survey(&self, session: &Session, prepared: Prepared, events: &Events) -> Result<String, Ended> {
        let Prepared { spec, state, amazon } = prepared;
        let work = async {
            let before = state.before(self.check_destination).await?;
            let surveyed = survey(&spec, &before, self.delete_extra).await?;
            events.emit(EventKind::Surveyed { survey: surveyed });
            Ok((surveyed, dry_run::summary(&surveyed)))
        };
        let surveyed = session.reading(events.step(Step::Survey, work)).await?;
        Ok(dry_run::text(&surveyed, &spec, amazon))
    }

    async fn bring_up_to_date(&self, session: &Session, prepared: Prepared, events: &Events) -> Result<String, Ended> {
        let Prepared { spec, state, .. } = prepared;
        let job = self.job(spec);
        let began = Instant::now();
        let work = async {
            let report = bring_up_to_date(&job, &state).await?.report;
            events.emit(EventKind::Cloned { report: report.clone() });
            let text = summary(&report, began);
            Ok::<_, Error>((report, text))
        };
        let report = writing(session, events, work).await?;
        if report.extra > report.deleted {
            stderr_line(&format!(
                "{} keys are only in the clone: --delete-extra deletes them",
                report.extra - report.deleted
            ));
        }
        Ok(summary(&report, began))
    }

    fn job(&self, spec: CloneSpec) -> CloneJob {
        CloneJob {
            spec,
            name: format!("pachsnap clone to {}", self.destination),
            writer: process::writer(),
            delete_extra: self.delete_extra,
            look: self.check_destination,
        }
    }
}

/// Does work that writes to the clone, until it is done or interrupted.
async fn writing<T>(
    session: &Session,
    events: &Events,
    work: impl Future<Output = Result<(T, String), Error>>,
) -> Result<T, Ended> {
    let work = events.step(Step::Clone, work);
    let done = tokio::select! {
        biased;
        () = session.interruption.token().cancelled() => Err(Error::new(ErrorKind::Cancelled, "cancelled")),
        done = work => done,
    };
    Ok(done.map_err(|error| session.explain(as_failure(error)))?)
}

/// Whether anything was written by then decides what a failure means.
fn as_failure(error: Error) -> Failure {
    let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<CloneError>());
    if cause.is_some_and(CloneError::is_refusal) { Failure::untouched(error) } else { Failure::of_clone(error) }
}

fn summary(report: &CloneReport, began: Instant) -> String {
    let took = began.elapsed().as_secs_f64();
    let rate = if took > 0.0 { report.copied as f64 / took } else { 0.0 };
    let deleted = if report.deleted > 0 { format!(", {} deleted", report.deleted) } else { String::new() };
    format!(
        "{} objects, {}: {} copied ({}), {} were there{deleted}; {} requests, {}, {rate:.0} copies/s",
        report.objects,
        bytes(report.bytes),
        report.copied,
        bytes(report.copied_bytes),
        report.skipped,
        report.requests.all(),
        seconds(took),
    )
}

/// Kinds as a Pachyderm bucket has them, in either orientation; what is none of them is never taken for unchanged by its
/// size.
fn order() -> CloneOrder {
    let layout = Layout::new(Backend::Amazon, false);
    CloneOrder::by_key(move |key| match layout.classify_either(key.strip_prefix('/').unwrap_or(key)).0 {
        KeyKind::Tag { .. } => Kind::Tag,
        KeyKind::Object { .. } => Kind::Object,
        KeyKind::Block { .. } | KeyKind::BlockIndex { .. } => Kind::Block,
        _ => Kind::Other,
    })
}

/// One thread for each core, up to four: beyond that, the stores and the network are what is waited for.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(4)
}

fn url_of(folder: &std::path::Path) -> Result<String, Error> {
    let folder = std::path::absolute(folder).map_err(|cause| {
        Error::new(ErrorKind::Configuration, format!("{} names no folder", folder.display())).because(cause)
    })?;
    Ok(format!("file://{}", folder.display()))
}
