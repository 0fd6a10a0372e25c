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
            let members = policy.bindings.iter().flat_map(|binding| &binding.members);
            Ok(of_members(members.map(String::as_str), facts.uniform_access))
        }
        Err(error) if error.retry() != Retry::Never || error.kind() == ErrorKind::Unauthenticated => Err(error),
        Err(error) => {
            tracing::debug!(%error, "who can read the bucket can't be known");
            Ok(None)
        }
    }
}

/// What the members of a policy mean, where access lists of objects are ruled out or are not.
fn of_members<'a>(mut members: impl Iterator<Item = &'a str>, uniform_access: bool) -> Option<Exposure> {
    if members.any(|member| EVERYBODY.contains(&member)) {
        return Some(Exposure::Public);
    }
    uniform_access.then_some(Exposure::Private)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_makes_a_bucket_public_and_access_lists_leave_it_unknown() {
        let of = |members: &[&'static str], uniform| of_members(members.iter().copied(), uniform);
        for uniform in [true, false] {
            assert_eq!(of(&["user:a@b", "allUsers"], uniform), Some(Exposure::Public));
            assert_eq!(of(&["allAuthenticatedUsers"], uniform), Some(Exposure::Public));
        }
        assert_eq!(of(&["user:a@b"], true), Some(Exposure::Private));
        assert_eq!(of(&["user:a@b"], false), None);
    }
}
