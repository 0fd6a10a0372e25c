//! The Lease alone, for work that has a record of its own.

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use tokio::task::JoinHandle;

use super::hold::{LEASE, acquire, keep_renewing, release};
use super::hold_lost;
use crate::error::Result;
use crate::event::Events;

/// A namespace that no other run works in. Dropped without being given back, the Lease ends by itself.
pub(crate) struct LeaseHold {
    leases: Api<Lease>,
    holder: String,
    renewal: JoinHandle<()>,
}

impl LeaseHold {
    /// Takes the Lease.
    ///
    /// # Errors
    /// `Busy` while another run holds it.
    pub(crate) async fn take(
        kubernetes: &kube::Client,
        namespace: &str,
        holder: String,
        events: &Events,
    ) -> Result<Self> {
        let leases: Api<Lease> = Api::namespaced(kubernetes.clone(), namespace);
        events.change("take", format!("Lease {LEASE}"), acquire(&leases, &holder, false)).await?;
        let renewal = keep_renewing(leases.clone(), holder.clone());
        Ok(Self { leases, holder, renewal })
    }

    /// Makes sure that it is still ours.
    ///
    /// # Errors
    /// `Disturbed` when somebody else has it.
    pub(crate) async fn check(&self) -> Result<()> {
        let lease = self.leases.get_opt(LEASE).await?;
        let holder = lease.and_then(|lease| lease.spec).and_then(|spec| spec.holder_identity);
        if holder.as_deref() == Some(self.holder.as_str()) {
            return Ok(());
        }
        Err(hold_lost("the Lease `pachsnap` is no longer ours"))
    }

    /// Gives it back. If that fails it ends by itself, which is said.
    pub(crate) async fn give_back(self, events: &Events) {
        self.renewal.abort();
        let released = events.change("release", format!("Lease {LEASE}"), release(&self.leases, &self.holder)).await;
        if let Err(error) = released {
            let why = crate::error::chain(&error);
            events.warn(format!("the Lease {LEASE} could not be given back ({why}); it ends by itself"));
        }
    }
}

impl Drop for LeaseHold {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}
