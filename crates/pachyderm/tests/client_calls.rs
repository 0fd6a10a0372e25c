//! The client against a server that answers what a real pachd 1.13.4 answered, over a real socket.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

#[path = "recorded/archive.rs"]
#[allow(dead_code)]
mod archive;
#[path = "recorded/replay.rs"]
mod replay;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use archive::{Recording, recordings};
use bytes::Bytes;
use futures::TryStreamExt as _;
use http_body_util::BodyExt as _;
use pachyderm::{
    client::{Address, Client, ClientOptions, History, LARGEST_MESSAGE, Token, Unreadable},
    error::{Cause, Condition},
    proto::{
        admin::{ExtractRequest, Op},
        method,
        pfs::{
            Branch, BranchInfos, Commit, CommitInfo, CommitState, CreateRepoRequest, ListBranchRequest,
            ListCommitRequest, ListRepoResponse, Repo, RepoInfo, StartCommitRequest, SubscribeCommitRequest,
        },
        pps::{Job, PipelineInfos},
        version::Version,
    },
    stream::{OpKind, RawOp},
};
use prost::Message;
use replay::{Call, End, Reply, client, response, serve, unframed};

/// The recorded answer to exactly this request; of several recorded at different times the first.
fn replay(recordings: &BTreeMap<String, Recording>, call: &Call) -> Reply {
    let found = recordings.iter().find(|(name, recording)| {
        name.starts_with("grpc/") && recording.method() == call.path && recording.requests == call.messages
    });
    let Some((_, recording)) = found else {
        return Reply { answers: Vec::new(), end: End::Status(13, format!("never recorded: {}", call.path)) };
    };
    let code = match recording.status() {
        "OK" => 0,
        "UNKNOWN" => 2,
        "UNIMPLEMENTED" => 12,
        other => panic!("{other}"),
    };
    Reply { answers: recording.answers.clone(), end: End::Status(code, recording.message().to_owned()) }
}

async fn recorded_pachd() -> Client {
    let recordings = recordings();
    client(&ClientOptions::default(), move |call| replay(&recordings, &call)).await
}

fn answers(name: &str) -> Vec<Vec<u8>> {
    recordings().remove(name).unwrap().answers
}

fn decode<M: Message + Default>(bytes: &[u8]) -> M {
    M::decode(bytes).unwrap()
}

#[tokio::test]
async fn calls_send_what_was_recorded_and_answer_what_was_recorded() {
    let pachd = recorded_pachd().await;
    assert_eq!(pachd.version().await.unwrap().to_string(), "1.13.4");
    pachd.health().await.unwrap();
    assert_eq!(pachd.inspect_cluster().await.unwrap().id.len(), 32);
    let all = pachd.list_pipeline(History::All, Unreadable::Refuse).await.unwrap();
    let current = pachd.list_pipeline(History::Current, Unreadable::Refuse).await.unwrap();
    let incomplete = pachd.list_pipeline(History::Current, Unreadable::ShowIncomplete).await.unwrap();
    let recorded: PipelineInfos = decode(&answers("grpc/pps.API.ListPipeline/history-all-paused")[0]);
    assert_eq!(all, recorded.pipeline_info);
    assert_eq!((current.len(), incomplete.len()), (12, 12));
    assert_eq!(pachd.inspect_pipeline("copy").await.unwrap().pipeline.unwrap().name, "copy");
    pachd.stop_pipeline("copy").await.unwrap();
    pachd.start_pipeline("copy").await.unwrap();
    assert_eq!(pachd.list_repo().await.unwrap().len(), 21);
    assert_eq!(pachd.inspect_repo("__spec__").await.unwrap().repo.unwrap().name, "__spec__");
    let commit = StartCommitRequest { parent: Some(Commit::named("empty-repo", "")), ..Default::default() };
    let commit = pachd.start_commit(commit).await.unwrap();
    pachd.finish_commit(&commit).await.unwrap();
    assert_eq!(pachd.fsck().await.unwrap().try_collect::<Vec<_>>().await.unwrap(), []);
    let file = pachd.get_file(&Commit::named("images", "master"), "/one.txt").await.unwrap();
    assert_eq!(file.try_collect::<Vec<_>>().await.unwrap(), [Bytes::from_static(b"hello sql\n")]);
    assert_eq!(pachd.list_transaction().await.unwrap().len(), 0);
    assert_eq!(pachd.get_enterprise_state().await.unwrap().state, 0);
    assert_eq!(pachd.get_activation_code().await.unwrap().activation_code, "");
    assert_eq!(pachd.list_objects().await.unwrap().try_collect::<Vec<_>>().await.unwrap().len(), 526);
    let flushed = pachd.flush_commit(vec![Commit::named("secrets-in", "master")], Vec::new()).await.unwrap();
    let flushed: Vec<CommitInfo> = flushed.try_collect().await.unwrap();
    assert_eq!(flushed, answers("grpc/pfs.API.FlushCommit/head").iter().map(|info| decode(info)).collect::<Vec<_>>());
    pachd.garbage_collect(1 << 20, Duration::from_secs(600)).await.unwrap();
}

