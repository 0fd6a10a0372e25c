//! A cluster with a recovery point, and a new, empty one to restore it into.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pachyderm::client::{Address, Client, ClientOptions};
use pachyderm::etcd::proto::KeyValue;
use sandbox::cluster::{ClusterOptions, NAMESPACE, RecordedCluster, Storage};
use sandbox::pachd::{AuthOptions, AuthToken};

use crate::bench::Usual;
use crate::binary::{Ended, Running, start};
use crate::{Bench, assert_said};

/// The source and the target of a restore.
#[derive(Debug)]
pub struct Pair {
    /// The source, with vault and clones.
    pub source: Bench,
    /// The target.
    pub target: RecordedCluster,
    config: PathBuf,
}

impl Pair {
    /// Cluster *alpha* with a recovery point, and an empty cluster of the same kind.
    pub async fn new() -> Self {
        Self::with(ClusterOptions::default(), ClusterOptions::default()).await
    }

    /// Cluster *alpha* with a recovery point, and an empty cluster.
    ///
    /// # Panics
    /// When no server can be started, or the snapshot fails.
    pub async fn with(source: ClusterOptions, target: ClusterOptions) -> Self {
        Self::of(Bench::with(source).await, target).await
    }

    /// Cluster *alpha* with a recovery point, and an empty cluster on the same storage system.
    pub async fn on_one_storage(source: ClusterOptions, target: ClusterOptions) -> Self {
        let source = Bench::with(source).await;
        let csi = Some(source.cluster.kubernetes.shared_csi());
        Self::of(source, ClusterOptions { csi, ..target }).await
    }

    /// Puts a new, empty cluster on the same storage system into the place of the target.
    ///
    /// # Panics
    /// When no server can be started.
    pub async fn renew_target_on_one_storage(&mut self) {
        let csi = Some(self.source.cluster.kubernetes.shared_csi());
        let target = RecordedCluster::gamma(ClusterOptions { csi, ..ClusterOptions::default() }).await;
        self.put_target(target.expect("the empty cluster can be served")).await;
    }

    /// The token of an administrator of a source [with auth](Self::with_auth).
    pub const ADMIN_TOKEN: &str = "the-token-of-an-administrator";

    /// Cluster *alpha* with auth and a recovery point, and an empty cluster without.
    pub async fn with_auth() -> Self {
        let subject = "robot:backup".to_owned();
        let token = AuthToken { token: Self::ADMIN_TOKEN.to_owned(), subject: subject.clone() };
        let root_token = "the-token-of-root".to_owned();
        let auth = AuthOptions { root_token, admins: vec![subject], tokens: vec![token] };
        let source = Bench::with(ClusterOptions { auth: Some(auth), ..ClusterOptions::default() }).await;
        source.set_environment(&[("PACHSNAP_TOKEN", Self::ADMIN_TOKEN)]);
        Self::of(source, ClusterOptions::default()).await
    }

    /// A source that is served already, with a recovery point, and an empty cluster.
    ///
    /// # Panics
    /// As [`Self::with`].
    pub async fn of(source: Bench, target: ClusterOptions) -> Self {
        assert_said(&source.run(&["snapshot"]).await, 0, &[]);
        let target =
            RecordedCluster::gamma(Self::beside(&source, target)).await.expect("the empty cluster can be served");
        let config = source.folder().join("target.toml");
        let pair = Self { source, target, config };
        pair.write_config("");
        pair.wait_until_ready().await;
        pair
    }

    /// A target in the Cloud Storage of the source, if it has one, as there is one for all clusters. Its bucket has a name of its own.
    #[must_use]
    pub fn beside(source: &Bench, target: ClusterOptions) -> ClusterOptions {
        match source.google() {
            Some(google) if target.google_of.is_none() => ClusterOptions {
                google_of: Some(Arc::clone(google)),
                bucket: "pachyderm-restored".to_owned(),
                ..target
            },
            _ => target,
        }
    }

    /// Puts a new, empty cluster into the place of the target.
    ///
    /// # Panics
    /// When no server can be started.
    pub async fn renew_target(&mut self) {
        let target = RecordedCluster::gamma(ClusterOptions::default()).await;
        self.put_target(target.expect("the empty cluster can be served")).await;
    }

    /// Puts this cluster into the place of the target. The configuration stays: one on Google after one that isn't needs
    /// [`Self::write_config`].
    ///
    /// # Panics
    /// When its kubeconfig can't be written.
    pub async fn put_target(&mut self, target: RecordedCluster) {
        self.target = target;
        self.wait_until_ready().await;
    }

