//! The configuration: one TOML file, then the environment, then flags.

mod error;
mod field;
mod layers;
mod nearest;
mod origin;
mod secret;
mod show;
mod span;
mod value;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orchestrator::job::{
    DrainPolicy, Expiry, FenceMode, FinishSettings, Loader, OpenCommits, ReadyLimits, SnapshotSettings, VolumePolicy,
};

pub(crate) use error::ConfigError;
pub(crate) use field::FIELDS;
pub(crate) use layers::{FlagValue, Layers};
#[cfg(feature = "onprem")]
pub(crate) use secret::StoreKeys;
pub(crate) use show::show;
pub(crate) use span::parse as parse_span;

use value::Value;

/// Variables of this tool that are no settings.
const OUR_VARIABLES: &[&str] = &["PACHSNAP_CONFIG"];

/// What the environment holds. Read once, at the start; nothing else reads it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The process's environment; what isn't Unicode is left out.
    pub(crate) fn of_process() -> Self {
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self(variables.collect())
    }

    /// These variables and no others.
    #[cfg(any(test, feature = "demo"))]
    pub(crate) fn of<const N: usize>(variables: [(&str, &str); N]) -> Self {
        Self(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    /// A variable that is set and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn home(&self) -> Option<PathBuf> {
        self.get("HOME").map(PathBuf::from)
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        Self::of(variables)
    }
}

/// The merged configuration.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    layers: Layers,
    environment: Environment,
}

/// How a store is reached, apart from its URL and keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StoreOptions {
    /// Endpoint of an S3-compatible store.
    pub(crate) endpoint: Option<String>,
    /// Region.
    pub(crate) region: Option<String>,
    /// Bucket in the path, not in the host name.
    pub(crate) path_style: Option<bool>,
    /// Which S3 it speaks: `aws`, `minio` or `other`.
    pub(crate) store: Option<String>,
    /// The store honours `If-None-Match`, although its kind may not.
    pub(crate) create_only_put: Option<bool>,
    /// Larger objects are copied inside the store in parts of so many bytes.
    pub(crate) copy_part_bytes: Option<u64>,
    /// Number of the account that must own the bucket.
    pub(crate) expected_owner: Option<String>,
    /// We pay for our requests where the bucket wants its requesters to.
    pub(crate) requester_pays: Option<bool>,
    /// New objects belong to the bucket's owner, who may be another account.
    pub(crate) owner_full_control: Option<bool>,
    /// Class of storage of new objects.
    pub(crate) storage_class: Option<String>,
    /// `AES256`, `aws:kms` or a key of KMS, for new objects.
    pub(crate) encrypt_with: Option<String>,
}

impl StoreOptions {
    /// These options, and others for what they leave open.
    pub(crate) fn or(self, others: Self) -> Self {
        Self {
            endpoint: self.endpoint.or(others.endpoint),
            region: self.region.or(others.region),
            path_style: self.path_style.or(others.path_style),
            store: self.store.or(others.store),
            create_only_put: self.create_only_put.or(others.create_only_put),
            copy_part_bytes: self.copy_part_bytes.or(others.copy_part_bytes),
            expected_owner: self.expected_owner.or(others.expected_owner),
            requester_pays: self.requester_pays.or(others.requester_pays),
            owner_full_control: self.owner_full_control.or(others.owner_full_control),
            storage_class: self.storage_class.or(others.storage_class),
            encrypt_with: self.encrypt_with.or(others.encrypt_with),
        }
    }
}

/// The sections that describe a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreSection {
    /// `[bucket]`: the cluster's data bucket.
    Bucket,
    /// `[vault]`.
    Vault,
    /// `[clone]`.
    Clone,
    /// `[drill]`: the bucket of scratch clusters.
    Drill,
}

impl StoreSection {
    /// The section's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bucket => "bucket",
            Self::Vault => "vault",
            Self::Clone => "clone",
            Self::Drill => "drill",
        }
    }
}

