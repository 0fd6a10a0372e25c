//! Finding snapshots: by id, by tags, and the one of an identity.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, Snapshot};
use provider::{CutRequest, ErrorKind, Result, SnapshotId};

use super::tags::{self, Tags};
use super::{EbsSnapshots, id};
use crate::EbsProblem;
use crate::error;

impl EbsSnapshots {
    /// A snapshot by its id; `None` when EC2 has none.
    pub(super) async fn described(&self, operation: &'static str, snapshot: &SnapshotId) -> Result<Option<Snapshot>> {
        let resource = self.resource("snapshot", &snapshot.0);
        let answer = self.clients.retrying.describe_snapshots().snapshot_ids(&snapshot.0).send().await;
        let found = match answer.map_err(|error| error::from_sdk("DescribeSnapshots", resource.clone(), error)) {
            Ok(answer) => answer.snapshots.unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let found = found.into_iter().find(|found| found.snapshot_id.as_deref() == Some(&snapshot.0));
        let problem = EbsProblem::Contradiction("the answer holds no snapshot");
        found.map(Some).ok_or_else(|| error::own(ErrorKind::Corrupt, operation, resource, problem))
    }

    /// All snapshots of this account that pass the filters, page by page.
    pub(super) async fn snapshots_with(
        &self,
        client: &Client,
        filters: Vec<Filter>,
        resource: &str,
    ) -> Result<Vec<Snapshot>> {
        let request = client.describe_snapshots().owner_ids("self").set_filters(Some(filters));
        let mut pages = request.into_paginator().page_size(1000).send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| error::from_sdk("DescribeSnapshots", resource.to_owned(), error))?;
            found.extend(page.snapshots.unwrap_or_default());
        }
        Ok(found)
    }

    /// Every snapshot that a cut's requests have made, as far as EC2 lists them, the one to answer first.
    ///
    /// # Errors
    /// `AlreadyExists` when the identity is taken by somebody else's.
    pub(super) async fn made_for(&self, request: &CutRequest) -> Result<Vec<Snapshot>> {
        let resource = self.resource("volume", &request.volume.0);
        let filters = vec![tags::filter(tags::IDENTITY, &request.identity)];
        let found = self.snapshots_with(&self.clients.once, filters, &resource).await?;
        let volume = id::volume_in(&self.clients.region, "CreateSnapshot", &request.volume)?;
        let (mut ours, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|snapshot| {
            tags::owner_of(&tags::read(snapshot.tags.as_deref())).as_ref() == Some(&request.owner)
                && snapshot.volume_id.as_deref() == Some(&volume)
        });
        if ours.is_empty()
            && let Some(other) = others.first()
        {
            let problem = EbsProblem::NotOurs { id: other.snapshot_id.clone().unwrap_or_default() };
            return Err(error::own(ErrorKind::AlreadyExists, "CreateSnapshot", resource, problem));
        }
        ours.sort_by_key(order);
        Ok(ours)
    }

    /// Deletes a snapshot. Absent is success.
    pub(super) async fn delete_snapshot(&self, snapshot: &SnapshotId) -> Result<()> {
        let answer = self.clients.retrying.delete_snapshot().snapshot_id(&snapshot.0).send().await;
        match answer {
            Ok(_) => {}
            Err(error) => {
                let error = error::from_sdk("DeleteSnapshot", self.resource("snapshot", &snapshot.0), error);
                if error.kind() != ErrorKind::NotFound {
                    return Err(error);
                }
            }
        }
        self.recent().remove(&snapshot.0);
        Ok(())
    }
}

/// Which of several snapshots of one identity is the one: the chosen, else that of the earliest request.
fn order(snapshot: &Snapshot) -> (bool, u32, i64, u32, Option<String>) {
    let tags = tags::read(snapshot.tags.as_deref());
    let started = snapshot.start_time.map_or((i64::MAX, 0), |time| (time.secs(), time.subsec_nanos()));
    (!is_chosen(&tags), attempt(&tags), started.0, started.1, snapshot.snapshot_id.clone())
}

/// Whether a snapshot is the one of several that a cut was answered with.
pub(super) fn is_chosen(tags: &Tags) -> bool {
    tags.contains_key(tags::CHOSEN)
}

fn attempt(tags: &Tags) -> u32 {
    tags.get(tags::ATTEMPT).and_then(|attempt| attempt.parse().ok()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::primitives::DateTime;
    use aws_sdk_ec2::types::ResourceType;

    use super::*;

    fn snapshot(id: &str, tags: &[(&str, &str)], started: i64) -> Snapshot {
        let tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let tags = tags::specification(ResourceType::Snapshot, &tags).tags;
        Snapshot::builder().snapshot_id(id).set_tags(tags).start_time(DateTime::from_secs(started)).build()
    }

    #[test]
    fn the_chosen_one_comes_first_then_the_earliest_request() {
        let mut all = [
            snapshot("third", &[(tags::ATTEMPT, "10")], 3),
            snapshot("second", &[(tags::ATTEMPT, "2")], 2),
            snapshot("first", &[(tags::ATTEMPT, "3"), (tags::CHOSEN, "yes")], 4),
            snapshot("last", &[], 1),
        ];
        all.sort_by_key(order);
        let ids: Vec<_> = all.iter().filter_map(|snapshot| snapshot.snapshot_id.as_deref()).collect();
        assert_eq!(ids, ["first", "second", "third", "last"]);
    }
}
