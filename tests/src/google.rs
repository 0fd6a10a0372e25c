//! A bench on Google Cloud: Cloud Storage, and Persistent Disks of Compute Engine.

use std::sync::{Arc, PoisonError};

use sandbox::cluster::{ClusterOptions, Storage};
use sandbox::compute::{ComputeOptions, ComputeServer, NewDisk};
use sandbox::gcs::{BucketHandle, GcsServer};

use crate::Bench;
use crate::bench::Usual;

/// The vault's bucket.
const VAULT: &str = "vault";
/// The bucket of all clones.
const CLONES: &str = "clones";

impl Bench {
    /// The bucket of drills on a bench [on Google](Self::on_google).
    pub const GOOGLE_SCRATCH: &str = "pachyderm-drill";

    /// Serves cluster *alpha* with its objects, vault, clones and the bucket of drills in one Cloud Storage, whose credentials
    /// the binary gets as on a machine of Google's: from the metadata server.
    ///
    /// # Panics
    /// When no server can be started.
    pub async fn on_google(options: ClusterOptions) -> Self {
        let bench = Self::with(ClusterOptions { storage: Storage::Google, ..options }).await;
        bench.move_all_to_google();
        bench
    }

    /// As [`Self::on_google`], with a Persistent Disk under etcd and its Compute Engine, which takes the same credentials. The
    /// disk's path too: `projects/P/zones/Z/disks/D`.
    ///
    /// # Panics
    /// As [`Self::on_google`].
    pub async fn on_google_with_disk(options: ClusterOptions) -> (Self, ComputeServer, String) {
        let compute = ComputeServer::start(ComputeOptions::default()).await.expect("Compute Engine can be started");
        let name = "etcd-disk";
        let disk = compute.add_disk(NewDisk { name: Some(name.to_owned()), ..NewDisk::default() });
        let ClusterOptions { csi_etcd_volume, pd_etcd_volume, .. } = ClusterOptions::on_persistent_disk(name);
        let bench = Self::on_google(ClusterOptions { csi_etcd_volume, pd_etcd_volume, ..options }).await;
        bench.use_disks_of(&compute);
        (bench, compute, disk)
    }

    /// Moves vault and clones into buckets of the cluster's Cloud Storage, and gives drills one there. Writes the usual
    /// configuration.
    ///
    /// # Panics
    /// When the cluster has no Cloud Storage.
    pub fn move_all_to_google(&self) {
        let google = self.google().expect("the cluster has Cloud Storage");
        let endpoint = google.endpoint();
        let place = |bucket: &str| {
            drop(google.bucket(bucket));
            format!("url = \"gs://{bucket}\"\nendpoint = \"{endpoint}\"\n")
        };
        let drill = place(Self::GOOGLE_SCRATCH);
        self.change_usual(|usual| {
            usual.vault = place(VAULT);
            usual.clones = place(CLONES);
            usual.sections.push_str(&format!("[drill]\n{drill}\n"));
        });
        self.write_config("");
    }

    /// Has the disk under etcd snapshot by a Compute Engine, which then takes the tokens of the cluster's Cloud Storage. Writes the
    /// usual configuration.
    ///
    /// # Panics
    /// When the cluster has no Cloud Storage, whose tokens they are.
    pub fn use_disks_of(&self, compute: &ComputeServer) {
        let google = self.google().expect("the cluster has Cloud Storage");
        compute.change(|options| options.other_tokens = Some(google.token_check()));
        let (endpoint, project) = (compute.endpoint(), &google.options().project);
        self.change_usual(|usual| {
            usual.sections.push_str(&format!("[pd]\nendpoint = \"{endpoint}\"\nproject = \"{project}\"\n\n"));
            usual.snapshot.push_str("volume-provider = \"pd\"\n");
        });
        self.write_config("");
    }

    /// The cluster's Cloud Storage, if it has one.
    pub fn google(&self) -> Option<&Arc<GcsServer>> {
        self.cluster.google.as_ref()
    }

    /// Tells the binary of the cluster's Cloud Storage, if it has one: where credentials are, and the endpoint of the data bucket
    /// where that is there.
    pub(crate) fn use_google(&self) {
        let Some(google) = self.google() else { return };
        self.set_environment(&[("GCE_METADATA_HOST", &google.metadata_host())]);
        if *self.cluster.storage() == Storage::Google {
            let bucket = format!("[bucket]\nendpoint = \"{}\"\n\n", google.endpoint());
            self.change_usual(|usual| usual.sections.push_str(&bucket));
        }
    }

    /// The vault's bucket, if it is in Cloud Storage.
    pub(crate) fn google_vault(&self) -> Option<BucketHandle> {
        let google = self.google().filter(|_| self.usual().vault.contains("gs://"))?;
        Some(google.bucket(VAULT))
    }

    fn change_usual(&self, change: impl FnOnce(&mut Usual)) {
        change(&mut self.usual.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
