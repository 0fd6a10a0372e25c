//! The stores that this binary can open, with the options and keys of the configuration.

mod bucket_url;
#[cfg(feature = "onprem")]
mod csi;
#[cfg(feature = "onprem")]
mod directory;
#[cfg(feature = "aws")]
mod ebs;
#[cfg(feature = "gcp")]
mod gcs_store;
mod object_url;
#[cfg(feature = "gcp")]
mod pd;
#[cfg(feature = "onprem")]
mod s3_store;
#[cfg(not(feature = "aws"))]
mod without_aws;
#[cfg(not(feature = "gcp"))]
mod without_gcp;
#[cfg(not(feature = "onprem"))]
mod without_onprem;

use orchestrator::cluster::{AccessKey, BucketLocation, BucketPlace};
use orchestrator::drill::ScratchBucket;
use orchestrator::job::{Opened, OpenedVolume, Stores};
use orchestrator::manifest::EtcdVolumeRecord;
use orchestrator::{Error, ErrorKind, Result};

use crate::config::{Config, StoreOptions, StoreSection};
pub(crate) use bucket_url::{BucketUrl, Scheme};
#[cfg(feature = "aws")]
use ebs::Ebs;
#[cfg(feature = "aws")]
pub(crate) use ebs::missing_rights;
pub(crate) use gcs_store::{missing_data_permissions, missing_store_permissions};
pub(crate) use object_url::ObjectUrl;
use pd::PersistentDisks;
pub(crate) use pd::missing_disk_permissions;
#[cfg(not(feature = "aws"))]
use without_aws::Ebs;
#[cfg(not(feature = "aws"))]
pub(crate) use without_aws::missing_rights;
#[cfg(not(feature = "gcp"))]
use without_gcp::{gcs_store, pd};
#[cfg(not(feature = "onprem"))]
use without_onprem::{csi, directory, s3_store};

/// Opens stores as the configuration says.
#[derive(Debug)]
pub(crate) struct ConfiguredStores {
    config: Config,
    ebs: Ebs,
    persistent_disks: PersistentDisks,
}

impl ConfiguredStores {
    /// Stores of this configuration.
    pub(crate) fn new(config: Config) -> Self {
        Self { config, ebs: Ebs::default(), persistent_disks: PersistentDisks::default() }
    }

    /// Whose options and keys apply to a URL: those of the section whose own URL is the longest beginning of it.
    fn section_of(&self, url: &str) -> Option<StoreSection> {
        let plain = |url: &str| url.split('?').next().unwrap_or_default().trim_end_matches('/').to_owned();
        let url = plain(url);
        let matching = |section: StoreSection| {
            let own = plain(self.config.text(&format!("{}.url", section.name()))?);
            let rest = url.strip_prefix(&own)?;
            (rest.is_empty() || rest.starts_with('/')).then_some((own.len(), section))
        };
        let sections = [StoreSection::Vault, StoreSection::Clone, StoreSection::Drill];
        sections.into_iter().filter_map(matching).max_by_key(|(length, _)| *length).map(|(_, section)| section)
    }
}

impl ConfiguredStores {
    /// The bucket of scratch clusters, as this machine opens it and as their pachd is told.
    ///
    /// # Errors
    /// `Configuration` when it isn't named, or can't be such a bucket.
    pub(crate) fn scratch_bucket(&self) -> Result<ScratchBucket> {
        let url = self.config.require("drill.url")?.to_owned();
        let wrong = |why: &str| {
            Error::new(ErrorKind::Configuration, format!("drill.url is {url:?}: {why}"))
                .advise("name a bucket in an S3 store that is empty and belongs to drills alone: s3://bucket")
        };
        let place = BucketUrl::parse_s3(&url).ok_or_else(|| wrong("the bucket of a drill has to be in an S3 store"))?;
        if !place.prefix.is_empty() {
            return Err(wrong("pachd's keys begin at the root of a bucket, so it can't have a prefix"));
        }
        let options = self.config.store_options(StoreSection::Drill);
        let seen_by_pachd = self.config.text("drill.pachd-endpoint").map(str::to_owned);
        let credentials = self.config.store_keys(StoreSection::Drill)?.map(|keys| AccessKey {
            id: keys.access_key_id.reveal().to_owned(),
            secret: keys.secret_access_key.reveal().to_owned(),
            session_token: keys.session_token.map(|token| token.reveal().to_owned()),
        });
        Ok(ScratchBucket {
            place: BucketPlace::S3 {
                bucket: place.bucket,
                endpoint: seen_by_pachd.or(options.endpoint).or(place.endpoint),
                region: options.region,
                credentials,
            },
            url,
        })
    }

