//! Pipelines settle as the recorded timelines show, and what starting them makes is what a real pachd made.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use pachyderm::proto::pfs::{Commit, CommitInfo};
use pachyderm::proto::pps::{EtcdPipelineInfo, JobInfo, JobState, ListJobRequest, Pipeline, PipelineState};
use prost::Message;
use sandbox::pachd::PachdServer;
use sandbox::pachd::objects::MemoryObjects;
use sandbox::pachd::state::State;

use crate::client::{Client, has_state, serve, serve_snapshot, unpacked};

type Timeline = Vec<(f64, BTreeMap<String, (String, bool)>)>;

/// The states that each pipeline went through.
fn recorded(name: &str) -> BTreeMap<String, Vec<String>> {
    let files = unpacked("grpc.tar.zst");
    let timeline: Timeline = serde_json::from_slice(&files[&format!("grpc/timeline/{name}.json")]).unwrap();
    let mut states: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (pipeline, (state, _)) in timeline.into_iter().flat_map(|(_, states)| states) {
        let states = states.entry(pipeline).or_default();
        if states.last() != Some(&state) {
            states.push(state);
        }
    }
    states
}

fn seen(server: &PachdServer, pipeline: &str) -> Vec<String> {
    let key = State::key("pachyderm_pps/pipelines", pipeline);
    let mut states: Vec<String> = Vec::new();
    for kv in server.state().store.history(&key) {
        let state = PipelineState::try_from(EtcdPipelineInfo::decode(kv.value).unwrap().state).unwrap();
        let name = format!("{state:?}").to_uppercase();
        if states.last() != Some(&name) {
            states.push(name);
        }
    }
    states
}

#[tokio::test(flavor = "multi_thread")]
async fn all_pipelines_stop_and_three_start_through_the_recorded_states() {
    let server = serve(true).await;
    let mut client = Client::of(server.external()).await;
    let stopped = recorded("stop-all-pipelines");
    assert_eq!(stopped.len(), 12);
    // Also the one that is stopped already: its controller is replaced all the same.
    for name in stopped.keys() {
        client.stop(name).await.unwrap();
    }
    client
        .wait_for("all paused after a restart", |all| {
            all.values().all(|p| p.stopped && has_state(p, PipelineState::Paused))
                && stopped.keys().all(|name| seen(&server, name).len() == 3)
        })
        .await;
    for (name, states) in &stopped {
        assert_eq!(&seen(&server, name), states, "{name}");
    }

    let started = recorded("start-all-pipelines");
    let started: BTreeMap<_, _> = started.into_iter().filter(|(_, states)| states.len() > 1).collect();
    assert_eq!(started.keys().collect::<Vec<_>>(), ["copy", "count", "grouped"]);
    for name in started.keys() {
        client.start(name).await.unwrap();
    }
    client
        .wait_for("all started run", |all| started.keys().all(|name| has_state(&all[name], PipelineState::Running)))
        .await;
    for (name, states) in &started {
        // Begins where stopping ended.
        assert_eq!(seen(&server, name)[2..], states[..], "{name}");
    }
}

/// Commits that are not in the snapshot, and in which order they were started. Ids become `<repo>@<branch>-<number>`.
fn shapes(all: Vec<CommitInfo>, known: &BTreeSet<String>) -> Vec<CommitInfo> {
    let mut new: Vec<CommitInfo> = all.into_iter().filter(|info| !known.contains(&id(info.commit.as_ref()))).collect();
    new.sort_by_key(|info| info.started.as_ref().map(|time| (time.seconds, time.nanos)));
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for info in &new {
        let branch = info.branch.as_ref().unwrap();
        let name = format!("{}@{}", branch.repo.as_ref().unwrap().name, branch.name);
        let count = counts.entry(name.clone()).or_default();
        *count += 1;
        names.insert(id(info.commit.as_ref()), format!("{name}-{count}"));
    }
    let rename = |commit: &mut Commit| {
        if let Some(name) = names.get(&commit.id) {
            commit.id.clone_from(name);
        }
    };
    for info in &mut new {
        info.commit.iter_mut().chain(&mut info.parent_commit).chain(&mut info.child_commits).for_each(rename);
        info.provenance.iter_mut().filter_map(|one| one.commit.as_mut()).for_each(rename);
        let ends = info.subvenance.iter_mut().flat_map(|range| range.lower.iter_mut().chain(&mut range.upper));
        ends.for_each(rename);
        // What depends on the moment of the recording, and on when the workers were done.
        (info.started, info.finished, info.tree, info.datums) = (None, None, None, None);
        info.trees.clear();
        (info.size_bytes, info.subvenant_commits_success, info.subvenant_commits_failure) = (0, 0, 0);
    }
    new
}

