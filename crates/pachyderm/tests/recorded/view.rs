//! Decoded messages as the independent client shows them, to be compared with what it recorded.

use pachyderm::proto::{
    admin::{ClusterInfo, Op},
    known, pfs, pps, transaction,
    version::Version,
};
use prost_types::Timestamp;
use serde_json::{Value, json};

/// The fields of a message that are compared.
pub(crate) trait View {
    fn view(&self) -> Value;
}

impl View for () {
    fn view(&self) -> Value {
        json!({})
    }
}

fn time(at: &Option<Timestamp>) -> Value {
    at.as_ref().map_or(Value::Null, |at| at.to_string().into())
}

fn all<T: View>(items: &[T]) -> Value {
    items.iter().map(View::view).collect()
}

fn one<T: View>(item: &Option<T>) -> Value {
    item.as_ref().map_or(Value::Null, View::view)
}

/// What somebody typed, which is UTF-8 in everything that was recorded.
fn typed(text: &[u8]) -> Value {
    std::str::from_utf8(text).unwrap().into()
}

fn pipeline_state(state: i32) -> Value {
    let state: pps::PipelineState = known(state).unwrap();
    format!("PIPELINE_{}", state.name().to_uppercase()).into()
}

fn job_state(state: i32) -> Value {
    let state: pps::JobState = known(state).unwrap();
    format!("JOB_{}", state.name().to_uppercase()).into()
}

impl View for Version {
    fn view(&self) -> Value {
        json!({"major": self.major, "minor": self.minor, "micro": self.micro, "additional": self.additional})
    }
}

impl View for ClusterInfo {
    fn view(&self) -> Value {
        json!({"id": self.id, "deployment_id": self.deployment_id})
    }
}

impl View for pfs::Repo {
    fn view(&self) -> Value {
        json!({"name": self.name})
    }
}

impl View for pfs::Branch {
    fn view(&self) -> Value {
        json!({"repo": one(&self.repo), "name": self.name})
    }
}

impl View for pfs::Commit {
    fn view(&self) -> Value {
        json!({"repo": one(&self.repo), "id": self.id})
    }
}

impl View for pfs::Object {
    fn view(&self) -> Value {
        json!({"hash": self.hash})
    }
}

impl View for pfs::Block {
    fn view(&self) -> Value {
        json!({"hash": self.hash})
    }
}

impl View for pfs::ObjectInfo {
    fn view(&self) -> Value {
        let reference = self.block_ref.as_ref().unwrap();
        let range = reference.range.as_ref().unwrap();
        json!({
            "object": one(&self.object),
            "block_ref": {"block": one(&reference.block), "range": {"lower": range.lower, "upper": range.upper}},
        })
    }
}

impl View for pfs::ListTagsResponse {
    fn view(&self) -> Value {
        json!({"tag": {"name": self.tag.as_ref().unwrap().name}, "object": one(&self.object)})
    }
}

impl View for pfs::RepoInfo {
    fn view(&self) -> Value {
        json!({
            "repo": one(&self.repo),
            "created": time(&self.created),
            "size_bytes": self.size_bytes,
            "description": typed(&self.description),
            "branches": all(&self.branches),
            "tombstone": self.tombstone,
        })
    }
}

impl View for pfs::ListRepoResponse {
    fn view(&self) -> Value {
        json!({"repo_info": all(&self.repo_info)})
    }
}

impl View for pfs::BranchInfo {
    fn view(&self) -> Value {
        json!({
            "name": self.name,
            "branch": one(&self.branch),
            "head": one(&self.head),
            "provenance": all(&self.provenance),
            "subvenance": all(&self.subvenance),
            "direct_provenance": all(&self.direct_provenance),
        })
    }
}

impl View for pfs::BranchInfos {
    fn view(&self) -> Value {
        json!({"branch_info": all(&self.branch_info)})
    }
}

impl View for pfs::CommitProvenance {
    fn view(&self) -> Value {
        json!({"commit": one(&self.commit), "branch": one(&self.branch)})
    }
}

impl View for pfs::CommitInfo {
    fn view(&self) -> Value {
        json!({
            "commit": one(&self.commit),
            "branch": one(&self.branch),
            "parent_commit": one(&self.parent_commit),
            "child_commits": all(&self.child_commits),
            "started": time(&self.started),
            "finished": time(&self.finished),
            "size_bytes": self.size_bytes,
            "description": typed(&self.description),
            "provenance": all(&self.provenance),
            "ready_provenance": self.ready_provenance,
            "tree": one(&self.tree),
            "trees": all(&self.trees),
            "datums": one(&self.datums),
        })
    }
}

impl View for pfs::CommitInfos {
    fn view(&self) -> Value {
        json!({"commit_info": all(&self.commit_info)})
    }
}

impl View for pfs::FsckResponse {
    fn view(&self) -> Value {
        json!({"fix": self.fix, "error": self.error})
    }
}

impl View for pps::Pipeline {
    fn view(&self) -> Value {
        json!({"name": self.name})
    }
}

impl View for pps::Transform {
    fn view(&self) -> Value {
        json!({"image": self.image, "cmd": self.cmd, "stdin": self.stdin, "env": self.env})
    }
}

impl View for pps::PfsInput {
    fn view(&self) -> Value {
        json!({"name": self.name, "repo": self.repo, "branch": self.branch, "glob": self.glob, "join_on": self.join_on})
    }
}