    /// Writes the target's configuration, with more lines behind the usual ones.
    ///
    /// # Panics
    /// When the folder is gone.
    pub fn write_config(&self, more: &str) {
        let Usual { vault, .. } = self.source.usual();
        let text = format!(
            "[cluster]\nname = \"alpha\"\nnamespace = \"{NAMESPACE}\"\nkubeconfig = \"{folder}/target.kubeconfig\"\n\n\
             [vault]\n{vault}\n{}\
             [snapshot]\nstaging = \"{folder}/staging\"\npoll = \"50ms\"\nstall = \"30s\"\n{more}",
            self.google_sections(),
            folder = self.source.folder().display()
        );
        std::fs::write(&self.config, text).expect("the configuration can be written");
    }

    /// What the target's configuration has to say of Cloud Storage.
    fn google_sections(&self) -> String {
        let mut sections = String::new();
        let Usual { clones, .. } = self.source.usual();
        if clones.contains("gs://") {
            sections.push_str(&format!("[clone]\n{clones}\n"));
        }
        if let (Storage::Google, Some(google)) = (self.target.storage(), &self.target.google) {
            sections.push_str(&format!("[bucket]\nendpoint = \"{}\"\n\n", google.endpoint()));
        }
        sections
    }

    async fn wait_until_ready(&self) {
        let kubeconfig = self.source.folder().join("target.kubeconfig");
        self.target.kubernetes.write_kubeconfig(&kubeconfig).expect("the kubeconfig can be written");
        for _ in 0..200 {
            let pods = self.target.kubernetes.objects("pods", Some(NAMESPACE));
            let ready = pods.iter().filter(|pod| pod["status"]["phase"] == "Running").count();
            if ready >= 2 && ready == pods.len() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Starts the binary against the target.
    pub fn start(&self, arguments: &[&str]) -> Running {
        let config = self.config.display().to_string();
        let all = arguments.iter().map(|word| (*word).to_owned()).chain(["--config".to_owned(), config]);
        let metadata = self.target.google.as_ref().map(|google| google.metadata_host());
        let metadata = metadata.iter().map(|host| ("GCE_METADATA_HOST", host.as_str()));
        start(self.source.folder(), [("PATH", "/usr/bin:/bin")].into_iter().chain(metadata), all)
    }

    /// Runs the binary against the target to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).end().await
    }

    /// Restores the recovery point by one of the paths.
    pub async fn restore(&self, from: &str) -> Ended {
        self.run(&["restore", "latest", "--from", from]).await
    }

    /// A connection to the target's pachd.
    ///
    /// # Panics
    /// When there is none.
    pub async fn pachd(&self) -> Client {
        let address = Address::plaintext("127.0.0.1", self.target.pachd.external().port());
        Client::connect(&address, &ClientOptions::default()).await.expect("the target's pachd answers")
    }

    /// The target's keys in etcd.
    pub fn keys(&self) -> BTreeMap<Vec<u8>, KeyValue> {
        self.target.pachd.state().live()
    }

    /// Objects in the target's bucket, by key.
    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        self.target.objects().into_iter().map(|(key, bytes)| (key, bytes.to_vec())).collect()
    }

    /// Everything of the target that a refused restore must leave as it is.
    pub fn target_now(&self) -> (usize, BTreeMap<Vec<u8>, KeyValue>, Vec<serde_json::Value>) {
        let kubernetes = &self.target.kubernetes;
        let objects = ["deployments", "configmaps", "leases", "services"].into_iter();
        let objects = objects.flat_map(|plural| kubernetes.objects(plural, Some(NAMESPACE))).map(|mut object| {
            object["status"].take();
            object["metadata"].take();
            object
        });
        (self.objects().len(), self.keys(), objects.collect())
    }

    /// The restore is refused with this code and these words, and the target is as it was.
    ///
    /// # Panics
    /// When it isn't refused so.
    pub async fn assert_refused(&self, arguments: &[&str], code: i32, words: &[&str]) {
        let before = self.target_now();
        let ended = self.run(arguments).await;
        assert_said(&ended, code, words);
        assert_said(&ended, code, &["Nothing was changed"]);
        assert_eq!(before, self.target_now());
    }

    /// Makes the Lease of a killed run one whose holder gave its last sign long ago.
    ///
    /// # Panics
    /// When it can't be changed.
    pub fn end_lease(&self) {
        let long_ago = serde_json::json!({"spec": {"renewTime": "2020-01-01T00:00:00.000000Z"}});
        let kubernetes = &self.target.kubernetes;
        if kubernetes.object("leases", NAMESPACE, "pachsnap").is_some() {
            kubernetes.merge("leases", NAMESPACE, "pachsnap", &long_ago).expect("the Lease can be changed");
        }
    }

    /// How many pods of pachd the target wants.
    pub fn pachd_replicas(&self) -> i64 {
        let deployment = self.target.kubernetes.object("deployments", NAMESPACE, "pachd");
        deployment.and_then(|deployment| deployment["spec"]["replicas"].as_i64()).unwrap_or(1)
    }
}
