//! Calls about a bucket: making it, and the facts that a preflight asks for.

use std::sync::PoisonError;

use s3s::dto::{
    Bucket, BucketLocationConstraint, BucketVersioningStatus, GetBucketAclOutput, GetBucketLocationOutput,
    GetBucketPolicyOutput, GetBucketPolicyStatusOutput, GetBucketVersioningOutput, GetPublicAccessBlockOutput, Grant,
    Grantee, HeadBucketOutput, ListBucketsOutput, Owner, Permission, PolicyStatus, PublicAccessBlockConfiguration,
    Type,
};
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::store::Store;

const OWNER: &str = "sandbox";
const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";

pub(super) fn create(store: &Store, bucket: &str) -> S3Result<()> {
    if store.create(bucket) { Ok(()) } else { Err(S3Error::new(S3ErrorCode::BucketAlreadyOwnedByYou)) }
}

pub(super) fn delete(store: &Store, bucket: &str) -> S3Result<()> {
    store.delete(bucket)
}

pub(super) fn list(store: &Store) -> ListBucketsOutput {
    let buckets = store
        .all()
        .iter()
        .map(|(name, bucket)| Bucket {
            name: Some(name.clone()),
            creation_date: Some(bucket.read().unwrap_or_else(PoisonError::into_inner).created.into()),
            ..Bucket::default()
        })
        .collect();
    ListBucketsOutput { buckets: Some(buckets), owner: Some(owner()), ..ListBucketsOutput::default() }
}

pub(super) fn head(store: &Store, bucket: &str, region: &str) -> S3Result<HeadBucketOutput> {
    store.read(bucket, |_| {
        Ok(HeadBucketOutput { bucket_region: Some(region.to_owned()), ..HeadBucketOutput::default() })
    })
}

pub(super) fn location(store: &Store, bucket: &str, region: &str) -> S3Result<GetBucketLocationOutput> {
    store.read(bucket, |_| {
        // The oldest region is told by an empty element.
        let constraint = (region != "us-east-1").then(|| BucketLocationConstraint::from(region.to_owned()));
        Ok(GetBucketLocationOutput { location_constraint: constraint })
    })
}

pub(super) fn versioning(store: &Store, bucket: &str) -> S3Result<GetBucketVersioningOutput> {
    store.read(bucket, |bucket| {
        let enabled = BucketVersioningStatus::from_static(BucketVersioningStatus::ENABLED);
        Ok(GetBucketVersioningOutput { status: bucket.versioning.then_some(enabled), mfa_delete: None })
    })
}

pub(super) fn acl(store: &Store, bucket: &str) -> S3Result<GetBucketAclOutput> {
    store.read(bucket, |bucket| {
        let mut grants = vec![Grant {
            grantee: Some(Grantee {
                id: Some(OWNER.to_owned()),
                type_: Type::from_static(Type::CANONICAL_USER),
                display_name: None,
                email_address: None,
                uri: None,
            }),
            permission: Some(Permission::from_static(Permission::FULL_CONTROL)),
        }];
        if bucket.public {
            grants.push(Grant {
                grantee: Some(Grantee {
                    id: None,
                    type_: Type::from_static(Type::GROUP),
                    display_name: None,
                    email_address: None,
                    uri: Some(ALL_USERS.to_owned()),
                }),
                permission: Some(Permission::from_static(Permission::READ)),
            });
        }
        Ok(GetBucketAclOutput { grants: Some(grants), owner: Some(owner()) })
    })
}

pub(super) fn policy_status(store: &Store, bucket: &str) -> S3Result<GetBucketPolicyStatusOutput> {
    store.read(bucket, |bucket| {
        if !bucket.public {
            return Err(S3Error::new(S3ErrorCode::NoSuchBucketPolicy));
        }
        Ok(GetBucketPolicyStatusOutput { policy_status: Some(PolicyStatus { is_public: Some(true) }) })
    })
}

pub(super) fn policy(store: &Store, bucket: &str) -> S3Result<GetBucketPolicyOutput> {
    store.read(bucket, |stored| {
        if !stored.public {
            return Err(S3Error::new(S3ErrorCode::NoSuchBucketPolicy));
        }
        let policy = serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:GetObject",
                "Resource": format!("arn:aws:s3:::{bucket}/*"),
            }],
        });
        Ok(GetBucketPolicyOutput { policy: Some(policy.to_string()) })
    })
}

pub(super) fn public_access_block(store: &Store, bucket: &str) -> S3Result<GetPublicAccessBlockOutput> {
    store.read(bucket, |bucket| {
        let block = !bucket.public;
        Ok(GetPublicAccessBlockOutput {
            public_access_block_configuration: Some(PublicAccessBlockConfiguration {
                block_public_acls: Some(block),
                block_public_policy: Some(block),
                ignore_public_acls: Some(block),
                restrict_public_buckets: Some(block),
            }),
        })
    })
}

fn owner() -> Owner {
    Owner { id: Some(OWNER.to_owned()), display_name: None }
}
