//! Looking at volumes.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

use aws_sdk_ec2::Client;
use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_ec2::types::{ResourceType, Tag, TagSpecification, Volume};
use provider::{ErrorKind, Result, VolumeFacts, VolumeId};

use super::described::GIB;
use super::source::{ENCRYPTED, KMS_KEY, Source, TYPE, ZONE};
use super::{EbsSnapshots, id, tags};
use crate::EbsProblem;
use crate::error;

impl EbsSnapshots {
    /// Size and cautions of a volume, which these credentials may cut; remembers what it is for the cut.
    pub(super) async fn look_at(&self, volume: &VolumeId) -> Result<VolumeFacts> {
        let id = id::volume_in(&self.clients.region, "DescribeVolumes", volume)?;
        let found = self.volume(&self.clients.retrying, &id).await?;
        let Some(gib) = found.size.and_then(|gib| u64::try_from(gib).ok()) else {
            let problem = EbsProblem::Contradiction("the volume has no size");
            return Err(error::own(ErrorKind::Corrupt, "DescribeVolumes", self.resource("volume", &id), problem));
        };
        self.may_cut(&id).await?;
        let source = Source::of(&found);
        let cautions = self.cautions(&volume.0, &source);
        self.sources().insert(id, source);
        Ok(VolumeFacts { size: gib * GIB, cautions })
    }

    /// Asks EC2 whether these credentials may cut a volume with tags, without doing so.
    async fn may_cut(&self, id: &str) -> Result<()> {
        let tag = Tag::builder().key(tags::IDENTITY).value("dry-run").build();
        let tags = TagSpecification::builder().resource_type(ResourceType::Snapshot).tags(tag).build();
        let call = self.clients.retrying.create_snapshot().volume_id(id).tag_specifications(tags).dry_run(true);
        match call.send().await {
            Ok(_) => {
                let problem = EbsProblem::Contradiction("a snapshot was made where only the right to it was asked for");
                Err(error::own(ErrorKind::Corrupt, "CreateSnapshot", self.resource("volume", id), problem))
            }
            Err(error) if error.code() == Some("DryRunOperation") => Ok(()),
            Err(error) => Err(error::from_sdk("CreateSnapshot", self.resource("volume", id), error)),
        }
    }

    fn cautions(&self, volume: &str, source: &Source) -> Vec<String> {
        let of = |name| source.get(name).unwrap_or("unknown");
        let region = &self.clients.region;
        let mut cautions = vec![format!(
            "the snapshot of {volume} (type {}, zone {}) lives in region {region} and in this AWS account only: it is neither copied to \
             another region nor shared with another account, and not locked, so whoever may delete snapshots can delete it; etcd's own \
             snapshot in the vault does not depend on it",
            of(TYPE),
            of(ZONE),
        )];
        cautions.push(match (source.get(ENCRYPTED), source.get(KMS_KEY)) {
            (Some("yes"), key) => format!(
                "{volume} and its snapshot are encrypted with KMS key {}: without that key, or without the right to use it, nobody \
                 can restore the snapshot",
                key.unwrap_or("(not told by EC2)"),
            ),
            _ => format!("{volume} and its snapshot are not encrypted"),
        });
        cautions
    }

    /// What EC2 says of a volume.
    pub(super) async fn volume(&self, client: &Client, id: &str) -> Result<Volume> {
        let resource = self.resource("volume", id);
        let answer = client.describe_volumes().volume_ids(id).send().await;
        let answer = answer.map_err(|error| error::from_sdk("DescribeVolumes", resource.clone(), error))?;
        let problem = EbsProblem::Contradiction("the answer holds no volume");
        answer
            .volumes
            .unwrap_or_default()
            .into_iter()
            .find(|volume| volume.volume_id.as_deref() == Some(id))
            .ok_or_else(|| error::own(ErrorKind::Corrupt, "DescribeVolumes", resource, problem))
    }

    /// What `inspect` saw, by EC2's id of the volume.
    pub(super) fn sources(&self) -> MutexGuard<'_, BTreeMap<String, Source>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
