//! What no recorded cluster has: licence, authentication, old and broken records. The records are constructed.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use jiff::Timestamp;
use prost::Message as _;
use sha2::{Digest, Sha512};

use super::{Groups, OfflineError, Options, Ties, compute};
use crate::etcd::proto::KeyValue;
use crate::layout::{Backend, KeyKind, Layout, StoreError};
use crate::proto::{auth, enterprise, pfs, pps};
use crate::stream::{OpKind, OpVersion, RawOp};
use crate::wire;

/// The time of the extract.
const NOW: i64 = 1_800_000_000;

struct State(BTreeMap<Vec<u8>, KeyValue>);

impl State {
    fn new() -> Self {
        Self(BTreeMap::new()).with("pachyderm_pfs/repos/__spec__", Vec::new(), 0)
    }

    /// One key more, created after all others.
    fn with(mut self, key: &str, value: Vec<u8>, lease: i64) -> Self {
        let key = format!("pachyderm/1.7.0/{key}").into_bytes();
        let entry = KeyValue {
            key: key.clone().into(),
            create_revision: self.0.len() as i64 + 1,
            value: value.into(),
            lease,
            ..KeyValue::default()
        };
        self.0.insert(key, entry);
        self
    }

    fn compute(&self) -> Result<Vec<RawOp>, OfflineError> {
        self.compute_groups(Groups::ALL)
    }

    fn compute_groups(&self, groups: Groups) -> Result<Vec<RawOp>, OfflineError> {
        let empty = |_: &KeyKind, _: Option<std::ops::Range<u64>>| -> Result<_, StoreError> { Ok(None) };
        let now = Timestamp::from_second(NOW).unwrap();
        let options = Options { groups, leases: BTreeMap::from([(77, 3600)]), ..Options::new(OpVersion::V1_13, now) };
        let ops = compute(&self.0, &empty, &options)?;
        Ok(ops.into_iter().map(|op| RawOp::parse(op).unwrap()).collect())
    }
}

fn kinds(ops: &[RawOp]) -> Vec<String> {
    ops.iter().map(|op| op.kind.to_string()).collect()
}

/// The requests of one kind.
fn requests<M: prost::Message + Default>(ops: &[RawOp], kind: OpKind) -> Vec<M> {
    ops.iter().filter(|op| op.kind == kind).map(|op| M::decode(op.request()).unwrap()).collect()
}

fn token(subject: &str) -> Vec<u8> {
    auth::TokenInfo { subject: subject.into(), source: 2 }.encode_to_vec()
}

fn licence(seconds: i64) -> Vec<u8> {
    let expires = Some(prost_types::Timestamp { seconds, nanos: 1 });
    enterprise::EnterpriseRecord { activation_code: "code".into(), expires }.encode_to_vec()
}

