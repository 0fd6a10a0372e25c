//! EC2 as far as EBS volumes and their snapshots go: the Query protocol of 2016-11-15 over HTTP, in memory.
//!
//! It has what other emulators lack: snapshots that are pending for a while and then complete or fail, listings that lag,
//! keys that can't be used, rights that are missing, rate limits, answers that are lost. It knows one key pair by its id and
//! checks no signature, and it refuses parameters that it doesn't know.
//!
//! ```no_run
//! # async fn demo() -> std::io::Result<()> {
//! use sandbox::ec2::{Ec2Fault, Ec2Options, Ec2Server, NewVolume};
//!
//! let server = Ec2Server::start(Ec2Options::default()).await?;
//! let volume = server.add_volume(NewVolume::default());
//! server.add_fault(Ec2Fault::lose_reply().on("CreateSnapshot"));
//! println!("{volume} at {}", server.endpoint());
//! # Ok(())
//! # }
//! ```

mod answer;
mod faults;
mod filter;
mod parameters;
mod serve;
mod snapshots;
mod state;
mod tagging;
mod volumes;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use faults::Ec2Fault;
pub use state::{Call, KnownSnapshot};

use state::{SnapshotFate, State};

/// How a server behaves.
#[derive(Clone, Debug)]
pub struct Ec2Options {
    /// Id of the only key pair.
    pub access_key: String,
    /// The region that it serves; its zones end in `a`, `b` and `c`.
    pub region: String,
    /// The account that owns everything.
    pub account: String,
    /// How many `DescribeSnapshots` tell a snapshot as pending before it is completed.
    pub pending_looks: u32,
    /// How many `DescribeVolumes` tell a new volume as `creating` before it is available.
    pub creating_looks: u32,
    /// How many `DescribeSnapshots` leave out a new snapshot.
    pub lag_calls: u64,
    /// How long a new snapshot is left out of `DescribeSnapshots`.
    pub lag: Duration,
    /// The least time between two snapshots of one volume; 15 s on AWS.
    pub snapshot_interval: Duration,
    /// Most snapshots or volumes in one page.
    pub page: usize,
}

impl Default for Ec2Options {
    fn default() -> Self {
        Self {
            access_key: "sandbox".to_owned(),
            region: "us-east-1".to_owned(),
            account: "123456789012".to_owned(),
            pending_looks: 2,
            creating_looks: 1,
            lag_calls: 0,
            lag: Duration::ZERO,
            snapshot_interval: Duration::ZERO,
            page: 1000,
        }
    }
}

/// A volume to begin with.
#[derive(Clone, Debug)]
pub struct NewVolume {
    /// Size in GiB.
    pub gib: u32,
    /// Its zone.
    pub zone: String,
    /// Its type.
    pub kind: String,
    /// The key that it is encrypted with.
    pub kms_key: Option<String>,
}

impl Default for NewVolume {
    fn default() -> Self {
        Self { gib: 10, zone: "us-east-1a".to_owned(), kind: "gp3".to_owned(), kms_key: None }
    }
}

/// A running server. Dropping it ends it and closes its connections.
pub struct Ec2Server {
    addr: SocketAddr,
    state: Arc<Mutex<State>>,
    end: CancellationToken,
}

impl Ec2Server {
    /// Starts a server on a free port, on the current runtime.
    ///
    /// # Errors
    /// Those of binding the address.
    pub async fn start(options: Ec2Options) -> io::Result<Self> {
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

    /// Makes a volume; its id.
    #[must_use = "the id is all that names the volume"]
    pub fn add_volume(&self, volume: NewVolume) -> String {
        self.state().add_volume(volume)
    }

    /// Replaces what a volume holds. Whether there is such a volume.
    pub fn write(&self, volume: &str, bytes: impl Into<Bytes>) -> bool {
        self.state().volumes.get_mut(volume).map(|volume| volume.bytes = bytes.into()).is_some()
    }

    /// What a volume holds.
    #[must_use]
    pub fn read(&self, volume: &str) -> Option<Bytes> {
        self.state().volumes.get(volume).map(|volume| volume.bytes.clone())
    }

    /// Changes how the server behaves from now on.
    pub fn change(&self, change: impl FnOnce(&mut Ec2Options)) {
        change(&mut self.state().options);
    }

    /// Switches a fault on, behind those that are.
    pub fn add_fault(&self, fault: Ec2Fault) {
        self.state().faults.push(fault);
    }

    /// Takes the right to an action (`ec2:CreateSnapshot`) from the key pair.
    pub fn deny(&self, action: &str) {
        self.state().denied_actions.insert(action.to_owned());
    }

    /// Leaves the key pair these rights (`ec2:CreateSnapshot`) and no others; those that were taken stay so.
    pub fn grant_only(&self, actions: &[&str]) {
        self.state().granted_actions = Some(actions.iter().map(|action| (*action).to_owned()).collect());
    }

    /// Lets nobody use a KMS key: snapshots of its volumes fail, and volumes made with it go away.
    pub fn deny_key(&self, key: &str) {
        self.state().denied_keys.insert(key.to_owned());
    }

    /// Lets the key pair end: every call is refused as `RequestExpired`.
    pub fn expire_credentials(&self) {
        self.state().expired = true;
    }

    /// Lets the next snapshot fail with this message after its first look.
    pub fn fail_next_snapshot(&self, message: &str) {
        self.state().next_fate = Some(SnapshotFate::Fails { message: message.to_owned() });
    }

    /// Keeps the next snapshot pending, at this many percent, until [`complete`](Self::complete).
    pub fn hold_next_snapshot(&self, percent: u8) {
        self.state().next_fate = Some(SnapshotFate::Held { percent });
    }

    /// Completes a snapshot. Whether there is such a snapshot.
    pub fn complete(&self, snapshot: &str) -> bool {
        let mut state = self.state();
        state
            .snapshots
            .get_mut(snapshot)
            .map(|snapshot| snapshot.fate = SnapshotFate::Completes { looks_left: 0 })
            .is_some()
    }

    /// Lets another service hold a snapshot: it can't be deleted (`InvalidSnapshot.InUse`).
    pub fn use_snapshot(&self, snapshot: &str) -> bool {
        self.state().snapshots.get_mut(snapshot).map(|snapshot| snapshot.in_use = true).is_some()
    }

    /// Every snapshot that there is, listed or not, the oldest first.
    #[must_use]
    pub fn snapshots(&self) -> Vec<KnownSnapshot> {
        self.state().snapshots.values().map(state::SnapshotState::known).collect()
    }

    /// The tags of every volume, by its id.
    #[must_use]
    pub fn volumes(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        self.state().volumes.iter().map(|(id, volume)| (id.clone(), volume.tags.clone())).collect()
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

impl Drop for Ec2Server {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl fmt::Debug for Ec2Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ec2Server").field("addr", &self.addr).finish_non_exhaustive()
    }
}
