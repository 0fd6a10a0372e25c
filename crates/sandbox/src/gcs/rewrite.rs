//! Rewrites: copies that the service makes itself, in one call or in many.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use googleapis_tonic_google_storage_v2::google::storage::v2::{RewriteObjectRequest, RewriteResponse};

use super::accounts::Caller;
use super::failure::Failure;
use super::grpc::{Rpc, bucket_of, routed};
use super::messages::{self, Mask};
use super::object::{Holds, Object, check_metadata, check_name};
use super::operation::Operation;
use super::preconditions::Preconditions;
use super::shared::Shared;
use super::store::StoredBucket;
use super::write::{check_replaced, check_retention};

const MIB: i64 = 1 << 20;

/// The rewrites that are not done yet. A token is the id of one and how far it came, so a call whose reply was lost can be
/// made again.
#[derive(Default)]
pub(super) struct Rewrites {
    begun: Mutex<HashMap<String, Begun>>,
}

#[derive(Clone)]
struct Begun {
    /// The first call's request.
    request: RewriteObjectRequest,
    /// The source's generation then.
    generation: i64,
}

/// How far the rewrite of one call is.
struct Progress {
    id: String,
    generation: i64,
    written: u64,
}

impl Rewrites {
    fn keep(&self, request: &RewriteObjectRequest, generation: i64) -> String {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let begun = Begun { request: request.clone(), generation };
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), begun);
        id
    }

    /// The request that a token continues, and its progress. Fields may be omitted, but not differ.
    fn resume(&self, asked: RewriteObjectRequest) -> Result<(RewriteObjectRequest, Option<Progress>), Failure> {
        if asked.rewrite_token.is_empty() {
            return Ok((asked, None));
        }
        let invalid = || Failure::invalid("The rewrite token is invalid, or is another request's.");
        let (id, written) = asked.rewrite_token.split_once('.').ok_or_else(invalid)?;
        let written: u64 = written.parse().map_err(|_| invalid())?;
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned().ok_or_else(invalid)?;
        let progress = Progress { id: id.to_owned(), generation: begun.generation, written };
        if same(asked, &begun.request) { Ok((begun.request, Some(progress))) } else { Err(invalid()) }
    }
}

/// Whether every field of a later call is the first one's or not set.
fn same(mut later: RewriteObjectRequest, first: &RewriteObjectRequest) -> bool {
    fn fill<T: Clone + PartialEq + Default>(later: &mut T, first: &T) {
        if *later == T::default() {
            later.clone_from(first);
        }
    }
    later.rewrite_token.clear();
    fill(&mut later.destination_name, &first.destination_name);
    fill(&mut later.destination_bucket, &first.destination_bucket);
    fill(&mut later.destination_kms_key, &first.destination_kms_key);
    fill(&mut later.destination, &first.destination);
    fill(&mut later.source_bucket, &first.source_bucket);
    fill(&mut later.source_object, &first.source_object);
    fill(&mut later.source_generation, &first.source_generation);
    fill(&mut later.destination_predefined_acl, &first.destination_predefined_acl);
    fill(&mut later.if_generation_match, &first.if_generation_match);
    fill(&mut later.if_generation_not_match, &first.if_generation_not_match);
    fill(&mut later.if_metageneration_match, &first.if_metageneration_match);
    fill(&mut later.if_metageneration_not_match, &first.if_metageneration_not_match);
    fill(&mut later.if_source_generation_match, &first.if_source_generation_match);
    fill(&mut later.if_source_generation_not_match, &first.if_source_generation_not_match);
    fill(&mut later.if_source_metageneration_match, &first.if_source_metageneration_match);
    fill(&mut later.if_source_metageneration_not_match, &first.if_source_metageneration_not_match);
    fill(&mut later.max_bytes_rewritten_per_call, &first.max_bytes_rewritten_per_call);
    fill(&mut later.copy_source_encryption_algorithm, &first.copy_source_encryption_algorithm);
    fill(&mut later.copy_source_encryption_key_bytes, &first.copy_source_encryption_key_bytes);
    fill(&mut later.copy_source_encryption_key_sha256_bytes, &first.copy_source_encryption_key_sha256_bytes);
    fill(&mut later.common_object_request_params, &first.common_object_request_params);
    fill(&mut later.object_checksums, &first.object_checksums);
    later == *first
}

/// The source, and where it lies.
struct Source {
    object: Object,
    location: String,
}

impl Source {
    fn read(
        server: &Shared,
        caller: &Caller,
        asked: &RewriteObjectRequest,
        progress: Option<&Progress>,
    ) -> Result<Self, Failure> {
        let name = bucket_of(&asked.source_bucket)?;
        server.permit(caller, "storage.objects.get", name, "object")?;
        server.store.read(name, |bucket| {
            caller.pays(bucket)?;
            let found = bucket.find(&asked.source_object, asked.source_generation);
            let conditions = Preconditions {
                generation: asked.if_source_generation_match,
                not_generation: asked.if_source_generation_not_match,
                metageneration: asked.if_source_metageneration_match,
                not_metageneration: asked.if_source_metageneration_not_match,
            };
            conditions.check(found)?;
            let object = found.ok_or_else(|| bucket.missing(&asked.source_object))?;
            if progress.is_some_and(|progress| progress.generation != object.generation) {
                return Err(Failure::precondition());
            }
            object.opened_by(&asked.copy_source_encryption_key_sha256_bytes)?;
            Ok(Self { object: object.clone(), location: bucket.facts.location.clone() })
        })
    }

