//! Identity providers.

use bytes::Bytes;

/// The configuration of auth.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct AuthConfig {
    /// Counts changes; a stream carries 0.
    #[prost(int64, tag = "1")]
    pub live_config_version: i64,
    /// The identity providers.
    #[prost(message, repeated, tag = "2")]
    pub id_providers: Vec<IdProvider>,
    /// Options of pachd's SAML endpoint, encoded.
    #[prost(bytes = "bytes", optional, tag = "3")]
    pub saml_svc_options: Option<Bytes>,
}

/// One identity provider.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct IdProvider {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// For people.
    #[prost(string, tag = "2")]
    pub description: String,
    /// Options of a SAML provider, encoded.
    #[prost(bytes = "bytes", optional, tag = "3")]
    pub saml: Option<Bytes>,
    /// Present for GitHub; a message without fields.
    #[prost(bytes = "bytes", optional, tag = "4")]
    pub github: Option<Bytes>,
    /// Options of an OpenID Connect provider.
    #[prost(message, optional, tag = "5")]
    pub oidc: Option<OidcOptions>,
}

/// Options of an OpenID Connect provider. `client_secret` is a secret.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct OidcOptions {
    /// URL of the provider.
    #[prost(string, tag = "1")]
    pub issuer: String,
    /// pachd's name there.
    #[prost(string, tag = "2")]
    pub client_id: String,
    /// pachd's secret there.
    #[prost(string, tag = "3")]
    pub client_secret: String,
    /// Where the provider sends people back to.
    #[prost(string, tag = "4")]
    pub redirect_uri: String,
    /// Scopes asked for besides the usual ones.
    #[prost(string, repeated, tag = "5")]
    pub additional_scopes: Vec<String>,
    /// Accept addresses that the provider has not verified.
    #[prost(bool, tag = "6")]
    pub ignore_email_verified: bool,
}

/// Asks for the configuration.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GetConfigurationRequest {}

/// The configuration.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GetConfigurationResponse {
    /// The configuration.
    #[prost(message, optional, tag = "1")]
    pub configuration: Option<AuthConfig>,
}

/// Replaces the configuration.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SetConfigurationRequest {
    /// The whole new configuration.
    #[prost(message, optional, tag = "1")]
    pub configuration: Option<AuthConfig>,
}

/// The answer: nothing.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SetConfigurationResponse {}
