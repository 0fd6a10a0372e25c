//! Package `enterprise`: the licence.

use prost_types::Timestamp;

/// State of the licence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum State {
    /// There is no licence.
    None = 0,
    /// The licence is valid.
    Active = 1,
    /// The licence has expired.
    Expired = 2,
}

/// What is known of a licence.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct TokenInfo {
    /// When it ends.
    #[prost(message, optional, tag = "1")]
    pub expires: Option<Timestamp>,
}

/// Asks for the state of the licence.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GetStateRequest {}

/// The state of the licence. `activation_code` is a secret.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GetStateResponse {
    /// A [`State`].
    #[prost(int32, tag = "1")]
    pub state: i32,
    /// When it ends.
    #[prost(message, optional, tag = "2")]
    pub info: Option<TokenInfo>,
    /// The licence code (1.9 and later).
    #[prost(string, tag = "3")]
    pub activation_code: String,
}

/// Asks for the licence code (1.12 and later).
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GetActivationCodeRequest {}

/// The licence code. `activation_code` is a secret.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GetActivationCodeResponse {
    /// A [`State`].
    #[prost(int32, tag = "1")]
    pub state: i32,
    /// When it ends.
    #[prost(message, optional, tag = "2")]
    pub info: Option<TokenInfo>,
    /// The licence code.
    #[prost(string, tag = "3")]
    pub activation_code: String,
}

/// Activates a licence. `activation_code` is a secret.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ActivateRequest {
    /// The licence code.
    #[prost(string, tag = "1")]
    pub activation_code: String,
    /// Overrides when it ends.
    #[prost(message, optional, tag = "2")]
    pub expires: Option<Timestamp>,
}

/// The activated licence.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ActivateResponse {
    /// When it ends.
    #[prost(message, optional, tag = "1")]
    pub info: Option<TokenInfo>,
}

/// The licence as stored in etcd under `pachyderm_enterprise/token`. `activation_code` is a secret.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct EnterpriseRecord {
    /// The licence code.
    #[prost(string, tag = "1")]
    pub activation_code: String,
    /// When it ends.
    #[prost(message, optional, tag = "2")]
    pub expires: Option<Timestamp>,
}