/// What a stream of alpha says about the operations of a kind: the requests inside, as pachd encoded them.
fn recorded_requests(kind: OpKind) -> Vec<Vec<u8>> {
    let ops = answers("grpc/admin.API.Extract/no-objects").into_iter().map(|op| RawOp::parse(op).unwrap());
    let requests: Vec<_> = ops.filter(|op| op.kind == kind).map(|op| op.request().to_vec()).collect();
    assert!(!requests.is_empty(), "{kind}");
    requests
}

#[tokio::test]
async fn what_a_stream_holds_can_be_created_call_by_call() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let pachd = client(&ClientOptions::default(), move |call| {
        let answer = match &call.path[..] {
            method::BUILD_COMMIT => Commit::named("images", "made").encode_to_vec(),
            method::CREATE_JOB => Job { id: "made".to_owned() }.encode_to_vec(),
            _ => Vec::new(),
        };
        log.lock().unwrap().push((call.path.clone(), call.message().to_vec()));
        Reply::ok(vec![answer])
    })
    .await;
    // Maps are encoded in any order.
    let sorted = |mut bytes: Vec<u8>| {
        bytes.sort_unstable();
        bytes
    };
    let mut expected = Vec::new();
    for request in recorded_requests(OpKind::Repo) {
        pachd.create_repo(decode(&request)).await.unwrap();
        expected.push((method::CREATE_REPO.to_owned(), sorted(request)));
    }
    for request in recorded_requests(OpKind::Commit) {
        assert_eq!(pachd.build_commit(decode(&request)).await.unwrap(), Commit::named("images", "made"));
        expected.push((method::BUILD_COMMIT.to_owned(), sorted(request)));
    }
    for request in recorded_requests(OpKind::Branch) {
        pachd.create_branch(decode(&request)).await.unwrap();
        expected.push((method::CREATE_BRANCH.to_owned(), sorted(request)));
    }
    for request in recorded_requests(OpKind::Pipeline) {
        pachd.create_pipeline(decode(&request)).await.unwrap();
        expected.push((method::CREATE_PIPELINE.to_owned(), sorted(request)));
    }
    for request in recorded_requests(OpKind::Job) {
        assert_eq!(pachd.create_job(decode(&request)).await.unwrap().id, "made");
        expected.push((method::CREATE_JOB.to_owned(), sorted(request)));
    }
    let commit = Commit::named("images", "abc");
    pachd.delete_commit(&commit).await.unwrap();
    // Field 1, a commit: field 1, a repo with its name in field 1; field 2, the id.
    let deletion = b"\x0a\x0f\x0a\x08\x0a\x06images\x12\x03abc".to_vec();
    expected.push((method::DELETE_COMMIT.to_owned(), sorted(deletion)));
    let seen = seen.lock().unwrap().drain(..).map(|(path, request)| (path, sorted(request))).collect::<Vec<_>>();
    assert_eq!(seen.len(), expected.len());
    assert!(seen == expected, "the server got something else");
}

#[tokio::test]
async fn subscribing_waits_for_as_long_as_it_takes() {
    let options = ClientOptions { progress_deadline: Duration::from_millis(1), ..ClientOptions::default() };
    let infos = answers("grpc/pfs.API.ListCommitStream/all-repos-paused");
    let sent = infos.clone();
    // An answer whose head comes only with its first message, late, and whose other messages come late too.
    let pachd = serve(&options, move |request| {
        let sent = sent.clone();
        async move {
            let request = unframed(&request.into_body().collect().await?.to_bytes());
            let expected = SubscribeCommitRequest {
                repo: Some(Repo::named("images")),
                branch: "master".to_owned(),
                state: CommitState::Finished.into(),
                ..Default::default()
            };
            assert_eq!(request, [expected.encode_to_vec()]);
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok(response(Reply { answers: sent, end: End::Slow(Duration::from_millis(50)) }))
        }
    })
    .await;
    let request = SubscribeCommitRequest {
        repo: Some(Repo::named("images")),
        branch: "master".to_owned(),
        state: CommitState::Finished.into(),
        ..Default::default()
    };
    let mut commits = pachd.subscribe_commit(request).await.unwrap();
    for expected in &infos[..3] {
        assert_eq!(commits.message().await.unwrap(), Some(decode(expected)));
    }
}

