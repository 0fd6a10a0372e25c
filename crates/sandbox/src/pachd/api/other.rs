//! The small services: `enterprise.API`, `transaction.API`, `versionpb.API`, `health.Health`.

use pachyderm::proto::enterprise::{
    self, EnterpriseRecord, GetActivationCodeResponse, GetStateResponse, State as Licence, TokenInfo,
};
use pachyderm::proto::transaction::{
    DeleteTransactionRequest, InspectTransactionRequest, Transaction, TransactionInfo, TransactionInfos,
};
use pachyderm::proto::version::Version;
use prost::Message;
use tonic::Status;

use super::{PachdService, errors, now};
use crate::pachd::grpc::{Answer, Call, one, plain, unknown_method};
use crate::pachd::state::State;

const TRANSACTIONS: &str = "pachyderm_pfs/transactions";

impl PachdService {
    pub(super) fn version(&self, call: &Call) -> Result<Answer, Status> {
        match call.method.as_str() {
            "GetVersion" => {
                let (major, minor, micro) = self.faults.version();
                one(&Version { major, minor, micro, additional: String::new() })
            }
            _ => Err(unknown_method(&call.service, &call.method)),
        }
    }

    pub(super) fn health(&self, call: &Call) -> Result<Answer, Status> {
        match call.method.as_str() {
            "Health" => one(&()),
            _ => Err(unknown_method(&call.service, &call.method)),
        }
    }

    /// The licence and its state.
    fn licence(&self) -> (Licence, EnterpriseRecord) {
        let record: EnterpriseRecord =
            self.state.records("pachyderm_enterprise").pop().map(|record| record.value).unwrap_or_default();
        let time = |expires: &prost_types::Timestamp| (expires.seconds, expires.nanos);
        let state = match &record.expires {
            _ if record.activation_code.is_empty() => Licence::None,
            Some(expires) if time(expires) > time(&now()) => Licence::Active,
            _ => Licence::Expired,
        };
        (state, record)
    }

    /// Whether there is a licence that has not expired.
    pub(super) fn is_licensed(&self) -> bool {
        self.licence().0 == Licence::Active
    }

    pub(super) async fn enterprise(&self, call: &mut Call) -> Result<Answer, Status> {
        let (state, EnterpriseRecord { activation_code, expires }) = self.licence();
        let info = (state != Licence::None).then_some(TokenInfo { expires });
        match call.method.as_str() {
            "GetState" => one(&GetStateResponse { state: state as i32, info, activation_code }),
            "GetActivationCode" => one(&GetActivationCodeResponse { state: state as i32, info, activation_code }),
            "Activate" => {
                // A valid code is signed by Pachyderm, so none can be made up for the sandbox.
                let _: enterprise::ActivateRequest = call.message().await?;
                Err(plain("error validating activation code: activation code is not valid JSON"))
            }
            _ => Err(unknown_method(&call.service, &call.method)),
        }
    }

    pub(super) async fn transaction(&self, call: &mut Call) -> Result<Answer, Status> {
        let missing = |id: &str| errors::record_not_found(TRANSACTIONS, id);
        match call.method.as_str() {
            "ListTransaction" => {
                let transactions = self.state.records(TRANSACTIONS).into_iter().map(|record| record.value);
                one(&TransactionInfos { transaction_info: transactions.collect() })
            }
            "StartTransaction" => {
                let transaction = Transaction { id: uuid::Uuid::new_v4().to_string() };
                let info = TransactionInfo {
                    transaction: Some(transaction.clone()),
                    started: Some(now()),
                    ..Default::default()
                };
                self.state.store.put(State::key(TRANSACTIONS, &transaction.id), info.encode_to_vec());
                one(&transaction)
            }
            "InspectTransaction" => {
                let request: InspectTransactionRequest = call.message().await?;
                let id = request.transaction.unwrap_or_default().id;
                let info: TransactionInfo = self.state.record(TRANSACTIONS, &id).ok_or_else(|| missing(&id))?;
                one(&info)
            }
            "DeleteTransaction" => {
                let request: DeleteTransactionRequest = call.message().await?;
                let id = request.transaction.unwrap_or_default().id;
                if !self.state.store.delete(&State::key(TRANSACTIONS, &id)) {
                    return Err(missing(&id));
                }
                one(&())
            }
            _ => Err(unknown_method(&call.service, &call.method)),
        }
    }
}
