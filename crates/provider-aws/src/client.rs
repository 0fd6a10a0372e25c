//! The clients of EC2: one that sends each request once, and one that sends it again where that does no harm.

use std::time::Duration;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::config::timeout::TimeoutConfig;
use aws_sdk_ec2::config::{AppName, BehaviorVersion, Builder, IdentityCache, Region};
use provider::{Error, ErrorKind, Result};

use crate::{EbsOptions, EbsProblem};

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// The clients of one region. Clones share their connections.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    /// Sends each request once. `CreateSnapshot` takes no client token: sent again, it makes a second snapshot.
    pub(crate) once: Client,
    /// Sends a request up to three times, as the SDK does by itself. For calls that may be repeated.
    pub(crate) retrying: Client,
    /// The region that requests go to.
    pub(crate) region: String,
}

impl Clients {
    pub(crate) async fn connect(options: &EbsOptions) -> Result<Self> {
        let found = options.credentials.sdk_config(options.region.as_deref()).await;
        let Some(region) = found.region().map(ToString::to_string) else {
            return Err(Error::new(ErrorKind::Invalid, "connect", "EC2").with_source(EbsProblem::NoRegion));
        };
        let timeouts =
            TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(options.answer_limit).build();
        let mut builder = Builder::from(&found)
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.clone()))
            // Named here, so that both clients share what was found.
            .identity_cache(IdentityCache::lazy().build())
            .timeout_config(timeouts);
        // The environment may name an endpoint; the options alone decide.
        builder.set_endpoint_url(options.endpoint.clone());
        if let Ok(name) = AppName::new("pachsnap") {
            builder = builder.app_name(name);
        }
        let once = builder.retry_config(RetryConfig::disabled()).build();
        let retrying = once.to_builder().retry_config(RetryConfig::standard()).build();
        Ok(Self { once: Client::from_conf(once), retrying: Client::from_conf(retrying), region })
    }
}
