//! Google's Compute Engine in memory, as far as disks, their snapshots and operations go: the REST API v1 over HTTP.
//!
//! It has what other emulators lack: snapshots that are `CREATING` for a while and hold what the disk holds when that ends, then
//! `UPLOADING`, then `READY` or `FAILED`; operations that are accepted and end `DONE` with an error; request ids; keys that can't
//! be used, rights that are missing, rate limits, answers that are lost, listings that lag. It knows one bearer token, and
//! those that it is told of; it refuses fields that it doesn't know. From the public reference of the Compute Engine API v1.
//!
//! ```no_run
//! # async fn demo() -> std::io::Result<()> {
//! use sandbox::compute::{ComputeFault, ComputeOptions, ComputeServer, NewDisk};
//!
//! let server = ComputeServer::start(ComputeOptions::default()).await?;
//! let disk = server.add_disk(NewDisk::default());
//! server.add_fault(ComputeFault::lose_reply().on("disks.createSnapshot"));
//! println!("{disk} at {}", server.endpoint());
//! # Ok(())
//! # }
//! ```

mod answer;
mod disks;
mod faults;
mod filter;
mod operations;
mod phase;
mod rights;
mod rules;
mod serve;
mod snapshots;
mod state;
mod target;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use faults::ComputeFault;
pub use phase::Phase;
pub use state::{Call, KnownSnapshot};

use state::{Fate, Stage, State};

/// Whether a bearer token is good.
pub type TokenCheck = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// How a server behaves.
#[derive(Clone)]
pub struct ComputeOptions {
    /// The only bearer token of this server itself.
    pub token: String,
    /// Which tokens of another server of the same cloud are good too.
    pub other_tokens: Option<TokenCheck>,
    /// Whether requests without a token are served too.
    pub anonymous: bool,
    /// The project of disks that name none.
    pub project: String,
    /// How long an operation is `PENDING` and `RUNNING`; one that makes something lasts at least as long as that takes.
    pub operation: Phase,
    /// How long a snapshot is `CREATING`: its content is the disk's when this ends.
    pub creating: Phase,
    /// How long a snapshot is `UPLOADING`.
    pub uploading: Phase,
    /// How long a new disk is `CREATING`.
    pub disk_creating: Phase,
    /// How long listings leave out a new snapshot.
    pub lag: Phase,
    /// How long a new snapshot is not found by its name.
    pub hidden: Phase,
    /// The least time between two snapshots of one disk; 10 minutes at Google.
    pub snapshot_interval: Duration,
    /// Where snapshots are stored that name no location.
    pub default_location: String,
    /// Most snapshots in one page.
    pub page: usize,
}

impl Default for ComputeOptions {
    fn default() -> Self {
        Self {
            token: "sandbox".to_owned(),
            other_tokens: None,
            anonymous: false,
            project: "sandbox".to_owned(),
            operation: Phase::looks(1),
            creating: Phase::looks(1),
            uploading: Phase::looks(2),
            disk_creating: Phase::looks(1),
            lag: Phase::default(),
            hidden: Phase::default(),
            snapshot_interval: Duration::ZERO,
            default_location: "us".to_owned(),
            page: 500,
        }
    }
}

impl fmt::Debug for ComputeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ComputeOptions").field("project", &self.project).finish_non_exhaustive()
    }
}

/// A disk to begin with.
#[derive(Clone, Debug)]
pub struct NewDisk {
    /// Its name; one of the server's choice if none is given.
    pub name: Option<String>,
    /// Its project, if not the server's.
    pub project: Option<String>,
    /// Size in GiB.
    pub gib: u64,
    /// Its zone.
    pub zone: String,
    /// Its region, for a regional disk: its replicas are in the zones `a` and `b`.
    pub region: Option<String>,
    /// Its type.
    pub kind: String,
    /// Provisioned operations per second.
    pub iops: Option<u64>,
    /// Provisioned throughput in MiB/s.
    pub throughput: Option<u64>,
    /// The KMS key that it is encrypted with.
    pub kms_key: Option<String>,
    /// Whether it is encrypted with a key that each request has to bring.
    pub customer_key: bool,
}

impl Default for NewDisk {
    fn default() -> Self {
        Self {
            name: None,
            project: None,
            gib: 10,
            zone: "us-central1-a".to_owned(),
            region: None,
            kind: "pd-ssd".to_owned(),
            iops: None,
            throughput: None,
            kms_key: None,
            customer_key: false,
        }
    }
}

