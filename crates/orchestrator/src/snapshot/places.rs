//! Where vault and clone may be: outside of the cluster's own bucket, and not open to everybody.

use percent_encoding::percent_decode_str;
use provider::{Bucket, Key, ListRequest, PutMode, PutRequest};
use uuid::Uuid;

use super::place_facts::{Place, compare_encryption, judge_data};
use super::preflight::Writes;
use crate::cluster::Cluster;
use crate::error::{Error, ErrorKind, Result};
use crate::job::{SnapshotSettings, Stores};
use crate::retry::{RetryPolicy, retrying};
use crate::vault::read_facts;

/// Refuses places inside the cluster's own bucket: what is in there is cloned, and pachd cleans it up. Where it may write, it
/// also finds out a bucket that is reached by another name. Answers with what can't be told.
pub(super) async fn check(
    cluster: &Cluster,
    settings: &SnapshotSettings,
    stores: &dyn Stores,
    writes: Writes,
) -> Result<Vec<String>> {
    let mut opened = Vec::new();
    for (what, url) in [("vault", &settings.vault), ("clone", &settings.clone)] {
        let place = stores.open_url(url)?;
        let same_store = place.realm == cluster.bucket_realm;
        if same_store && crate::clone::overlap(&place.bucket.location(), &cluster.bucket.location()) {
            return Err(inside(what, url));
        }
        opened.push((what, url, place));
    }
    // It can be listed, or it would not have been discovered: whatever else there is to know of it is no reason to end here.
    let data = read_facts(cluster.bucket_facts.as_ref(), RetryPolicy::default()).await.unwrap_or_default();
    let mut warnings = data.as_ref().map_or_else(Vec::new, |data| judge_data(data, &cluster.record.bucket));
    warnings.extend(archived(cluster.bucket.as_ref()).await);
    for (what, url, place) in opened {
        let location = place.bucket.location();
        let about = Place { what, url, prefix: &prefix_of(&location) };
        let facts = read_facts(place.facts.as_ref(), RetryPolicy::default()).await.map_err(|cause| {
            Error::new(ErrorKind::Vault, format!("how the {what} {url} is set up can't be read")).because(cause)
        })?;
        match facts {
            Some(facts) => {
                warnings.extend(about.judge(&facts, settings.lifecycle)?);
                if what == "clone" {
                    warnings.extend(data.as_ref().and_then(|data| compare_encryption(data, &facts, url)));
                }
            }
            None => warnings.push(about.privacy_unknown()),
        }
        if writes == Writes::Allowed && is_seen_in(cluster.bucket.as_ref(), what, url, place.bucket.as_ref()).await? {
            return Err(inside(what, url));
        }
    }
    Ok(warnings)
}

/// How many of the data bucket's first keys are archived.
async fn archived(data: &dyn Bucket) -> Option<String> {
    let page = data.list(&ListRequest::default()).await.ok()?.objects;
    let archived = page.iter().filter(|object| object.class.is_some_and(|class| class.archived)).count();
    (archived > 0).then(|| {
        format!(
            "{archived} of the first {} objects of the cluster's bucket are archived: pachd can't read them, and the first one that the clone has \
             not yet ends the pre-copy; bring them back (`aws s3api restore-object`), `pachsnap clone --dry-run` counts them all",
            page.len()
        )
    })
}

/// What the raw keys of everything in a place begin with.
fn prefix_of(location: &str) -> String {
    let location = location.split(['?', '#']).next().unwrap_or(location);
    let path = location.split_once("://").map_or("", |(_, path)| path);
    let prefix = path.split_once('/').map_or("", |(_, prefix)| prefix);
    percent_decode_str(prefix).decode_utf8_lossy().into_owned()
}

fn inside(what: &str, url: &str) -> Error {
    Error::new(ErrorKind::Vault, format!("the {what} {url} is inside the cluster's own bucket"))
        .advise("choose another bucket: this one is cloned with every run, and lost together with the cluster")
}

/// Writes an object to a place, looks for it in the data bucket, and removes it. An object of a bucket has one key, whatever
/// name the bucket is reached by: the end of the place's own path and the object's name.
async fn is_seen_in(data: &dyn Bucket, what: &str, url: &str, place: &dyn Bucket) -> Result<bool> {
    let probe = Key::new(format!("probe-{}", Uuid::new_v4().simple()));
    let unusable = |cause: provider::Error| {
        Error::new(ErrorKind::Vault, format!("the {what} {url} is not writable"))
            .because(cause)
            .advise(format!("see [{what}] in the configuration: its URL, its endpoint and its keys"))
    };
    let policy = RetryPolicy::default();
    let put = || place.put(PutRequest::bytes(probe.clone(), PutMode::Overwrite, probe.as_str().as_bytes().to_vec()));
    retrying(policy, put).await.map_err(unusable)?;
    let mut seen = false;
    for key in possible_keys(&place.location(), &probe) {
        // Whoever may not look there can't clone it either: discovery has read this bucket.
        seen |= matches!(retrying(policy, || data.head(&key)).await, Ok(Some(_)));
    }
    let keys = [probe];
    let outcomes = retrying(policy, || place.delete(&keys)).await.map_err(unusable)?;
    for outcome in outcomes {
        outcome.result.map_err(unusable)?;
    }
    Ok(seen)
}

/// The keys that an object of a place may have in a bucket that holds the place.
fn possible_keys(location: &str, name: &Key) -> Vec<Key> {
    let location = location.split(['?', '#']).next().unwrap_or(location);
    let path = location.split_once("://").map_or("", |(_, path)| path).trim_end_matches('/');
    let mut key = name.as_str().to_owned();
    let mut keys = vec![name.clone()];
    for segment in path.rsplit('/').filter(|segment| !segment.is_empty()) {
        key = format!("{segment}/{key}");
        keys.push(Key::new(key.clone()));
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_as_keys_have_it() {
        assert_eq!(prefix_of("s3://b/env%3Dprod/?endpoint=x"), "env=prod/");
        assert_eq!(prefix_of("s3://b/"), "");
        assert_eq!(prefix_of("s3://b"), "");
    }

    #[test]
    fn every_end_of_a_path_may_be_the_key() {
        let keys = possible_keys("s3://backups/a/b/?region=x", &Key::new("probe"));
        let keys: Vec<&str> = keys.iter().map(Key::as_str).collect();
        assert_eq!(keys, ["probe", "b/probe", "a/b/probe", "backups/a/b/probe"]);
    }
}
