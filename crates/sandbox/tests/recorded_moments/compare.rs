//! Recorded and answered messages side by side.

use std::fmt::Debug;

use bytes::Bytes;
use pachyderm::proto::pfs::{
    Block, BranchInfo, BranchInfos, Commit, CommitInfo, CommitInfos, FsckResponse, ListRepoResponse, ListTagsResponse,
    ObjectInfo, Repo, RepoInfo,
};
use pachyderm::proto::pps::{JobInfo, JobInfos, PipelineInfo, PipelineInfos};
use pachyderm::proto::{admin, enterprise, transaction, version};
use prost::Message;

use crate::case::Case;

/// How two lists of messages have to agree.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Same,
    Any,
    /// The recorded ones are among the others: the bucket was copied later.
    Within,
}

pub fn decoded<M: Message + Default>(messages: &[Bytes]) -> Vec<M> {
    messages.iter().map(|bytes| M::decode(bytes.clone()).unwrap()).collect()
}

fn agree<M: PartialEq + Debug>(recorded: Vec<M>, answered: Vec<M>, order: Order) -> Result<(), String> {
    if order != Order::Within && recorded.len() != answered.len() {
        return Err(format!("{} messages instead of {}", answered.len(), recorded.len()));
    }
    if order == Order::Same {
        return match recorded.iter().zip(&answered).find(|(a, b)| a != b) {
            None => Ok(()),
            Some((recorded, answered)) => Err(format!("recorded {recorded:?}\n  answered {answered:?}")),
        };
    }
    let mut left = answered;
    for message in recorded {
        match left.iter().position(|other| *other == message) {
            Some(at) => drop(left.swap_remove(at)),
            None => return Err(format!("recorded, not answered: {message:?}")),
        }
    }
    Ok(())
}

/// pachd reads a service's address from Kubernetes, which this test has none of.
fn without_address(mut info: PipelineInfo) -> PipelineInfo {
    if let Some(service) = &mut info.service {
        service.ip.clear();
    }
    info
}

/// The members of lists that come in one message each.
fn flat<L: Message + Default, M>(messages: &[Bytes], members: impl Fn(L) -> Vec<M>) -> Vec<M> {
    decoded::<L>(messages).into_iter().flat_map(members).collect()
}

/// Whether an answer is the recorded one; why not, if not.
pub fn compare(case: &Case, answered: &[Bytes]) -> Result<(), String> {
    let recorded = &case.responses;
    macro_rules! same {
        ($message:ty) => {
            same!($message, Order::Same)
        };
        ($message:ty, $order:expr) => {
            agree(decoded::<$message>(recorded), decoded::<$message>(answered), $order)
        };
    }
    match case.method.as_str() {
        "/admin.API/Extract" => same!(admin::Op, Order::Any),
        "/admin.API/ExtractPipeline" => same!(admin::Op),
        "/admin.API/InspectCluster" => same!(admin::ClusterInfo),
        "/versionpb.API/GetVersion" => same!(version::Version),
        "/enterprise.API/GetState" => same!(enterprise::GetStateResponse),
        "/enterprise.API/GetActivationCode" => same!(enterprise::GetActivationCodeResponse),
        "/transaction.API/ListTransaction" => same!(transaction::TransactionInfos),
        // New ids each time, of one length.
        "/transaction.API/StartTransaction" => {
            let ids = |messages| flat(messages, |one: transaction::Transaction| vec![one.id.len()]);
            agree(ids(recorded), ids(answered), Order::Same)
        }
        "/pfs.API/StartCommit" => {
            let ids = |messages| flat(messages, |one: Commit| vec![(one.repo, one.id.len())]);
            agree::<(Option<Repo>, usize)>(ids(recorded), ids(answered), Order::Same)
        }
        // Those made in one transaction come in any order.
        "/pfs.API/ListRepo" => {
            let repos = |messages| flat(messages, |list: ListRepoResponse| list.repo_info);
            agree(repos(recorded), repos(answered), Order::Any)
        }
        "/pfs.API/InspectRepo" => same!(RepoInfo),
        "/pfs.API/ListBranch" => {
            let branches = |messages| flat(messages, |list: BranchInfos| list.branch_info);
            agree(branches(recorded), branches(answered), Order::Any)
        }
        "/pfs.API/InspectBranch" => same!(BranchInfo),
        "/pfs.API/ListCommit" => same!(CommitInfos),
        "/pfs.API/ListCommitStream" => same!(CommitInfo, Order::Any),
        "/pfs.API/InspectCommit" => same!(CommitInfo),
        "/pfs.API/Fsck" => same!(FsckResponse),
        "/pfs.ObjectAPI/ListBlock" => same!(Block, Order::Within),
        "/pfs.ObjectAPI/ListObjects" => same!(ObjectInfo, Order::Within),
        "/pfs.ObjectAPI/ListTags" => same!(ListTagsResponse, Order::Within),
        "/pps.API/ListPipeline" => {
            let infos = |messages| {
                let infos = flat(messages, |list: PipelineInfos| list.pipeline_info);
                infos.into_iter().map(without_address).collect::<Vec<_>>()
            };
            agree(infos(recorded), infos(answered), Order::Any)
        }
        "/pps.API/InspectPipeline" => {
            let infos = |messages| flat(messages, |info: PipelineInfo| vec![without_address(info)]);
            agree(infos(recorded), infos(answered), Order::Same)
        }
        "/pps.API/ListJob" => same!(JobInfos),
        "/pps.API/ListJobStream" => same!(JobInfo),
        "/pps.API/StopPipeline"
        | "/pps.API/StartPipeline"
        | "/pps.API/GarbageCollect"
        | "/admin.API/Restore"
        | "/pfs.API/FinishCommit"
        | "/health.Health/Health" => same!(()),
        other => Err(format!("{other}: no message type is known for it")),
    }
}
