//! The gRPC services of the sandbox's etcd.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use pachyderm::etcd::proto::{
    AlarmMember, AlarmResponse, AlarmType, DeleteRangeRequest, LeaseGrantRequest, LeaseGrantResponse, Member,
    MemberListResponse, PutRequest, RangeRequest, ResponseHeader, SnapshotResponse, StatusResponse, TxnRequest,
};
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::snapshot::{self, ETCD_VERSION, Identity};
use super::{Membership, Store, key_value, watch};
use crate::pachd::grpc::{self, Answer, AnswerFuture, Call, one};

/// Size of the messages a snapshot is sent in, in bytes.
const SNAPSHOT_MESSAGE: usize = 32 * 1024;
/// Size of the SHA-256 at the end of a snapshot, in bytes.
const DIGEST: usize = 32;

/// Answers for one member of an etcd.
#[derive(Debug)]
pub struct EtcdService {
    store: Arc<Store>,
    identity: Identity,
    membership: Arc<Membership>,
    no_space: AtomicBool,
    /// Leases that were granted; they never end here.
    leases: Mutex<BTreeMap<i64, i64>>,
    /// How long each transaction waits before it is done.
    latency: Mutex<Duration>,
    /// Most operations of a transaction.
    most_operations: AtomicUsize,
}

impl EtcdService {
    /// The only member of an etcd over a key space.
    pub fn new(store: Arc<Store>, identity: Identity) -> Self {
        Self::of_member(store, identity.clone(), Arc::new(Membership::single(identity)))
    }

    /// One of several members over the same key space.
    pub fn of_member(store: Arc<Store>, identity: Identity, membership: Arc<Membership>) -> Self {
        EtcdService {
            store,
            identity,
            membership,
            no_space: AtomicBool::new(false),
            leases: Mutex::default(),
            latency: Mutex::default(),
            most_operations: AtomicUsize::new(usize::MAX),
        }
    }

    /// Raises or clears the alarm of a full database. While it is raised, every write is refused.
    pub fn set_no_space(&self, raised: bool) {
        self.no_space.store(raised, Ordering::SeqCst);
    }

    /// Every transaction waits so long before it is done.
    pub fn delay_transactions(&self, latency: Duration) {
        *self.latency.lock().unwrap_or_else(PoisonError::into_inner) = latency;
    }

    /// Transactions of more operations are refused, as by `--max-txn-ops`.
    pub fn limit_operations(&self, most: usize) {
        self.most_operations.store(most, Ordering::SeqCst);
    }

    fn header(&self) -> ResponseHeader {
        ResponseHeader {
            cluster_id: self.identity.cluster_id,
            member_id: self.identity.member_id,
            revision: self.store.revision(),
            raft_term: 2,
        }
    }

    fn writable(&self) -> Result<(), Status> {
        match self.no_space.load(Ordering::SeqCst) {
            true => Err(Status::resource_exhausted("etcdserver: mvcc: database space exceeded")),
            false => Ok(()),
        }
    }

    fn status(&self) -> Result<StatusResponse, Status> {
        let size = self.snapshot()?.len() as i64 - 32;
        let index = self.store.revision() as u64 + 10;
        let alarm = format!("memberID:{} alarm:NOSPACE ", self.identity.member_id);
        Ok(StatusResponse {
            header: Some(self.header()),
            version: ETCD_VERSION.into(),
            db_size: size,
            leader: self.membership.leader(),
            raft_index: index,
            raft_term: 2,
            raft_applied_index: index,
            errors: if self.no_space.load(Ordering::SeqCst) { vec![alarm] } else { Vec::new() },
            db_size_in_use: size,
            is_learner: false,
        })
    }

    fn snapshot(&self) -> Result<Vec<u8>, Status> {
        snapshot::save(&self.store, &self.identity).map_err(|error| Status::internal(error.to_string()))
    }

    /// The database in pieces, then its digest in a message of its own, as etcd 3.4 sends them: `remaining_bytes` counts the
    /// database only, and the header tells no revision.
    fn stream_snapshot(&self) -> Result<Answer, Status> {
        let file = Bytes::from(self.snapshot()?);
        let database = file.len() - DIGEST;
        let ends = (SNAPSHOT_MESSAGE..database).step_by(SNAPSHOT_MESSAGE).chain([database, file.len()]);
        let mut start = 0;
        let messages = ends.map(|end| {
            let response = SnapshotResponse {
                header: None,
                remaining_bytes: database.saturating_sub(end) as u64,
                blob: file.slice(start..end),
            };
            start = end;
            Ok(Bytes::from(response.encode_to_vec()))
        });
        Ok(stream::iter(messages.collect::<Vec<_>>()).boxed())
    }