// Written by python-pachyderm 6.3.3; in the bindings the last role was made one that nobody knows yet.
const AUTH_CONFIGURATION: &[u8] =
    b"\x0a6\x08\x03\x122\x0a\x05login\x12\x03one*$\x0a\x15https://login.example\x12\x05pachd\x1a\x04hush";
const ROLE_BINDINGS: &[u8] =
    b"\x0a\x10\x0a\x09pach:root\x12\x03\x0a\x01\x01\x0a\x15\x0a\x0crobot:backup\x12\x05\x0a\x03\x02\x02\x63";
const AUTH_TOKENS: &[u8] = b"\x0a\x1e\x0a\x02ab\x12\x10\x0a\x0crobot:backup\x10\x02\x1a\x06\x08\x80\xb1\xef\x86\x07";
const ACL: &[u8] = b"\x0a\x0c\x0a\x08github:x\x10\x03\x12\x10\x0a\x0crobot:backup\x10\x01";

#[tokio::test]
async fn auth_is_read_as_written() {
    let pachd = client(&ClientOptions::default(), |call| {
        let answer = match &call.path[..] {
            method::GET_CONFIGURATION => AUTH_CONFIGURATION,
            method::GET_CLUSTER_ROLE_BINDINGS => ROLE_BINDINGS,
            method::EXTRACT_AUTH_TOKENS => AUTH_TOKENS,
            method::GET_ACL => {
                assert_eq!(call.message(), b"\x0a\x06images");
                ACL
            }
            other => panic!("{other}"),
        };
        Reply::ok(vec![answer.to_vec()])
    })
    .await;
    let configuration = pachd.get_auth_configuration().await.unwrap().unwrap();
    assert_eq!((configuration.live_config_version, configuration.id_providers.len()), (3, 1));
    let provider = &configuration.id_providers[0];
    assert_eq!((&provider.name[..], &provider.oidc.as_ref().unwrap().client_secret[..]), ("login", "hush"));
    let roles = pachd.get_cluster_role_bindings().await.unwrap();
    assert_eq!(roles["pach:root"].roles, [1]);
    assert_eq!(roles["robot:backup"].roles, [2, 2, 99]);
    let tokens = pachd.extract_auth_tokens().await.unwrap();
    assert_eq!(tokens.len(), 1);
    assert_eq!(tokens[0].token_info.as_ref().unwrap().subject, "robot:backup");
    assert_eq!(tokens[0].expiration.as_ref().unwrap().to_string(), "2030-01-01T00:00:00Z");
    let acl = pachd.get_acl("images").await.unwrap();
    assert_eq!((&acl.entries[0].username[..], acl.entries[0].scope), ("github:x", 3));
    assert_eq!((&acl.robot_entries[0].username[..], acl.robot_entries[0].scope), ("robot:backup", 1));

    let pachd = recorded_pachd().await;
    let off = [
        pachd.get_auth_configuration().await.unwrap_err(),
        pachd.get_cluster_role_bindings().await.unwrap_err(),
        pachd.extract_auth_tokens().await.unwrap_err(),
        pachd.get_acl("").await.unwrap_err(),
    ];
    assert!(off.iter().all(|error| error.condition() == Condition::AuthNotActivated), "{off:?}");
}

#[tokio::test]
async fn messages_beyond_the_limit_are_told_apart_in_both_directions() {
    let large = vec![0x0a; 22 * 1024 * 1024];
    let pachd = client(&ClientOptions::default(), move |_| Reply::ok(vec![large.clone()])).await;
    let error = pachd.list_repo().await.unwrap_err();
    assert_eq!((error.condition(), error.retry_helps()), (Condition::MessageTooLarge, false), "{error}");
    let request = CreateRepoRequest { description: vec![b'x'; 22 * 1024 * 1024].into(), ..Default::default() };
    let error = pachd.create_repo(request).await.unwrap_err();
    assert!(matches!(error.cause(), Cause::TooLarge { limit: 22_020_096, .. }), "{error}");

    // What pachd sends and takes at most passes, both ways.
    let pachd = client(&ClientOptions::default(), |call| Reply::ok(call.messages)).await;
    let request = ListRepoResponse {
        repo_info: vec![RepoInfo { description: vec![b'x'; 20_971_500].into(), ..Default::default() }],
    };
    assert!(request.encoded_len() > 20_971_500 && request.encoded_len() <= LARGEST_MESSAGE);
    let sent = request.encode_to_vec();
    let echo = client(&ClientOptions::default(), move |_| Reply::ok(vec![sent.clone()])).await;
    assert_eq!(echo.list_repo().await.unwrap(), request.repo_info);
    pachd
        .create_repo(CreateRepoRequest { description: vec![b'x'; 20_971_500].into(), ..Default::default() })
        .await
        .unwrap();
}

