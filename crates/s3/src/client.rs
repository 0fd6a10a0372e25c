//! The SDK's clients, set up so that each request is sent once.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    AppName, BehaviorVersion, Builder, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    SharedCredentialsProvider, StalledStreamProtectionConfig,
};

use crate::{CredentialsConfig, Quirks, S3Config};

/// Two clients of one store.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    /// For calls that answer at once or keep sending.
    pub(crate) quick: Client,
    /// For copies and completed uploads: S3 sends the headers at once and the body when it is done, minutes later.
    pub(crate) patient: Client,
    /// The region that requests are signed for.
    pub(crate) region: String,
}

impl Clients {
    pub(crate) async fn connect(config: &S3Config, quirks: &Quirks) -> Self {
        let mut builder = Builder::new();
        let mut region = config.region.clone().or_else(|| config.endpoint.is_some().then(|| "us-east-1".to_owned()));
        match &config.credentials {
            CredentialsConfig::Static { access_key_id, secret_access_key, session_token } => {
                let token = session_token.as_ref().map(|token| token.expose().to_owned());
                let pair = Credentials::new(access_key_id, secret_access_key.expose(), token, None, "configuration");
                builder = builder.credentials_provider(SharedCredentialsProvider::new(pair));
            }
            CredentialsConfig::Chain { profile } => {
                let mut loader = aws_config::defaults(BehaviorVersion::latest());
                if let Some(profile) = profile {
                    loader = loader.profile_name(profile);
                }
                if let Some(region) = &region {
                    loader = loader.region(Region::new(region.clone()));
                }
                let found = loader.load().await;
                region = region.or_else(|| found.region().map(ToString::to_string));
                builder = Builder::from(&found);
                // The environment may name an endpoint; the configuration alone decides.
                builder.set_endpoint_url(None);
            }
        }
        let region = region.unwrap_or_else(|| "us-east-1".to_owned());
        let seconds = Duration::from_secs;
        let timeouts = &config.timeouts;
        let usual = TimeoutConfig::builder()
            .connect_timeout(seconds(timeouts.connect_seconds))
            .read_timeout(seconds(timeouts.answer_seconds))
            .build();
        let patient = TimeoutConfig::builder()
            .connect_timeout(seconds(timeouts.connect_seconds))
            .operation_attempt_timeout(seconds(timeouts.copy_seconds))
            .build();
        let stall = StalledStreamProtectionConfig::enabled().grace_period(seconds(timeouts.stall_seconds)).build();
        let validation = if quirks.checksums {
            ResponseChecksumValidation::WhenSupported
        } else {
            ResponseChecksumValidation::WhenRequired
        };
        builder = builder
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.clone()))
            .force_path_style(config.path_style.unwrap_or(config.endpoint.is_some()))
            .retry_config(RetryConfig::disabled())
            // Checksums are computed here, by algorithm and place of our choice.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(validation)
            .timeout_config(usual)
            .stalled_stream_protection(stall);
        if let Some(endpoint) = &config.endpoint {
            builder = builder.endpoint_url(endpoint);
        }
        if let Ok(name) = AppName::new("pachsnap") {
            builder = builder.app_name(name);
        }
        let quick = builder.build();
        let patient = quick
            .to_builder()
            .timeout_config(patient)
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        Self { quick: Client::from_conf(quick), patient: Client::from_conf(patient), region }
    }
}