#[test]
fn an_active_cluster_yields_every_kind_in_order() {
    let acl = auth::Acl { entries: BTreeMap::from([("robot:r".into(), 2), ("github:a".into(), 3)]) };
    let config = auth::AuthConfig {
        live_config_version: 7,
        id_providers: vec![
            auth::IdProvider { name: "one".into(), ..Default::default() },
            auth::IdProvider { name: "two".into(), ..Default::default() },
        ],
        saml_svc_options: None,
    };
    let ops = State::new()
        .with("pachyderm_pfs/repos/data", b"\x0a\x06\x0a\x04data".to_vec(), 0)
        .with("pachyderm_pfs/repos/more", b"\x0a\x06\x0a\x04more".to_vec(), 0)
        .with("pachyderm_enterprise/token", licence(NOW), 0)
        .with("pachyderm_auth/admins/pach:root", vec![8, 1], 0)
        .with("pachyderm_auth/admins/github:a", vec![8, 1], 0)
        .with("pachyderm_auth/fs-admins/github:a", vec![8, 1], 0)
        .with("pachyderm_auth/tokens/aa", token("robot:old"), 0)
        .with("pachyderm_auth/tokens/bb", token("robot:new"), 77)
        .with("pachyderm_auth/tokens/cc", token("github:a"), 78)
        .with("pachyderm_auth/config/config", config.encode_to_vec(), 0)
        .with("pachyderm_auth/acls/data", acl.encode_to_vec(), 0)
        .compute()
        .unwrap();
    let expected = [
        "check_auth_token",
        "repo",
        "repo",
        "repo",
        "activate_enterprise",
        "activate_auth",
        "restore_auth_token",
        "restore_auth_token",
        "set_cluster_role_binding",
        "set_cluster_role_binding",
        "set_auth_config",
        "set_acl",
        "set_acl",
        "set_acl",
    ];
    assert_eq!(kinds(&ops), expected);

    let licences: Vec<enterprise::ActivateRequest> = requests(&ops, OpKind::ActivateEnterprise);
    assert_eq!((licences[0].activation_code.as_str(), licences[0].expires.is_none()), ("code", true));

    let tokens: Vec<auth::RestoreAuthTokenRequest> = requests(&ops, OpKind::RestoreAuthToken);
    let token = |place: usize| tokens[place].token.clone().unwrap();
    assert_eq!((token(0).hashed_token.as_str(), token(1).hashed_token.as_str()), ("bb", "aa"));
    assert_eq!(token(0).token_info.unwrap(), auth::TokenInfo { subject: "robot:new".into(), source: 2 });
    assert_eq!(token(0).expiration, Some(prost_types::Timestamp { seconds: NOW + 3600, nanos: 0 }));
    assert_eq!(token(1).expiration, None);

    let roles: Vec<auth::ModifyClusterRoleBindingRequest> = requests(&ops, OpKind::SetClusterRoleBinding);
    let role = |place: usize| (roles[place].principal.as_str(), roles[place].roles.clone().unwrap().roles);
    assert_eq!([role(0), role(1)], [("github:a", vec![1, 2]), ("pach:root", vec![1])]);

    let configs: Vec<auth::SetConfigurationRequest> = requests(&ops, OpKind::SetAuthConfig);
    assert_eq!(configs[0].configuration, Some(auth::AuthConfig { live_config_version: 0, ..config }));

    let lists: Vec<auth::SetAclRequest> = requests(&ops, OpKind::SetAcl);
    let repos: Vec<&str> = lists.iter().map(|list| list.repo.as_str()).collect();
    assert_eq!(repos, ["more", "data", "__spec__"]);
    assert_eq!(
        lists[1].entries,
        [
            auth::AclEntry { username: "github:a".into(), scope: 3 },
            auth::AclEntry { username: "robot:r".into(), scope: 2 },
        ]
    );
    assert!(lists[0].entries.is_empty() && lists[2].entries.is_empty());
}

#[test]
fn groups_leave_out_access() {
    let state = State::new().with("pachyderm_enterprise/token", licence(NOW), 0).with(
        "pachyderm_auth/admins/pach:root",
        vec![8, 1],
        0,
    );
    let of = |groups| kinds(&state.compute_groups(groups).unwrap());
    assert_eq!(of(Groups { auth: false, ..Groups::ALL }), ["repo", "activate_enterprise"]);
    assert_eq!(of(Groups { auth: false, enterprise: false, ..Groups::ALL }), ["repo"]);
    let no_repos = of(Groups { repos: false, enterprise: false, ..Groups::ALL });
    assert_eq!(no_repos, ["check_auth_token", "activate_auth", "set_cluster_role_binding", "set_auth_config"]);
}

#[test]
fn the_configuration_that_pachd_assumes_is_written_when_none_is_stored() {
    let ops = State::new().with("pachyderm_auth/fs-admins/github:a", vec![8, 1], 0).compute().unwrap();
    let configs: Vec<auth::SetConfigurationRequest> = requests(&ops, OpKind::SetAuthConfig);
    let providers = configs[0].configuration.clone().unwrap().id_providers;
    assert_eq!(providers.len(), 1);
    assert_eq!((providers[0].name.as_str(), providers[0].github.is_some()), ("GitHub", true));
}

