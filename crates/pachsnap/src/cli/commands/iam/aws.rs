//! `pachsnap iam aws`

use clap::Args;
use orchestrator::{Error, ErrorKind};
use provider::Purpose;
use provider_aws::{Needs, Place, Volumes};

use crate::config::{Config, StoreSection};
use crate::stores::BucketUrl;

use super::For;

/// Options of `iam aws`.
#[derive(Debug, Args)]
#[command(after_help = "\
The policy is for the stores and volumes of this configuration. Nobody is asked, so what the configuration doesn't say has to be given: \
the cluster's bucket (`pachsnap discover` names it), and the KMS keys that buckets and volumes are encrypted with by themselves.")]
pub(crate) struct Aws {
    /// What the rights are for
    #[arg(long = "for", value_enum)]
    purpose: For,
    /// The cluster's bucket, for snapshot and restore
    #[arg(long, value_name = "NAME")]
    data_bucket: Option<String>,
    /// KMS key that a volume under etcd is encrypted with: id, alias or ARN; may be repeated
    #[arg(long, value_name = "KEY")]
    volume_key: Vec<String>,
    /// KMS key that a bucket encrypts with by itself, besides those of `encrypt-with`; may be repeated
    #[arg(long, value_name = "KEY")]
    bucket_key: Vec<String>,
}

impl Aws {
    /// The policy, as JSON.
    ///
    /// # Errors
    /// What the configuration doesn't say.
    pub(super) fn text(&self, config: &Config) -> Result<String, Error> {
        serde_json::to_string_pretty(&self.policy(config)?)
            .map_err(|cause| Error::new(ErrorKind::Failed, "the policy can't be written as JSON").because(cause))
    }

    fn policy(&self, config: &Config) -> Result<serde_json::Value, Error> {
        let purpose = self.purpose.purpose();
        let data = match (&self.data_bucket, purpose) {
            (Some(bucket), Purpose::Snapshot | Purpose::Restore) => {
                self.place(config, StoreSection::Bucket, bucket, "")
            }
            (None, Purpose::Drill | Purpose::Prune) => None,
            (Some(_), Purpose::Drill | Purpose::Prune) => {
                return Err(Error::new(ErrorKind::Configuration, "the cluster's bucket is not touched for this")
                    .advise("leave --data-bucket out; a drill's bucket is drill.url"));
            }
            (None, Purpose::Snapshot | Purpose::Restore) => {
                return Err(Error::new(
                    ErrorKind::Configuration,
                    "which bucket the cluster has is not in the configuration",
                )
                .advise("name it: --data-bucket NAME; `pachsnap discover` shows it"));
            }
        };
        let regions = ["bucket.region", "vault.region", "clone.region"];
        let needs = Needs {
            data,
            vault: self.of_section(config, StoreSection::Vault)?,
            clones: self.of_section(config, StoreSection::Clone)?,
            drill: if purpose == Purpose::Drill { self.of_section(config, StoreSection::Drill)? } else { None },
            volumes: self.volumes(config),
            region: regions.iter().find_map(|path| config.text(path)).map(str::to_owned),
        };
        Ok(needs.policy(purpose))
    }

    /// The volumes, if EC2 snapshots them.
    fn volumes(&self, config: &Config) -> Option<Volumes> {
        let used = config.ec2_snapshots_volumes(true) && config.text("snapshot.volume") != Some("skip");
        used.then(|| Volumes {
            region: config.text("ebs.region").map(str::to_owned),
            keys: self.volume_key.clone(),
            key_of_restored: config.text("ebs.encrypt-with").map(str::to_owned),
        })
    }

    /// The place that a section names; `None` when it isn't on Amazon S3.
    fn of_section(&self, config: &Config, section: StoreSection) -> Result<Option<Place>, Error> {
        let url = config.require(match section {
            StoreSection::Vault => "vault.url",
            StoreSection::Clone => "clone.url",
            StoreSection::Bucket | StoreSection::Drill => "drill.url",
        })?;
        Ok(BucketUrl::parse_s3(url).and_then(|url| self.place(config, section, &url.bucket, &url.prefix)))
    }

    fn place(&self, config: &Config, section: StoreSection, bucket: &str, prefix: &str) -> Option<Place> {
        let options = config.store_options(section);
        if options.endpoint.is_some() && options.store.as_deref() != Some("aws") {
            return None;
        }
        // The other words name no key of ours.
        let chosen = options.encrypt_with.filter(|key| key != "AES256" && key != "aws:kms");
        Some(Place {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            keys: chosen.into_iter().chain(self.bucket_key.iter().cloned()).collect(),
            owner_full_control: options.owner_full_control.unwrap_or(false),
        })
    }
}
