//! Where EC2 is played, and how it is reached.

use std::time::Duration;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_ec2::types::VolumeType;
pub(crate) use provider::testkit::volume_requests::{cut, outcome, owner, ready, restore, words};
use provider_aws::s3::CredentialsConfig;
use provider_aws::{EbsOptions, EbsSnapshots};
use sandbox::ec2::{Ec2Options, Ec2Server, NewVolume};
use sandbox::programs::moto::Moto;

pub(crate) const REGION: &str = "us-east-1";
pub(crate) const ZONE: &str = "us-east-1a";
pub(crate) const MISSING_VOLUME: &str = "vol-0ffffffffffffffff";

/// A running EC2.
#[derive(Debug)]
pub(crate) enum Place {
    Sandbox(Ec2Server),
    Moto(Moto),
}

impl Place {
    pub(crate) async fn sandbox() -> Self {
        Self::Sandbox(Ec2Server::start(Ec2Options::default()).await.unwrap())
    }

    pub(crate) async fn moto() -> Self {
        Self::Moto(Moto::start().await.unwrap())
    }

    pub(crate) fn endpoint(&self) -> String {
        match self {
            Self::Sandbox(server) => server.endpoint(),
            Self::Moto(moto) => moto.endpoint(),
        }
    }

    pub(crate) fn server(&self) -> Option<&Ec2Server> {
        match self {
            Self::Sandbox(server) => Some(server),
            Self::Moto(_) => None,
        }
    }

    pub(crate) async fn connect(&self) -> EbsSnapshots {
        EbsSnapshots::connect(options(&self.endpoint())).await.unwrap()
    }

    /// A new volume of 10 GiB.
    pub(crate) async fn volume(&self) -> String {
        match self {
            Self::Sandbox(server) => server.add_volume(NewVolume::default()),
            Self::Moto(_) => {
                let call = self.client().create_volume().availability_zone(ZONE).size(10);
                call.volume_type(VolumeType::Gp3).send().await.unwrap().volume_id.unwrap()
            }
        }
    }

    /// The SDK itself, which sends everything once.
    pub(crate) fn client(&self) -> Client {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .endpoint_url(self.endpoint())
            .credentials_provider(Credentials::new("sandbox", "secret", None, None, "test"))
            .retry_config(aws_sdk_ec2::config::retry::RetryConfig::disabled())
            .build();
        Client::from_conf(config)
    }
}

pub(crate) fn credentials(id: &str) -> CredentialsConfig {
    CredentialsConfig::Static { access_key_id: id.to_owned(), secret_access_key: "secret".into(), session_token: None }
}

/// In a hurry.
pub(crate) fn options(endpoint: &str) -> EbsOptions {
    EbsOptions {
        region: Some(REGION.to_owned()),
        endpoint: Some(endpoint.to_owned()),
        credentials: credentials("sandbox"),
        poll: Duration::from_millis(5),
        available_limit: Duration::from_secs(5),
        answer_limit: Duration::from_secs(5),
        lookup_limit: Duration::from_millis(300),
        listing_lag: Duration::from_secs(2),
        ..EbsOptions::default()
    }
}

/// A sandbox alone, with a volume.
pub(crate) async fn sandbox(options: Ec2Options) -> (Ec2Server, String) {
    let server = Ec2Server::start(options).await.unwrap();
    let volume = server.add_volume(NewVolume::default());
    (server, volume)
}

pub(crate) async fn connect(server: &Ec2Server) -> EbsSnapshots {
    EbsSnapshots::connect(options(&server.endpoint())).await.unwrap()
}

/// How often an action was called.
pub(crate) fn count(server: &Ec2Server, action: &str) -> usize {
    server.calls().iter().filter(|call| call.action == action).count()
}
