//! Restores: recorded streams into an empty cluster, and what goes wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use pachyderm::proto::admin::{CheckAuthToken, ExtractRequest, Op, OpBody, RestoreRequest};
use pachyderm::proto::auth::{
    AclEntry, ActivateRequest, HashedAuthToken, RestoreAuthTokenRequest, SetAclRequest, TokenInfo, WhoAmIRequest,
    WhoAmIResponse,
};
use pachyderm::proto::enterprise;
use pachyderm::proto::op::OpVersion;
use pachyderm::proto::pfs::{
    Block, BuildCommitRequest, Commit, CreateBranchRequest, CreateRepoRequest, PutBlockRequest, PutObjectRequest, Repo,
    Tag,
};
use pachyderm::proto::pps::{JobState, PipelineState};
use prost::Message;
use prost_types::Timestamp;
use sandbox::pachd::objects::{MemoryObjects, ObjectStore};
use sandbox::pachd::{PachdOptions, PachdServer, recorded};
use tonic::Code;

use crate::client::{Client, data, has_state, metadata_only, serve_snapshot, unpacked};

fn ops_of(file: &[u8]) -> Vec<Op> {
    let ops = pachyderm::stream::Reader::new(file);
    ops.map(|op| Op::decode(op.unwrap().bytes).unwrap()).collect()
}

fn bucket_of(files: BTreeMap<String, Bytes>, root: &str) -> Arc<MemoryObjects> {
    let bucket = Arc::new(MemoryObjects::default());
    for (path, bytes) in files {
        if let Some(key) = path.trim_start_matches("./").strip_prefix(root) {
            bucket.put(key, bytes);
        }
    }
    bucket
}

async fn extracted(client: &mut Client, request: &ExtractRequest) -> Vec<Op> {
    let (ops, outcome) = client.extract(request).await;
    outcome.unwrap();
    ops.into_iter().map(|op| Op::decode(op).unwrap()).collect()
}

/// Operations in any order, without what differs from one restore to the next: the ids and times of the commits that the
/// restore itself made, and when jobs are said to have ended.
fn comparable(ops: Vec<Op>, known: &BTreeSet<String>) -> Vec<String> {
    let mut names = BTreeMap::new();
    for op in &ops {
        let Some(branch) = op.body().and_then(|body| body.branch.clone()) else { continue };
        let (of, Some(head)) = (branch.branch.unwrap(), branch.head) else { continue };
        if !known.contains(&head.id) {
            names.insert(head.id, format!("new head of {}@{}", of.repo.unwrap().name, of.name));
        }
    }
    let rename = |commit: &mut Commit| {
        if let Some(name) = names.get(&commit.id) {
            commit.id.clone_from(name);
        }
    };
    let mut texts = Vec::new();
    for op in ops {
        let mut body = op.body().cloned().unwrap();
        if let Some(commit) = &mut body.commit {
            if let Some(name) = names.get(&commit.id) {
                commit.id.clone_from(name);
                (commit.started, commit.finished) = (None, None);
            }
            commit.parent.iter_mut().for_each(rename);
            commit.provenance.iter_mut().filter_map(|one| one.commit.as_mut()).for_each(rename);
        }
        if let Some(branch) = &mut body.branch {
            branch.head.iter_mut().for_each(rename);
        }
        if let Some(job) = &mut body.job
            && job.state != JobState::Running as i32
        {
            job.finished = None;
        }
        texts.push(format!("{body:?}"));
    }
    texts.sort();
    texts
}

fn commit_ids(ops: &[Op]) -> BTreeSet<String> {
    ops.iter().filter_map(|op| Some(op.body()?.commit.as_ref()?.id.clone())).collect()
}