#[tokio::test]
async fn failures_name_call_and_resource() {
    let pachd = recorded_pachd().await;
    let error = pachd.inspect_pipeline("nope").await.unwrap_err();
    assert_eq!((error.operation(), error.resource()), (method::INSPECT_PIPELINE, Some("nope")));
    assert_eq!(error.condition(), Condition::PipelineNotFound);
    assert_eq!(error.to_string(), "/pps.API/InspectPipeline of nope: pipeline \"nope\" not found (Unknown)");
    let error = pachd.inspect_branch(&Branch::named("images", "nope")).await.unwrap_err();
    assert_eq!((error.condition(), error.resource()), (Condition::BranchNotFound, Some("images@nope")));
    assert_eq!(pachd.who_am_i().await.unwrap_err().condition(), Condition::AuthNotActivated);
    assert_eq!(pachd.extract_pipeline("nope").await.unwrap_err().condition(), Condition::PipelineNotFound);
    let missing = Commit::named("images", "00000000000000000000000000000000");
    assert!(pachd.inspect_commit(&missing).await.unwrap_err().is_not_found());
    let mut file = pachd.get_file(&Commit::named("images", "master"), "/nope").await.unwrap();
    assert_eq!(file.message().await.unwrap_err().condition(), Condition::FileNotFound);
    assert!(file.message().await.unwrap().is_none(), "something follows an error");
}

#[tokio::test]
async fn extract_hands_out_the_very_bytes() {
    let request = ExtractRequest { no_objects: true, ..Default::default() };
    let extracted: Vec<Bytes> = recorded_pachd().await.extract(request).await.unwrap().try_collect().await.unwrap();
    let recorded = answers("grpc/admin.API.Extract/no-objects");
    assert!(!recorded.is_empty() && extracted == recorded);

    // Field 2000 of a newer pachd.
    let newer = [&recorded[0][..], &[0x82, 0x7d, 3, b'n', b'e', b'w']].concat();
    assert_ne!(decode::<Op>(&newer).encode_to_vec(), newer);
    let sent = newer.clone();
    let pachd = client(&ClientOptions::default(), move |_| Reply::ok(vec![sent.clone(), Vec::new()])).await;
    let extracted: Vec<Bytes> = pachd.extract(ExtractRequest::default()).await.unwrap().try_collect().await.unwrap();
    assert_eq!(extracted, [newer, Vec::new()]);
}

#[tokio::test]
async fn listings_over_all_repos_work_with_old_and_new_servers() {
    let pachd = recorded_pachd().await;
    let mut new: Vec<CommitInfo> = pachd.all_commits().await.unwrap().try_collect().await.unwrap();
    assert_eq!(new.len(), answers("grpc/pfs.API.ListCommitStream/all-repos-paused").len());
    let new_branches = pachd.all_branches().await.unwrap();
    assert!(new_branches.len() > 21);

    // A server of 1.9.5 refuses to list all repos; one repo is deleted between the lists.
    let (commits, branches) = (new.clone(), new_branches.clone());
    let repos = answers("grpc/pfs.API.ListRepo/all-paused");
    let old = client(&ClientOptions::default(), move |call| {
        let gone = || Reply { answers: Vec::new(), end: End::Status(2, "/pachyderm_pfs/repos/ x not found".into()) };
        let repo = || decode::<ListCommitRequest>(call.message()).repo.unwrap().name;
        match &call.path[..] {
            method::GET_VERSION => {
                Reply::ok(vec![Version { major: 1, minor: 9, micro: 5, ..Default::default() }.encode_to_vec()])
            }
            method::LIST_REPO => Reply::ok(repos.clone()),
            _ if repo().is_empty() || repo() == "images" => gone(),
            method::LIST_COMMIT_STREAM => {
                let of = |info: &&CommitInfo| info.commit.as_ref().unwrap().repo.as_ref().unwrap().name == repo();
                Reply::ok(commits.iter().filter(of).map(Message::encode_to_vec).collect())
            }
            method::LIST_BRANCH => {
                let mut infos = BranchInfos { branch_info: branches.clone() };
                infos.branch_info.retain(|info| info.branch.as_ref().unwrap().repo.as_ref().unwrap().name == repo());
                Reply::ok(vec![infos.encode_to_vec()])
            }
            other => panic!("{other}"),
        }
    })
    .await;
    let mut listed: Vec<CommitInfo> = old.all_commits().await.unwrap().try_collect().await.unwrap();
    new.retain(|info| info.commit.as_ref().unwrap().repo.as_ref().unwrap().name != "images");
    let id = |info: &CommitInfo| info.commit.clone().unwrap().to_string();
    new.sort_by_key(id);
    listed.sort_by_key(id);
    assert!(listed.iter().any(|info| id(info).starts_with("__spec__@")));
    assert_eq!(listed, new);
    let of_images = new_branches.iter().filter(|info| info.branch.as_ref().unwrap().to_string().starts_with("images@"));
    assert_eq!(old.all_branches().await.unwrap().len(), new_branches.len() - of_images.count());
}

