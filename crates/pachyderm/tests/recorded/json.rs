//! Operations as protobuf JSON shows them: every field of every message, those without a value left out.

use std::collections::BTreeMap;

use bytes::Bytes;
use pachyderm::proto::{
    admin::{Op, OpBody},
    known, pfs, pps,
};
use prost_types::{Duration, Timestamp};
use serde_json::{Map, Value};

/// A message as JSON.
pub(crate) trait Json {
    fn json(&self) -> Value;
}

/// Shows each message by all its fields: that none is forgotten is held by the compiler. A field is shown by one of the
/// functions below, which answer nothing for a field without a value.
macro_rules! messages {
    ($($type:ty { $($field:ident $(as $name:literal)?: $shown:ident),* $(,)? })*) => {
        $(impl Json for $type {
            fn json(&self) -> Value {
                let Self { $($field),* } = self;
                let mut fields = Map::new();
                $(
                    if let Some(value) = $shown($field) {
                        let name = messages!(@name $field $($name)?);
                        fields.insert(name.trim_start_matches("r#").to_owned(), value);
                    }
                )*
                Value::Object(fields)
            }
        })*
    };
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $name:literal) => { $name };
}

messages! {
    Op {
        op1_7: boxed, op1_8: boxed, op1_9: boxed, op1_10: boxed, op1_11: boxed, op1_12: boxed, op1_13: boxed,
    }
    OpBody {
        object: boxed, tag: boxed, repo: boxed, commit: boxed, branch: boxed, pipeline: boxed, job: boxed,
        create_object: boxed, block: boxed, set_acl: never, set_cluster_role_binding: never, set_auth_config: never,
        activate_auth: never, restore_auth_token: never, activate_enterprise: never, check_auth_token: never,
    }
    pfs::Repo { name: text }
    pfs::Branch { repo: one, name: text }
    pfs::Commit { repo: one, id: text }
    pfs::Object { hash: text }
    pfs::Block { hash: text }
    pfs::Tag { name: text }
    pfs::ByteRange { lower: unsigned, upper: unsigned }
    pfs::BlockRef { block: one, range: one }
    pfs::CommitProvenance { commit: one, branch: one }
    pfs::CommitOrigin { kind: origin }
    pfs::Trigger { branch: text, all: flag, cron_spec: text, size: text, commits: signed }
    pfs::PutObjectRequest { value: blank, tags: many, block: one }
    pfs::PutBlockRequest { block: one, value: blank }
    pfs::CreateObjectRequest { object: one, block_ref: one }
    pfs::TagObjectRequest { object: one, tags: many }
    pfs::CreateRepoRequest { repo: one, description: typed, update: flag }
    pfs::BuildCommitRequest {
        parent: one, legacy_provenance: many, tree: one, branch: text, id as "ID": text, provenance: many, trees: many,
        datums: one, size_bytes: unsigned, started: time, finished: time, origin: one,
    }
    pfs::CreateBranchRequest { head: one, s_branch: text, branch: one, provenance: many, trigger: one }
    pps::Pipeline { name: text }
    pps::ProcessStats {
        download_time: duration, process_time: duration, upload_time: duration, download_bytes: unsigned,
        upload_bytes: unsigned,
    }
    pps::CreateJobRequest {
        pipeline: one, output_commit: one, restart: unsigned, data_processed: signed, data_skipped: signed,
        data_total: signed, data_failed: signed, data_recovered: signed, stats: one, stats_commit: one,
        state: job_state, reason: text, started: time, finished: time,
    }
    pps::Transform {
        image: text, cmd: texts, env: map, secrets: many, stdin: texts, accept_return_code: signed_list, debug: flag,
        image_pull_secrets: texts, user: text, working_dir: text, dockerfile: text, err_cmd: texts, err_stdin: texts,
        build: one,
    }
    pps::BuildSpec { path: text, language: text, image: text }
    pps::SecretMount { name: text, mount_path: text, env_var: text, key: text }
    pps::ParallelismSpec { constant: unsigned, coefficient: double }
    pps::HashtreeSpec { constant: unsigned }
    pps::Egress { url as "URL": text }
    pps::ResourceSpec { cpu: float, memory: text, disk: text, gpu: one }
    pps::GpuSpec { r#type: text, number: signed }
    pps::Service { internal_port: port, external_port: port, ip: text, r#type: text }
    pps::Spout { overwrite: flag, service: one, marker: text }
    pps::ChunkSpec { number: signed, size_bytes: signed }
    pps::SchedulingSpec { node_selector: map, priority_class_name: text }
    pps::TfJob { tf_job: text }
    pps::Metadata { annotations: map, labels: map }
    pps::Input { atom: one, cross: many, union: many, cron: one, git: one, pfs: one, join: many, group: many }
    pps::AtomInput { name: text, repo: text, branch: text, commit: text, glob: text, lazy: flag, empty_files: flag }
    pps::PfsInput {
        name: text, repo: text, branch: text, commit: text, glob: text, lazy: flag, empty_files: flag, join_on: text,
        s3: flag, trigger: one, group_by: text, outer_join: flag,
    }
    pps::CronInput { name: text, repo: text, commit: text, spec: text, start: time, overwrite: flag }
    pps::GitInput { name: text, url: text, branch: text, commit: text }
    pps::CreatePipelineRequest {
        pipeline: one, transform: one, update: flag, parallelism_spec: one, egress: one, output_branch: text,
        scale_down_threshold: duration, resource_requests: one, input: one, description: text, incremental: flag,
        cache_size: text, enable_stats: flag, reprocess: flag, batch: flag, max_queue_size: signed, service: one,
        resource_limits: one, chunk_spec: one, datum_timeout: duration, job_timeout: duration, salt: text,
        standby: flag, datum_tries: signed, scheduling_spec: one, pod_spec: text, hashtree_spec: one, pod_patch: text,
        spout: one, spec_commit: one, tf_job: one, s3_out: flag, metadata: one, sidecar_resource_limits: one,
        autoscaling: flag, reprocess_spec: text,
    }
}

fn boxed<T: Json>(message: &Option<Box<T>>) -> Option<Value> {
    message.as_ref().map(|message| message.json())
}

fn one<T: Json>(message: &Option<T>) -> Option<Value> {
    message.as_ref().map(Json::json)
}

fn many<T: Json>(messages: &[T]) -> Option<Value> {
    (!messages.is_empty()).then(|| messages.iter().map(Json::json).collect())
}

/// A kind of operation that no recorded stream holds.
fn never<T>(message: &Option<T>) -> Option<Value> {
    assert!(message.is_none(), "was never recorded");
    None
}

fn text(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| text.into())
}

/// What somebody typed, which is UTF-8 in everything that was recorded.
fn typed(bytes: &Bytes) -> Option<Value> {
    text(std::str::from_utf8(bytes).unwrap())
}

fn texts(texts: &[String]) -> Option<Value> {
    (!texts.is_empty()).then(|| texts.into())
}

fn map(map: &BTreeMap<String, String>) -> Option<Value> {
    (!map.is_empty()).then(|| map.iter().map(|(key, value)| (key.clone(), Value::from(value.clone()))).collect())
}

fn flag(flag: &bool) -> Option<Value> {
    flag.then_some(Value::Bool(true))
}

/// Numbers of 64 bits are text.
fn unsigned(number: &u64) -> Option<Value> {
    (*number != 0).then(|| number.to_string().into())
}

fn signed(number: &i64) -> Option<Value> {
    (*number != 0).then(|| number.to_string().into())
}

fn signed_list(numbers: &[i64]) -> Option<Value> {
    (!numbers.is_empty()).then(|| numbers.iter().map(i64::to_string).collect())
}

fn port(number: &i32) -> Option<Value> {
    (*number != 0).then(|| (*number).into())
}

fn double(number: &f64) -> Option<Value> {
    (*number != 0.0).then(|| (*number).into())
}

/// The shortest decimal fraction that is this number at single precision.
fn float(number: &f32) -> Option<Value> {
    (*number != 0.0).then(|| number.to_string().parse::<f64>().unwrap().into())
}

fn time(at: &Option<Timestamp>) -> Option<Value> {
    at.as_ref().map(|at| at.to_string().into())
}

fn duration(duration: &Option<Duration>) -> Option<Value> {
    duration.as_ref().map(|duration| duration.to_string().into())
}

fn origin(kind: &i32) -> Option<Value> {
    match known(*kind).unwrap() {
        pfs::OriginKind::User => None,
        pfs::OriginKind::Auto => Some("AUTO".into()),
        pfs::OriginKind::Fsck => Some("FSCK".into()),
    }
}

fn job_state(state: &i32) -> Option<Value> {
    let state = known::<pps::JobState>(*state).unwrap();
    (state != pps::JobState::Starting).then(|| format!("JOB_{}", state.name().to_uppercase()).into())
}

/// Bytes that the recorded JSON shows by size and hash elsewhere; to be taken out before.
fn blank(bytes: &Bytes) -> Option<Value> {
    assert!(bytes.is_empty(), "{} bytes of content", bytes.len());
    None
}
