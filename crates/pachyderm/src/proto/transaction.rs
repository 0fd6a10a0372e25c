//! Package `transaction`: open transactions (1.9 and later).

use bytes::Bytes;
use prost_types::Timestamp;

/// Names a transaction.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Transaction {
    /// A UUID with dashes.
    #[prost(string, tag = "1")]
    pub id: String,
}

/// An open transaction.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct TransactionInfo {
    /// Its name.
    #[prost(message, optional, tag = "1")]
    pub transaction: Option<Transaction>,
    /// The queued requests, encoded.
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub requests: Vec<Bytes>,
    /// The answers so far, encoded.
    #[prost(bytes = "bytes", repeated, tag = "3")]
    pub responses: Vec<Bytes>,
    /// When it began.
    #[prost(message, optional, tag = "4")]
    pub started: Option<Timestamp>,
}

/// The open transactions.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct TransactionInfos {
    /// One for each.
    #[prost(message, repeated, tag = "1")]
    pub transaction_info: Vec<TransactionInfo>,
}

/// Asks for the open transactions.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ListTransactionRequest {}

/// Opens a transaction; the answer is a [`Transaction`].
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct StartTransactionRequest {}

/// Asks for one transaction; the answer is a [`TransactionInfo`].
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct InspectTransactionRequest {
    /// The transaction.
    #[prost(message, optional, tag = "1")]
    pub transaction: Option<Transaction>,
}

/// Drops an open transaction.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct DeleteTransactionRequest {
    /// The transaction.
    #[prost(message, optional, tag = "1")]
    pub transaction: Option<Transaction>,
}

/// Executes an open transaction; the answer is a [`TransactionInfo`].
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct FinishTransactionRequest {
    /// The transaction.
    #[prost(message, optional, tag = "1")]
    pub transaction: Option<Transaction>,
}
