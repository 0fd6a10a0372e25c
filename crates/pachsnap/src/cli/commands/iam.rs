//! `pachsnap iam`

use clap::{Args, Subcommand, ValueEnum};
use orchestrator::outcome::exit_code;
use orchestrator::{Error, ErrorKind};
use provider_aws::{Needs, Place, Purpose, Volumes};

use crate::cli::{Ended, Session};
use crate::config::{Config, StoreSection};
use crate::render::stdout_text;
use crate::stores::BucketUrl;

/// Which cloud's rights to print.
#[derive(Debug, Subcommand)]
pub(crate) enum Iam {
    /// Print an IAM policy for Amazon's S3 and EC2
    Aws(Aws),
}

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

/// What rights are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum For {
    /// `plan`, `snapshot` and `finish`
    Snapshot,
    /// `restore`
    Restore,
    /// `drill`
    Drill,
    /// `delete` and `prune`
    Prune,
}

impl Iam {
    /// Prints the rights. Asks nobody.
    ///
    /// # Errors
    /// What is wrong with the configuration; when stdout can't be written to.
    pub(crate) fn run(self, session: &Session) -> Result<u8, Ended> {
        let Self::Aws(options) = self;
        let config = session.config(&[])?;
        let policy = serde_json::to_string_pretty(&options.policy(&config)?)
            .map_err(|cause| Error::new(ErrorKind::Failed, "the policy can't be written as JSON").because(cause))?;
        stdout_text(&format!("{policy}\n"))
            .map_err(|cause| Error::new(ErrorKind::Failed, "the policy can't be written to stdout").because(cause))?;
        Ok(exit_code::OK)
    }
}

impl Aws {
    fn policy(&self, config: &Config) -> Result<serde_json::Value, Error> {
        let purpose = match self.purpose {
            For::Snapshot => Purpose::Snapshot,
            For::Restore => Purpose::Restore,
            For::Drill => Purpose::Drill,
            For::Prune => Purpose::Prune,
        };
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