    /// Opens the store of a URL that a command was given, reached as these options say, and otherwise as the
    /// configuration does.
    ///
    /// # Errors
    /// `Configuration` for what is no URL of a store, or can't be opened.
    pub(crate) fn open_place(&self, url: &str, options: &StoreOptions) -> Result<Opened> {
        if url.starts_with("file:") {
            return directory::open_url(url);
        }
        let section = self.section_of(url);
        match BucketUrl::parse(url) {
            Some(place) if place.scheme == Scheme::S3 => s3_store::open(&self.config, section, &place, options),
            Some(place) => gcs_store::open(&self.config, section, &place, options),
            None => Err(Error::new(ErrorKind::Configuration, format!("{url:?} is not the URL of a store"))
                .advise("pachsnap opens s3://bucket/prefix, gs://bucket/prefix and file:///folder")),
        }
    }
}

/// Waits for a store to be opened: folders are looked at, and an SDK may look for credentials in files and at the
/// instance. Needs a runtime with several threads.
#[cfg(any(feature = "aws", feature = "gcp", feature = "onprem"))]
fn wait_for<T>(opening: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(opening))
}

impl Stores for ConfiguredStores {
    fn open_data(&self, location: &BucketLocation) -> Result<Opened> {
        match &location.place {
            BucketPlace::S3 { bucket, endpoint, region, credentials } => {
                s3_store::open_data(&self.config, bucket, endpoint.as_deref(), region.as_deref(), credentials.as_ref())
            }
            BucketPlace::Local { host_path } => match self.config.path("bucket.path") {
                Some(path) => directory::open_data(&path),
                None => Err(Error::new(
                    ErrorKind::Configuration,
                    format!("the cluster keeps its data in {host_path} on its node, and bucket.path is not set"),
                )
                .advise("mount that folder on this machine and name it by bucket.path")),
            },
            BucketPlace::Google { bucket, credentials } => {
                gcs_store::open_data(&self.config, bucket, credentials.as_ref())
            }
            BucketPlace::Microsoft { .. } => {
                Err(Error::new(ErrorKind::Configuration, format!("{} can't be opened", location.describe()))
                    .advise("this build has no provider for that cloud"))
            }
        }
    }

    fn open_url(&self, url: &str) -> Result<Opened> {
        self.open_place(url, &StoreOptions::default())
    }

    fn open_volume(
        &self,
        kubernetes: &kube::Client,
        namespace: &str,
        volume: &EtcdVolumeRecord,
    ) -> Result<Option<OpenedVolume>> {
        if is_ebs(volume) && self.config.ec2_snapshots_volumes(!volume.is_csi()) {
            return self.ebs.open(&self.config, volume);
        }
        if is_persistent_disk(volume) && self.config.compute_engine_snapshots_volumes(!volume.is_csi()) {
            return self.persistent_disks.open(&self.config, volume);
        }
        Ok(if volume.is_csi() { csi::open(&self.config, kubernetes, namespace, volume) } else { None })
    }
}

/// Whether a volume is one of EBS, in-tree or of its CSI driver.
fn is_ebs(volume: &EtcdVolumeRecord) -> bool {
    matches!(volume.source.as_str(), "awsElasticBlockStore" | "csi:ebs.csi.aws.com")
}

/// Whether a volume is a Persistent Disk, in-tree or of its CSI driver.
pub(crate) fn is_persistent_disk(volume: &EtcdVolumeRecord) -> bool {
    matches!(volume.source.as_str(), "gcePersistentDisk" | "csi:pd.csi.storage.gke.io")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::config::Environment;

    fn stores(vault: &str, clone: &str) -> ConfiguredStores {
        let flags = [("vault.url", "--vault", vault.to_owned()), ("clone.url", "--clone", clone.to_owned())];
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("empty.toml");
        std::fs::write(&file, "").unwrap();
        ConfiguredStores::new(Config::load(Some(&file), Environment::default(), &flags).unwrap())
    }

    #[test]
    fn the_longest_matching_section_counts() {
        let stores = stores("s3://backups", "s3://backups/clones/");
        assert_eq!(stores.section_of("s3://backups/clones/run-1"), Some(StoreSection::Clone));
        assert_eq!(stores.section_of("s3://backups/clones?endpoint=http%3A//x"), Some(StoreSection::Clone));
        assert_eq!(stores.section_of("s3://backups/clones-of-others"), Some(StoreSection::Vault));
        assert_eq!(stores.section_of("s3://backups2"), None);
    }

    #[cfg(feature = "onprem")]
    #[tokio::test(flavor = "multi_thread")]
    async fn a_folder_is_made_for_a_vault_but_not_for_data() {
        let folder = tempfile::tempdir().unwrap();
        let vault = folder.path().join("vault");
        let url = format!("file://{}", vault.display());
        let opened = stores(&url, "s3://clones").open_url(&url).unwrap();
        assert_eq!(opened.realm, "file");
        assert!(vault.is_dir());
        assert!(directory::open_data(&folder.path().join("data")).is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn unknown_schemes_are_refused() {
        let stores = stores("s3://backups", "s3://clones");
        for url in ["az://bucket", "backups", "s3://", "file://relative/folder"] {
            let error = stores.open_url(url).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{url}");
        }
    }
}
