//! Whether a vault can be used, found out by using it.

use std::sync::Arc;

use bytes::Bytes;
use provider::{BucketFacts, Error, ErrorKind, Exposure, Facts, Key, PutMode, PutRequest};
use uuid::Uuid;

use super::content::Content;
use super::{Result, Vault, VaultError};
use crate::retry::{RetryPolicy, retrying};

/// What a check of a vault found out about its bucket; `None` where the store can't or may not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VaultFacts {
    /// Facts of the bucket.
    pub facts: Option<Facts>,
}

impl VaultFacts {
    /// Who can read the vault, as far as the store tells it.
    #[must_use]
    pub fn exposure(&self) -> Option<Exposure> {
        self.facts.as_ref().and_then(|facts| facts.exposure)
    }
}

/// Facts of a bucket; `None` where the store doesn't tell them, or not to these credentials.
///
/// # Errors
/// Those of the store, when they don't pass.
pub(crate) async fn read_facts(
    facts: Option<&Arc<dyn BucketFacts>>,
    policy: RetryPolicy,
) -> provider::Result<Option<Facts>> {
    let Some(facts) = facts else { return Ok(None) };
    match retrying(policy, || facts.facts()).await {
        Ok(facts) => Ok(Some(facts)),
        Err(error) if matches!(error.kind(), ErrorKind::Denied | ErrorKind::Unsupported) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Vault {
    /// Proves that the vault can be used: not public, as far as facts tell; an object can be created, not created
    /// twice, read back and deleted. Leaves nothing behind.
    ///
    /// # Errors
    /// [`VaultError::Public`], [`VaultError::WithoutCreateOnly`], [`VaultError::NotWritable`],
    /// [`VaultError::Unreachable`].
    pub async fn check_usable(&self) -> Result<VaultFacts> {
        let facts = self.read_facts().await?;
        if facts.exposure() == Some(Exposure::Public) {
            return Err(VaultError::Public { location: self.location() });
        }
        if !self.bucket.capabilities().create_only_put {
            return Err(VaultError::WithoutCreateOnly { location: self.location(), source: None });
        }
        let probe = Key::new(format!("{}/probe-{}", self.cluster, Uuid::new_v4().simple()));
        let proof = self.prove_writes(&probe).await;
        let removed = self.remove(&probe).await.map_err(|error| self.refusal(error));
        proof.and(removed)?;
        Ok(facts)
    }

    async fn read_facts(&self) -> Result<VaultFacts> {
        let facts = read_facts(self.facts.as_ref(), self.retry).await;
        facts
            .map(|facts| VaultFacts { facts })
            .map_err(|source| VaultError::Unreachable { location: self.location(), source })
    }

    async fn prove_writes(&self, probe: &Key) -> Result<()> {
        let first = Bytes::from(format!("{probe} first"));
        let second = Bytes::from(format!("{probe} second"));
        match self.create(probe, Content::Bytes(&first)).await {
            Ok(_) => {}
            Err(VaultError::Store { source, .. } | VaultError::Missing { source, .. }) => {
                return Err(self.refusal(source));
            }
            Err(error) => return Err(error),
        }
        let again = || self.bucket.put(PutRequest::bytes(probe.clone(), PutMode::CreateOnly, second.clone()));
        match retrying(self.retry, again).await {
            Ok(_) => return Err(VaultError::WithoutCreateOnly { location: self.location(), source: None }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(self.refusal(error)),
        }
        match self.read_whole(probe).await {
            Ok(read) if read == first => Ok(()),
            Ok(_) => Err(self.refusal(Error::new(ErrorKind::Corrupt, "get", probe.as_str()))),
            Err(VaultError::Store { source, .. } | VaultError::Missing { source, .. }) => Err(self.refusal(source)),
            Err(error) => Err(error),
        }
    }

    async fn remove(&self, key: &Key) -> provider::Result<()> {
        let keys = [key.clone()];
        let delete = || async {
            for outcome in self.bucket.delete(&keys).await? {
                outcome.result?;
            }
            Ok(())
        };
        retrying(self.retry, delete).await
    }

    /// The store's answer to a probe, sorted by what the operator can do about it.
    fn refusal(&self, source: Error) -> VaultError {
        let location = self.location();
        match source.kind() {
            ErrorKind::NotFound
            | ErrorKind::Unauthenticated
            | ErrorKind::Unavailable
            | ErrorKind::Timeout
            | ErrorKind::Throttled => VaultError::Unreachable { location, source },
            ErrorKind::Unsupported => VaultError::WithoutCreateOnly { location, source: Some(source) },
            _ => VaultError::NotWritable { location, source },
        }
    }
}