    /// What is to be written: "If `destination` is present it is used to construct the destination object's metadata;
    /// otherwise the destination object's metadata is copied from the source object." The class is the destination
    /// bucket's unless it is given; holds and retention stay with the source.
    fn copy(&self, asked: &RewriteObjectRequest, into: &StoredBucket) -> Result<Object, Failure> {
        let mut object = match &asked.destination {
            None => Object { holds: Holds::default(), ..self.object.clone() },
            Some(described) => {
                let described = messages::described(described)?;
                Object { headers: Arc::new(described.headers), holds: described.holds, ..self.object.clone() }
            }
        };
        object.storage_class = match &asked.destination {
            Some(described) if !described.storage_class.is_empty() => described.storage_class.as_str().into(),
            _ => Arc::clone(&into.facts.storage_class),
        };
        object.customer_key = None;
        object.kms_key = Some(asked.destination_kms_key.as_str()).filter(|key| !key.is_empty()).map(Arc::from);
        if object.kms_key.is_none() {
            object.kms_key.clone_from(&into.facts.default_kms_key);
        }
        check_metadata(&object.headers)?;
        Ok(object)
    }

    /// Whether the copy needs its bytes moved.
    fn differs(&self, copy: &Object, into: &StoredBucket) -> bool {
        self.location != into.facts.location
            || self.object.storage_class != copy.storage_class
            || self.object.kms_key != copy.kms_key
            || self.object.customer_key.is_some()
    }
}

fn check(asked: &RewriteObjectRequest) -> Result<(), Failure> {
    check_name(&asked.destination_name)?;
    if asked.max_bytes_rewritten_per_call < 0 || asked.max_bytes_rewritten_per_call % MIB != 0 {
        return Err(Failure::invalid("maxBytesRewrittenPerCall must be an integral multiple of 1 MiB (1048576)."));
    }
    if asked.common_object_request_params.as_ref().is_some_and(|params| *params != Default::default()) {
        return Err(Failure::unimplemented("writes with a customer-supplied encryption key"));
    }
    if !asked.destination_predefined_acl.is_empty() {
        return Err(Failure::unimplemented("ACLs of objects"));
    }
    Ok(())
}

/// Most bytes of this call.
fn limit(server: &Shared, asked: &RewriteObjectRequest, differs: bool) -> u64 {
    if !differs && !server.options.rewrite_always_in_steps {
        return u64::MAX;
    }
    let own = server.options.rewrite_bytes_per_call.unwrap_or(u64::MAX);
    match u64::try_from(asked.max_bytes_rewritten_per_call) {
        Ok(wanted) if wanted > 0 => wanted.min(own),
        _ => own,
    }
}

fn rewrite(server: &Shared, caller: &Caller, asked: RewriteObjectRequest) -> Result<RewriteResponse, Failure> {
    let (asked, progress) = server.rewrites.resume(asked)?;
    check(&asked)?;
    let destination = bucket_of(&asked.destination_bucket)?;
    server.permit(caller, "storage.objects.create", destination, "object")?;
    let source = Source::read(server, caller, &asked, progress.as_ref())?;
    messages::verify(asked.object_checksums.as_ref(), &source.object)?;
    let key = asked.destination_name.as_str();
    server.store.with(destination, |bucket| {
        caller.pays(bucket)?;
        let conditions = Preconditions {
            generation: asked.if_generation_match,
            not_generation: asked.if_generation_not_match,
            metageneration: asked.if_metageneration_match,
            not_metageneration: asked.if_metageneration_not_match,
        };
        check_replaced(server, caller, bucket, key, &conditions)?;
        let mut copy = source.copy(&asked, bucket)?;
        check_retention(server, caller, bucket, &copy.holds)?;
        let differs = source.differs(&copy, bucket);
        let size = copy.bytes.len() as u64;
        let written = progress.as_ref().map_or(0, |progress| progress.written);
        let written = written.saturating_add(limit(server, &asked, differs)).min(size);
        let signed = |size: u64| i64::try_from(size).unwrap_or(i64::MAX);
        let mut response = RewriteResponse {
            total_bytes_rewritten: signed(written),
            object_size: signed(size),
            done: written == size,
            ..RewriteResponse::default()
        };
        if written < size {
            let keep = || server.rewrites.keep(&asked, source.object.generation);
            let id = progress.map_or_else(keep, |progress| progress.id);
            response.rewrite_token = format!("{id}.{written}");
            return Ok(response);
        }
        if differs && copy.component_count.is_some() {
            copy.component_count = Some(1);
        }
        let name = Arc::clone(&bucket.name);
        let object = bucket.write(key, copy).clone();
        response.resource = Some(messages::object(&name, key, &object, bucket.retained_until(&object), Mask::ALL));
        Ok(response)
    })
}

impl Rpc for RewriteObjectRequest {
    type Response = RewriteResponse;
    const OPERATION: Operation = Operation::RewriteObject;

    fn routing(&self) -> [Option<(&'static str, &str)>; 2] {
        // A call with a token may leave out everything else.
        [routed("bucket", &self.destination_bucket), routed("source_bucket", &self.source_bucket)]
    }

    fn key(&self) -> &str {
        &self.destination_name
    }

    fn run(self, server: &Shared, caller: &Caller) -> Result<RewriteResponse, Failure> {
        rewrite(server, caller, self)
    }

    fn spoil(response: &mut RewriteResponse) {
        response.resource.iter_mut().for_each(messages::spoil);
    }
}
