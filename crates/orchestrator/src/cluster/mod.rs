//! The cluster as it was discovered: from a namespace alone to everything that a run has to know.

mod bucket_location;
mod connection;
mod deployments;
mod description;
mod discover;
mod environment;
mod etcd_pods;
mod etcd_volume;
mod etcd_workload;
mod ground;
mod identity;
pub mod rights;
mod services;
pub(crate) mod work;

use std::sync::Arc;

use jiff::Timestamp;
use pachyderm::client::Client;
use pachyderm::etcd::EtcdClient;
use provider::{Bucket, BucketFacts};

pub use bucket_location::{AccessKey, BucketLocation, BucketPlace, ServiceAccountKey};
pub(crate) use connection::etcd_of_pod;
pub use connection::{Connection, PodPort, Pods, is_ready};
pub use description::ClusterDescription;
pub use discover::{connect_pachd, discover, etcd_volumes};
pub(crate) use etcd_volume::{BETWEEN_ZONES, ZONES};
pub(crate) use etcd_workload::EtcdWorkload;
pub(crate) use ground::Ground;
pub use services::EntryService;
pub use work::{Pipeline, Work, pipeline_state_name};

use crate::error::{Error, ErrorKind};
use crate::manifest::ClusterRecord;

/// A cluster that was discovered and proven to be what it seems: etcd, pachd and the bucket belong together.
pub struct Cluster {
    /// What the manifest records of it.
    pub record: ClusterRecord,
    /// Kubernetes client.
    pub kubernetes: kube::Client,
    /// Its pods.
    pub pods: Pods,
    /// Port of etcd's clients inside its pods.
    pub etcd_port: u16,
    /// pachd.
    pub pachd: Client,
    /// etcd, if it answers.
    pub etcd: Option<EtcdClient>,
    /// Prefix of pachd's keys in etcd.
    pub etcd_prefix: String,
    /// Where the data is.
    pub location: BucketLocation,
    /// The data bucket.
    pub bucket: Arc<dyn Bucket>,
    /// What knows facts of it.
    pub bucket_facts: Option<Arc<dyn BucketFacts>>,
    /// Which stores can copy with it by themselves.
    pub bucket_realm: String,
    /// Ways into the cluster.
    pub services: Vec<EntryService>,
    /// Pipelines, upstream first.
    pub pipelines: Vec<Pipeline>,
    /// Unfinished work.
    pub work: Work,
    /// When the Kubernetes credentials end, where that is known and nothing renews them.
    pub access_ends: Option<Timestamp>,
    /// What could not be read and does not end the run.
    pub warnings: Vec<String>,
}

impl Cluster {
    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.record.namespace
    }

    /// pachd's version as numbers.
    #[must_use]
    pub fn version(&self) -> (u32, u32, u32) {
        parse_version(&self.record.pachd_version)
    }
}

/// The numbers of a version such as `1.13.4` or `1.13.4-abc`; what is missing is 0.
pub(crate) fn parse_version(text: &str) -> (u32, u32, u32) {
    let mut numbers = text
        .split('.')
        .map(|part| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or_default());
    let mut next = || numbers.next().unwrap_or_default();
    (next(), next(), next())
}

/// An error of pachd as an error of a workflow.
pub(crate) fn pachd_error(doing: &str, error: pachyderm::error::Error) -> Error {
    use pachyderm::error::Condition;
    let (kind, advice) = match error.condition() {
        Condition::TokenMissing | Condition::TokenInvalid | Condition::NotAdmin | Condition::AccessDenied => (
            ErrorKind::Denied,
            Some(
                "auth is active: give an administrator's token by token-file or PACHSNAP_TOKEN (see `pachctl auth get-auth-token`)",
            ),
        ),
        _ if error.retry_helps() => (ErrorKind::Unreachable, None),
        _ => (ErrorKind::Failed, None),
    };
    let wrapped = Error::new(kind, format!("{doing} failed at pachd")).because(error);
    match advice {
        Some(advice) => wrapped.advise(advice),
        None => wrapped,
    }
}

/// An error of etcd as an error of a workflow.
pub(crate) fn etcd_error(doing: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Unreachable, format!("{doing} failed at etcd")).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_with_and_without_suffix() {
        assert_eq!(parse_version("1.13.4"), (1, 13, 4));
        assert_eq!(parse_version("1.9.0-0a1b"), (1, 9, 0));
        assert_eq!(parse_version("1.7"), (1, 7, 0));
    }
}
