//! Which permissions the credentials lack.

use provider::{ErrorKind, Result};

use super::GcsBucket;
use super::call::answer;

const TEST: &str = "TestIamPermissions";

/// Those of some permissions on the bucket (`storage.objects.list`) that the credentials lack, in the order given.
pub(super) async fn missing(bucket: &GcsBucket, asked: &[&'static str]) -> Result<Vec<&'static str>> {
    let limit = bucket.inner.terms.timeouts.call;
    let client = bucket.inner.connections.control().await?;
    let call = client.test_iam_permissions().set_resource(bucket.parent()).set_permissions(asked.iter().copied());
    let sent = bucket.on_terms(call, limit).send();
    let answer = answer(TEST, &|| bucket.resource(""), limit, ErrorKind::Invalid, sent).await?;
    let lacks = |wanted: &&'static str| !answer.permissions.iter().any(|granted| granted == *wanted);
    Ok(asked.iter().copied().filter(lacks).collect())
}
