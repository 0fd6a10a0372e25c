//! A fresh listing of the clone against its inventory.

use std::sync::Arc;

use provider::Bucket;

use super::Check;
use crate::clone::{CloneVerification, Compared, Inventory, KeyMap, verify_clone_with};
use crate::error::Result;
use crate::manifest::Artifacts;
use crate::retry::RetryPolicy;

/// Lists the clone and compares each object. `visit` is told each of them.
pub(super) async fn check(
    clone: Arc<dyn Bucket>,
    inventory: &Inventory,
    artifacts: &Artifacts,
    visit: &mut (dyn FnMut(Compared<'_>) + Send),
) -> Result<Check> {
    let found = verify_clone_with(clone, inventory, &KeyMap::default(), RetryPolicy::default(), visit).await?;
    Ok(judge(&found, artifacts))
}

fn judge(found: &CloneVerification, artifacts: &Artifacts) -> Check {
    let bucket = &artifacts.bucket;
    let mut detail = format!("{} objects, {} bytes", found.objects, found.bytes);
    for (what, differences) in [("missing", &found.missing), ("extra", &found.extra), ("changed", &found.changed)] {
        if differences.count > 0 {
            detail.push_str(&format!("; {} {what}: {}", differences.count, differences.first.join(", ")));
        }
    }
    let counts_agree = found.objects == bucket.objects && found.bytes == bucket.bytes;
    if !counts_agree {
        detail.push_str(&format!("; recorded are {} objects, {} bytes", bucket.objects, bucket.bytes));
    }
    let name = format!("clone {}", bucket.url);
    if found.is_exact() && counts_agree { Check::ok(name, detail) } else { Check::failed(name, detail) }
}
