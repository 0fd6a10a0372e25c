//! Branches.

use std::cmp::Reverse;

use super::collections::Collections;
use super::message::Message;
use super::{OfflineError, Ops};
use crate::stream::OpKind;
use crate::wire;

/// The branches of all repos in the order of their creation, those of one transaction with more provenance first. From
/// BranchInfo: head 2, branch 4, direct provenance 6; triggers are left out, as pachd does.
pub(super) fn compute(collections: &Collections<'_>, ops: &mut Ops) -> Result<(), OfflineError> {
    let mut branches = Vec::new();
    for record in collections.records("pachyderm_pfs/branches") {
        let mut provenance = 0;
        for field in wire::fields(record.value()) {
            if field.map_err(|source| record.malformed(source))?.number == 3 {
                provenance += 1;
            }
        }
        branches.push((record.entry.create_revision, Reverse(provenance), record));
    }
    // Stable: what is equal stays in key order.
    branches.sort_by_key(|(created, provenance, _)| (*created, *provenance));
    for (_, _, record) in branches {
        let request = Message::default().copy(record.value(), &[(2, 1), (4, 3), (6, 4)]);
        ops.push(OpKind::Branch, request.map_err(|source| record.malformed(source))?);
    }
    Ok(())
}
