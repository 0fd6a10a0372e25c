//! The Kubernetes API with the user's own rights: kubeconfig and context as kubectl finds them.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use jiff::Timestamp;
use kube::config::{KubeConfigOptions, Kubeconfig};
use orchestrator::{Error, ErrorKind};
use secrecy::ExposeSecret;

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
/// `Configuration` when its certificates or its way to authenticate can't be used.
pub(crate) fn client(settings: kube::Config) -> Result<kube::Client, Error> {
    kube::Client::try_from(settings).map_err(|cause| unusable().because(cause))
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