impl Config {
    /// Reads file, environment and flags.
    ///
    /// The file is `explicit`, else `$PACHSNAP_CONFIG`, else `./pachsnap.toml`, else `~/.config/pachsnap/config.toml`;
    /// the last two only if they exist.
    ///
    /// # Errors
    /// What is wrong, and where it was set.
    pub(crate) fn load(
        explicit: Option<&Path>,
        environment: Environment,
        flags: &[FlagValue],
    ) -> Result<Self, ConfigError> {
        let mut layers = Layers::defaults();
        if let Some(path) = config_file(explicit, &environment) {
            let text = std::fs::read_to_string(&path)
                .map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
            layers.add_file(&path, &text)?;
        }
        layers.add_environment(environment.0.clone(), OUR_VARIABLES)?;
        layers.add_flags(flags)?;
        Ok(Self { layers, environment })
    }

    /// Values with their origins.
    pub(crate) fn layers(&self) -> &Layers {
        &self.layers
    }

    /// The environment that the configuration was read with.
    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// A text setting.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        match self.value(path) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A text setting that the command can't do without.
    ///
    /// # Errors
    /// `Missing`.
    pub(crate) fn require(&self, path: &'static str) -> Result<&str, ConfigError> {
        self.text(path).ok_or(ConfigError::Missing { name: path })
    }

    /// A path setting, with `~/` replaced by the home folder.
    pub(crate) fn path(&self, path: &str) -> Option<PathBuf> {
        let Some(Value::Path(value)) = self.value(path) else { return None };
        match (value.strip_prefix("~"), self.environment.home()) {
            (Ok(rest), Some(home)) => Some(home.join(rest)),
            _ => Some(value.clone()),
        }
    }

    /// How the store of a section is reached.
    pub(crate) fn store_options(&self, section: StoreSection) -> StoreOptions {
        let text = |name: &str| self.text(&format!("{}.{name}", section.name())).map(str::to_owned);
        let boolean = |name: &str| self.boolean(&format!("{}.{name}", section.name()));
        StoreOptions {
            endpoint: text("endpoint"),
            region: text("region"),
            path_style: boolean("path-style"),
            store: text("store"),
            create_only_put: boolean("create-only-put"),
            copy_part_bytes: None,
            expected_owner: text("expected-owner"),
            // A copy is paid for by whoever asks the clone's bucket for it.
            requester_pays: boolean("requester-pays").or(self.boolean("bucket.requester-pays")),
            owner_full_control: boolean("owner-full-control"),
            storage_class: text("storage-class"),
            encrypt_with: text("encrypt-with"),
        }
    }

    /// Everything that decides how a snapshot runs. `namespace` is the cluster's, which names it unless the
    /// configuration does.
    ///
    /// # Errors
    /// `Missing` for the vault or the clone.
    pub(crate) fn snapshot_settings(&self, namespace: &str) -> Result<SnapshotSettings, ConfigError> {
        let settings = self.pause_settings(namespace);
        Ok(SnapshotSettings {
            vault: self.require("vault.url")?.to_owned(),
            clone: self.require("clone.url")?.to_owned(),
            ..settings
        })
    }

