//! The clients of a store, set up so that each request is sent once.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    AppName, BehaviorVersion, Builder, Config, ConfigBag, IdentityCache, Intercept, Region, RequestChecksumCalculation,
    ResponseChecksumValidation, RuntimeComponents, SharedCredentialsProvider, StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::BoxError;

use crate::credentials::SharedCredentials;
use crate::hot::HotCalls;
use crate::hot::choice::{ClientChoice, ClientKind, WhySdk};
use crate::hot::lean::{AddressRules, Connections, Lean, Store};
use crate::hot::sdk::Sdk;
use crate::terms::Terms;
use crate::{Quirks, S3Config};

/// The clients of one store. Clones share their connections.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    /// For calls that answer at once or keep sending.
    pub(crate) quick: LazyClient,
    /// For copies and completed uploads: S3 sends the headers at once and the body when it is done, minutes later.
    pub(crate) patient: LazyClient,
    /// The region that requests are signed for.
    pub(crate) region: String,
    /// What requests carry besides their own.
    pub(crate) terms: Arc<Terms>,
    /// `None` when the SDK was asked for.
    lean: Option<Result<LeanParts, WhySdk>>,
}

/// A client of the SDK that is made when it is first used: threads have clients of their own, and few of them use them.
#[derive(Clone, Debug)]
pub(crate) struct LazyClient {
    config: Config,
    client: Arc<OnceLock<Client>>,
}

impl LazyClient {
    fn new(config: Config) -> Self {
        Self { config, client: Arc::default() }
    }

    pub(crate) fn get(&self) -> &Client {
        self.client.get_or_init(|| Client::from_conf(self.config.clone()))
    }
}

/// What the lean client of a bucket is made of.
#[derive(Clone, Debug)]
struct LeanParts {
    rules: AddressRules,
    store: Arc<Store>,
    connections: Connections,
}

impl Clients {
    pub(crate) async fn connect(config: &S3Config, quirks: &Quirks, terms: Terms) -> Self {
        let terms = Arc::new(terms);
        let mut region = config.region.clone().or_else(|| config.endpoint.is_some().then(|| "us-east-1".to_owned()));
        let found = config.credentials.sdk_config(region.as_deref()).await;
        region = region.or_else(|| found.region().map(ToString::to_string));
        let (fips, dual_stack) = (found.use_fips(), found.use_dual_stack());
        let mut builder = Builder::from(&found);
        // The environment may name an endpoint; the configuration alone decides.
        builder.set_endpoint_url(None);
        let provider = found.credentials_provider();
        let credentials = provider.map(SharedCredentials::new);
        if let Some(credentials) = &credentials {
            builder = builder.credentials_provider(SharedCredentialsProvider::new(credentials.clone()));
        }
        let region = region.unwrap_or_else(|| "us-east-1".to_owned());
        let path_style = config.path_style.unwrap_or(config.endpoint.is_some());
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
            .force_path_style(path_style)
            .retry_config(RetryConfig::disabled())
            // Named here, so that clients made of this configuration later share it.
            .identity_cache(IdentityCache::lazy().build())
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
        if !terms.all.is_empty() {
            builder = builder.interceptor(OnEveryRequest(Arc::clone(&terms)));
        }
        let quick = builder.build();
        let patient = quick
            .to_builder()
            .timeout_config(patient)
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        let lean = (config.client == ClientKind::Lean).then(|| {
            let endpoint = config.endpoint.clone();
            Ok(LeanParts {
                connections: Connections::new(endpoint.as_deref(), timeouts)?,
                store: Arc::new(Store::new(credentials.ok_or(WhySdk::Credentials)?, timeouts)),
                rules: AddressRules { region: region.clone(), endpoint, path_style, fips, dual_stack },
            })
        });
        Self { quick: LazyClient::new(quick), patient: LazyClient::new(patient), region, terms, lean }
    }

    /// The same clients with connections of their own, none of them made yet. Credentials are shared.
    pub(crate) fn with_own_connections(&self) -> Self {
        let own = |client: &LazyClient| LazyClient::new(client.config.clone());
        let lean = self
            .lean
            .clone()
            .map(|parts| parts.map(|parts| LeanParts { connections: parts.connections.own(), ..parts }));
        let (region, terms) = (self.region.clone(), Arc::clone(&self.terms));
        Self { quick: own(&self.quick), patient: own(&self.patient), region, terms, lean }
    }

    /// The client for the two hot calls on a bucket: the one asked for, or the SDK where that one can't work.
    pub(crate) fn hot(&self, bucket: &str) -> (Arc<dyn HotCalls>, ClientChoice) {
        let lean = self.lean.as_ref().map(|parts| {
            let parts = parts.as_ref().map_err(|because| *because)?;
            let address = parts.rules.resolve(bucket)?;
            Ok(Lean::new(parts.connections.clone(), parts.store.clone(), address, Arc::clone(&self.terms)))
        });
        let because = match lean {
            Some(Ok(lean)) => return (Arc::new(lean), ClientChoice { kind: ClientKind::Lean, because: None }),
            Some(Err(because)) => {
                tracing::info!(bucket, reason = %because, "the SDK copies and lists in this bucket");
                Some(because)
            }
            None => None,
        };
        let (quick, patient) = (self.quick.get().clone(), self.patient.get().clone());
        let sdk = Sdk { quick, patient, bucket: bucket.to_owned(), terms: Arc::clone(&self.terms) };
        (Arc::new(sdk), ClientChoice { kind: ClientKind::Sdk, because })
    }
}

/// Adds to the SDK's requests what all requests carry, before they are signed.
#[derive(Debug)]
struct OnEveryRequest(Arc<Terms>);

impl Intercept for OnEveryRequest {
    fn name(&self) -> &'static str {
        "OnEveryRequest"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        for (name, value) in &self.0.all {
            context.request_mut().headers_mut().try_insert(name.as_str().to_owned(), value.to_str()?.to_owned())?;
        }
        Ok(())
    }
}