fn id(commit: Option<&Commit>) -> String {
    commit.unwrap().id.clone()
}

/// Messages of a recorded stream, each behind its length in big endian.
fn split<M: Message + Default>(mut bytes: Bytes) -> Vec<M> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let length = u32::from_be_bytes(bytes.split_to(4).as_ref().try_into().unwrap()) as usize;
        messages.push(M::decode(bytes.split_to(length)).unwrap());
    }
    messages
}

#[tokio::test(flavor = "multi_thread")]
async fn started_pipelines_get_the_commits_that_a_real_pachd_made() {
    let server = crate::client::serve_stopped().await;
    let known: BTreeSet<String> =
        server.state().commits().into_iter().map(|record| id(record.value.commit.as_ref())).collect();
    let mut client = Client::of(server.external()).await;
    // As recorded: the last one was started already, and what depends on it got commits again.
    for name in ["copy", "count", "grouped", "copy"] {
        client.start(name).await.unwrap();
    }
    let answered = server.state().commits().into_iter().map(|record| record.value).collect();
    let files = unpacked("grpc.tar.zst");
    let recorded = split(files["grpc/pfs.API.ListCommitStream/all-repos-restarted.resp.bin"].clone());
    let (answered, recorded) = (shapes(answered, &known), shapes(recorded, &known));
    assert_eq!(recorded.len(), 11);
    assert_eq!(answered.len(), recorded.len());
    for (answered, recorded) in answered.iter().zip(&recorded) {
        assert_eq!(answered, recorded);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_started_pipeline_runs_the_recorded_job() {
    let server = serve(false).await;
    let mut client = Client::of(server.external()).await;
    client.start("grouped").await.unwrap();
    let pipeline = Some(Pipeline::named("grouped"));
    let request = ListJobRequest { pipeline, full: true, ..ListJobRequest::default() };
    let mut job = None;
    for _ in 0..12_000 {
        let (jobs, outcome) = client.stream("/pps.API/ListJobStream", &request).await;
        outcome.unwrap();
        let jobs: Vec<JobInfo> = jobs.into_iter().map(|job| JobInfo::decode(job).unwrap()).collect();
        job = jobs.into_iter().find(|job| job.state == JobState::Success as i32);
        if job.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let job = job.expect("the job ends");
    let files = unpacked("grpc.tar.zst");
    let recorded: Vec<JobInfo> = split(files["grpc/pps.API.ListJobStream/history-all-full-restarted.resp.bin"].clone());
    let spec = |job: &JobInfo| job.spec_commit.clone().unwrap();
    let newest = recorded.into_iter().find(|job| job.pipeline.as_ref().unwrap().name == "grouped").unwrap();
    let output = |id: &str| server.state().commit("grouped", id);
    let made = output(&job.output_commit.as_ref().unwrap().id).unwrap();
    assert!(made.finished.is_some());
    assert_eq!(made.size_bytes, 40);
    let anonymous = |job: &JobInfo| JobInfo {
        job: None,
        output_commit: None,
        spec_commit: None,
        started: None,
        finished: None,
        ..job.clone()
    };
    assert_ne!(spec(&job), spec(&newest));
    assert_eq!(anonymous(&job), anonymous(&newest));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_cluster_has_nothing_to_settle() {
    let server = serve_snapshot("gamma", std::sync::Arc::new(MemoryObjects::default())).await;
    let mut client = Client::of(server.external()).await;
    assert!(client.pipelines().await.is_empty());
    assert!(client.start("copy").await.unwrap_err().message().contains("pipeline \"copy\" not found"));
}
