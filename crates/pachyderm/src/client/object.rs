//! Service `pfs.ObjectAPI`, for a client of the peer port (653, service `pachd-peer`).
//!
//! The external port has it only with `EXPOSE_OBJECT_API=true` and otherwise answers
//! [`Condition::UnknownService`](crate::error::Condition::UnknownService).

use super::{Client, Messages};
use crate::{
    error::Error,
    proto::{
        method,
        pfs::{CheckObjectRequest, CheckObjectResponse, ListObjectsRequest, Object, ObjectInfo},
    },
};

impl Client {
    /// Whether pachd can find an object, by its hash, in its object store.
    ///
    /// # Errors
    ///
    /// The service is not there, or the call fails.
    pub async fn check_object(&self, hash: &str) -> Result<bool, Error> {
        let request = CheckObjectRequest { object: Some(Object { hash: hash.into() }) };
        let answer: CheckObjectResponse = self.caller.unary(method::CHECK_OBJECT, hash, request).await?;
        Ok(answer.exists)
    }

    /// All objects, in no order. With reversed keys pachd walks the whole bucket for it.
    ///
    /// # Errors
    ///
    /// The service is not there, or the call fails at once or in the middle.
    pub async fn list_objects(&self) -> Result<Messages<ObjectInfo>, Error> {
        self.caller.stream(method::LIST_OBJECTS, "", ListObjectsRequest {}).await
    }
}
