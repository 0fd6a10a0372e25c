//! Putting a cluster back exactly as it was. Every step may be repeated, and one that fails never skips the others.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Service;
use kube::Api;
use pachyderm::client::Client;
use pachyderm::proto::pfs::{Branch, BranchInfo};
use pachyderm::proto::pps::{PipelineInfo, PipelineState};

use super::hold::Standing;
use super::patience::Patience;
use super::undo_record::{PipelineBefore, UndoRecord, sorted_names};
use super::{Hold, fence, hold_lost, loaders, stop};
use crate::cluster::{Cluster, Pipeline, pachd_error, pipeline_state_name, work};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Events, Step};
use crate::job::SnapshotSettings;

/// How often a pipeline that does not stay started is started again.
const ROUNDS: usize = 3;
/// What to do about a pachd that stays away.
const SEE_PACHD: &str = "see pachd's pod (`kubectl get pods -l app=pachd`), then run `pachsnap resume`";

/// What is told where a resume has ended meanwhile.
pub(super) const BY_OTHERS: &str = "the cluster was put back by somebody else meanwhile, and was left as they left it";

/// How an undo went.
#[derive(Debug, Default)]
pub struct Undone {
    /// Pipelines and their state afterwards.
    pub states: Vec<(String, String)>,
    /// What is not as it was, and is not ours to change: named, not failed.
    pub differences: Vec<String>,
}

/// How an undo reaches the cluster.
pub struct UndoTools<'a> {
    /// Kubernetes.
    pub kubernetes: &'a kube::Client,
    /// pachd; `None` when it can't be reached: everything else is put back then.
    pub pachd: Option<&'a Client>,
    /// How often pachd is asked while pipelines start.
    pub poll: Duration,
    /// Longest time in which no pipeline changes its state, and in which a server may be away.
    pub stall: Duration,
}

impl<'a> UndoTools<'a> {
    /// Those of a run that has discovered the cluster itself.
    pub(crate) fn of(cluster: &'a Cluster, settings: &SnapshotSettings) -> Self {
        Self {
            kubernetes: &cluster.kubernetes,
            pachd: Some(&cluster.pachd),
            poll: settings.poll,
            stall: settings.stall,
        }
    }
}

/// Puts back everything that the record names: pipelines upstream first, then the fence, then loaders. `kubernetes` goes on
/// where its earlier calls left it: an API server that has been waited for isn't waited for again.
///
/// # Errors
/// The first failure, after all other steps were tried; the record must stay.
pub(super) async fn undo(
    hold: &Hold,
    tools: &UndoTools<'_>,
    kubernetes: &mut Patience,
    events: &Events,
) -> Result<Undone> {
    let undoing = Undoing {
        hold,
        record: hold.record(),
        tools,
        events,
        pachd: Patience::new(tools.stall, tools.poll),
        kubernetes,
        undone: Undone::default(),
        failures: Vec::new(),
        lost: false,
    };
    events.step(Step::Resume, undoing.run()).await
}

/// An undo that is under way.
struct Undoing<'a> {
    hold: &'a Hold,
    record: &'a UndoRecord,
    tools: &'a UndoTools<'a>,
    events: &'a Events,
    pachd: Patience,
    kubernetes: &'a mut Patience,
    undone: Undone,
    failures: Vec<Error>,
    lost: bool,
}

impl<'a> Undoing<'a> {
    async fn run(mut self) -> Result<(Undone, String)> {
        let stopped: Vec<&PipelineBefore> = self.record.pipelines.iter().filter(|before| before.to_stop).collect();
        let mut started = Vec::new();
        match self.tools.pachd {
            Some(pachd) => started = self.start(pachd, &stopped).await,
            None if stopped.is_empty() => {}
            None => self.failures.push(
                Error::new(ErrorKind::Unreachable, "no pipeline could be started: pachd can't be reached")
                    .advise(SEE_PACHD),
            ),
        }
        self.lower_fences().await;
        self.put_back_loaders().await;
        if let Some(pachd) = self.tools.pachd {
            self.settle(pachd, &started).await;
        }
        // A change that was sent right before a cancellation may have landed since.
        self.lower_fences().await;
        self.end(started.len())
    }

