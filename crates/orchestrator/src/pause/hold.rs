//! Holding the cluster for one run: a Lease keeps two runs apart, the undo record says what to put back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Api;
use kube::api::{DeleteParams, ObjectMeta, PostParams};
use tokio::task::JoinHandle;

use super::undo_record::UndoRecord;
use super::{fence, hold_lost, record_store};
use crate::cluster::Cluster;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Events;

/// Name of the Lease.
pub(super) const LEASE: &str = "pachsnap";
/// How long a holder counts as alive after its last sign.
const LEASE_SECONDS: i32 = 60;
/// How far in the future a last sign may be before the clocks are named, in seconds.
const LEASE_AHEAD: i64 = 10;
const RENEW_EVERY: Duration = Duration::from_secs(15);

/// A cluster that is held by this run: nobody else may change it, and what this run changes is written down.
pub struct Hold {
    leases: Api<Lease>,
    maps: Api<ConfigMap>,
    holder: String,
    record: UndoRecord,
    record_uid: String,
    renewal: JoinHandle<()>,
    fenced: AtomicBool,
}

/// Whose a cluster is to put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// This run's.
    Ours,
    /// Somebody else's, who is at it.
    TakenOver,
    /// Nobody's: somebody else has done it.
    PutBack,
}

impl Hold {
    /// Takes the lease and writes the undo record.
    ///
    /// # Errors
    /// `Busy` when another run is at work or has left its record.
    pub async fn take(cluster: &Cluster, record: UndoRecord, events: &Events) -> Result<Self> {
        let leases: Api<Lease> = Api::namespaced(cluster.kubernetes.clone(), cluster.namespace());
        let maps: Api<ConfigMap> = Api::namespaced(cluster.kubernetes.clone(), cluster.namespace());
        if maps.get_opt(record_store::NAME).await?.is_some() {
            return Err(record_store::exists());
        }
        let holder = record.run.clone();
        events.change("take", format!("Lease {LEASE}"), acquire(&leases, &holder, false)).await?;
        let written =
            events.change("create", format!("ConfigMap {}", record_store::NAME), record_store::write(&maps, &record));
        let record_uid = match written.await {
            Ok(uid) => uid,
            Err(error) => {
                // It ends by itself; what is to be told is the other error.
                let _ = release(&leases, &holder).await;
                return Err(error);
            }
        };
        Ok(Self::held(leases, maps, holder, record, record_uid))
    }

    /// Takes over the record of a run that is gone.
    ///
    /// # Errors
    /// `Busy` while that run still renews its lease, unless `force` is set.
    pub(super) async fn take_over(
        kubernetes: &kube::Client,
        namespace: &str,
        record: UndoRecord,
        record_uid: String,
        force: bool,
    ) -> Result<Self> {
        let leases: Api<Lease> = Api::namespaced(kubernetes.clone(), namespace);
        let maps: Api<ConfigMap> = Api::namespaced(kubernetes.clone(), namespace);
        let holder = format!("resume-of-{}-{}", record.run, &uuid::Uuid::new_v4().simple().to_string()[..6]);
        acquire(&leases, &holder, force).await?;
        Ok(Self::held(leases, maps, holder, record, record_uid))
    }

    /// The hold of whoever has acquired the lease; from now on it is renewed.
    fn held(leases: Api<Lease>, maps: Api<ConfigMap>, holder: String, record: UndoRecord, record_uid: String) -> Self {
        let renewal = keep_renewing(leases.clone(), holder.clone());
        Self { leases, maps, holder, record, record_uid, renewal, fenced: AtomicBool::new(false) }
    }

    /// Removes a lease that has ended, or any with `force`. One that is alive is left: its run is about to write its record.
    ///
    /// # Errors
    /// Those of Kubernetes.
    pub(super) async fn clear_lease(kubernetes: &kube::Client, namespace: &str, force: bool) -> Result<()> {
        let leases: Api<Lease> = Api::namespaced(kubernetes.clone(), namespace);
        let Some(spec) = leases.get_opt(LEASE).await?.and_then(|lease| lease.spec) else { return Ok(()) };
        if is_alive(&spec) && !force {
            return Ok(());
        }
        release(&leases, spec.holder_identity.as_deref().unwrap_or_default()).await
    }

    /// What has to be put back.
    #[must_use]
    pub fn record(&self) -> &UndoRecord {
        &self.record
    }

    /// Makes sure that we still hold the cluster. Asked before every change and after capture.
    ///
    /// # Errors
    /// `Disturbed` when the lease has another holder or the record is gone or another one.
    pub async fn check(&self) -> Result<()> {
        let lease = self.leases.get_opt(LEASE).await?;
        let holder = lease.and_then(|lease| lease.spec).and_then(|spec| spec.holder_identity);
        if holder.as_deref() != Some(self.holder.as_str()) {
            return Err(hold_lost("the Lease `pachsnap` is no longer ours"));
        }
        let uid = self.maps.get_opt(record_store::NAME).await?.and_then(|map| map.metadata.uid);
        if uid.as_deref() != Some(self.record_uid.as_str()) {
            return Err(hold_lost("the undo record is no longer ours"));
        }
        Ok(())
    }