fn assert_same(answered: &[String], recorded: &[String]) {
    let difference = answered.iter().zip(recorded).find(|(answered, recorded)| answered != recorded);
    assert!(difference.is_none(), "answered, recorded: {difference:#?}");
    assert_eq!(answered.len(), recorded.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_cluster_extracts_what_a_real_restored_one_did() {
    let full = ops_of(&unpacked("alpha.tar.zst")["alpha-full.pachd"]);
    let server = serve_snapshot("gamma", Arc::new(MemoryObjects::default())).await;
    let mut client = Client::of(server.external()).await;
    client.restore_ops(full.clone(), Some("chosen")).await.unwrap();
    let answered = extracted(&mut client, &metadata_only()).await;
    let recorded = ops_of(&data("restore/alpha-restored-no-objects.pachd"));
    let known = commit_ids(&full);
    assert_eq!(recorded.len(), 210);
    assert_same(&comparable(answered, &known), &comparable(recorded, &known));
    // What comes from the bucket comes back byte for byte.
    let of_bucket = |ops: Vec<Op>| {
        let mut ops: Vec<_> = ops
            .iter()
            .filter(|op| {
                op.body().is_some_and(|body| body.block.is_some() || body.create_object.is_some() || body.tag.is_some())
            })
            .map(Message::encode_to_vec)
            .collect();
        ops.sort();
        ops
    };
    let everything = extracted(&mut client, &ExtractRequest::default()).await;
    assert!(of_bucket(everything) == of_bucket(full), "the restored bucket differs");
}

#[tokio::test(flavor = "multi_thread")]
async fn restored_pipelines_go_to_paused_and_jobs_have_new_ids() {
    let full = ops_of(&unpacked("alpha.tar.zst")["alpha-full.pachd"]);
    let recorded = recorded::load(&data("etcd/gamma.snapshot.db"), Arc::new(MemoryObjects::default()), None).unwrap();
    let server = PachdServer::start(recorded, PachdOptions::default()).await.unwrap();
    let mut client = Client::of(server.external()).await;
    client.restore_ops(full, None).await.unwrap();
    client
        .wait_for("all paused", |all| {
            all.len() == 12 && all.values().all(|info| info.stopped && has_state(info, PipelineState::Paused))
        })
        .await;
    let alpha = crate::client::serve_stopped().await;
    let ids = |server: &PachdServer| server.state().jobs().into_iter().map(|job| job.name).collect::<BTreeSet<_>>();
    assert_eq!(ids(&server).len(), 27);
    assert!(ids(&server).is_disjoint(&ids(&alpha)));
}

/// A stream without objects over a copy of the bucket: everything of the stream is there again, but for the ends of jobs and the
/// heads of branches that pipelines write to, which got new commits.
async fn restored_over_its_bucket(stream: &[u8], bucket: Arc<MemoryObjects>) {
    let ops = ops_of(stream);
    let server = serve_snapshot("gamma", bucket).await;
    let mut client = Client::of(server.external()).await;
    client.restore_ops(ops.clone(), None).await.unwrap();
    let answered = extracted(&mut client, &metadata_only()).await;
    let known = commit_ids(&ops);
    let but_branches = |ops: Vec<Op>| {
        comparable(ops.into_iter().filter(|op| op.body().is_some_and(|body| body.branch.is_none())).collect(), &known)
    };
    let new =
        |op: &Op| op.body().and_then(|body| body.commit.as_ref()).is_some_and(|commit| !known.contains(&commit.id));
    let (made, old): (Vec<Op>, Vec<Op>) = answered.clone().into_iter().partition(new);
    assert_same(&but_branches(old), &but_branches(ops.clone()));
    let heads = |ops: &[Op]| -> BTreeMap<String, String> {
        let branches = ops.iter().filter_map(|op| op.body()?.branch.clone());
        let named = branches.map(|one| {
            let branch = one.branch.unwrap();
            (format!("{}@{}", branch.repo.unwrap().name, branch.name), one.head.unwrap_or_default().id)
        });
        named.collect()
    };
    let (before, after) = (heads(&ops), heads(&answered));
    for (name, head) in &before {
        let moved = made.iter().any(|op| op.body().unwrap().commit.as_ref().unwrap().id == after[name]);
        assert!(moved || after[name] == *head, "{name} has another head: {}", after[name]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn amazon_is_restored_over_its_bucket() {
    let bucket = bucket_of(unpacked("bucket/amazon.tar.zst"), "pach/");
    restored_over_its_bucket(&data("extract/amazon-no-objects.pachd"), bucket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_is_restored_when_parents_come_first_and_not_as_pachd_wrote_it() {
    let bucket = || bucket_of(unpacked("bucket/odd.tar.zst"), "");
    restored_over_its_bucket(&data("extract/odd-computed.pachd"), bucket()).await;
    let server = serve_snapshot("gamma", bucket()).await;
    let mut client = Client::of(server.external()).await;
    let status = client.restore_ops(ops_of(&data("extract/odd-no-objects.pachd")), None).await.unwrap_err();
    assert_eq!(status.code(), Code::Unknown);
    assert_eq!(
        status.message(),
        "error creating commit: parent commit not found: commit 02708ec5206f4ddfb7a416ed4e0e1d55 not found in repo tt4"
    );
    assert!(server.state().branches().iter().all(|branch| branch.name.starts_with("__spec__")));
}

fn op(body: OpBody) -> Op {
    Op::new(OpVersion::V1_13, body)
}

fn repo(name: &str) -> Op {
    let request = CreateRepoRequest { repo: Some(Repo { name: name.into() }), ..Default::default() };
    op(OpBody { repo: Some(Box::new(request)), ..Default::default() })
}

async fn empty() -> (PachdServer, Client) {
    let server = serve_snapshot("gamma", Arc::new(MemoryObjects::default())).await;
    let client = Client::of(server.external()).await;
    (server, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_shows_after_the_last_message_and_nothing_after_it_is_done() {
    let (server, mut client) = empty().await;
    let branch = CreateBranchRequest {
        branch: Some(pachyderm::proto::pfs::Branch::named("one", "bad,name")),
        ..Default::default()
    };
    let mut ops = vec![repo("one"), op(OpBody { branch: Some(Box::new(branch)), ..Default::default() })];
    ops.extend((0..2000).map(|number| repo(&format!("after{number}"))));
    let status = client.restore_ops(ops, None).await.unwrap_err();
    assert!(status.message().starts_with("error creating branch: name (bad,name) invalid"), "{status}");
    let repos: Vec<_> = server.state().repos().into_iter().map(|repo| repo.name).collect();
    assert_eq!(repos, ["__spec__", "one"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_restore_doubles_the_jobs() {
    let (server, mut client) = empty().await;
    let ops: Vec<Op> = ops_of(&data("extract/amazon-no-objects.pachd"))
        .into_iter()
        .filter(|op| op.body().is_some_and(|body| body.branch.is_none()))
        .collect();
    client.restore_ops(ops.clone(), None).await.unwrap();
    let jobs = server.state().jobs().len();
    client.restore_ops(ops, None).await.unwrap();
    assert_eq!((jobs, server.state().jobs().len()), (2, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_blocks_and_objects_end_with_an_empty_value() {
    let (server, mut client) = empty().await;
    let block = |hash: &str, value: &'static str| {
        let request = PutBlockRequest { block: Some(Block { hash: hash.into() }), value: value.into() };
        op(OpBody { block: Some(Box::new(request)), ..Default::default() })
    };
    let ops = vec![block("a", "one "), block("a", "two"), block("a", ""), block("b", ""), repo("r")];
    client.restore_ops(ops, None).await.unwrap();
    let bucket = &server.state().bucket;
    assert_eq!((bucket.get("block/a").unwrap(), bucket.get("block/b").unwrap()), ("one two".into(), Bytes::new()));
    let object = |value: &'static str| {
        let tags = vec![Tag { name: "named".into() }];
        let request = PutObjectRequest { value: value.into(), tags, block: None };
        Op::new(OpVersion::V1_9, OpBody { object: Some(Box::new(request)), ..Default::default() })
    };
    client.restore_ops(vec![object("con"), object("tent"), object("")], None).await.unwrap();
    let hash = hex::encode(<sha2::Sha512 as sha2::Digest>::digest("content"));
    assert_eq!(server.state().objects().content(&hash).unwrap(), "content");
    assert!(bucket.get("tag/named").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_without_an_end_get_one_and_open_parents_are_refused() {
    let (server, mut client) = empty().await;
    let id = |digit: char| format!("{}4{}8{}", digit.to_string().repeat(12), "0".repeat(3), "0".repeat(15));
    let build = |id: &str, parent: &str| {
        let parent = Commit::named("r", parent);
        let request = BuildCommitRequest { parent: Some(parent), id: id.into(), ..Default::default() };
        op(OpBody { commit: Some(Box::new(request)), ..Default::default() })
    };
    client.restore_ops(vec![repo("r"), build(&id('a'), ""), build(&id('b'), &id('a'))], None).await.unwrap();
    assert!(server.state().commit("r", &id('b')).unwrap().finished.is_some());
    let mut open = server.state().commit("r", &id('b')).unwrap();
    open.finished = None;
    let key = sandbox::pachd::state::State::key("pachyderm_pfs/commits", &format!("r/{}", id('b')));
    server.state().store.put(key, open.encode_to_vec());
    let status = client.restore_ops(vec![build(&id('c'), &id('b'))], None).await.unwrap_err();
    assert!(status.message().contains("has not been finished"), "{status}");
    // The same again is passed over.
    client.restore_ops(vec![build(&id('a'), "")], None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_the_bucket_is_restored_by_its_url() {
    let (server, mut client) = empty().await;
    server.state().bucket.put("dumps/amazon.pachd", data("extract/amazon-no-objects.pachd").into());
    let from = |url: &str| vec![RestoreRequest { op: None, url: url.into() }];
    client.restore(from("s3://pachyderm-data/dumps/amazon.pachd"), None).await.unwrap();
    assert_eq!(server.state().pipelines().len(), 2);
    let status = client.restore(from("s3://pachyderm-data"), None).await.unwrap_err();
    assert!(status.message().contains("no object in"), "{status}");
}

/// A licence of the right form. Its signature means nothing.
fn licence() -> Op {
    let token = r#"{\"expiry\":\"2200-01-01T00:00:00Z\"}"#;
    let code = STANDARD.encode(format!(r#"{{"Token":"{token}","Signature":"none"}}"#));
    let request = enterprise::ActivateRequest { activation_code: code, expires: None };
    op(OpBody { activate_enterprise: Some(Box::new(request)), ..Default::default() })
}

fn robot(hash: &str, expiration: Option<Timestamp>) -> Op {
    let token_info = Some(TokenInfo { subject: "robot:backup".into(), source: 2 });
    let token = HashedAuthToken { hashed_token: hash.into(), token_info, expiration };
    let request = RestoreAuthTokenRequest { token: Some(token) };
    op(OpBody { restore_auth_token: Some(Box::new(request)), ..Default::default() })
}

fn activation() -> Op {
    op(OpBody { activate_auth: Some(Box::new(ActivateRequest::default())), ..Default::default() })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callers_token_becomes_the_root_token() {
    let (server, mut client) = empty().await;
    let check = op(OpBody { check_auth_token: Some(CheckAuthToken {}), ..Default::default() });
    let entries = vec![AclEntry { username: "robot:backup".into(), scope: 3 }];
    let acl = SetAclRequest { repo: "one".into(), entries };
    let acl = op(OpBody { set_acl: Some(Box::new(acl)), ..Default::default() });
    let ops = vec![check, repo("one"), licence(), activation(), robot("00ff", None), acl];
    client.restore_ops(ops, Some("chosen")).await.unwrap();

    let status = client.call::<WhoAmIResponse>("/auth.API/WhoAmI", &WhoAmIRequest {}).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    // Nobody but the chosen token may restore now, and then activation fails.
    let status = client.restore_ops(vec![repo("two")], Some("other")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    let status = client.restore_ops(vec![activation()], Some("chosen")).await.unwrap_err();
    assert_eq!(status.message(), "error activating authentication: already activated");
    let status = client.restore_ops(vec![robot("00ff", None)], Some("chosen")).await.unwrap_err();
    assert!(status.message().contains("cannot overwrite existing token with same hash"), "{status}");
    assert!(server.state().repos().iter().all(|repo| repo.name != "two"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_fails_the_restore_when_auth_is_on_already() {
    let (server, mut client) = empty().await;
    let past = Timestamp { seconds: 1_600_000_000, nanos: 0 };
    let ops = vec![licence(), activation(), robot("00ff", Some(past)), repo("after")];
    let status = client.restore_ops(ops, Some("chosen")).await.unwrap_err();
    assert!(status.message().contains("token expiration is in the past"), "{status}");
    let repos: Vec<_> = server.state().repos().into_iter().map(|repo| repo.name).collect();
    assert_eq!(repos, ["__spec__"]);
    client.restore_ops(vec![robot("00ff", None)], Some("chosen")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_administrator_restores() {
    let recorded = recorded::load(&data("etcd/gamma.snapshot.db"), Arc::new(MemoryObjects::default()), None).unwrap();
    let token = sandbox::pachd::AuthToken { token: "reader".into(), subject: "robot:reader".into() };
    let auth = sandbox::pachd::AuthOptions { root_token: "root".into(), admins: Vec::new(), tokens: vec![token] };
    let options = PachdOptions { auth: Some(auth), ..PachdOptions::default() };
    let server = PachdServer::start(recorded, options).await.unwrap();
    let mut client = Client::of(server.external()).await;
    let status = client.restore_ops(vec![repo("one")], Some("reader")).await.unwrap_err();
    assert!(status.message().contains("must be an admin to call Restore"), "{status}");
    client.restore_ops(vec![repo("one")], Some("root")).await.unwrap();
}