#[tokio::test]
async fn branches_that_exceed_one_message_are_asked_for_repo_by_repo() {
    let repos = answers("grpc/pfs.API.ListRepo/all-paused");
    let branches: BranchInfos = decode(&answers("grpc/pfs.API.ListBranch/all-repos")[0]);
    let expected = branches.branch_info.len();
    let pachd = client(&ClientOptions::default(), move |call| match &call.path[..] {
        method::GET_VERSION => Reply::ok(answers("grpc/versionpb.API.GetVersion/ok")),
        method::LIST_REPO => Reply::ok(repos.clone()),
        method::LIST_BRANCH => {
            let repo = decode::<ListBranchRequest>(call.message()).repo.unwrap();
            if repo.name.is_empty() {
                let text = "grpc: trying to send message larger than max (20971521 vs. 20971520)";
                return Reply { answers: Vec::new(), end: End::Status(8, text.to_owned()) };
            }
            let mut infos = branches.clone();
            infos.branch_info.retain(|info| info.branch.as_ref().unwrap().repo.as_ref() == Some(&repo));
            Reply::ok(vec![infos.encode_to_vec()])
        }
        other => panic!("{other}"),
    })
    .await;
    assert_eq!(pachd.all_branches().await.unwrap().len(), expected);
}

#[tokio::test]
async fn descriptions_in_any_encoding_do_not_break_a_listing() {
    // ISO 8859-1, as a terminal of the time sent it.
    let description = Bytes::from_static(b"B\xfccher");
    let repo = RepoInfo { repo: Some(Repo::named("books")), description: description.clone(), ..Default::default() };
    let commit = CommitInfo { commit: Some(Commit::named("books", "abc")), description, ..Default::default() };
    let (repos, commits) = (ListRepoResponse { repo_info: vec![repo] }, vec![commit.encode_to_vec()]);
    let sent = repos.encode_to_vec();
    let pachd = client(&ClientOptions::default(), move |call| match &call.path[..] {
        method::LIST_REPO => Reply::ok(vec![sent.clone()]),
        _ => Reply::ok(commits.clone()),
    })
    .await;
    assert_eq!(pachd.list_repo().await.unwrap(), repos.repo_info);
    let listed: Vec<CommitInfo> = pachd.list_commits_stream("books").await.unwrap().try_collect().await.unwrap();
    assert_eq!(listed, [commit]);
}

#[tokio::test]
async fn the_token_goes_with_every_call() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let options = ClientOptions { token: Some(Token::new("abc")), ..ClientOptions::default() };
    let pachd = client(&options, move |call| {
        log.lock().unwrap().push(call.headers.get("authn-token").map(|value| value.to_str().unwrap().to_owned()));
        Reply::ok(if call.path == method::FSCK { Vec::new() } else { vec![Vec::new()] })
    })
    .await;
    pachd.health().await.unwrap();
    assert!(pachd.fsck().await.unwrap().message().await.unwrap().is_none());
    assert_eq!(*seen.lock().unwrap(), [Some("abc".to_owned()), Some("abc".to_owned())]);

    let unsendable = ClientOptions { token: Some(Token::new("a\nb")), ..ClientOptions::default() };
    let channel = tonic::transport::Endpoint::from_static("http://localhost:1").connect_lazy();
    let error = Client::from_channel(channel, &unsendable).unwrap_err();
    assert!(matches!(error.cause(), Cause::Token(_)));
}