    fn grant_lease(&self, request: &LeaseGrantRequest) -> Result<LeaseGrantResponse, Status> {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        if request.ttl <= 0 {
            return Err(Status::out_of_range("etcdserver: too large lease TTL"));
        }
        if leases.contains_key(&request.id) {
            return Err(Status::failed_precondition("etcdserver: lease already exists"));
        }
        leases.insert(request.id, request.ttl);
        let header = Some(self.header());
        Ok(LeaseGrantResponse { header, id: request.id, ttl: request.ttl, error: String::new() })
    }

    fn alarms(&self) -> AlarmResponse {
        let alarm = AlarmMember { member_id: self.identity.member_id, alarm: AlarmType::NoSpace as i32 };
        let raised = self.no_space.load(Ordering::SeqCst);
        AlarmResponse { header: Some(self.header()), alarms: if raised { vec![alarm] } else { Vec::new() } }
    }

    fn members(&self) -> MemberListResponse {
        let members = self.membership.members().iter().map(|identity| Member {
            id: identity.member_id,
            name: identity.name.clone(),
            peer_urls: vec!["http://127.0.0.1:2380".into()],
            client_urls: vec![identity.client_url.clone()],
            is_learner: false,
        });
        MemberListResponse { header: Some(self.header()), members: members.collect() }
    }

    async fn respond(self: Arc<Self>, mut call: Call) -> Result<Answer, Status> {
        match (call.service.as_str(), call.method.as_str()) {
            ("etcdserverpb.KV", "Range") => {
                let request: RangeRequest = call.message().await?;
                one(&key_value::range(&self.store, &request, self.header())?)
            }
            ("etcdserverpb.KV", "Put") => {
                self.writable()?;
                let request: PutRequest = call.message().await?;
                one(&key_value::put(&self.store, request, self.header())?)
            }
            ("etcdserverpb.KV", "DeleteRange") => {
                let request: DeleteRangeRequest = call.message().await?;
                one(&key_value::delete_range(&self.store, &request, self.header()))
            }
            ("etcdserverpb.KV", "Txn") => {
                self.writable()?;
                let request: TxnRequest = call.message().await?;
                if request.success.len() > self.most_operations.load(Ordering::SeqCst) {
                    return Err(Status::invalid_argument("etcdserver: too many operations in txn request"));
                }
                let latency = *self.latency.lock().unwrap_or_else(PoisonError::into_inner);
                tokio::time::sleep(latency).await;
                one(&key_value::transaction(&self.store, request, self.header()))
            }
            ("etcdserverpb.Lease", "LeaseGrant") => {
                self.writable()?;
                let request: LeaseGrantRequest = call.message().await?;
                one(&self.grant_lease(&request)?)
            }
            ("etcdserverpb.Watch", "Watch") => {
                let (out, answers) = mpsc::channel(16);
                tokio::spawn(watch::serve(Arc::clone(&self.store), self.header(), call.messages, out));
                Ok(ReceiverStream::new(answers).boxed())
            }
            ("etcdserverpb.Maintenance", "Status") => one(&self.status()?),
            ("etcdserverpb.Maintenance", "Alarm") => one(&self.alarms()),
            ("etcdserverpb.Maintenance", "Snapshot") => self.stream_snapshot(),
            ("etcdserverpb.Cluster", "MemberList") => one(&self.members()),
            (
                service @ ("etcdserverpb.KV"
                | "etcdserverpb.Lease"
                | "etcdserverpb.Watch"
                | "etcdserverpb.Maintenance"
                | "etcdserverpb.Cluster"),
                method,
            ) => Err(grpc::unknown_method(service, method)),
            (service, _) => Err(grpc::unknown_service(service)),
        }
    }
}

impl grpc::Service for EtcdService {
    fn answer(self: Arc<Self>, call: Call) -> AnswerFuture {
        Box::pin(self.respond(call))
    }
}
