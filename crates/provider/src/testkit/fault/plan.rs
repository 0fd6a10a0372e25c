//! Which call meets which fault.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::{Error, ErrorKind, Result};

/// A call of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// [`Bucket::list`](crate::Bucket::list)
    List,
    /// [`Bucket::copy_from`](crate::Bucket::copy_from)
    CopyFrom,
    /// [`Bucket::abandon_copy`](crate::Bucket::abandon_copy)
    AbandonCopy,
    /// [`Bucket::get`](crate::Bucket::get)
    Get,
    /// [`Bucket::put`](crate::Bucket::put)
    Put,
    /// [`Bucket::head`](crate::Bucket::head)
    Head,
    /// [`Bucket::delete`](crate::Bucket::delete)
    Delete,
    /// [`VolumeSnapshots::inspect`](crate::VolumeSnapshots::inspect)
    InspectVolume,
    /// [`VolumeSnapshots::cut`](crate::VolumeSnapshots::cut)
    Cut,
    /// [`VolumeSnapshots::status`](crate::VolumeSnapshots::status)
    Status,
    /// [`VolumeSnapshots::import`](crate::VolumeSnapshots::import)
    Import,
    /// [`VolumeSnapshots::forget`](crate::VolumeSnapshots::forget)
    Forget,
    /// [`VolumeSnapshots::create_volume`](crate::VolumeSnapshots::create_volume)
    CreateVolume,
    /// [`VolumeSnapshots::delete`](crate::VolumeSnapshots::delete)
    DeleteSnapshot,
    /// [`VolumeSnapshots::list`](crate::VolumeSnapshots::list)
    ListSnapshots,
}

impl Operation {
    fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::CopyFrom => "copy",
            Self::AbandonCopy => "abandon copy",
            Self::Get => "get",
            Self::Put => "put",
            Self::Head => "head",
            Self::Delete => "delete",
            Self::InspectVolume => "inspect volume",
            Self::Cut => "cut",
            Self::Status => "status",
            Self::Import => "import",
            Self::Forget => "forget",
            Self::CreateVolume => "create volume",
            Self::DeleteSnapshot => "delete snapshot",
            Self::ListSnapshots => "list snapshots",
        }
    }
}

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Refused with `Throttled`; nothing was done.
    #[error("injected: throttled")]
    Throttled,
    /// Refused with `Unavailable`; nothing was done.
    #[error("injected: unavailable")]
    Unavailable,
    /// Done, whatever its outcome, and answered with `Unavailable`.
    #[error("injected: the reply was lost")]
    LostReply,
    /// Done after this long.
    #[error("injected: {0:?} late")]
    Slow(Duration),
}

/// A fault that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Injected {
    /// The call.
    pub operation: Operation,
    /// Which call of this kind it was, from 1.
    pub call: u64,
    /// What went wrong with it.
    pub fault: Fault,
}

/// Which call meets which fault. Clones share the counters.
///
/// A scripted fault comes before a drawn one. With one seed and one order of calls the faults are the same.
#[derive(Clone, Debug)]
pub struct FaultPlan {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    scripted: Vec<Injected>,
    drawn: Vec<Drawn>,
    generator: StdRng,
    calls: BTreeMap<Operation, u64>,
    injected: Vec<Injected>,
}

#[derive(Debug)]
struct Drawn {
    operations: Vec<Operation>,
    per_mille: u32,
    faults: Vec<Fault>,
}

impl FaultPlan {
    /// No faults yet; those of [`FaultPlan::drawn`] will come from this seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        let state = State {
            scripted: Vec::new(),
            drawn: Vec::new(),
            generator: StdRng::seed_from_u64(seed),
            calls: BTreeMap::new(),
            injected: Vec::new(),
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// No faults yet, for plans that are only scripted.
    #[must_use]
    pub fn scripted() -> Self {
        Self::seeded(0)
    }

    /// Adds a fault at one call of one kind, counted from 1 since the plan was made.
    #[must_use]
    pub fn at(self, operation: Operation, call: u64, fault: Fault) -> Self {
        self.state().scripted.push(Injected { operation, call, fault });
        self
    }

    /// Adds faults to `per_mille` of a thousand calls of these kinds, each drawn from `faults`.
    #[must_use]
    pub fn drawn(self, operations: &[Operation], per_mille: u32, faults: &[Fault]) -> Self {
        if !faults.is_empty() {
            let drawn = Drawn { operations: operations.to_vec(), per_mille, faults: faults.to_vec() };
            self.state().drawn.push(drawn);
        }
        self
    }

    /// Every fault that happened so far, in order.
    #[must_use]
    pub fn injected(&self) -> Vec<Injected> {
        self.state().injected.clone()
    }

    /// How often a call was made, with or without a fault.
    #[must_use]
    pub fn calls(&self, operation: Operation) -> u64 {
        self.state().calls.get(&operation).copied().unwrap_or(0)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, operation: Operation) -> Option<Fault> {
        let mut state = self.state();
        let State { scripted, drawn, generator, calls, injected } = &mut *state;
        let call = calls.entry(operation).and_modify(|calls| *calls += 1).or_insert(1);
        let scripted = scripted.iter().find(|fault| fault.operation == operation && fault.call == *call);
        let mut draw = || {
            let mut matching = drawn.iter().filter(|drawn| drawn.operations.contains(&operation));
            let hit = matching.find(|drawn| generator.random_range(0..1000) < drawn.per_mille)?;
            Some(hit.faults[generator.random_range(0..hit.faults.len())])
        };
        let fault = scripted.map(|scripted| scripted.fault).or_else(&mut draw)?;
        injected.push(Injected { operation, call: *call, fault });
        Some(fault)
    }

    /// Makes a call, or what the plan says instead.
    pub(super) async fn apply<T>(
        &self,
        operation: Operation,
        resource: impl FnOnce() -> String,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let Some(fault) = self.next(operation) else { return call.await };
        let kind = match fault {
            Fault::Slow(time) => {
                tokio::time::sleep(time).await;
                return call.await;
            }
            Fault::Throttled => ErrorKind::Throttled,
            Fault::Unavailable => ErrorKind::Unavailable,
            Fault::LostReply => {
                drop(call.await);
                ErrorKind::Unavailable
            }
        };
        Err(Error::new(kind, operation.as_str(), resource()).with_source(fault))
    }
}