/// A running server. Dropping it ends it and closes its connections.
pub struct ComputeServer {
    addr: SocketAddr,
    state: Arc<Mutex<State>>,
    end: CancellationToken,
}

impl ComputeServer {
    /// Starts a server on a free port, on the current runtime.
    ///
    /// # Errors
    /// Those of binding the address.
    pub async fn start(options: ComputeOptions) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let (state, end) = (Arc::new(Mutex::new(State::new(options))), CancellationToken::new());
        tokio::spawn(serve::run(state.clone(), listener, end.clone()));
        Ok(Self { addr, state, end })
    }

    /// Where it is, as a URL.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Makes a disk; its path: `projects/P/zones/Z/disks/D`.
    #[must_use = "the path is all that names the disk"]
    pub fn add_disk(&self, disk: NewDisk) -> String {
        self.state().add_disk(disk)
    }

    /// Takes a disk away. Whether there was one.
    pub fn remove_disk(&self, disk: &str) -> bool {
        self.state().disks.remove(disk).is_some()
    }

    /// Replaces what a disk holds. Whether there is such a disk.
    pub fn write(&self, disk: &str, bytes: impl Into<Bytes>) -> bool {
        let mut state = self.state();
        state.advance();
        state.disks.get_mut(disk).map(|disk| disk.bytes = bytes.into()).is_some()
    }

    /// What a disk holds.
    #[must_use]
    pub fn read(&self, disk: &str) -> Option<Bytes> {
        self.state().disks.get(disk).map(|disk| disk.bytes.clone())
    }

    /// Changes how the server behaves from now on.
    pub fn change(&self, change: impl FnOnce(&mut ComputeOptions)) {
        change(&mut self.state().options);
    }

    /// Switches a fault on, behind those that are.
    pub fn add_fault(&self, fault: ComputeFault) {
        self.state().faults.push(fault);
    }

    /// Takes a permission (`compute.disks.get`).
    pub fn deny(&self, permission: &str) {
        self.state().denied.insert(permission.to_owned());
    }

    /// Leaves these permissions and no others; those that were taken stay so.
    pub fn allow_only(&self, permissions: &[&str]) {
        self.state().granted = Some(permissions.iter().map(|permission| (*permission).to_owned()).collect());
    }

    /// The permissions that calls have needed so far, sorted.
    #[must_use]
    pub fn permissions_used(&self) -> Vec<String> {
        self.state().used.iter().cloned().collect()
    }

    /// Disables a KMS key: operations on what it encrypts fail.
    pub fn deny_key(&self, key: &str) {
        self.state().denied_keys.insert(key.to_owned());
    }

    /// Lets the token end: every call is refused as 401.
    pub fn expire_credentials(&self) {
        self.state().expired = true;
    }

    /// Lets the next snapshot fail while it is `CREATING`: its point in time is never fixed.
    pub fn fail_next_snapshot(&self) {
        self.state().next_fate = Fate::FailsBeforeTheCut;
    }

    /// Lets the next snapshot fail while it is `UPLOADING`.
    pub fn fail_next_upload(&self) {
        self.state().next_fate = Fate::FailsAfterTheCut;
    }

    /// Keeps the next snapshot `UPLOADING` until [`complete`](Self::complete).
    pub fn hold_next_snapshot(&self) {
        self.state().next_fate = Fate::Held;
    }

    /// Completes a snapshot. Whether there is such a snapshot.
    pub fn complete(&self, snapshot: &str) -> bool {
        let mut state = self.state();
        state.advance();
        state.snapshots.get_mut(snapshot).map(|snapshot| snapshot.stage = Stage::Ready).is_some()
    }

    /// Every snapshot that there is, listed or not, by its path.
    #[must_use]
    pub fn snapshots(&self) -> Vec<KnownSnapshot> {
        let mut state = self.state();
        state.advance();
        state.snapshots.iter().map(|(path, snapshot)| snapshot.known(path)).collect()
    }

    /// The labels of every disk, by its path.
    #[must_use]
    pub fn disks(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        self.state().disks.iter().map(|(path, disk)| (path.clone(), disk.labels.clone())).collect()
    }

    /// Every call received, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// Locks without minding a panic elsewhere: no value here is ever left half-changed.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for ComputeServer {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl fmt::Debug for ComputeServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ComputeServer").field("addr", &self.addr).finish_non_exhaustive()
    }
}