    /// The settings that a pause needs; vault and clone may be empty.
    pub(crate) fn pause_settings(&self, namespace: &str) -> SnapshotSettings {
        SnapshotSettings {
            cluster_name: self.cluster_name(namespace),
            vault: self.text("vault.url").unwrap_or_default().to_owned(),
            clone: self.text("clone.url").unwrap_or_default().to_owned(),
            fence: match self.text("snapshot.fence") {
                Some("ports") => FenceMode::Ports,
                Some("none") => FenceMode::None,
                _ => FenceMode::Selector,
            },
            port_map: match self.value("snapshot.port-map") {
                Some(Value::Ports(ports)) => ports.clone(),
                _ => BTreeMap::new(),
            },
            open_commits: match self.text("snapshot.open-commits") {
                Some("record") => OpenCommits::Record,
                _ => OpenCommits::Refuse,
            },
            lifecycle: match self.text("snapshot.lifecycle") {
                Some("accept") => Expiry::Accept,
                _ => Expiry::Refuse,
            },
            volume: match self.text("snapshot.volume") {
                Some("require") => VolumePolicy::Require,
                Some("skip") => VolumePolicy::Skip,
                _ => VolumePolicy::Auto,
            },
            drain: match self.text("snapshot.drain") {
                Some("interrupt") => DrainPolicy::Interrupt,
                _ => DrainPolicy::Wait,
            },
            drain_timeout: self.span("snapshot.drain-timeout"),
            stall: self.span("snapshot.stall"),
            max_pause: self.span("snapshot.max-pause"),
            pipeline_parallelism: self.count("snapshot.pipeline-parallelism"),
            copy_parallelism: self.count("snapshot.copy-parallelism"),
            mirror: self.mirror(),
            writer: crate::process::writer(),
            loaders: self.layers.loaders.clone(),
            finish: self.finish_settings(),
            poll: self.span("snapshot.poll"),
        }
    }

    /// How a captured run becomes a recovery point.
    pub(crate) fn finish_settings(&self) -> FinishSettings {
        FinishSettings {
            ready: ReadyLimits { poll: self.span("snapshot.poll"), longest: self.span("snapshot.ready-timeout") },
            staging: self.staging(),
            largest_comparison: (self.count("snapshot.compare-gib") as u64).saturating_mul(1 << 30),
        }
    }

    /// Whether EC2 snapshots volumes of EBS, in-tree ones or those of the CSI driver.
    pub(crate) fn ec2_snapshots_volumes(&self, in_tree: bool) -> bool {
        match self.text("snapshot.volume-provider") {
            Some("ebs") => true,
            Some("csi" | "pd") => false,
            // A region that nobody named would have to be asked of the network.
            _ => in_tree && self.text("ebs.region").is_some(),
        }
    }

    /// Whether Compute Engine snapshots Persistent Disks, in-tree ones or those of the CSI driver.
    pub(crate) fn compute_engine_snapshots_volumes(&self, in_tree: bool) -> bool {
        match self.text("snapshot.volume-provider") {
            Some("pd") => true,
            Some("csi" | "ebs") => false,
            // Which project is asked is nothing to be guessed.
            _ => in_tree && self.text("pd.project").is_some(),
        }
    }

    /// The two clones that take turns.
    fn mirror(&self) -> Option<[String; 2]> {
        let (one, other) = self.text("snapshot.mirror")?.split_once(',')?;
        Some([one.trim().to_owned(), other.trim().to_owned()])
    }

    /// Name of the cluster in the vault.
    pub(crate) fn cluster_name(&self, namespace: &str) -> String {
        self.text("cluster.name").unwrap_or(namespace).to_owned()
    }

    /// Loaders to pause with the cluster.
    pub(crate) fn loaders(&self) -> &[Loader] {
        &self.layers.loaders
    }

    /// Folder for parts on their way to the vault: as set, else the user's cache folder, else the system's temporary one.
    pub(crate) fn staging(&self) -> PathBuf {
        self.path("snapshot.staging").unwrap_or_else(|| {
            let cache = self.environment.get("XDG_CACHE_HOME").map(PathBuf::from);
            cache
                .or_else(|| self.environment.home().map(|home| home.join(".cache")))
                .map_or_else(std::env::temp_dir, |cache| cache.join("pachsnap"))
                .join("staging")
        })
    }

    /// Folder for what has to outlast a run and isn't in a vault.
    pub(crate) fn state_folder(&self) -> PathBuf {
        let state = self.environment.get("XDG_STATE_HOME").map(PathBuf::from);
        state
            .or_else(|| self.environment.home().map(|home| home.join(".local/state")))
            .map_or_else(std::env::temp_dir, |state| state.join("pachsnap"))
    }

    fn value(&self, path: &str) -> Option<&Value> {
        self.layers.values.get(path).map(|(value, _)| value)
    }

