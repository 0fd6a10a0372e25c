//! Which rights are missing, asked of EC2 by dry runs.

use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::{ResourceType, Tag, TagSpecification};
use provider::{ErrorKind, Result};

use super::{EbsSnapshots, tags};
use crate::error;
use crate::rights::EbsPurpose;

/// Ids of nothing: EC2 looks at the rights before it looks for what a dry run names.
const NO_VOLUME: &str = "vol-00000000000000000";
const NO_SNAPSHOT: &str = "snap-00000000000000000";

impl EbsSnapshots {
    /// The IAM actions for a purpose that these credentials lack. Changes nothing. Rights that a policy gives for some volumes or
    /// snapshots only count as missing where they don't cover every one. `ec2:DeleteSnapshot` is not asked for.
    ///
    /// # Errors
    /// When EC2 can't be asked, or doesn't know these credentials.
    pub async fn missing_rights(&self, purpose: EbsPurpose) -> Result<Vec<&'static str>> {
        let mut missing = Vec::new();
        for action in purpose.iam_actions() {
            if !self.may(action).await? {
                missing.push(*action);
            }
        }
        Ok(missing)
    }

    async fn may(&self, action: &'static str) -> Result<bool> {
        let client = &self.clients.retrying;
        let tag = Tag::builder().key(tags::IDENTITY).value("dry-run").build();
        let tagged = |kind| TagSpecification::builder().resource_type(kind).tags(tag.clone()).build();
        match action {
            "ec2:DescribeVolumes" => {
                self.judged("DescribeVolumes", client.describe_volumes().dry_run(true).send().await)
            }
            "ec2:DescribeSnapshots" => {
                let asked = client.describe_snapshots().owner_ids("self").dry_run(true).send().await;
                self.judged("DescribeSnapshots", asked)
            }
            "ec2:CreateSnapshot" => {
                let tags = tagged(ResourceType::Snapshot);
                let call = client.create_snapshot().volume_id(NO_VOLUME).tag_specifications(tags).dry_run(true);
                self.judged("CreateSnapshot", call.send().await)
            }
            "ec2:CreateTags" => self
                .judged("CreateTags", client.create_tags().resources(NO_SNAPSHOT).tags(tag).dry_run(true).send().await),
            "ec2:CreateVolume" => {
                let zone = format!("{}a", self.clients.region);
                let tags = tagged(ResourceType::Volume);
                let call =
                    client.create_volume().availability_zone(zone).snapshot_id(NO_SNAPSHOT).tag_specifications(tags);
                self.judged("CreateVolume", call.dry_run(true).send().await)
            }
            // The least policy lets our own snapshots be deleted, so whether one may be can be told of one that is there.
            _ => Ok(true),
        }
    }

    /// Whether the answer to a dry run is another one than that the right is missing.
    fn judged<T, E>(&self, operation: &'static str, answer: Result<T, SdkError<E, HttpResponse>>) -> Result<bool>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let Err(refused) = answer else { return Ok(true) };
        if refused.code() == Some("DryRunOperation") {
            return Ok(true);
        }
        let error = error::from_sdk(operation, format!("EC2 in {}", self.clients.region), refused);
        match error.kind() {
            ErrorKind::Denied => Ok(false),
            // It went past the rights, and then found nothing of that name.
            ErrorKind::NotFound | ErrorKind::Invalid => Ok(true),
            _ => Err(error),
        }
    }
}