    /// Whose the cluster is to put back. A lease or a record that is merely gone is nobody's: what is to be put back is still
    /// known here, and perhaps only here. But where both are gone and the fence that stood is down, a resume has ended.
    ///
    /// # Errors
    /// Those of Kubernetes.
    pub(super) async fn standing(&self) -> Result<Standing> {
        let lease = self.leases.get_opt(LEASE).await?;
        let holder = lease.and_then(|lease| lease.spec).and_then(|spec| spec.holder_identity).unwrap_or_default();
        if !holder.is_empty() && holder != self.holder {
            return Ok(Standing::TakenOver);
        }
        let uid = self.maps.get_opt(record_store::NAME).await?.and_then(|map| map.metadata.uid);
        if let Some(uid) = uid {
            return Ok(if uid == self.record_uid { Standing::Ours } else { Standing::TakenOver });
        }
        let services: Api<Service> = Api::namespaced(self.maps.clone().into_client(), &self.record.namespace);
        if holder.is_empty() && self.is_fenced() && !fence::any_stands(&services, &self.record).await? {
            return Ok(Standing::PutBack);
        }
        Ok(Standing::Ours)
    }

    /// Remembers that the whole fence stood, or that we take it down ourselves.
    pub(super) fn set_fenced(&self, fenced: bool) {
        self.fenced.store(fenced, Ordering::Relaxed);
    }

    fn is_fenced(&self) -> bool {
        self.fenced.load(Ordering::Relaxed) && !self.record.services.is_empty()
    }

    /// Gives the lease back. If that fails it ends by itself, which is said.
    pub async fn leave(self, events: &Events) {
        self.renewal.abort();
        let released = events.change("release", format!("Lease {LEASE}"), release(&self.leases, &self.holder)).await;
        if let Err(error) = released {
            events.warn(format!(
                "the Lease {LEASE} could not be given back ({}); it ends by itself {LEASE_SECONDS} s after its last renewal",
                crate::error::chain(&error)
            ));
        }
    }

    /// Removes the record. Only for a cluster that is as it was.
    ///
    /// # Errors
    /// Those of Kubernetes.
    pub(super) async fn remove_record(&self, events: &Events) -> Result<()> {
        let resource = format!("ConfigMap {}", record_store::NAME);
        events.change("delete", resource, record_store::delete(&self.maps, &self.record_uid)).await
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

pub(super) async fn acquire(leases: &Api<Lease>, holder: &str, force: bool) -> Result<()> {
    let existing = leases.get_opt(LEASE).await?;
    if let Some(spec) = existing.as_ref().and_then(|lease| lease.spec.as_ref()) {
        let other = spec.holder_identity.clone().unwrap_or_default();
        if !other.is_empty() && other != holder && is_alive(spec) && !force {
            let error = Error::new(ErrorKind::Busy, format!("run {other} is at work in this namespace"));
            return Err(match seconds_ahead(spec) {
                0..LEASE_AHEAD => error.advise(format!("wait for it; if it is certainly dead, its lease ends {LEASE_SECONDS} s after its last sign (`pachsnap resume --force` takes over at once)")),
                ahead => error.advise(format!("its last sign is from {ahead} s in the future: one of the two clocks is wrong; if that run is certainly dead, `pachsnap resume --force` takes over")),
            });
        }
    }
    let now = MicroTime(Timestamp::now());
    let spec = LeaseSpec {
        holder_identity: Some(holder.to_owned()),
        lease_duration_seconds: Some(LEASE_SECONDS),
        acquire_time: Some(now.clone()),
        renew_time: Some(now),
        ..LeaseSpec::default()
    };
    let written = match existing {
        Some(mut lease) => {
            lease.spec = Some(spec);
            leases.replace(LEASE, &PostParams::default(), &lease).await
        }
        None => {
            let metadata = ObjectMeta { name: Some(LEASE.to_owned()), ..ObjectMeta::default() };
            leases.create(&PostParams::default(), &Lease { metadata, spec: Some(spec) }).await
        }
    };
    match written {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 409 => {
            Err(Error::new(ErrorKind::Busy, "another run took the Lease `pachsnap` at this very moment")
                .advise("wait for it, or put the cluster back with `pachsnap resume`"))
        }
        Err(error) => Err(error.into()),
    }
}

fn is_alive(spec: &LeaseSpec) -> bool {
    let Some(renewed) = &spec.renew_time else { return false };
    let duration = spec.lease_duration_seconds.unwrap_or(LEASE_SECONDS);
    Timestamp::now().as_second() - renewed.0.as_second() < i64::from(duration)
}

/// How far in the future the last sign is by our clock.
fn seconds_ahead(spec: &LeaseSpec) -> i64 {
    let renewed = spec.renew_time.as_ref().map_or(0, |renewed| renewed.0.as_second());
    (renewed - Timestamp::now().as_second()).max(0)
}

pub(super) async fn release(leases: &Api<Lease>, holder: &str) -> Result<()> {
    let Some(lease) = leases.get_opt(LEASE).await? else { return Ok(()) };
    if lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default() != holder {
        return Ok(());
    }
    match leases.delete(LEASE, &DeleteParams::default()).await {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// Renews the lease until it is aborted, or finds it with another holder. A failed renewal is tried again at the next turn:
/// [`Hold::check`] tells the truth before each change.
pub(super) fn keep_renewing(leases: Api<Lease>, holder: String) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            let Ok(Some(mut lease)) = leases.get_opt(LEASE).await else { continue };
            let Some(spec) = lease.spec.as_mut() else { return };
            if spec.holder_identity.as_deref() != Some(holder.as_str()) {
                return;
            }
            spec.renew_time = Some(MicroTime(Timestamp::now()));
            let _ = leases.replace(LEASE, &PostParams::default(), &lease).await;
        }
    })
}
