//! The calls about buckets.

use std::sync::PoisonError;

use googleapis_tonic_google_storage_v2::google::iam::v1::{TestIamPermissionsRequest, TestIamPermissionsResponse};
use googleapis_tonic_google_storage_v2::google::storage::v2 as proto;

use super::Operation;
use super::accounts::Caller;
use super::bucket_message;
use super::failure::Failure;
use super::grpc::{Rpc, bucket_of, routed};
use super::listing::page_size;
use super::shared::Shared;
use super::store::StoredBucket;

/// Refuses a call whose metageneration conditions don't hold.
fn check(bucket: &StoredBucket, wanted: Option<i64>, unwanted: Option<i64>) -> Result<(), Failure> {
    let holds = wanted.is_none_or(|wanted| wanted == bucket.metageneration)
        && unwanted.is_none_or(|unwanted| unwanted != bucket.metageneration);
    if holds { Ok(()) } else { Err(Failure::precondition()) }
}

impl Rpc for proto::GetBucketRequest {
    type Response = proto::Bucket;
    const OPERATION: Operation = Operation::GetBucket;

    fn routing(&self) -> [Option<(&'static str, &str)>; 2] {
        [routed("bucket", &self.name), None]
    }

    fn run(self, server: &Shared, caller: &Caller) -> Result<proto::Bucket, Failure> {
        let name = bucket_of(&self.name)?;
        server.permit(caller, "storage.buckets.get", name, "bucket")?;
        server.store.read(name, |bucket| {
            caller.pays(bucket)?;
            check(bucket, self.if_metageneration_match, self.if_metageneration_not_match)?;
            bucket_message::tell(bucket, &server.options, self.read_mask.as_ref())
        })
    }
}

impl Rpc for proto::ListBucketsRequest {
    type Response = proto::ListBucketsResponse;
    const OPERATION: Operation = Operation::ListBuckets;

    fn routing(&self) -> [Option<(&'static str, &str)>; 2] {
        [routed("project", &self.parent), None]
    }

    fn run(self, server: &Shared, caller: &Caller) -> Result<proto::ListBucketsResponse, Failure> {
        server.permit(caller, "storage.buckets.list", "", "project")?;
        let size = page_size(self.page_size)?;
        let mut response = proto::ListBucketsResponse::default();
        for (name, bucket) in server.store.all().range(self.page_token.clone()..) {
            if !name.starts_with(&self.prefix) {
                continue;
            }
            if response.buckets.len() == size {
                response.next_page_token.clone_from(name);
                break;
            }
            let bucket = bucket.read().unwrap_or_else(PoisonError::into_inner);
            response.buckets.push(bucket_message::tell(&bucket, &server.options, self.read_mask.as_ref())?);
        }
        Ok(response)
    }
}

impl Rpc for proto::CreateBucketRequest {
    type Response = proto::Bucket;
    const OPERATION: Operation = Operation::CreateBucket;

    fn routing(&self) -> [Option<(&'static str, &str)>; 2] {
        let project = self.bucket.as_ref().map(|bucket| bucket.project.as_str()).filter(|project| !project.is_empty());
        [routed("project", project.unwrap_or(&self.parent)), None]
    }

    fn run(self, server: &Shared, caller: &Caller) -> Result<proto::Bucket, Failure> {
        server.permit(caller, "storage.buckets.create", "", "project")?;
        if self.parent != "projects/_" {
            return Err(Failure::invalid("The parent must be 'projects/_'; the bucket's project names the project."));
        }
        if !self.predefined_acl.is_empty() || !self.predefined_default_object_acl.is_empty() {
            return Err(Failure::unimplemented("ACLs of buckets"));
        }
        bucket_message::check_name(&self.bucket_id)?;
        let mut facts = bucket_message::facts(self.bucket.unwrap_or_default())?;
        if self.enable_object_retention {
            server.permit(caller, "storage.buckets.enableObjectRetention", "", "project")?;
            facts.object_retention = true;
        }
        let (bucket, made) = server.store.create(&self.bucket_id, || facts);
        if !made {
            return Err(Failure::bucket_exists());
        }
        let bucket = bucket.read().unwrap_or_else(PoisonError::into_inner);
        bucket_message::tell(&bucket, &server.options, None)
    }
}

impl Rpc for proto::UpdateBucketRequest {
    type Response = proto::Bucket;
    const OPERATION: Operation = Operation::UpdateBucket;

    fn routing(&self) -> [Option<(&'static str, &str)>; 2] {
        [self.bucket.as_ref().and_then(|bucket| routed("bucket", &bucket.name)), None]
    }

    fn run(self, server: &Shared, caller: &Caller) -> Result<proto::Bucket, Failure> {
        let new = self.bucket.ok_or_else(|| Failure::invalid("A bucket must be given."))?;
        let name = bucket_of(&new.name)?.to_owned();
        server.permit(caller, "storage.buckets.update", &name, "bucket")?;
        if !self.predefined_acl.is_empty() || !self.predefined_default_object_acl.is_empty() {
            return Err(Failure::unimplemented("ACLs of buckets"));
        }
        let mask = self.update_mask.ok_or_else(|| Failure::invalid("An update mask must be given."))?;
        server.store.with(&name, |bucket| {
            caller.pays(bucket)?;
            check(bucket, self.if_metageneration_match, self.if_metageneration_not_match)?;
            bucket.facts = bucket_message::updated(&bucket.facts, new, &mask)?;
            bucket.metageneration += 1;
            bucket.updated = std::time::SystemTime::now();
            bucket_message::tell(bucket, &server.options, None)
        })
    }
}

impl Rpc for proto::DeleteBucketRequest {
    type Response = ();
    const OPERATION: Operation = Operation::DeleteBucket;

    fn routing(&self) -> [Option<(&'static str, &str)>; 2] {
        [routed("bucket", &self.name), None]
    }

    fn run(self, server: &Shared, caller: &Caller) -> Result<(), Failure> {
        let name = bucket_of(&self.name)?;
        server.permit(caller, "storage.buckets.delete", name, "bucket")?;
        server.store.delete(name, |bucket| {
            caller.pays(bucket)?;
            check(bucket, self.if_metageneration_match, self.if_metageneration_not_match)
        })
    }
}

impl Rpc for TestIamPermissionsRequest {
    type Response = TestIamPermissionsResponse;
    const OPERATION: Operation = Operation::TestIamPermissions;

    fn routing(&self) -> [Option<(&'static str, &str)>; 2] {
        [routed("bucket", &self.resource), None]
    }

    fn run(self, server: &Shared, caller: &Caller) -> Result<TestIamPermissionsResponse, Failure> {
        let name = bucket_of(&self.resource)?;
        server.store.read(name, |bucket| caller.pays(bucket))?;
        if let Some(wrong) = self.permissions.iter().find(|permission| !permission.starts_with("storage.")) {
            return Err(Failure::invalid(format!("Invalid permission: {wrong}")));
        }
        let granted = server.permissions.read().unwrap_or_else(PoisonError::into_inner);
        let may = |permission: &String| granted.as_ref().is_none_or(|granted| granted.grants(permission, name));
        Ok(TestIamPermissionsResponse { permissions: self.permissions.into_iter().filter(may).collect() })
    }
}
