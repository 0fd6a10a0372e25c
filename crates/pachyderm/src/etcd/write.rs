//! Calls that change what an etcd holds: only a restore makes them.

use super::client::EtcdClient;
use super::proto::{LeaseGrantRequest, LeaseGrantResponse, TxnRequest, TxnResponse, method};
use crate::error::Error;

impl EtcdClient {
    /// Does operations together, by the outcome of comparisons: all of them at one revision, or none.
    ///
    /// # Errors
    ///
    /// The call fails. After a lost connection the transaction may have been done.
    pub async fn transaction(&self, request: TxnRequest) -> Result<TxnResponse, Error> {
        self.caller.unary(method::TXN, "", request).await
    }

    /// Grants a lease of this many seconds under an id of the caller's choice. Answers whether it is new: one of that id may
    /// be there already, by an earlier call whose answer was lost.
    ///
    /// # Errors
    ///
    /// The call fails.
    pub async fn grant_lease(&self, id: i64, seconds: i64) -> Result<bool, Error> {
        let request = LeaseGrantRequest { ttl: seconds, id };
        let granted: Result<LeaseGrantResponse, Error> =
            self.caller.unary(method::LEASE_GRANT, &format!("{id:x}"), request).await;
        match granted {
            Ok(_) => Ok(true),
            Err(error) if error.status().is_some_and(|status| status.message().contains("lease already exists")) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}