#[test]
fn an_expired_licence_is_left_out() {
    let ops = State::new().with("pachyderm_enterprise/token", licence(NOW - 1), 0).compute().unwrap();
    assert_eq!(kinds(&ops), ["repo"]);
}

#[test]
fn what_pachd_refuses_is_refused() {
    let half = State::new().with("pachyderm_auth/admins/magic:x", vec![8, 1], 0);
    assert!(matches!(half.compute(), Err(OfflineError::PartiallyActive)));
    let lease = State::new().with("pachyderm_auth/admins/pach:root", vec![8, 1], 0).with(
        "pachyderm_auth/tokens/aa",
        token("robot:r"),
        79,
    );
    assert!(matches!(lease.compute(), Err(OfflineError::UnknownLease { lease: 79, .. })));
    let malformed = State::new().with("pachyderm_pfs/repos/data", vec![0x0a, 9], 0);
    assert!(matches!(malformed.compute(), Err(OfflineError::Record { .. })));
    let nameless = State::new().with("pachyderm_pfs/commits/data/a", Vec::new(), 0);
    assert!(matches!(nameless.compute(), Err(OfflineError::MissingField { field: "commit", .. })));
    let commit = b"\x0a\x09\x0a\x04\x0a\x02da\x12\x01a\x32\x00".to_vec();
    let old = State::new().with("pachyderm_pfs/commits/da/a", commit, 0);
    assert!(matches!(old.compute(), Err(OfflineError::OldRecord { .. })));
}

#[test]
fn parents_of_one_transaction_come_first_only_on_request() {
    // Ids sort the wrong way round, and all were created at one revision.
    let commit = |id: &str, parent: Option<&str>| {
        let reference = |id: &str| [b"\x0a\x04\x0a\x02da\x12\x01", id.as_bytes()].concat();
        let mut info = [b"\x0a\x09".as_slice(), &reference(id)].concat();
        if let Some(parent) = parent {
            info.extend([b"\x12\x09".as_slice(), &reference(parent)].concat());
        }
        info
    };
    let mut state = State::new()
        .with("pachyderm_pfs/commits/da/a", commit("a", Some("b")), 0)
        .with("pachyderm_pfs/commits/da/b", commit("b", Some("c")), 0)
        .with("pachyderm_pfs/commits/da/c", commit("c", None), 0);
    for entry in state.0.values_mut() {
        entry.create_revision = 5;
    }
    let ids = |ties| -> Vec<String> {
        let empty = |_: &KeyKind, _: Option<std::ops::Range<u64>>| -> Result<_, StoreError> { Ok(None) };
        let options = Options { ties, ..Options::new(OpVersion::V1_13, Timestamp::UNIX_EPOCH) };
        let ops = compute(&state.0, &empty, &options).unwrap();
        let ops = ops.into_iter().map(|op| RawOp::parse(op).unwrap()).collect::<Vec<_>>();
        requests::<pfs::BuildCommitRequest>(&ops, OpKind::Commit).into_iter().map(|request| request.id).collect()
    };
    assert_eq!(ids(Ties::AsPachd), ["a", "b", "c"]);
    assert_eq!(ids(Ties::ParentsFirst), ["c", "b", "a"]);
}

/// A message with one string, bytes or message field.
fn message(number: u32, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    wire::put_bytes(&mut out, number, bytes);
    out
}

fn frame(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as i64).to_le_bytes(), bytes].concat()
}

fn commit_message(repo: &str, id: &str) -> Vec<u8> {
    [message(1, &message(1, repo.as_bytes())), message(2, id.as_bytes())].concat()
}

