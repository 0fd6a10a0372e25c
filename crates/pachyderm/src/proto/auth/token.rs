//! Tokens, stored by their hash.

use prost_types::Timestamp;

/// How a token came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum TokenSource {
    /// Unknown.
    Invalid = 0,
    /// By logging in.
    Authenticate = 1,
    /// By an administrator's request.
    GetToken = 2,
}

/// Whose token it is.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct TokenInfo {
    /// The principal.
    #[prost(string, tag = "1")]
    pub subject: String,
    /// A [`TokenSource`].
    #[prost(int32, tag = "2")]
    pub source: i32,
}

/// A token as stored: the token itself is not recoverable.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct HashedAuthToken {
    /// Hex SHA-256 of the token.
    #[prost(string, tag = "1")]
    pub hashed_token: String,
    /// Whose it is.
    #[prost(message, optional, tag = "2")]
    pub token_info: Option<TokenInfo>,
    /// When it ends; absent never. One in the past fails a whole restore.
    #[prost(message, optional, tag = "3")]
    pub expiration: Option<Timestamp>,
}

/// Asks for the robots' tokens.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ExtractAuthTokensRequest {}

/// The robots' tokens.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ExtractAuthTokensResponse {
    /// One for each.
    #[prost(message, repeated, tag = "1")]
    pub tokens: Vec<HashedAuthToken>,
}

/// Stores a token by its hash.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct RestoreAuthTokenRequest {
    /// The token.
    #[prost(message, optional, tag = "1")]
    pub token: Option<HashedAuthToken>,
}

/// The answer: nothing.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct RestoreAuthTokenResponse {}

/// Logs in; the fields carry one-time secrets and are not read here.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct AuthenticateRequest {}

/// The token of who logged in, a secret.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct AuthenticateResponse {
    /// The token.
    #[prost(string, tag = "1")]
    pub pach_token: String,
}

/// Asks for a token of another principal.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GetAuthTokenRequest {
    /// The principal.
    #[prost(string, tag = "1")]
    pub subject: String,
    /// Seconds until it ends.
    #[prost(int64, tag = "2")]
    pub ttl: i64,
}

/// The token, a secret.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GetAuthTokenResponse {
    /// The token.
    #[prost(string, tag = "1")]
    pub token: String,
    /// The principal.
    #[prost(string, tag = "2")]
    pub subject: String,
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::GetAuthTokenResponse;

    #[test]
    fn the_answer_has_the_token_before_its_subject() {
        // Written by python-pachyderm 6.3.3.
        let bytes = b"\x0a\x06secret\x12\x0arobot:mine";
        let response = GetAuthTokenResponse { token: "secret".to_owned(), subject: "robot:mine".to_owned() };
        assert_eq!(GetAuthTokenResponse::decode(&bytes[..]).unwrap(), response);
        assert_eq!(response.encode_to_vec(), bytes);
    }
}
