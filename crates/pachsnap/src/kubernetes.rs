//! The Kubernetes API with the user's own rights: kubeconfig and context as kubectl finds them.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use kube::client::retry::RetryPolicy;
use kube::client::{ClientBuilder, ConfigExt};
use kube::config::{KubeConfigOptions, Kubeconfig};
use orchestrator::{Error, ErrorKind};
use secrecy::ExposeSecret;
use tower::retry::RetryLayer;
use tower::{BoxError, ServiceBuilder};

use crate::config::Config;

/// Where this program runs, as seen from the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Anywhere: the API server is all that is sure to be reached.
    Outside,
    /// In a pod of the cluster.
    Inside,
}

/// The connection's settings, from the configured kubeconfig, else from where kubectl looks, else from the pod that we
/// run in.
///
/// # Errors
/// `Configuration` without a usable kubeconfig.
pub(crate) async fn settings(config: &Config) -> Result<(kube::Config, Place), Error> {
    let options = KubeConfigOptions {
        context: config.text("cluster.context").map(str::to_owned),
        ..KubeConfigOptions::default()
    };
    let settings = match config.path("cluster.kubeconfig") {
        Some(path) => {
            let kubeconfig = Kubeconfig::read_from(&path).map_err(|cause| unusable().because(cause))?;
            kube::Config::from_custom_kubeconfig(kubeconfig, &options)
                .await
                .map_err(|cause| unusable().because(cause))?
        }
        None if options.context.is_some() => {
            kube::Config::from_kubeconfig(&options).await.map_err(|cause| unusable().because(cause))?
        }
        None => match kube::Config::from_kubeconfig(&options).await {
            Ok(settings) => settings,
            Err(cause) => match kube::Config::incluster() {
                Ok(settings) => return Ok((settings, Place::Inside)),
                // No pod: what is missing is a kubeconfig.
                Err(_) => return Err(unusable().because(cause)),
            },
        },
    };
    Ok((settings, Place::Outside))
}

/// A client with these settings.
///
/// # Errors
/// `Configuration` when its certificates, its proxy or its way to authenticate can't be used.
pub(crate) fn client(settings: kube::Config) -> Result<kube::Client, Error> {
    // Which proxies can be used only kube knows.
    let client = if settings.proxy_url.is_some() { kube::Client::try_from(settings) } else { undelayed(&settings) };
    client.map_err(|cause| unusable().because(cause))
}

/// kube's own client, but for `TCP_NODELAY`, which it has no setting for. A gRPC call through a port-forward is several small
/// writes: without it each of them waits until the one before is acknowledged, which the other side puts off for 40 ms.
fn undelayed(settings: &kube::Config) -> kube::Result<kube::Client> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    let mut connector = TimeoutConnector::new(settings.rustls_https_connector_with_connector(connector)?);
    connector.set_connect_timeout(settings.connect_timeout);
    connector.set_read_timeout(settings.read_timeout);
    connector.set_write_timeout(settings.write_timeout);
    connector.set_reset_reader_on_write(settings.reset_reader_on_write);
    let retry = settings.default_retry.then(|| RetryLayer::new(RetryPolicy::server_retry()));
    let service = ServiceBuilder::new()
        .layer(settings.base_uri_layer())
        .option_layer(retry)
        .option_layer(settings.auth_layer()?)
        .layer(settings.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector));
    Ok(ClientBuilder::new(service, settings.default_namespace.clone()).build())
}

/// When the token of a kubeconfig ends: known of a JSON web token that is written there. What a program or a file gives is
/// renewed.
pub(crate) fn access_ends(settings: &kube::Config) -> Option<Timestamp> {
    expiry(settings.auth_info.token.as_ref()?.expose_secret())
}

/// The `exp` of a JSON web token (RFC 7519 §4.1.4), unchecked: nothing is decided by it but to stop early.
fn expiry(token: &str) -> Option<Timestamp> {
    let payload = token.split('.').nth(1)?;
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&payload).ok()?;
    Timestamp::from_second(claims.get("exp")?.as_i64()?).ok()
}

fn unusable() -> Error {
    Error::new(ErrorKind::Configuration, "no usable kubeconfig").advise(
        "name one with --kubeconfig or KUBECONFIG, and a context with --context; `kubectl version` uses the same",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_web_token_is_read_and_other_tokens_have_none() {
        let token = |claims: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        assert_eq!(expiry(&token(r#"{"exp":1700000000,"sub":"x"}"#)).map(|end| end.as_second()), Some(1_700_000_000));
        assert_eq!(expiry(&token(r#"{"sub":"x"}"#)), None);
        assert_eq!(expiry("an-opaque-token"), None);
        assert_eq!(expiry("a.b.c"), None);
    }
}