/// A bucket filled with the specification files of pipelines.
#[derive(Default)]
struct Bucket(BTreeMap<String, Vec<u8>>);

impl Bucket {
    fn layout() -> Layout {
        Layout::new(Backend::Google, false)
    }

    fn put_object(&mut self, bytes: &[u8]) -> String {
        let hash = hex::encode(Sha512::digest(bytes));
        let block = hash[..32].to_owned();
        let mut range = Vec::new();
        wire::put_number(&mut range, 2, bytes.len() as u64);
        let place = [message(1, &message(1, block.as_bytes())), message(2, &range)].concat();
        self.0.insert(Self::layout().block(&block), bytes.to_vec());
        self.0.insert(Self::layout().object(&hash), place);
        hash
    }

    /// Stores a specification file and the tree of its commit; the tree's hash.
    fn put_spec(&mut self, spec: &[u8]) -> String {
        let file = self.put_object(spec);
        let node = message(4, &message(4, &message(1, file.as_bytes())));
        let tree = [frame(&message(1, b"fs")), frame(b"\0spec"), frame(&node), frame(b"*")].concat();
        self.put_object(&tree)
    }

    fn compute(&self, state: &State) -> Result<Vec<RawOp>, OfflineError> {
        let read = |kind: &KeyKind, range: Option<std::ops::Range<u64>>| -> Result<_, StoreError> {
            let value = Self::layout().key(kind).and_then(|key| self.0.get(&key));
            Ok(value.map(|value| {
                range.map_or(value.clone(), |range| value[range.start as usize..range.end as usize].into())
            }))
        };
        let ops = compute(&state.0, &read, &Options::new(OpVersion::V1_13, Timestamp::UNIX_EPOCH))?;
        Ok(ops.into_iter().map(|op| RawOp::parse(op).unwrap()).collect())
    }
}

/// A cluster with one pipeline after the other, each with an input and a transform.
fn pipelines(inputs: &[(&str, Vec<u8>)]) -> (State, Bucket) {
    let (mut state, mut bucket) = (State::new(), Bucket::default());
    for (name, input) in inputs {
        let spec = [message(1, &message(1, name.as_bytes())), message(2, b""), message(20, input)].concat();
        let tree = bucket.put_spec(&spec);
        let commit = commit_message("__spec__", name);
        let info = [message(1, &commit), message(7, &message(1, tree.as_bytes()))].concat();
        state = state.with(&format!("pachyderm_pfs/commits/__spec__/{name}"), info, 0).with(
            &format!("pachyderm_pps/pipelines/{name}"),
            message(2, &commit),
            0,
        );
    }
    (state, bucket)
}

fn reads(repo: &str) -> Vec<u8> {
    message(6, &message(2, repo.as_bytes()))
}

#[test]
fn pipelines_come_after_what_they_read_however_deep_it_stands() {
    let (state, bucket) = pipelines(&[
        ("first", [message(2, &message(3, &reads("second"))), reads("data")].concat()),
        ("second", message(7, &message(8, &reads("third")))),
        ("third", message(4, &message(2, b"first"))),
        ("loner", reads("first")),
    ]);
    let ops = bucket.compute(&state).unwrap();
    let requests: Vec<pps::CreatePipelineRequest> = requests(&ops, OpKind::Pipeline);
    let names: Vec<String> = requests.into_iter().map(|request| request.pipeline.unwrap().name).collect();
    assert_eq!(names, ["third", "second", "first", "loner"]);
}

#[test]
fn pipelines_that_read_each_other_end() {
    let (state, bucket) = pipelines(&[("a", reads("b")), ("b", reads("a"))]);
    assert_eq!(bucket.compute(&state).unwrap().iter().filter(|op| op.kind == OpKind::Pipeline).count(), 2);
}

