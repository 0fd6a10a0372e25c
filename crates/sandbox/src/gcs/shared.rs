//! What all connections of a server share, and what every call passes.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use http::HeaderMap;
use tokio_util::sync::CancellationToken;

use super::accounts::{Accounts, Caller};
use super::failure::Failure;
use super::fault::{Fault, FaultScript};
use super::operation::{Call, Operation};
use super::options::GcsOptions;
use super::rewrite::Rewrites;
use super::rights::Permissions;
use super::store::{Store, StoredBucket};
use super::upload::Upload;
use crate::traffic::Traffic;

/// The state of a server.
pub(super) struct Shared {
    pub(super) options: GcsOptions,
    /// Its URL.
    pub(super) endpoint: String,
    pub(super) store: Store,
    pub(super) faults: FaultScript,
    pub(super) traffic: Traffic,
    pub(super) accounts: Accounts,
    pub(super) permissions: RwLock<Option<Arc<Permissions>>>,
    pub(super) rewrites: Rewrites,
    /// Resumable uploads, by their ids.
    pub(super) uploads: Mutex<HashMap<String, Upload>>,
    pub(super) user_projects: Mutex<BTreeSet<String>>,
}

impl Shared {
    pub(super) fn new(options: GcsOptions, endpoint: String) -> Self {
        Self {
            endpoint,
            store: Store::default(),
            faults: FaultScript::default(),
            traffic: Traffic::of(Operation::ALL.len()),
            accounts: Accounts::new(options.token_lifetime, options.anonymous),
            permissions: RwLock::default(),
            rewrites: Rewrites::default(),
            uploads: Mutex::default(),
            user_projects: Mutex::default(),
            options,
        }
    }

    /// Counts a call, delays it, and lets the fault script have its way before anything is done.
    pub(super) async fn enter(&self, call: Call<'_>, hang_up: &CancellationToken) -> Result<Option<Fault>, Failure> {
        self.traffic.begin(call.operation as usize).await;
        let fault = self.faults.next(call.operation, call.key);
        match &fault {
            Some(Fault::DropBefore) => drop_connection(hang_up).await,
            Some(ordered) => Failure::ordered(ordered).map_or(Ok(fault), Err),
            None => Ok(None),
        }
    }

    /// Who makes a call. `billed` is the project that its query names, if it does.
    pub(super) fn caller(&self, headers: &HeaderMap, billed: Option<String>) -> Result<Caller, Failure> {
        let account = self.accounts.account(headers)?;
        let header = || headers.get("x-goog-user-project").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let user_project = billed.or_else(header);
        let caller = Caller { account, user_project };
        if let Some(project) = &caller.user_project {
            self.permit(&caller, "serviceusage.services.use", "", "project")?;
            self.user_projects.lock().unwrap_or_else(PoisonError::into_inner).insert(project.clone());
        }
        Ok(caller)
    }

    /// Refuses a call that needs a permission which isn't granted. `kind` is what the permission is about.
    pub(super) fn permit(&self, caller: &Caller, permission: &str, bucket: &str, kind: &str) -> Result<(), Failure> {
        let permissions = self.permissions.read().unwrap_or_else(PoisonError::into_inner);
        match permissions.as_ref() {
            Some(permissions) if !permissions.allows(permission, bucket) => {
                Err(Failure::denied(&caller.account, permission, kind))
            }
            _ => Ok(()),
        }
    }
}

impl Caller {
    /// Refuses a call that nobody pays for.
    pub(super) fn pays(&self, bucket: &StoredBucket) -> Result<(), Failure> {
        if bucket.facts.requester_pays && self.user_project.is_none() {
            return Err(Failure::no_user_project());
        }
        Ok(())
    }
}

/// Closes the connection that a call came by. The call ends with it.
pub(super) async fn drop_connection<T>(hang_up: &CancellationToken) -> T {
    hang_up.cancel();
    std::future::pending().await
}
