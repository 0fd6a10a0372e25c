//! The calls about objects; rewrites have a file of their own.

use std::sync::Arc;

use googleapis_tonic_google_storage_v2::google::storage::v2 as proto;

use super::Operation;
use super::accounts::Caller;
use super::failure::Failure;
use super::grpc::{Rpc, bucket_of, routed};
use super::listing::{self, Question, Start};
use super::messages::{self, Mask};
use super::object::Object;
use super::preconditions::Preconditions;
use super::shared::Shared;

impl Rpc for proto::ListObjectsRequest {
    type Response = proto::ListObjectsResponse;
    const OPERATION: Operation = Operation::ListObjects;

    fn routing(&self) -> [Option<(&'static str, &str)>; 2] {
        [routed("bucket", &self.parent), None]
    }

    fn run(self, server: &Shared, caller: &Caller) -> Result<proto::ListObjectsResponse, Failure> {
        let name = bucket_of(&self.parent)?;
        server.permit(caller, "storage.objects.list", name, "bucket")?;
        for (set, what) in [
            (self.soft_deleted, "soft-deleted objects"),
            (!self.match_glob.is_empty(), "match_glob"),
            (!self.filter.is_empty(), "filters by context"),
            (self.include_folders_as_prefixes, "folders"),
        ] {
            if set {
                return Err(Failure::unimplemented(what));
            }
        }
        let mask = Mask::of(self.read_mask.as_ref())?;
        let start = Start::parse(&self.page_token)?;
        let asked = Question {
            prefix: &self.prefix,
            delimiter: &self.delimiter,
            include_trailing_delimiter: self.include_trailing_delimiter,
            start: &self.lexicographic_start,
            end: &self.lexicographic_end,
            versions: self.versions,
            size: listing::page_size(self.page_size)?,
        };
        server.store.read(name, |bucket| {
            caller.pays(bucket)?;
            let page = listing::page(bucket, &asked, &start);
            let told = |(key, object): (&Arc<str>, &Object)| {
                messages::object(name, key, object, bucket.retained_until(object), mask)
            };
            Ok(proto::ListObjectsResponse {
                objects: page.objects.into_iter().map(told).collect(),
                prefixes: page.prefixes,
                next_page_token: page.next.token(),
            })
        })
    }

    fn spoil(response: &mut proto::ListObjectsResponse) {
        response.objects.iter_mut().for_each(messages::spoil);
    }
}

impl Rpc for proto::GetObjectRequest {
    type Response = proto::Object;
    const OPERATION: Operation = Operation::GetObject;

    fn routing(&self) -> [Option<(&'static str, &str)>; 2] {
        [routed("bucket", &self.bucket), None]
    }

    fn key(&self) -> &str {
        &self.object
    }

    fn run(self, server: &Shared, caller: &Caller) -> Result<proto::Object, Failure> {
        let name = bucket_of(&self.bucket)?;
        server.permit(caller, "storage.objects.get", name, "object")?;
        if self.soft_deleted.unwrap_or_default() || !self.restore_token.is_empty() {
            return Err(Failure::unimplemented("soft-deleted objects"));
        }
        let mask = Mask::of(self.read_mask.as_ref())?;
        let conditions = Preconditions {
            generation: self.if_generation_match,
            not_generation: self.if_generation_not_match,
            metageneration: self.if_metageneration_match,
            not_metageneration: self.if_metageneration_not_match,
        };
        server.store.read(name, |bucket| {
            caller.pays(bucket)?;
            let object = bucket.read(&self.object, self.generation, &conditions)?;
            Ok(messages::object(name, &self.object, object, bucket.retained_until(object), mask))
        })
    }

    fn spoil(response: &mut proto::Object) {
        messages::spoil(response);
    }
}

impl Rpc for proto::DeleteObjectRequest {
    type Response = ();
    const OPERATION: Operation = Operation::DeleteObject;

    fn routing(&self) -> [Option<(&'static str, &str)>; 2] {
        [routed("bucket", &self.bucket), None]
    }

    fn key(&self) -> &str {
        &self.object
    }

    fn run(self, server: &Shared, caller: &Caller) -> Result<(), Failure> {
        let name = bucket_of(&self.bucket)?;
        server.permit(caller, "storage.objects.delete", name, "object")?;
        let conditions = Preconditions {
            generation: self.if_generation_match,
            not_generation: self.if_generation_not_match,
            metageneration: self.if_metageneration_match,
            not_metageneration: self.if_metageneration_not_match,
        };
        server.store.with(name, |bucket| {
            caller.pays(bucket)?;
            let found = bucket.find(&self.object, self.generation);
            conditions.check(found)?;
            let object = found.ok_or_else(|| bucket.missing(&self.object))?;
            bucket.check_unheld(&self.object, object)?;
            bucket.delete(&self.object, self.generation);
            Ok(())
        })
    }
}