#[tokio::test]
async fn a_stream_without_a_final_status_is_not_whole() {
    let whole = answers("grpc/admin.API.Extract/no-objects");
    let sent = whole.clone();
    let pachd = client(&ClientOptions::default(), move |_| Reply { answers: sent.clone(), end: End::CutShort }).await;
    let mut stream = pachd.extract(ExtractRequest::default()).await.unwrap();
    for expected in whole {
        assert_eq!(stream.message().await.unwrap().unwrap(), expected);
    }
    let error = stream.message().await.unwrap_err();
    assert_eq!((error.condition(), error.retry_helps()), (Condition::CutShort, true), "{error}");
}

#[tokio::test]
async fn waiting_is_limited_but_slow_readers_are_not() {
    let options = ClientOptions {
        deadline: Duration::from_secs(1),
        progress_deadline: Duration::from_secs(2),
        ..ClientOptions::default()
    };
    let pachd = client(&options, |_| Reply { answers: vec![vec![], vec![]], end: End::Stalled }).await;
    let error = pachd.version().await.unwrap_err();
    assert!(matches!(error.cause(), Cause::Deadline(limit) if *limit == options.deadline), "{error}");
    assert_eq!((error.condition(), error.retry_helps()), (Condition::Deadline, true));

    let mut stream = pachd.extract(ExtractRequest::default()).await.unwrap();
    stream.message().await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    stream.message().await.unwrap().unwrap();
    let error = stream.message().await.unwrap_err();
    assert_eq!((error.condition(), error.retry_helps()), (Condition::NoProgress, true), "{error}");
}

#[tokio::test]
async fn nobody_listening_is_told_with_its_reason() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = Address::plaintext("127.0.0.1", port);
    let error = Client::connect(&address, &ClientOptions::default()).await.unwrap_err();
    assert_eq!((error.condition(), error.retry_helps()), (Condition::Unavailable, true));
    assert_eq!(error.resource(), Some(&address.to_string()[..]));
    let mut chain = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        chain = format!("{chain}: {error}");
        source = error.source();
    }
    assert!(chain.contains("refused"), "{chain}");
}

#[tokio::test]
async fn long_error_texts_arrive() {
    // The text repeats the operation that came, and an operation may be large.
    let text = format!("error putting block: expected a block, but got: {}", "x".repeat(300_000));
    let pachd =
        client(&ClientOptions::default(), move |_| Reply { answers: Vec::new(), end: End::Status(2, text.clone()) })
            .await;
    let error = pachd.health().await.unwrap_err();
    assert_eq!((error.condition(), error.retry_helps()), (Condition::BlockRunInterrupted, false));
}

/// A server of which each connection ends, without a word, when the first call has come; on every second one after it was
/// answered.
async fn unsteady_server() -> Client {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        for number in 0.. {
            let (connection, _) = listener.accept().await.unwrap();
            let called = Arc::new(tokio::sync::Notify::new());
            let word = Arc::clone(&called);
            let service = hyper::service::service_fn(move |_| {
                word.notify_one();
                async move {
                    if number % 2 == 0 {
                        std::future::pending::<()>().await;
                    }
                    Ok::<_, std::convert::Infallible>(response(Reply::ok(vec![Vec::new()])))
                }
            });
            let served = hyper::server::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new())
                .serve_connection(hyper_util::rt::TokioIo::new(connection), service);
            let pause = if number % 2 == 0 { Duration::ZERO } else { Duration::from_millis(100) };
            tokio::select! {
                outcome = served => drop(outcome),
                () = async { called.notified().await; tokio::time::sleep(pause).await } => {}
            }
        }
    });
    Client::connect(&Address::plaintext("127.0.0.1", port), &ClientOptions::default()).await.unwrap()
}

#[tokio::test]
async fn a_connection_that_broke_is_told_as_such_and_made_again() {
    let pachd = unsteady_server().await;
    let (mut answered, mut broke) = (0, 0);
    while answered < 5 || broke < 5 {
        match pachd.health().await {
            Ok(()) => {
                answered += 1;
                // Until about when the connection ends.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => {
                assert_eq!((error.condition(), error.retry_helps()), (Condition::Unavailable, true), "{error:?}");
                broke += 1;
            }
        }
        assert!(answered + broke < 1000, "{answered} calls answered, {broke} not");
    }
}
