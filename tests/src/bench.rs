//! A recorded cluster that is being served, with a vault and a place for clones in a folder.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sandbox::cluster::{ClusterOptions, NAMESPACE, RecordedCluster};
use sandbox::s3::{S3Options, S3Server};
use serde_json::json;
use tempfile::TempDir;

use crate::binary::{Ended, Running, start};

/// A recorded cluster, and folders for what is made of it.
#[derive(Debug)]
pub struct Bench {
    /// The cluster.
    pub cluster: RecordedCluster,
    folder: TempDir,
    environment: Mutex<Vec<(String, String)>>,
    /// The vault's server, unless the vault is a folder or in Cloud Storage.
    server: Mutex<Option<Arc<S3Server>>>,
    pub(crate) usual: Mutex<Usual>,
}

/// What stands in every configuration of a bench.
#[derive(Clone, Debug)]
pub(crate) struct Usual {
    /// Lines of `[vault]`.
    pub(crate) vault: String,
    /// Lines of `[clone]`.
    pub(crate) clones: String,
    /// Other sections.
    pub(crate) sections: String,
    /// More lines of `[snapshot]`.
    pub(crate) snapshot: String,
}

impl Usual {
    /// Vault and clones in a folder.
    fn in_folder(folder: &Path) -> Self {
        let place = |name: &str| format!("url = \"file://{}/{name}\"\n", folder.display());
        let (vault, clones) = (place("vault"), place("clones"));
        Self { vault, clones, sections: String::new(), snapshot: String::new() }
    }
}

impl Bench {
    /// Serves cluster *alpha* with its pipelines running.
    pub async fn new() -> Self {
        Self::with(ClusterOptions::default()).await
    }

    /// Serves cluster *alpha*.
    ///
    /// # Panics
    /// When no server can be started.
    pub async fn with(options: ClusterOptions) -> Self {
        Self::of(RecordedCluster::alpha(options).await.expect("the recorded cluster can be served")).await
    }