impl View for pps::Input {
    fn view(&self) -> Value {
        json!({
            "pfs": one(&self.pfs),
            "cross": all(&self.cross),
            "union": all(&self.union),
            "join": all(&self.join),
            "group": all(&self.group),
            "cron": self.cron.as_ref().map(|cron| json!({"name": cron.name, "repo": cron.repo, "spec": cron.spec})),
            "git": self.git.as_ref().map(|git| json!({"name": git.name, "url": git.url})),
        })
    }
}

impl View for pps::PipelineInfo {
    fn view(&self) -> Value {
        let counts = self.job_counts.iter().map(|(state, count)| (state.to_string(), (*count).into()));
        json!({
            "pipeline": one(&self.pipeline),
            "transform": one(&self.transform),
            "created_at": time(&self.created_at),
            "state": pipeline_state(self.state),
            "last_job_state": job_state(self.last_job_state),
            "job_counts": counts.collect::<serde_json::Map<_, Value>>(),
            "version": self.version,
            "output_branch": self.output_branch,
            "input": one(&self.input),
            "description": self.description,
            "salt": self.salt,
            "reason": self.reason,
            "spec_commit": one(&self.spec_commit),
            "standby": self.standby,
            "stopped": self.stopped,
            "workers_requested": self.workers_requested,
            "workers_available": self.workers_available,
        })
    }
}

impl View for pps::PipelineInfos {
    fn view(&self) -> Value {
        json!({"pipeline_info": all(&self.pipeline_info)})
    }
}

impl View for pps::JobInfo {
    fn view(&self) -> Value {
        json!({
            "job": self.job.as_ref().map(|job| json!({"id": job.id})),
            "pipeline": one(&self.pipeline),
            "pipeline_version": self.pipeline_version,
            "transform": one(&self.transform),
            "started": time(&self.started),
            "finished": time(&self.finished),
            "output_commit": one(&self.output_commit),
            "output_repo": one(&self.output_repo),
            "state": job_state(self.state),
            "reason": self.reason,
            "data_processed": self.data_processed,
            "data_skipped": self.data_skipped,
            "data_failed": self.data_failed,
            "data_recovered": self.data_recovered,
            "data_total": self.data_total,
            "stats_commit": one(&self.stats_commit),
            "spec_commit": one(&self.spec_commit),
        })
    }
}

impl View for pps::JobInfos {
    fn view(&self) -> Value {
        json!({"job_info": all(&self.job_info)})
    }
}

impl View for transaction::Transaction {
    fn view(&self) -> Value {
        json!({"id": self.id})
    }
}

impl View for transaction::TransactionInfos {
    fn view(&self) -> Value {
        let infos = self.transaction_info.iter();
        json!({"transaction_info": infos.map(|info| json!({"transaction": one(&info.transaction), "started": time(&info.started)})).collect::<Value>()})
    }
}

impl View for Op {
    fn view(&self) -> Value {
        let Some((version, body)) = self.versioned_body() else { return json!({}) };
        let kind = body.kind().map_or_else(|| "none".to_owned(), |kind| kind.to_string());
        let content = if let Some(repo) = &body.repo {
            json!({"repo": one(&repo.repo), "description": typed(&repo.description)})
        } else if let Some(commit) = &body.commit {
            json!({
                "parent": one(&commit.parent),
                "ID": commit.id,
                "size_bytes": commit.size_bytes,
                "provenance": all(&commit.provenance),
                "tree": one(&commit.tree),
                "trees": all(&commit.trees),
                "started": time(&commit.started),
                "finished": time(&commit.finished),
            })
        } else if let Some(branch) = &body.branch {
            json!({"head": one(&branch.head), "branch": one(&branch.branch), "provenance": all(&branch.provenance)})
        } else if let Some(pipeline) = &body.pipeline {
            json!({
                "pipeline": one(&pipeline.pipeline),
                "transform": one(&pipeline.transform),
                "input": one(&pipeline.input),
                "salt": pipeline.salt,
                "spec_commit": one(&pipeline.spec_commit),
            })
        } else if let Some(job) = &body.job {
            json!({
                "pipeline": one(&job.pipeline),
                "output_commit": one(&job.output_commit),
                "state": job_state(job.state),
                "data_total": job.data_total,
            })
        } else {
            json!({})
        };
        json!({format!("op1_{}", version.minor()): {kind: content}})
    }
}

/// Holds every field of `view` against what was recorded. A recording leaves out fields that have no value.
pub(crate) fn assert_agrees(view: &Value, recorded: &Value, place: &str) {
    match (view, recorded) {
        (Value::Object(view), Value::Object(recorded)) => {
            for (name, value) in view {
                assert_agrees(value, recorded.get(name).unwrap_or(&Value::Null), &format!("{place}.{name}"));
            }
        }
        (Value::Array(view), Value::Array(recorded)) => {
            assert_eq!(view.len(), recorded.len(), "{place}");
            for (index, (value, recorded)) in view.iter().zip(recorded).enumerate() {
                assert_agrees(value, recorded, &format!("{place}[{index}]"));
            }
        }
        (view, Value::Null) => assert!(is_unset(view), "{place}: {view} was not recorded"),
        (view, recorded) => assert_eq!(shown(view), shown(recorded), "{place}"),
    }
}

fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(value) => value.as_f64() == Some(0.0),
        Value::String(value) => matches!(value.as_str(), "" | "PIPELINE_STARTING" | "JOB_STARTING"),
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.values().all(is_unset),
    }
}

/// Numbers of 64 bits are recorded as text.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
