//! What a drill reads before its first change, and refuses; and what it would do, in words.

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use pachyderm::layout::{Backend, Layout};
use serde::Serialize;

use super::record::DrillRecord;
use super::scratch::{Blueprint, bucket};
use super::{DrillSettings, record};
use crate::cluster::BucketPlace;
use crate::cluster::rights::Rights;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Events, Step};
use crate::job::{Opened, Stores, Target};
use crate::manifest::Manifest;
use crate::restore::RestoreFrom;
use crate::restore::stream_content::{self, StreamContent};
use crate::run_id::RunId;
use crate::snapshot::Staging;
use crate::vault::{PartState, Vault, layout as files};
use jiff::Timestamp;

/// The namespace whose UID tells one Kubernetes from another.
const KUBE_SYSTEM: &str = "kube-system";

/// What is known before the first change.
pub(super) struct Prepared {
    pub(super) manifest: Manifest,
    /// What the metadata stream names.
    pub(super) stream: StreamContent,
    /// The recorded deployment, as far as the scratch cluster gets it.
    pub(super) blueprint: Blueprint,
    /// The scratch bucket.
    pub(super) bucket: Opened,
    /// How keys are named in it.
    pub(super) layout: Layout,
    /// Which Kubernetes this is.
    kubernetes: String,
    drill: RunId,
    run: RunId,
}

impl Prepared {
    /// Reads and checks everything that can be known now.
    ///
    /// # Errors
    /// `NotFound` without a manifest, `Denied` naming rights, `Busy` for a bucket that isn't empty, `UnsupportedCluster` for a
    /// deployment that can't be made again; those of the stores.
    pub(super) async fn read(
        home: &Target,
        (vault, run): (&Vault, &RunId),
        settings: &DrillSettings,
        stores: &dyn Stores,
        events: &Events,
    ) -> Result<Self> {
        let work = async {
            let prepared = read(home, vault, run, settings, stores).await?;
            let text = format!("{} from {}", prepared.stream_in_words(), prepared.manifest.captured);
            Ok::<_, Error>((prepared, text))
        };
        let prepared = events.step(Step::Preflight, work).await?;
        for left in record::left_over(stores, &settings.restore.vault).await? {
            let drill = &left.drill;
            events.warn(format!(
                "drill {drill} is under way or has left something in namespace {}: `pachsnap drill --cleanup {drill}`",
                left.namespace
            ));
        }
        Ok(prepared)
    }

    fn stream_in_words(&self) -> String {
        let (repos, commits) = (self.stream.repos.len(), self.stream.commits.len());
        format!("a recovery point with {repos} repos and {commits} commits")
    }

    /// What is written down before the first change.
    pub(super) fn record(&self, settings: &DrillSettings, started: Timestamp) -> DrillRecord {
        DrillRecord {
            drill: self.drill.clone(),
            point: self.run.clone(),
            started,
            namespace: self.namespace(),
            kubernetes: self.kubernetes.clone(),
            bucket: settings.bucket.url.clone(),
            layout: self.layout.clone(),
            has_disk: settings.from == RestoreFrom::Volume,
        }
    }

    fn namespace(&self) -> String {
        format!("pachsnap-drill-{}", self.drill)
    }

    /// What the drill would do.
    pub(super) fn plan(&self, settings: &DrillSettings) -> DrillPlan {
        let artifact = &self.manifest.artifacts.bucket;
        DrillPlan {
            point: self.run.clone(),
            from: settings.from.as_str().to_owned(),
            captured: self.manifest.captured,
            namespace: self.namespace(),
            bucket: settings.bucket.url.clone(),
            objects: artifact.objects,
            bytes: artifact.bytes,
            images: self.blueprint.images(),
            warnings: self.blueprint.left_out().to_vec(),
            keep: settings.keep,
        }
    }
}