    /// A cluster that is served already.
    ///
    /// # Panics
    /// When there is no temporary folder.
    pub async fn of(cluster: RecordedCluster) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        cluster.kubernetes.write_kubeconfig(&folder.path().join("kubeconfig")).expect("the kubeconfig can be written");
        let usual = Mutex::new(Usual::in_folder(folder.path()));
        let bench = Self { cluster, folder, environment: Mutex::default(), server: Mutex::default(), usual };
        bench.use_google();
        bench.write_config("");
        bench.wait_until_ready().await;
        bench
    }

    /// Folder of everything.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The vault's folder.
    pub fn vault(&self) -> PathBuf {
        self.folder().join("vault")
    }

    /// The folder of all clones.
    pub fn clones(&self) -> PathBuf {
        self.folder().join("clones")
    }

    /// Writes the configuration, with more lines behind the usual ones.
    ///
    /// # Panics
    /// When the folder is gone.
    pub fn write_config(&self, more: &str) {
        let Usual { vault, clones, sections, snapshot } = self.usual();
        let config = format!(
            "[cluster]\nname = \"alpha\"\nnamespace = \"{NAMESPACE}\"\nkubeconfig = \"{folder}/kubeconfig\"\n\n\
             [vault]\n{vault}\n[clone]\n{clones}\n{sections}\
             [snapshot]\nstaging = \"{folder}/staging\"\nopen-commits = \"record\"\npoll = \"50ms\"\n{snapshot}{more}",
            folder = self.folder().display()
        );
        std::fs::write(self.folder().join("pachsnap.toml"), config).expect("the configuration can be written");
    }

    pub(crate) fn usual(&self) -> Usual {
        self.usual.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces a part of the configuration.
    ///
    /// # Panics
    /// When it holds no such part.
    pub fn change_config(&self, old: &str, new: &str) {
        let path = self.folder().join("pachsnap.toml");
        let config = std::fs::read_to_string(&path).expect("the configuration can be read");
        assert!(config.contains(old), "the configuration has no {old:?}");
        std::fs::write(path, config.replace(old, new)).expect("the configuration can be written");
    }

    /// Puts the vault, or the place of `clones`, elsewhere: these lines of its section stand for the folder.
    ///
    /// # Panics
    /// When it was moved before.
    pub fn move_place(&self, folder: &str, lines: &str) {
        self.change_config(&format!("url = \"file://{}/{folder}\"", self.folder().display()), lines);
    }

    /// Moves the vault to an S3 server of its own, bucket `vault`, whose keys the binary gets in two variables.
    ///
    /// # Panics
    /// When the server can't be started, or the vault was moved before.
    pub async fn move_vault_to_s3(&self, options: S3Options) -> Arc<S3Server> {
        let server = Arc::new(S3Server::start(options).await.expect("an S3 server can be started"));
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&server));
        server.bucket("vault").set_public(false);
        self.move_place(
            "vault",
            &format!(
                "url = \"s3://vault/points\"\nendpoint = \"{}\"\nstore = \"minio\"\n\
                 access-key-id-env = \"VAULT_ID\"\nsecret-access-key-env = \"VAULT_SECRET\"",
                server.endpoint()
            ),
        );
        let S3Options { access_key, secret_key, .. } = server.options();
        self.set_environment(&[("VAULT_ID", access_key), ("VAULT_SECRET", secret_key)]);
        server
    }

    /// Makes every Lease of pachsnap one whose holder gave its last sign long ago.
    ///
    /// # Panics
    /// When the Lease can't be changed.
    pub fn end_leases(&self) {
        let long_ago = json!({"spec": {"renewTime": "2020-01-01T00:00:00.000000Z"}});
        let kubernetes = &self.cluster.kubernetes;
        if kubernetes.object("leases", NAMESPACE, "pachsnap").is_some() {
            kubernetes.merge("leases", NAMESPACE, "pachsnap", &long_ago).expect("the Lease can be changed");
        }
    }

    /// Gives the binary these variables too.
    pub fn set_environment(&self, variables: &[(&str, &str)]) {
        let more = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.environment.lock().unwrap_or_else(PoisonError::into_inner).extend(more);
    }

    /// Runs the binary to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).end().await
    }

    /// Starts the binary.
    pub fn start(&self, arguments: &[&str]) -> Running {
        self.start_in(self.folder(), arguments)
    }

    /// Starts the binary in another folder, with this bench's configuration.
    pub fn start_in(&self, folder: &Path, arguments: &[&str]) -> Running {
        let config = self.folder().join("pachsnap.toml");
        let all = arguments
            .iter()
            .map(|word| (*word).to_owned())
            .chain(["--config".to_owned(), config.display().to_string()]);
        let given = self.environment.lock().unwrap_or_else(PoisonError::into_inner);
        let environment = given.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        start(folder, [("PATH", "/usr/bin:/bin")].into_iter().chain(environment), all)
    }

    /// The only run in the vault that has this file.
    pub fn run_with(&self, file: &str) -> Option<String> {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(server) = server {
            let keys = server.bucket("vault").keys();
            return keys.iter().find_map(|key| {
                let run = key.strip_prefix("points/alpha/")?.strip_suffix(file)?.strip_suffix('/')?;
                Some(run.to_owned())
            });
        }
        if let Some(vault) = self.google_vault() {
            let runs = vault.keys().into_iter().filter_map(|key| key.strip_prefix("alpha/").map(str::to_owned));
            return runs.filter_map(|key| Some(key.strip_suffix(file)?.strip_suffix('/')?.to_owned())).next();
        }
        let entries = std::fs::read_dir(self.vault().join("alpha")).ok()?;
        let mut runs = entries.filter_map(Result::ok).filter(|entry| entry.path().join(file).exists());
        runs.next().map(|entry| entry.file_name().to_string_lossy().into_owned())
    }

    /// The manifest of the only recovery point.
    ///
    /// # Panics
    /// When there is none.
    pub fn manifest(&self) -> serde_json::Value {
        let run = self.run_with("manifest.json").expect("there is a manifest");
        let text = match self.google_vault() {
            Some(vault) => vault.get(&format!("alpha/{run}/manifest.json")).expect("it is there").bytes.to_vec(),
            None => std::fs::read(self.vault().join("alpha").join(run).join("manifest.json")).expect("it can be read"),
        };
        serde_json::from_slice(&text).expect("it is JSON")
    }

    async fn wait_until_ready(&self) {
        for _ in 0..200 {
            let pods = self.cluster.kubernetes.objects("pods", Some(NAMESPACE));
            let ready = pods.iter().filter(|pod| pod["status"]["phase"] == "Running").count();
            if ready >= 2 && ready == pods.len() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
