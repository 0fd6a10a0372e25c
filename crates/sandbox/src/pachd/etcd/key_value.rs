//! The calls of `etcdserverpb.KV`.

use pachyderm::etcd::proto::{
    Compare, CompareResult, CompareTarget, DeleteRangeRequest, DeleteRangeResponse, KeyValue, PutRequest, PutResponse,
    RangeRequest, RangeResponse, RequestOp, ResponseHeader, ResponseOp, SortOrder, SortTarget, TxnRequest, TxnResponse,
};
use tonic::Status;

use super::mvcc::{RangeEnd, RevisionError, Store, Transaction};

impl From<RevisionError> for Status {
    fn from(error: RevisionError) -> Self {
        Status::out_of_range(error.to_string())
    }
}

/// Answers a range request.
///
/// # Errors
/// The revision was compacted or lies in the future.
pub fn range(store: &Store, request: &RangeRequest, header: ResponseHeader) -> Result<RangeResponse, Status> {
    if request.key.is_empty() {
        return Err(Status::invalid_argument("etcdserver: key is not provided"));
    }
    let (revision, kvs) = store.range(&request.key, &RangeEnd::from_field(&request.range_end), request.revision)?;
    Ok(select(request, kvs, ResponseHeader { revision, ..header }))
}

fn select(request: &RangeRequest, mut kvs: Vec<KeyValue>, header: ResponseHeader) -> RangeResponse {
    let outside = |value: i64, least: i64, most: i64| (least > 0 && value < least) || (most > 0 && value > most);
    kvs.retain(|kv| {
        !outside(kv.mod_revision, request.min_mod_revision, request.max_mod_revision)
            && !outside(kv.create_revision, request.min_create_revision, request.max_create_revision)
    });
    let count = kvs.len() as i64;
    let mut response = RangeResponse { header: Some(header), count, ..RangeResponse::default() };
    if request.count_only {
        return response;
    }
    let order = SortOrder::try_from(request.sort_order).unwrap_or(SortOrder::None);
    let target = SortTarget::try_from(request.sort_target).unwrap_or(SortTarget::Key);
    if order != SortOrder::None || target != SortTarget::Key {
        match target {
            SortTarget::Key => {}
            SortTarget::Version => kvs.sort_by_key(|kv| kv.version),
            SortTarget::Create => kvs.sort_by_key(|kv| kv.create_revision),
            SortTarget::Mod => kvs.sort_by_key(|kv| kv.mod_revision),
            SortTarget::Value => kvs.sort_by(|a, b| a.value.cmp(&b.value)),
        }
        if order == SortOrder::Descend {
            kvs.reverse();
        }
    }
    if request.limit > 0 && count > request.limit {
        kvs.truncate(request.limit as usize);
        response.more = true;
    }
    if request.keys_only {
        kvs.iter_mut().for_each(|kv| kv.value = bytes::Bytes::new());
    }
    response.kvs = kvs;
    response
}

/// Answers a put request.
///
/// # Errors
/// The request has no key.
pub fn put(store: &Store, request: PutRequest, header: ResponseHeader) -> Result<PutResponse, Status> {
    if request.key.is_empty() {
        return Err(Status::invalid_argument("etcdserver: key is not provided"));
    }
    Ok(store.write(|transaction| put_in(transaction, request, header)))
}

fn put_in(transaction: &mut Transaction<'_>, request: PutRequest, header: ResponseHeader) -> PutResponse {
    let old = transaction.get(&request.key);
    let value = match (&old, request.ignore_value) {
        (Some(old), true) => old.value.clone(),
        _ => request.value,
    };
    transaction.put_with_lease(request.key, value, request.lease);
    let header = ResponseHeader { revision: transaction.revision(), ..header };
    PutResponse { header: Some(header), prev_kv: old.filter(|_| request.prev_kv) }
}

/// Answers a delete request.
pub fn delete_range(store: &Store, request: &DeleteRangeRequest, header: ResponseHeader) -> DeleteRangeResponse {
    let mut response = store.write(|transaction| delete_in(transaction, request, header.clone()));
    // Nothing deleted takes no revision.
    response.header = Some(ResponseHeader { revision: store.revision(), ..header });
    response
}

fn delete_in(
    transaction: &mut Transaction<'_>,
    request: &DeleteRangeRequest,
    header: ResponseHeader,
) -> DeleteRangeResponse {
    let found = transaction.range(&request.key, &RangeEnd::from_field(&request.range_end));
    for kv in &found {
        transaction.delete(&kv.key);
    }
    let header = ResponseHeader { revision: transaction.revision(), ..header };
    let deleted = found.len() as i64;
    DeleteRangeResponse { header: Some(header), deleted, prev_kvs: if request.prev_kv { found } else { Vec::new() } }
}

/// Answers a transaction: compares, then runs one of the two branches at one revision.
pub fn transaction(store: &Store, request: TxnRequest, header: ResponseHeader) -> TxnResponse {
    let mut response = store.write(|transaction| transaction_in(transaction, request, &header));
    response.header = Some(ResponseHeader { revision: store.revision(), ..header });
    response
}

fn transaction_in(transaction: &mut Transaction<'_>, request: TxnRequest, header: &ResponseHeader) -> TxnResponse {
    let succeeded = request.compare.iter().all(|compare| holds(transaction, compare));
    let operations = if succeeded { request.success } else { request.failure };
    let responses = operations.into_iter().map(|operation| perform(transaction, operation, header)).collect();
    TxnResponse { header: Some(header.clone()), succeeded, responses }
}

fn perform(transaction: &mut Transaction<'_>, operation: RequestOp, header: &ResponseHeader) -> ResponseOp {
    let mut response = ResponseOp::default();
    if let Some(range) = operation.request_range {
        let kvs = transaction.range(&range.key, &RangeEnd::from_field(&range.range_end));
        response.response_range = Some(select(&range, kvs, header.clone()));
    } else if let Some(put) = operation.request_put {
        response.response_put = Some(put_in(transaction, put, header.clone()));
    } else if let Some(delete) = operation.request_delete_range {
        response.response_delete_range = Some(delete_in(transaction, &delete, header.clone()));
    } else if let Some(inner) = operation.request_txn {
        response.response_txn = Some(Box::new(transaction_in(transaction, *inner, header)));
    }
    response
}

fn holds(transaction: &Transaction<'_>, compare: &Compare) -> bool {
    use std::cmp::Ordering;
    // A missing key compares as one whose numbers are all 0.
    let kv = transaction.get(&compare.key).unwrap_or_default();
    let ordering = match CompareTarget::try_from(compare.target) {
        Ok(CompareTarget::Version) => kv.version.cmp(&compare.version.unwrap_or(0)),
        Ok(CompareTarget::Create) => kv.create_revision.cmp(&compare.create_revision.unwrap_or(0)),
        Ok(CompareTarget::Mod) => kv.mod_revision.cmp(&compare.mod_revision.unwrap_or(0)),
        Ok(CompareTarget::Lease) => kv.lease.cmp(&compare.lease.unwrap_or(0)),
        Ok(CompareTarget::Value) if kv.version == 0 => return false,
        Ok(CompareTarget::Value) => kv.value.cmp(&compare.value.clone().unwrap_or_default()),
        Err(_) => return false,
    };
    match CompareResult::try_from(compare.result) {
        Ok(CompareResult::Equal) => ordering == Ordering::Equal,
        Ok(CompareResult::Greater) => ordering == Ordering::Greater,
        Ok(CompareResult::Less) => ordering == Ordering::Less,
        Ok(CompareResult::NotEqual) => ordering != Ordering::Equal,
        Err(_) => false,
    }
}