#[test]
fn a_pipeline_without_specification_is_refused() {
    let (state, bucket) = pipelines(&[("p", Vec::new())]);
    assert!(bucket.compute(&state).is_ok());

    let mut lost = State(state.0.clone());
    lost.0.remove(b"pachyderm/1.7.0/pachyderm_pfs/commits/__spec__/p".as_slice());
    assert!(matches!(bucket.compute(&lost), Err(OfflineError::NoSpecCommit { .. })));

    let treeless = message(1, &commit_message("__spec__", "p"));
    let open = State(state.0.clone()).with("pachyderm_pfs/commits/__spec__/p", treeless, 0);
    assert!(matches!(bucket.compute(&open), Err(OfflineError::NoSpecCommit { .. })));

    let with_spec = |spec: &[u8]| {
        let mut bucket = Bucket::default();
        let tree = bucket.put_spec(spec);
        let info = [message(1, &commit_message("__spec__", "p")), message(7, &message(1, tree.as_bytes()))].concat();
        bucket.compute(&State(state.0.clone()).with("pachyderm_pfs/commits/__spec__/p", info, 0))
    };
    assert!(matches!(with_spec(&message(1, &message(1, b"p"))), Err(OfflineError::NoTransform { .. })));
    assert!(matches!(with_spec(&[0x0a, 0x09]), Err(OfflineError::BadSpec { .. })));

    let mut damaged = Bucket(bucket.0.clone());
    for (key, value) in &mut damaged.0 {
        if key.contains("/block/") {
            value.reverse();
        }
    }
    assert!(matches!(damaged.compute(&state), Err(OfflineError::SpecTree { .. })));
}

#[test]
fn jobs_are_those_of_the_pipeline_as_it_is_now() {
    let (state, bucket) = pipelines(&[("p", Vec::new())]);
    let provenance = |spec: &str, branch: &str| {
        let branch = [message(1, &message(1, b"__spec__")), message(2, branch.as_bytes())].concat();
        message(16, &[message(1, &commit_message("__spec__", spec)), message(2, &branch)].concat())
    };
    let output = |id: &str, provenance: Vec<u8>| [message(1, &commit_message("p", id)), provenance].concat();
    let job = |commit: &str| [message(2, &message(1, b"p")), message(3, &commit_message("p", commit))].concat();
    let with_job = |state: State, id: &str, commit: &str| {
        state.with(&format!("pachyderm_pps/jobs/{id}"), job(commit), 0).with(
            &format!("pachyderm_pps/jobs__index_Pipeline/\n\u{1}p/{id}"),
            Vec::new(),
            0,
        )
    };
    let mut state = state
        .with("pachyderm_pfs/commits/p/c1", output("c1", provenance("p", "p")), 0)
        .with("pachyderm_pfs/commits/p/c2", output("c2", provenance("p", "p")), 0)
        .with("pachyderm_pfs/commits/p/c3", output("c3", provenance("earlier", "p")), 0)
        .with("pachyderm_pps/jobs__index_Pipeline/\n\u{1}p/recordless", Vec::new(), 0);
    for (id, commit) in [("older", "c1"), ("newer", "c2"), ("of-deleted-pipeline", "c3"), ("commitless", "gone")] {
        state = with_job(state, id, commit);
    }
    // The index key of this name holds a marshalled pipeline of its own, which is another one's.
    state = state.with("pachyderm_pps/jobs__index_Pipeline/\n\u{2}pp/older", Vec::new(), 0);
    let jobs: Vec<pps::CreateJobRequest> = requests(&bucket.compute(&state).unwrap(), OpKind::Job);
    let commits: Vec<String> = jobs.into_iter().map(|job| job.output_commit.unwrap().id).collect();
    assert_eq!(commits, ["c2", "c1"]);

    let state = state.with("pachyderm_pfs/commits/p/c4", output("c4", provenance("p", "other")), 0);
    let state = with_job(state, "j4", "c4");
    assert!(matches!(bucket.compute(&state), Err(OfflineError::JobWithoutSpec { job, .. }) if job == "j4"));
}
