//! The members of an etcd: all serve one key space, and one of them leads.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::snapshot::Identity;

/// Stands for no leader.
const NOBODY: usize = usize::MAX;

/// The members, named `etcd-0`, `etcd-1` and so on, and which of them leads.
#[derive(Debug)]
pub struct Membership {
    members: Vec<Identity>,
    leader: AtomicUsize,
}

impl Membership {
    /// So many members, of which the first leads.
    #[must_use]
    pub fn of(count: usize) -> Self {
        let first = Identity::default();
        let member = |index: usize| Identity {
            member_id: first.member_id.wrapping_add(index as u64),
            name: format!("etcd-{index}"),
            ..first.clone()
        };
        Self { members: (0..count).map(member).collect(), leader: AtomicUsize::new(0) }
    }

    /// One member.
    #[must_use]
    pub fn single(identity: Identity) -> Self {
        Self { members: vec![identity], leader: AtomicUsize::new(0) }
    }

    /// From now on this member leads, or none, as in an election.
    pub fn set_leader(&self, index: Option<usize>) {
        self.leader.store(index.unwrap_or(NOBODY), Ordering::SeqCst);
    }

    /// The id of the leader; 0 without one, as etcd says it.
    #[must_use]
    pub fn leader(&self) -> u64 {
        self.members.get(self.leader.load(Ordering::SeqCst)).map_or(0, |member| member.member_id)
    }

    /// All members.
    #[must_use]
    pub fn members(&self) -> &[Identity] {
        &self.members
    }
}
