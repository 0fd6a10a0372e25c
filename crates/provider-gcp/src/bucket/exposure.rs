//! Who can read a bucket.

use provider::{ErrorKind, Exposure, Result, Retry};

use super::GcsBucket;
use super::call::answer;
use super::facts::GcsFacts;

/// Members of a policy that mean everybody, or everybody with an account.
const EVERYBODY: [&str; 2] = ["allUsers", "allAuthenticatedUsers"];

/// Public if the policy opens the bucket; private if that is ruled out. Access lists of objects are not looked at: where there can be
/// some, private can't be known.
pub(super) async fn exposure(bucket: &GcsBucket, facts: &GcsFacts) -> Result<Option<Exposure>> {
    if facts.public_access_prevented {
        return Ok(Some(Exposure::Private));
    }
    let limit = bucket.inner.terms.timeouts.call;
    let client = bucket.inner.connections.control().await?;
    let call = bucket.on_terms(client.get_iam_policy().set_resource(bucket.parent()), limit);
    match answer("GetIamPolicy", &|| bucket.resource(""), limit, ErrorKind::Invalid, call.send()).await {
        Ok(policy) => {
            let mut members = policy.bindings.iter().flat_map(|binding| &binding.members);
            if members.any(|member| EVERYBODY.contains(&member.as_str())) {
                return Ok(Some(Exposure::Public));
            }
            Ok(facts.uniform_access.then_some(Exposure::Private))
        }
        Err(error) if error.retry() != Retry::Never || error.kind() == ErrorKind::Unauthenticated => Err(error),
        Err(error) => {
            tracing::debug!(%error, "who can read the bucket can't be known");
            Ok(None)
        }
    }
}
