//! `pachsnap iam gcp`

use clap::{Args, ValueEnum};
use orchestrator::{Error, ErrorKind};
use provider_gcp::Place;
use serde::Serialize;

use super::For;
use crate::config::Config;
use crate::stores::{BucketUrl, Scheme};

/// Options of `iam gcp`.
#[derive(Debug, Args)]
#[command(after_help = "\
Each role is a YAML document as `gcloud iam roles create ID --project P --file FILE` reads it. What is read and what is written are roles \
of their own, so that nothing may write to the cluster's bucket that only has to read it: --place prints one of them.")]
pub(crate) struct Gcp {
    /// What the rights are for
    #[arg(long = "for", value_enum)]
    purpose: For,
    /// Print only the role for this
    #[arg(long, value_enum)]
    place: Option<Where>,
}

/// What a role is granted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Where {
    /// The cluster's bucket
    DataBucket,
    /// The buckets of vault and clones
    Stores,
    /// The project of the disks under etcd
    Disks,
    /// The project that pays, for buckets whose requesters pay
    Payer,
}

/// A custom role, as `gcloud iam roles create --file` reads it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Role {
    title: String,
    description: &'static str,
    stage: &'static str,
    included_permissions: Vec<&'static str>,
}

impl Gcp {
    /// The roles, as YAML.
    ///
    /// # Errors
    /// When nothing of the configuration is on Google Cloud.
    pub(super) fn text(&self, config: &Config) -> Result<String, Error> {
        let places = match self.place {
            Some(place) => vec![place],
            None => [Where::DataBucket, Where::Stores, Where::Disks, Where::Payer]
                .into_iter()
                .filter(|place| place.is_used(config))
                .collect(),
        };
        let mut documents = Vec::new();
        for place in places {
            let permissions = place.place().permissions(self.purpose.purpose());
            if permissions.is_empty() {
                continue;
            }
            documents.push(self.document(place, permissions)?);
        }
        if documents.is_empty() {
            return Err(Error::new(ErrorKind::Configuration, "nothing is asked of this place for that")
                .advise("leave --place out"));
        }
        Ok(documents.join("---\n").trim_end().to_owned())
    }

    fn document(&self, place: Where, permissions: Vec<&'static str>) -> Result<String, Error> {
        let purpose = self.purpose.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let (what, grant) = place.words();
        let role = Role {
            title: format!("pachsnap {purpose}: {what}"),
            description: "What pachsnap asks for, and nothing else",
            stage: "GA",
            included_permissions: permissions,
        };
        let yaml = serde_yaml_ng::to_string(&role)
            .map_err(|cause| Error::new(ErrorKind::Failed, "the role can't be written as YAML").because(cause))?;
        Ok(format!("# Grant it on {grant}.\n{yaml}"))
    }
}

impl Where {
    fn place(self) -> Place {
        match self {
            Self::DataBucket => Place::DataBucket,
            Self::Stores => Place::Stores,
            Self::Disks => Place::Disks,
            Self::Payer => Place::Payer,
        }
    }

    /// What it is, and where to grant the role.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::DataBucket => {
                ("the cluster's bucket", "the cluster's bucket: gcloud storage buckets add-iam-policy-binding")
            }
            Self::Stores => {
                ("vault and clones", "the buckets of vault and clones: gcloud storage buckets add-iam-policy-binding")
            }
            Self::Disks => ("disks", "the project of the disks: gcloud projects add-iam-policy-binding"),
            Self::Payer => ("who pays", "the project that pays: gcloud projects add-iam-policy-binding"),
        }
    }

    /// Whether the configuration uses it. Where the cluster's bucket is nobody is asked, so it counts as Google's.
    fn is_used(self, config: &Config) -> bool {
        let is_google = |path| {
            let url = config.text(path).and_then(BucketUrl::parse);
            url.is_some_and(|url| url.scheme == Scheme::Google)
        };
        match self {
            Self::DataBucket => true,
            Self::Stores => is_google("vault.url") || is_google("clone.url"),
            Self::Disks => {
                config.compute_engine_snapshots_volumes(true) && config.text("snapshot.volume") != Some("skip")
            }
            Self::Payer => config.text("gcs.user-project").is_some(),
        }
    }
}
