//! The client against a server that answers what a real pachd 1.13.4 answered, over real HTTP/2.
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
use pachyderm::{
    client::{Address, Client, ClientOptions, History, Token, Unreadable},
    error::{Cause, Condition},
    proto::{
        admin::{ExtractRequest, Op},
        method,
        pfs::{Branch, Commit, CommitInfo, ListCommitRequest, StartCommitRequest},
        pps::PipelineInfos,
        version::Version,
    },
};
use prost::Message;
use replay::{Call, End, Reply, client};

/// The recorded answer to exactly this request; of several recorded at different times the first.
fn replay(recordings: &BTreeMap<String, Recording>, call: &Call) -> Reply {
    let found = recordings.iter().find(|(name, recording)| {
        name.starts_with("grpc/") && recording.method() == call.path && recording.requests == [&call.message[..]]
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
        let repo = || decode::<ListCommitRequest>(&call.message).repo.unwrap().name;
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
                let mut infos = pachyderm::proto::pfs::BranchInfos { branch_info: branches.clone() };
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