async fn read(
    home: &Target,
    vault: &Vault,
    run: &RunId,
    settings: &DrillSettings,
    stores: &dyn Stores,
) -> Result<Prepared> {
    let by_volume = settings.from == RestoreFrom::Volume;
    let rights = if by_volume { Rights::of_drill_with_disk() } else { Rights::of_drill() };
    rights.check_for(&home.kubernetes, "drill").await?;
    let namespaces: Api<Namespace> = Api::all(home.kubernetes.clone());
    let kubernetes = kubernetes_id(&namespaces).await?;
    let manifest = crate::manifest::read(&vault.read_manifest(run).await?)?;
    if by_volume && manifest.artifacts.volumes.is_empty() {
        return Err(Error::new(ErrorKind::Configuration, format!("run {run} has no snapshot of a disk"))
            .advise("rehearse it with --from etcd or --from metadata"));
    }
    let objects = &manifest.artifacts.cluster_objects;
    if vault.check_part(run, objects).await? != PartState::Whole {
        return Err(Error::new(ErrorKind::Damaged, format!("{} is not as it was written", objects.name))
            .advise(format!("see `pachsnap verify {run}`")));
    }
    let blueprint = Blueprint::read(&vault.get_bytes(run, &objects.name).await?)?;
    let layout = layout_in(&settings.bucket.place, &manifest)?;
    let opened = stores.open_url(&settings.bucket.url)?;
    bucket::ensure_free(opened.bucket.as_ref(), &settings.bucket.url).await?;
    let staging = Staging::create(&settings.restore.staging, run)?;
    let path = staging.file(files::METADATA);
    vault.get_file_to_path(run, &manifest.artifacts.metadata.file.name, &path).await.map_err(Error::from)?;
    let stream = stream_content::read(&path).await?;
    let drill = RunId::new(Timestamp::now());
    Ok(Prepared { manifest, stream, blueprint, bucket: opened, layout, kubernetes, drill, run: run.clone() })
}

/// What tells one Kubernetes from another.
///
/// # Errors
/// Those of Kubernetes.
pub(super) async fn kubernetes_id(namespaces: &Api<Namespace>) -> Result<String> {
    Ok(namespaces.get(KUBE_SYSTEM).await?.metadata.uid.unwrap_or_default())
}

/// How pachd names its objects in a bucket of this kind: as the source did where it can.
fn layout_in(place: &BucketPlace, manifest: &Manifest) -> Result<Layout> {
    let source = manifest.cluster.layout().map_err(|why| Error::new(ErrorKind::UnsupportedCluster, why))?;
    let BucketPlace::S3 { credentials, .. } = place else {
        return Err(Error::new(ErrorKind::Configuration, "the bucket of a drill has to be in an S3 store")
            .advise("name one with drill.url or --bucket"));
    };
    match source.backend {
        Backend::Minio if credentials.is_none() => Err(Error::new(
            ErrorKind::Configuration,
            "pachd reaches a MinIO store with keys, and none are named for the drill's bucket",
        )
        .advise("set drill.access-key-id-env and drill.secret-access-key-env")),
        Backend::Minio | Backend::Amazon => Ok(source),
        Backend::Google | Backend::Microsoft | Backend::Local => {
            Ok(Layout { backend: Backend::Amazon, reversed: false, ..source })
        }
    }
}

/// What a drill would do.
#[derive(Clone, Debug, Serialize)]
pub struct DrillPlan {
    /// The recovery point.
    pub point: RunId,
    /// By which path.
    pub from: String,
    /// When it was captured.
    pub captured: Timestamp,
    /// The namespace that would be made, and deleted in the end.
    pub namespace: String,
    /// The bucket that would be filled, and emptied in the end.
    pub bucket: String,
    /// Objects that would be copied.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Images that would run.
    pub images: Vec<String>,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// Whether everything would stay.
    pub keep: bool,
}

impl DrillPlan {
    /// The plan for people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let end =
            if self.keep { "both stay, until `pachsnap drill --cleanup`" } else { "both are taken away in the end" };
        let mut lines = vec![
            format!("point      {} by {}, captured {}", self.point, self.from, self.captured),
            format!("scratch    namespace {}, never exposed: {}", self.namespace, self.images.join(", ")),
            format!("bucket     {}: {} objects, {} bytes", self.bucket, self.objects, self.bytes),
            format!("end        {end}"),
        ];
        lines.extend(self.warnings.iter().map(|warning| format!("warning    {warning}")));
        lines
    }
}
