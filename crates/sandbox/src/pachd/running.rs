//! A running pachd with its etcd.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::api::{AuthOptions, ExtractClock, Faults, PachdService, Port};
use super::etcd::{EtcdService, Membership};
use super::grpc::Listener;
use super::pipelines::{NoWorkers, Pipelines, Workers};
use super::recorded::Recorded;
use super::state::State;

/// How a pachd is served.
#[derive(Clone, Debug)]
pub struct PachdOptions {
    /// Where the workers of its pipelines run.
    pub workers: Arc<dyn Workers>,
    /// How long the pipeline master takes for each state of each pipeline. The recorded one took about 1.3 s.
    pub master_interval: Duration,
    /// When open commits are said to have finished in an extract.
    pub clock: ExtractClock,
    /// What pachd finds in `CLUSTER_DEPLOYMENT_ID`.
    pub deployment_id: String,
    /// Present when auth is on from the start.
    pub auth: Option<AuthOptions>,
    /// How many members etcd has; at least one.
    pub etcd_members: usize,
}

impl Default for PachdOptions {
    fn default() -> Self {
        Self {
            workers: Arc::new(NoWorkers),
            master_interval: Duration::from_millis(20),
            clock: ExtractClock::Now,
            deployment_id: "sandbox-deployment".to_owned(),
            auth: None,
            etcd_members: 1,
        }
    }
}

/// A running pachd with its etcd, each on a loopback socket. They stop when this is dropped.
#[derive(Debug)]
pub struct PachdServer {
    state: State,
    pipelines: Arc<Pipelines>,
    faults: Arc<Faults>,
    external: Listener,
    peer: Listener,
    /// Every member; there is a first one.
    etcd: Vec<(Arc<EtcdService>, Listener)>,
    etcd_membership: Arc<Membership>,
    master: JoinHandle<()>,
}

impl PachdServer {
    /// Serves a recorded cluster.
    ///
    /// # Errors
    /// No socket can be opened.
    pub async fn start(recorded: Recorded, options: PachdOptions) -> io::Result<Self> {
        let Recorded { state, stops, branches } = recorded;
        if let Some(auth) = &options.auth {
            auth.apply(&state);
        }
        let pipelines = Arc::new(Pipelines::new(state.clone(), options.workers, stops, branches));
        let faults = Arc::new(Faults::default());
        let service = PachdService {
            state: state.clone(),
            port: Port::External,
            faults: Arc::clone(&faults),
            clock: options.clock,
            pipelines: Arc::clone(&pipelines) as _,
            deployment_id: options.deployment_id,
        };
        let etcd_membership = Arc::new(Membership::of(options.etcd_members.max(1)));
        let external = Listener::start(Arc::new(service.clone())).await?;
        let peer = Listener::start(Arc::new(service.at(Port::Peer))).await?;
        let mut etcd = Vec::new();
        for member in etcd_membership.members() {
            let (store, membership) = (Arc::clone(&state.store), Arc::clone(&etcd_membership));
            let service = Arc::new(EtcdService::of_member(store, member.clone(), membership));
            let listener = Listener::start(Arc::clone(&service) as _).await?;
            etcd.push((service, listener));
        }
        let master = tokio::spawn(Arc::clone(&pipelines).run(options.master_interval));
        Ok(Self { state, pipelines, faults, external, peer, etcd, etcd_membership, master })
    }

    /// Address of the external port (650 in a pod).
    pub fn external(&self) -> SocketAddr {
        self.external.address()
    }

    /// Address of the peer port (653 in a pod).
    pub fn peer(&self) -> SocketAddr {
        self.peer.address()
    }

    /// Address of the client port of etcd's first member.
    pub fn etcd(&self) -> SocketAddr {
        self.etcd[0].1.address()
    }

    /// Addresses of the client ports of all members of etcd.
    pub fn etcd_members(&self) -> Vec<SocketAddr> {
        self.etcd.iter().map(|(_, listener)| listener.address()).collect()
    }

    /// Which members etcd has, and which of them leads.
    pub fn etcd_membership(&self) -> &Arc<Membership> {
        &self.etcd_membership
    }

    /// The state behind everything: for tests that write as an intruder would.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The pipelines.
    pub fn pipelines(&self) -> &Arc<Pipelines> {
        &self.pipelines
    }

    /// The faults of pachd's API.
    pub fn faults(&self) -> &Arc<Faults> {
        &self.faults
    }

    /// The service of etcd's first member, for its alarm.
    pub fn etcd_service(&self) -> &Arc<EtcdService> {
        &self.etcd[0].0
    }

    /// Closes every open connection to etcd without a word.
    pub fn drop_etcd_connections(&self) {
        self.etcd.iter().for_each(|(_, listener)| listener.drop_connections());
    }

    /// Closes every open connection to pachd without a word.
    pub fn drop_connections(&self) {
        self.external.drop_connections();
        self.peer.drop_connections();
    }
}

impl Drop for PachdServer {
    fn drop(&mut self) {
        self.master.abort();
    }
}