    /// Starts what the run may have stopped, upstream first. Answers with those that are still there.
    async fn start(&mut self, pachd: &Client, stopped: &[&'a PipelineBefore]) -> Vec<&'a PipelineBefore> {
        let mut started = Vec::new();
        for (index, before) in stopped.iter().copied().enumerate() {
            if self.is_lost().await {
                break;
            }
            match start_if_stopped(before, pachd, &mut self.pachd, self.events).await {
                Ok(Start::Done) => started.push(before),
                Ok(Start::Gone(what)) => self.differ(what),
                Err(error) if error.kind() == ErrorKind::Unreachable => {
                    // Each further try may take as long again, and the fence waits.
                    let left = stopped.len() - index;
                    self.failures.push(
                        Error::new(ErrorKind::Unreachable, format!("{left} pipelines could not be started"))
                            .because(error)
                            .advise(SEE_PACHD),
                    );
                    break;
                }
                Err(error) => self.failures.push(error),
            }
        }
        started
    }

    /// Whether somebody else has taken over: then everything that is left is theirs to put back. Where that can't be told,
    /// it is not: a frozen cluster is worse.
    async fn is_lost(&mut self) -> bool {
        if self.lost {
            return true;
        }
        match self.kubernetes.call(|| self.hold.standing()).await {
            Ok(Standing::TakenOver) => self.failures.push(hold_lost("this run no longer holds the cluster")),
            Ok(Standing::PutBack) => self.differ(BY_OTHERS.to_owned()),
            Ok(Standing::Ours) | Err(_) => return false,
        }
        self.lost = true;
        true
    }

    async fn lower_fences(&mut self) {
        let services: Api<Service> = Api::namespaced(self.tools.kubernetes.clone(), &self.record.namespace);
        for before in &self.record.services {
            if self.is_lost().await {
                return;
            }
            self.hold.set_fenced(false);
            let lowered = self.kubernetes.call(|| fence::lower(&services, before, &self.record.run, self.events)).await;
            match lowered {
                Ok(None) => {}
                Ok(Some(difference)) => self.differ(difference),
                Err(error) => self.failures.push(error),
            }
        }
    }

    async fn put_back_loaders(&mut self) {
        for before in &self.record.loaders {
            if self.is_lost().await {
                return;
            }
            let resource = loaders::label(&before.loader);
            let put_back =
                self.kubernetes.call(|| loaders::put_back(self.tools.kubernetes, &self.record.namespace, before));
            match self.events.change("resume", resource.clone(), put_back).await {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    self.differ(format!("{resource} is gone: somebody deleted it during the pause"));
                }
                Err(error) => self.failures.push(error),
            }
        }
    }

    /// Waits until every started pipeline has left its pause, and makes sure that it stays so: a stop that was sent right
    /// before a cancellation may land after the start.
    async fn settle(&mut self, pachd: &Client, started: &[&'a PipelineBefore]) {
        for round in 1..=ROUNDS {
            let now = match wait_until_settled(pachd, started, self.tools, &mut self.pachd).await {
                Ok(now) => now,
                Err(error) => return self.failures.push(error),
            };
            let astray = match astray(pachd, started, &now, &mut self.pachd).await {
                Ok(astray) => astray,
                Err(error) => return self.failures.push(error),
            };
            if astray.is_empty() || round == ROUNDS {
                self.failures.extend(astray.iter().map(|before| not_as_it_was(before)));
                return self.judge(started, &now);
            }
            self.start(pachd, &astray).await;
        }
    }

    /// Names what is newly bad, and what never left its pause.
    fn judge(&mut self, started: &[&PipelineBefore], now: &[Pipeline]) {
        for before in started {
            let Some(pipeline) = now.iter().find(|one| one.name == before.name) else {
                self.differ(format!("pipeline {} was deleted by somebody", before.name));
                continue;
            };
            let (is, was) = (pipeline.state_name(), pipeline_state_name(before.state));
            if is_unsettled(pipeline.state) && pipeline.state != before.state {
                self.failures.push(
                    Error::new(
                        ErrorKind::Failed,
                        format!(
                            "pipeline {} was started and still is {is}: nothing moved for {} s",
                            before.name,
                            self.tools.stall.as_secs()
                        ),
                    )
                    .advise("pachd's master moves it: see pachd's log and etcd, then run `pachsnap resume`"),
                );
            }
            if newly_bad(before, pipeline.state) {
                self.differ(format!("pipeline {} is {is} now, it was {was}", before.name));
            }
            self.undone.states.push((before.name.clone(), is));
        }
    }

    fn differ(&mut self, difference: String) {
        if !self.undone.differences.contains(&difference) {
            self.events.warn(difference.clone());
            self.undone.differences.push(difference);
        }
    }

    fn end(mut self, started: usize) -> Result<(Undone, String)> {
        if self.failures.is_empty() {
            let fenced = self.record.services.len();
            return Ok((self.undone, format!("{started} pipelines started, {fenced} services unfenced")));
        }
        for failure in &self.failures {
            self.events.warn(format!("not put back: {}", crate::error::chain(failure)));
        }
        let first = self.failures.swap_remove(0);
        Err(Error::new(ErrorKind::Failed, "not every part of the cluster could be put back")
            .because(first)
            .advise("run `pachsnap resume` until it succeeds"))
    }
}

enum Start {
    Done,
    /// It, or its output branch, was deleted by somebody; in words.
    Gone(String),
}

/// Starts a pipeline unless it runs with its provenance as recorded: a stop that died half-way leaves it running with
/// none, and never triggering again.
async fn start_if_stopped(
    before: &PipelineBefore,
    pachd: &Client,
    patience: &mut Patience,
    events: &Events,
) -> Result<Start> {
    for attempt in 0..3 {
        let Some(info) = patience.call(|| read(before, pachd)).await? else {
            return Ok(Start::Gone(format!("pipeline {} was deleted by somebody", before.name)));
        };
        let Some(branch) = patience.call(|| read_output(before, pachd)).await? else {
            let output = format!("{}@{}", before.name, before.output_branch);
            return Ok(Start::Gone(format!("branch {output} was deleted by somebody")));
        };
        if !info.stopped && same_provenance(&branch, before) {
            return Ok(Start::Done);
        }
        if attempt == 2 {
            break;
        }
        if !info.stopped && attempt > 0 {
            // StartPipeline alone did not restore the provenance: finish the interrupted stop first.
            patience
                .call(|| async {
                    let stopped = pachd.stop_pipeline(&before.name).await;
                    stopped.map_err(|error| pachd_error(&format!("stopping pipeline {}", before.name), error))
                })
                .await?;
        }
        patience.call(|| stop::start_one(pachd, &before.name, events)).await?;
    }
    Err(not_as_it_was(before))
}

/// A pipeline; `None` when it is gone.
async fn read(before: &PipelineBefore, pachd: &Client) -> Result<Option<PipelineInfo>> {
    match pachd.inspect_pipeline(&before.name).await {
        Ok(info) => Ok(Some(info)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(pachd_error(&format!("reading pipeline {}", before.name), error)),
    }
}

/// The output branch of a pipeline; `None` when it is gone.
async fn read_output(before: &PipelineBefore, pachd: &Client) -> Result<Option<BranchInfo>> {
    match pachd.inspect_branch(&Branch::named(&before.name, &before.output_branch)).await {
        Ok(branch) => Ok(Some(branch)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(pachd_error(&format!("reading the branch of pipeline {}", before.name), error)),
    }
}

fn not_as_it_was(before: &PipelineBefore) -> Error {
    Error::new(ErrorKind::Failed, format!("pipeline {} does not start as it was", before.name))
        .advise(format!("compare `pachctl inspect branch {}@{}` with its inputs", before.name, before.output_branch))
}

/// The branch depends on what it depended on before; commits of the spec repo count by their branch only.
fn same_provenance(branch: &BranchInfo, before: &PipelineBefore) -> bool {
    sorted_names(&branch.direct_provenance) == before.provenance
}

/// Pipelines that are stopped again, or whose branch no longer depends on what it did.
async fn astray<'a>(
    pachd: &Client,
    started: &[&'a PipelineBefore],
    now: &[Pipeline],
    patience: &mut Patience,
) -> Result<Vec<&'a PipelineBefore>> {
    if started.is_empty() {
        return Ok(Vec::new());
    }
    let branches = patience.call(|| work::branches(pachd)).await?;
    let is_as_before = |before: &PipelineBefore| {
        let output = Branch::named(&before.name, &before.output_branch).to_string();
        let branch = branches.iter().find(|info| info.branch.as_ref().is_some_and(|one| one.to_string() == output));
        let pipeline = now.iter().find(|one| one.name == before.name);
        pipeline.is_none_or(|pipeline| !pipeline.stopped) && branch.is_none_or(|branch| same_provenance(branch, before))
    };
    Ok(started.iter().copied().filter(|before| !is_as_before(before)).collect())
}

fn newly_bad(before: &PipelineBefore, now: i32) -> bool {
    let bad = |state: i32| [PipelineState::Failure, PipelineState::Crashing].iter().any(|one| *one as i32 == state);
    bad(now) && !bad(before.state)
}

/// Whether the PPS master has yet to move a started pipeline.
fn is_unsettled(state: i32) -> bool {
    [PipelineState::Paused, PipelineState::Restarting].iter().any(|one| *one as i32 == state)
}

/// Waits until no started pipeline is paused or restarting, or nothing moves any more. Answers with all pipelines.
async fn wait_until_settled(
    pachd: &Client,
    started: &[&PipelineBefore],
    tools: &UndoTools<'_>,
    patience: &mut Patience,
) -> Result<Vec<Pipeline>> {
    let is_ours = |name: &str| started.iter().any(|before| before.name == name);
    let (mut last, mut moved) = (Vec::new(), Instant::now());
    loop {
        let now = patience.call(|| work::pipelines(pachd)).await?;
        let ours: Vec<i32> = now.iter().filter(|one| is_ours(&one.name)).map(|one| one.state).collect();
        if !ours.iter().copied().any(is_unsettled) || moved.elapsed() > tools.stall {
            return Ok(now);
        }
        if ours != last {
            (last, moved) = (ours, Instant::now());
        }
        tokio::time::sleep(tools.poll).await;
    }
}
