//! What branches depend on: direct provenance is declared, provenance and subvenance follow from it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use pachyderm::proto::pfs::{Branch, BranchInfo};
use pachyderm::proto::pps::{Input, PipelineInfo};
use prost::Message;

use super::state::{SPEC_REPO, State};

type Name = (String, String);

fn name(branch: &Branch) -> Name {
    (branch.repo.as_ref().map(|repo| repo.name.clone()).unwrap_or_default(), branch.name.clone())
}

fn branch((repo, branch): &Name) -> Branch {
    Branch::named(repo, branch)
}

/// What the output branch of a running pipeline depends on directly: its inputs and its specification. A pipeline
/// without inputs depends on nothing.
pub(super) fn of_running(specification: &PipelineInfo) -> Vec<Branch> {
    let pipeline = specification.pipeline.as_ref().map(|pipeline| pipeline.name.clone()).unwrap_or_default();
    let mut names = BTreeSet::new();
    if let Some(input) = &specification.input {
        collect(input, &mut names);
    }
    if names.is_empty() {
        return Vec::new();
    }
    names.insert((SPEC_REPO.to_owned(), pipeline));
    names.iter().map(branch).collect()
}

fn collect(input: &Input, names: &mut BTreeSet<Name>) {
    if let Some(pfs) = &input.pfs {
        names.insert((pfs.repo.clone(), pfs.branch.clone()));
    }
    if let Some(cron) = &input.cron {
        names.insert((cron.repo.clone(), "master".to_owned()));
    }
    if let Some(git) = &input.git {
        names.insert((git.name.clone(), git.branch.clone()));
    }
    for inner in [&input.cross, &input.union, &input.join, &input.group].into_iter().flatten() {
        collect(inner, names);
    }
}

/// Sets one branch's direct provenance in `branches` and recomputes what follows. Answers with the changed ones.
pub(super) fn declare(branches: &mut BTreeMap<String, BranchInfo>, key: &str, direct: Vec<Branch>) -> BTreeSet<String> {
    let mut changed = BTreeSet::new();
    if let Some(info) = branches.get_mut(key)
        && as_set(&info.direct_provenance) != as_set(&direct)
    {
        info.direct_provenance = direct;
        changed.insert(key.to_owned());
    }
    let edges: BTreeMap<Name, BTreeSet<Name>> = branches
        .values()
        .filter_map(|info| Some((name(info.branch.as_ref()?), as_set(&info.direct_provenance))))
        .collect();
    let provenance: BTreeMap<Name, BTreeSet<Name>> =
        edges.keys().map(|start| (start.clone(), reachable(start, &edges))).collect();
    for (key, info) in branches.iter_mut() {
        let Some(own) = info.branch.as_ref().map(name) else { continue };
        let all = provenance.get(&own).cloned().unwrap_or_default();
        let dependent: BTreeSet<Name> =
            provenance.iter().filter(|(_, on)| on.contains(&own)).map(|(one, _)| one.clone()).collect();
        if as_set(&info.provenance) != all {
            info.provenance = all.iter().map(branch).collect();
            changed.insert(key.clone());
        }
        if as_set(&info.subvenance) != dependent {
            info.subvenance = dependent.iter().map(branch).collect();
            changed.insert(key.clone());
        }
    }
    changed
}

fn reachable(start: &Name, edges: &BTreeMap<Name, BTreeSet<Name>>) -> BTreeSet<Name> {
    let mut seen = BTreeSet::new();
    let mut waiting = vec![start.clone()];
    while let Some(next) = waiting.pop() {
        for on in edges.get(&next).into_iter().flatten() {
            if seen.insert(on.clone()) {
                waiting.push(on.clone());
            }
        }
    }
    seen
}

fn as_set(branches: &[Branch]) -> BTreeSet<Name> {
    branches.iter().map(name).collect()
}

/// Whether two records say the same, whatever the order of their lists.
pub(super) fn same(one: &BranchInfo, other: &BranchInfo) -> bool {
    one.head == other.head
        && as_set(&one.direct_provenance) == as_set(&other.direct_provenance)
        && as_set(&one.provenance) == as_set(&other.provenance)
        && as_set(&one.subvenance) == as_set(&other.subvenance)
}

/// Sets the direct provenance of a branch in etcd, in one transaction. Where the result says the same as a recorded value, the
/// recorded bytes are written.
pub(super) fn set(state: &State, repo: &str, branch: &str, direct: Vec<Branch>, recorded: &BTreeMap<String, Bytes>) {
    let mut branches: BTreeMap<String, BranchInfo> =
        state.branches().into_iter().map(|record| (record.name, record.value)).collect();
    let changed = declare(&mut branches, &format!("{repo}/{branch}"), direct);
    state.store.write(|transaction| {
        for key in &changed {
            let Some(info) = branches.get(key) else { continue };
            let bytes = match recorded.get(key) {
                Some(bytes) if BranchInfo::decode(bytes.clone()).is_ok_and(|old| same(&old, info)) => bytes.clone(),
                _ => info.encode_to_vec().into(),
            };
            transaction.put(State::key("pachyderm_pfs/branches", key), bytes);
        }
    });
}
