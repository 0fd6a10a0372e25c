//! `pachsnap resume`: puts a cluster back from its undo record, from any machine.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;

use super::patience::Patience;
use super::put_back::put_back;
use super::undo::UndoTools;
use super::{Hold, Undone, record_store};
use crate::cluster;
use crate::error::Result;
use crate::event::Events;
use crate::job::Target;

/// How to resume.
#[derive(Clone, Copy, Debug)]
pub struct ResumeOptions {
    /// Take over although the holder still shows signs of life.
    pub force: bool,
    /// How often pachd is asked while pipelines start.
    pub poll: Duration,
    /// Longest time in which no pipeline changes its state.
    pub stall: Duration,
}

impl Default for ResumeOptions {
    fn default() -> Self {
        Self { force: false, poll: Duration::from_secs(2), stall: Duration::from_secs(120) }
    }
}

/// How a resume ended.
#[derive(Debug)]
pub enum Resumed {
    /// There was no undo record: no run of ours has left anything to put back.
    NothingToDo,
    /// Everything is back.
    Done {
        /// The run whose record it was.
        run: String,
        /// States and differences.
        undone: Undone,
    },
}

/// Puts back what a run that is gone has changed, then removes its record. May be repeated.
///
/// # Errors
/// `Busy` while that run is alive, unless `force`; those of Kubernetes and pachd: then the record is still there.
pub async fn resume(target: &Target, options: ResumeOptions, events: &Events) -> Result<Resumed> {
    let maps: Api<ConfigMap> = Api::namespaced(target.kubernetes.clone(), &target.namespace);
    let Some((record, uid)) = record_store::read(&maps).await? else {
        // A run that died between its lease and its record leaves the lease alone, which would keep the next run waiting.
        Hold::clear_lease(&target.kubernetes, &target.namespace, options.force).await?;
        return Ok(Resumed::NothingToDo);
    };
    let run = record.run.clone();
    let hold = Hold::take_over(&target.kubernetes, &target.namespace, record, uid, options.force).await?;
    // pachd may be on its way back. If it stays away, everything else is put back without it.
    let connected = Patience::new(options.stall, options.poll).call(|| cluster::connect_pachd(target)).await;
    if let Err(error) = &connected {
        events.warn(format!("pachd can't be reached: {}", crate::error::chain(error)));
    }
    let tools = UndoTools {
        kubernetes: &target.kubernetes,
        pachd: connected.as_ref().ok(),
        poll: options.poll,
        stall: options.stall,
    };
    let undone = put_back(hold, &tools, events).await?;
    Ok(Resumed::Done { run, undone })
}
