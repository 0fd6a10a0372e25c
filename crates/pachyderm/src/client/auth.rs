//! Services `auth.API`, `enterprise.API` and `transaction.API`.

use std::collections::BTreeMap;

use super::Client;
use crate::{
    error::Error,
    proto::{
        auth::{
            AuthConfig, ClusterRoles, ExtractAuthTokensRequest, ExtractAuthTokensResponse, GetAclRequest,
            GetAclResponse, GetClusterRoleBindingsRequest, GetClusterRoleBindingsResponse, GetConfigurationRequest,
            GetConfigurationResponse, HashedAuthToken, WhoAmIRequest, WhoAmIResponse,
        },
        enterprise::{GetActivationCodeRequest, GetActivationCodeResponse, GetStateRequest, GetStateResponse},
        method,
        transaction::{ListTransactionRequest, TransactionInfo, TransactionInfos},
    },
};

impl Client {
    /// Whom the token belongs to.
    ///
    /// # Errors
    ///
    /// [`Condition::AuthNotActivated`](crate::error::Condition::AuthNotActivated) when auth is off, which is how to find
    /// that out; a missing or wrong token; or the call fails.
    pub async fn who_am_i(&self) -> Result<WhoAmIResponse, Error> {
        self.caller.unary(method::WHO_AM_I, "", WhoAmIRequest {}).await
    }

    /// The identity providers; `None` if none were ever configured. An OpenID Connect provider holds a secret.
    ///
    /// # Errors
    ///
    /// Auth is off, the caller is no administrator, or the call fails.
    pub async fn get_auth_configuration(&self) -> Result<Option<AuthConfig>, Error> {
        let answer: GetConfigurationResponse =
            self.caller.unary(method::GET_CONFIGURATION, "", GetConfigurationRequest {}).await?;
        Ok(answer.configuration)
    }

    /// The cluster roles by principal (1.11 and later).
    ///
    /// # Errors
    ///
    /// Auth is off, the server is older, the caller is no administrator, or the call fails.
    pub async fn get_cluster_role_bindings(&self) -> Result<BTreeMap<String, ClusterRoles>, Error> {
        let answer: GetClusterRoleBindingsResponse =
            self.caller.unary(method::GET_CLUSTER_ROLE_BINDINGS, "", GetClusterRoleBindingsRequest {}).await?;
        Ok(answer.bindings)
    }

    /// The robots' tokens, hashed, as an extract carries them (1.11.9 and later).
    ///
    /// # Errors
    ///
    /// Auth is off, the server is older, the caller is no administrator, or the call fails.
    pub async fn extract_auth_tokens(&self) -> Result<Vec<HashedAuthToken>, Error> {
        let answer: ExtractAuthTokensResponse =
            self.caller.unary(method::EXTRACT_AUTH_TOKENS, "", ExtractAuthTokensRequest {}).await?;
        Ok(answer.tokens)
    }

    /// Who may do what with a repo.
    ///
    /// # Errors
    ///
    /// Auth is off, the caller may not see it, or the call fails.
    pub async fn get_acl(&self, repo: &str) -> Result<GetAclResponse, Error> {
        self.caller.unary(method::GET_ACL, repo, GetAclRequest { repo: repo.into() }).await
    }

    /// The state of the licence. The answer may hold the licence code, a secret.
    ///
    /// # Errors
    ///
    /// The call fails.
    pub async fn get_enterprise_state(&self) -> Result<GetStateResponse, Error> {
        self.caller.unary(method::GET_ENTERPRISE_STATE, "", GetStateRequest {}).await
    }

    /// The licence code, a secret (1.12 and later).
    ///
    /// # Errors
    ///
    /// The server is older, the caller is no administrator, or the call fails.
    pub async fn get_activation_code(&self) -> Result<GetActivationCodeResponse, Error> {
        self.caller.unary(method::GET_ACTIVATION_CODE, "", GetActivationCodeRequest {}).await
    }

    /// The open transactions (1.9 and later).
    ///
    /// # Errors
    ///
    /// The server is older, or the call fails.
    pub async fn list_transaction(&self) -> Result<Vec<TransactionInfo>, Error> {
        let answer: TransactionInfos =
            self.caller.unary(method::LIST_TRANSACTION, "", ListTransactionRequest {}).await?;
        Ok(answer.transaction_info)
    }
}
