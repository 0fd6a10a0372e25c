//! The clone of one recovery point: a fresh prefix, filled before the pause, made exact inside it.

use std::path::PathBuf;
use std::sync::Arc;

use pachyderm::layout::{KeyKind, Layout};

use super::mirror::Place;
use super::movement::Movement;
use super::staging::Staging;
use crate::clone::{
    self, Before, CloneOrder, ClonePass, CloneProgress, CloneSpec, CopyPath, Holder, Kind, KindPrefixes, Ledger, Lock,
    LockTimes, PreCopyScope, Writer,
};
use crate::clone_progress::EventProgress;
use crate::clone_use::ensure_unused;
use crate::cluster::Cluster;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Events;
use crate::job::{SnapshotSettings, Stores};
use crate::run_id::RunId;
use crate::vault::Vault;

/// Threads of the engine: beyond that, the store is what is waited for.
pub(crate) const MOST_THREADS: usize = 4;

/// The clone that belongs to one run.
pub(super) struct BucketClone {
    place: Place,
    spec: CloneSpec,
    before: Before,
    folders: [PathBuf; 2],
    run: RunId,
    writer: Writer,
    lock: Option<Lock>,
}

impl BucketClone {
    /// Opens the run's own place under the configured one, or the older one of two that take turns. Nothing is written yet.
    pub(super) async fn open(
        cluster: &Cluster,
        settings: &SnapshotSettings,
        stores: &dyn Stores,
        vault: &Vault,
        run: &RunId,
        staging: &Staging,
        (events, movement): (&Events, &Movement),
    ) -> Result<Self> {
        let place = match &settings.mirror {
            Some(names) => Place::of_mirror(vault, settings, names, staging).await?,
            None => Place::fresh(own_place(settings, run)),
        };
        let destination = stores.open_url(&place.url)?;
        if settings.mirror.is_none() {
            ensure_unused(stores, &settings.vault, &destination).await?;
        }
        let rules = destination.bucket.capabilities().keys;
        let sample = cluster.location.layout.block("0123456789abcdef0123456789abcdef");
        if !rules.holds(&sample) {
            return Err(Error::new(
                ErrorKind::Configuration,
                format!("the clone's store does not keep keys such as {sample:?} as they are"),
            )
            .advise("choose another store in [clone]"));
        }
        let path = if destination.realm == cluster.bucket_realm { CopyPath::ServerSide } else { CopyPath::Streamed };
        let mut spec =
            CloneSpec::new(cluster.bucket.clone(), destination.bucket, path, order(&cluster.location.layout));
        spec.concurrency = settings.copy_parallelism.max(1);
        spec.in_turn = false;
        spec.threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(MOST_THREADS);
        spec.progress = Arc::new(Progress { events: EventProgress::new(events.clone()), movement: movement.clone() });
        Ok(Self {
            before: place.before.clone(),
            place,
            spec,
            run: run.clone(),
            writer: settings.writer.clone(),
            lock: None,
            folders: [staging.folder("inventory-before")?, staging.folder("inventory")?],
        })
    }

    /// Copies everything that is there while the cluster runs: the final pass looks at each key again.
    pub(super) async fn pre_copy(mut self, vault: &Vault, events: &Events) -> Result<(Self, String)> {
        let Writer { process, is_dead } = &self.writer;
        let process = if process.is_empty() { self.run.to_string() } else { process.clone() };
        let holder = Holder { name: format!("run {}", self.run), process };
        let lock = Lock::take(&self.spec.destination, holder, |holder| is_dead(holder), LockTimes::default()).await?;
        self.lock = Some(lock);
        self.place.take_over(vault, &self.run, events).await?;
        let ledger = Arc::new(Ledger::in_folder(&self.folders[0]));
        let pass = clone::pre_copy(&self.spec, PreCopyScope::Everything, &self.before, &ledger).await?;
        let summary = format!("{} objects, {} bytes", pass.report.copied, pass.report.copied_bytes);
        self.before = Before::Recorded(pass.inventory);
        Ok((self, summary))
    }

    /// Makes the clone equal to the source.
    pub(super) async fn final_pass(&self) -> Result<ClonePass> {
        // Everybody who writes needs the bucket now, and nobody writes any more.
        let spec = CloneSpec { slow_together: true, in_turn: false, ..self.spec.clone() };
        let ledger = Arc::new(Ledger::in_folder(&self.folders[1]));
        let pass = clone::final_pass(&spec, &self.before, &ledger);
        Ok(match &self.lock {
            Some(lock) => tokio::select! {
                biased;
                lost = lock.lost() => Err(lost),
                pass = pass => pass,
            },
            None => pass.await,
        }?)
    }

    /// Nothing more is written to the clone.
    pub(super) async fn give_back(&mut self) {
        if let Some(lock) = self.lock.take()
            && let Err(error) = lock.give_back().await
        {
            // It ages, and is no part of the clone.
            tracing::warn!(%error, "the lock of the clone stays");
        }
    }

    /// Where the clone is.
    pub(super) fn url(&self) -> &str {
        &self.place.url
    }
}

/// Where the clone of a run goes.
fn own_place(settings: &SnapshotSettings, run: &RunId) -> String {
    format!("{}/{}/{run}", settings.clone.trim_end_matches('/'), settings.cluster_name)
}

/// How the kinds of keys are told apart: by prefix, or by looking at each key when they are stored reversed.
pub(crate) fn order(layout: &Layout) -> CloneOrder {
    if !layout.is_reversed() {
        return CloneOrder::ByPrefix(KindPrefixes {
            tag: layout.tag(""),
            object: layout.object(""),
            block: layout.block(""),
        });
    }
    let layout = layout.clone();
    CloneOrder::by_key(move |key| match layout.classify(key) {
        KeyKind::Tag { .. } => Kind::Tag,
        KeyKind::Object { .. } => Kind::Object,
        KeyKind::Block { .. } | KeyKind::BlockIndex { .. } => Kind::Block,
        _ => Kind::Other,
    })
}

/// What the events hear of, and what keeps the capture from being taken for one that stands still.
struct Progress {
    events: EventProgress,
    movement: Movement,
}

impl CloneProgress for Progress {
    fn listed(&self, bytes: u64) {
        self.events.listed(bytes);
    }

    fn copied(&self, bytes: u64) {
        self.movement.moved();
        self.events.copied(bytes);
    }

    fn skipped(&self, bytes: u64) {
        self.movement.moved();
        self.events.skipped(bytes);
    }

    fn moved(&self) {
        self.movement.moved();
    }

    fn store_copies(&self, bytes: u64) {
        self.movement.works_on(bytes);
    }

    fn throttled(&self, concurrency: usize) {
        self.events.throttled(concurrency);
    }
}
