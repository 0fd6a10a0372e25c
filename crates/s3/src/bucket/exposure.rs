//! Who can read a bucket: its access list, its policy, and what blocks them.

use provider::{Exposure, Result};
use serde_json::Value;

use super::S3Bucket;
use super::facts::fact;

/// Groups of an access control list that mean everybody, or everybody with an account.
const EVERYBODY: [&str; 2] =
    ["http://acs.amazonaws.com/groups/global/AllUsers", "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"];

/// Public if a policy or an access list opens the bucket and nothing blocks that; private if that is ruled out.
pub(super) async fn exposure(bucket: &S3Bucket) -> Result<Option<Exposure>> {
    let (policy_blocked, acl_blocked) = blocks(bucket).await?;
    let by_policy = match policy_blocked {
        true => Some(false),
        false if bucket.quirks().policy_status => policy_status(bucket).await?,
        false => policy(bucket).await?,
    };
    let by_acl = if acl_blocked { Some(false) } else { acl(bucket).await? };
    Ok(match (by_policy, by_acl) {
        (Some(true), _) | (_, Some(true)) => Some(Exposure::Public),
        (Some(false), Some(false)) => Some(Exposure::Private),
        _ => None,
    })
}

/// Whether public policies, and public access lists, are without effect. What can't be read blocks nothing.
async fn blocks(bucket: &S3Bucket) -> Result<(bool, bool)> {
    let answer = bucket.client().get_public_access_block().bucket(bucket.name()).send().await;
    let not_set = (&["NoSuchPublicAccessBlockConfiguration"][..], Some((false, false)));
    let block = fact(bucket, "GetPublicAccessBlock", answer, not_set, |answer| {
        let block = answer.public_access_block_configuration?;
        let set = |value: Option<bool>| value.unwrap_or(false);
        Some((set(block.restrict_public_buckets), set(block.ignore_public_acls)))
    })?;
    Ok(block.unwrap_or((false, false)))
}

async fn policy_status(bucket: &S3Bucket) -> Result<Option<bool>> {
    let answer = bucket.client().get_bucket_policy_status().bucket(bucket.name()).send().await;
    fact(bucket, "GetBucketPolicyStatus", answer, (&["NoSuchBucketPolicy"], Some(false)), |answer| {
        answer.policy_status.map(|status| status.is_public().unwrap_or(false))
    })
}

async fn policy(bucket: &S3Bucket) -> Result<Option<bool>> {
    let answer = bucket.client().get_bucket_policy().bucket(bucket.name()).send().await;
    fact(bucket, "GetBucketPolicy", answer, (&["NoSuchBucketPolicy"], Some(false)), |answer| {
        answer.policy.as_deref().map_or(Some(false), opens_to_all)
    })
}

async fn acl(bucket: &S3Bucket) -> Result<Option<bool>> {
    let answer = bucket.client().get_bucket_acl().bucket(bucket.name()).send().await;
    fact(bucket, "GetBucketAcl", answer, (&["AccessControlListNotSupported"], Some(false)), |answer| {
        let open = |uri: &str| EVERYBODY.contains(&uri);
        Some(answer.grants().iter().any(|grant| grant.grantee().and_then(|who| who.uri()).is_some_and(open)))
    })
}

/// Whether a policy allows anything to everybody. `None` where that hangs on a condition, or the policy can't be
/// understood.
fn opens_to_all(policy: &str) -> Option<bool> {
    let policy: Value = serde_json::from_str(policy).ok()?;
    let statements = match policy.get("Statement")? {
        Value::Array(statements) => statements.as_slice(),
        statement => std::slice::from_ref(statement),
    };
    let mut unsure = false;
    for statement in statements.iter().filter(|statement| statement.get("Effect") != Some(&Value::from("Deny"))) {
        let to_all = statement.get("Principal").is_some_and(names_all) || statement.get("NotPrincipal").is_some();
        match statement.get("Condition") {
            None if to_all => return Some(true),
            Some(_) if to_all => unsure = true,
            _ => {}
        }
    }
    (!unsure).then_some(false)
}

fn names_all(principal: &Value) -> bool {
    match principal {
        Value::String(name) => name == "*",
        Value::Array(names) => names.iter().any(names_all),
        Value::Object(kinds) => kinds.values().any(names_all),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_for_everybody_is_told() {
        let policy = |statement: &str| opens_to_all(&format!("{{\"Statement\":{statement}}}"));
        let allow = r#"{"Effect":"Allow","Action":"s3:GetObject","Principal":"#;
        assert_eq!(policy(&format!(r#"[{allow} "*"}}]"#)), Some(true));
        assert_eq!(policy(&format!(r#"{allow} {{"AWS":["x","*"]}}}}"#)), Some(true));
        assert_eq!(policy(&format!(r#"[{allow} {{"AWS":"arn:aws:iam::1:root"}}}}]"#)), Some(false));
        assert_eq!(policy(&format!(r#"[{allow} "*","Condition":{{}}}}]"#)), None);
        assert_eq!(policy(r#"[{"Effect":"Deny","Principal":"*"}]"#), Some(false));
        assert_eq!(policy(r#"[{"Effect":"Allow","NotPrincipal":{"AWS":"x"}}]"#), Some(true));
        assert_eq!(policy("[]"), Some(false));
        assert_eq!(opens_to_all("no policy"), None);
    }
}
