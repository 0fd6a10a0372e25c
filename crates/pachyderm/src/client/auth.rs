//! Services `auth.API`, `enterprise.API` and `transaction.API`.

use super::Client;
use crate::{
    error::Error,
    proto::{
        auth::{WhoAmIRequest, WhoAmIResponse},
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