    fn boolean(&self, path: &str) -> Option<bool> {
        match self.value(path) {
            Some(Value::Boolean(yes)) => Some(*yes),
            _ => None,
        }
    }

    pub(crate) fn span(&self, path: &str) -> Duration {
        match self.value(path) {
            Some(Value::Duration(span)) => *span,
            _ => Duration::ZERO,
        }
    }

    /// A span of time that need not be set.
    pub(crate) fn span_if_set(&self, path: &str) -> Option<Duration> {
        match self.value(path) {
            Some(Value::Duration(span)) => Some(*span),
            _ => None,
        }
    }

    /// A number that need not be set.
    #[cfg(any(feature = "aws", feature = "gcp"))]
    pub(crate) fn number_if_set(&self, path: &str) -> Option<u32> {
        match self.value(path) {
            Some(Value::Count(count)) => Some(u32::try_from(*count).unwrap_or(u32::MAX)),
            _ => None,
        }
    }

    fn count(&self, path: &str) -> usize {
        match self.value(path) {
            Some(Value::Count(count)) => *count,
            _ => 1,
        }
    }
}

fn config_file(explicit: Option<&Path>, environment: &Environment) -> Option<PathBuf> {
    if let Some(path) = explicit {
        return Some(path.to_owned());
    }
    if let Some(path) = environment.get("PACHSNAP_CONFIG") {
        return Some(PathBuf::from(path));
    }
    let here = PathBuf::from("pachsnap.toml");
    let in_home = environment.home().map(|home| home.join(".config/pachsnap/config.toml"));
    std::iter::once(here).chain(in_home).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;

    fn config(text: &str, environment: Environment) -> Config {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, text).unwrap();
        Config::load(Some(&file), environment, &[]).unwrap()
    }

    #[test]
    fn settings_of_a_snapshot() {
        let text = "[cluster]\nname = \"prod\"\n[vault]\nurl = \"file:///vault\"\n[clone]\nurl = \"s3://clones/x\"\npath-style = true\n\
                    [snapshot]\nfence = \"ports\"\nport-map = { 30650 = 31650 }\nmax-pause = \"1h30m\"\nstaging = \"~/parts\"\ncopy-parallelism = 7";
        let config = config(text, Environment::from([("HOME", "/home/operator")]));
        let settings = config.snapshot_settings("default").unwrap();
        assert_eq!(settings.cluster_name, "prod");
        assert_eq!(settings.fence, FenceMode::Ports);
        assert_eq!(settings.port_map, BTreeMap::from([(30650, 31650)]));
        assert_eq!(settings.max_pause, Duration::from_secs(5_400));
        assert_eq!(settings.stall, Duration::from_secs(120));
        assert_eq!(settings.finish.staging, PathBuf::from("/home/operator/parts"));
        assert_eq!(settings.copy_parallelism, 7);
        assert_eq!(config.store_options(StoreSection::Clone).path_style, Some(true));
        assert_eq!(config.store_options(StoreSection::Vault), StoreOptions::default());
    }

    #[test]
    fn what_is_missing_is_named() {
        let config = config("[vault]\nurl = \"file:///vault\"", Environment::default());
        assert_eq!(config.snapshot_settings("x").unwrap_err().to_string(), "clone.url is not set");
        assert_eq!(config.pause_settings("pachyderm").cluster_name, "pachyderm");
        let error = orchestrator::Error::from(config.require("clone.url").unwrap_err());
        assert!(error.advice().unwrap().contains("PACHSNAP_CLONE_URL"));
    }

    #[test]
    fn a_named_file_must_exist() {
        let error = Config::load(Some(Path::new("/nowhere/pachsnap.toml")), Environment::default(), &[]).unwrap_err();
        assert!(matches!(error, ConfigError::Unreadable { .. }));
        let environment = Environment::from([("PACHSNAP_CONFIG", "/nowhere/other.toml")]);
        let error = Config::load(None, environment, &[]).unwrap_err();
        assert!(error.to_string().contains("/nowhere/other.toml"));
    }
}
