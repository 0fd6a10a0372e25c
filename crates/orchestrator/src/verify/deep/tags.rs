//! Every `tag/` value is read: the object that it points to has to be there.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use pachyderm::layout::{KeyKind, Layout, ObjectIndex};
use provider::{Bucket, Key};

use super::catalogue::{Catalogue, short};
use super::findings::Findings;
use super::keys::{Wanted, keys_of};
use super::objects::small;
use super::on_disk;
use crate::clone::Inventory;
use crate::error::Result;
use crate::verify::{Check, Defect, Finding};

/// Values that are read at once.
const AT_ONCE: usize = 64;

/// Reads all of them.
pub(super) async fn check(
    clone: &Arc<dyn Bucket>,
    inventory: &Inventory,
    layout: &Layout,
    catalogue: &Catalogue,
) -> Result<Check> {
    let findings = Findings::default();
    let keys = keys_of(inventory, layout, Wanted::Tags);
    let looked = keys.map(|key| async {
        let (key, kind) = key?;
        let KeyKind::Tag { name } = kind else { return Ok(None) };
        look(clone, catalogue, &key, name).await
    });
    let mut looked = std::pin::pin!(looked.buffer_unordered(AT_ONCE));
    let mut read = 0_u64;
    while let Some(finding) = looked.try_next().await? {
        read += 1;
        if let Some(finding) = finding {
            findings.add(finding);
        }
    }
    Ok(findings.into_check("tags", format!("{read} read, each leads to an object")))
}

async fn look(clone: &Arc<dyn Bucket>, catalogue: &Catalogue, key: &Key, name: String) -> Result<Option<Finding>> {
    // The listing has named one that is missing.
    let Some(value) = small(clone.as_ref(), key).await? else { return Ok(None) };
    let finding = |detail| {
        let subject = format!("tag {name}");
        Ok(Some(Finding { defect: Defect::DanglingTag, subject, detail, at_source: false }))
    };
    let index = match ObjectIndex::decode(&value) {
        Ok(index) => index,
        Err(error) => return finding(format!("its value can't be read: {error}")),
    };
    let Some(hash) = index.tags.get(&name) else {
        return finding("its value doesn't speak of it".to_owned());
    };
    match catalogue.object(hash).map_err(on_disk)? {
        Ok(_) => Ok(None),
        Err(lack) => finding(format!("it points to object {}…: {}", short(hash), lack.what)),
    }
}
