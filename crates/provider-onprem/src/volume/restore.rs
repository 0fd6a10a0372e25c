//! A claim with the content of a snapshot.

use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimSpec, TypedLocalObjectReference, VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::ResourceExt;
use provider::{CreateVolumeRequest, Error, ErrorKind, RestoredVolume, Result};
use tokio::time::Instant;

use super::binding::Binding;
use super::objects::{self, GROUP};
use super::source::capacity_of;
use super::{CsiSnapshots, SnapshotProblem, quantity, tags};

/// What a claim must say where nothing is known of the volume that was cut.
const READ_WRITE_ONCE: &str = "ReadWriteOnce";

impl CsiSnapshots {
    /// Makes a claim and waits until it has its volume; a class that waits for a first pod makes it then.
    pub(super) async fn restore(&self, request: &CreateVolumeRequest) -> Result<RestoredVolume> {
        let snapshot = self.existing("create volume", &request.snapshot).await?;
        let error = |kind, problem| {
            Error::new(kind, "create volume", format!("claim {}/{}", self.namespace, name_of(request)))
                .with_source(problem)
        };
        let claim = match self.claims.get(name_of(request)).await? {
            Some(claim) => claim,
            None => {
                let least = self.usable_size(&snapshot).await?;
                let size = request.size.unwrap_or(least);
                if size < least {
                    return Err(error(ErrorKind::Invalid, SnapshotProblem::TooSmall { wanted: size, least }));
                }
                match self.claims.create(&wanted(request, &snapshot, size)).await {
                    Err(refused) if refused.kind() == ErrorKind::AlreadyExists => {
                        self.claims.get(name_of(request)).await?.ok_or(refused)?
                    }
                    created => created?,
                }
            }
        };
        let source = claim.spec.as_ref().and_then(|spec| spec.data_source.as_ref());
        let is_ours = tags::owner_of(&claim.metadata).as_ref() == Some(&request.owner)
            && tags::identity_of(&claim.metadata) == Some(request.identity.as_str())
            && source.is_some_and(|source| source.name == request.snapshot.0);
        if !is_ours {
            return Err(error(ErrorKind::AlreadyExists, SnapshotProblem::NotOurs));
        }
        self.wait_until_bound(claim).await
    }

    /// Bytes that a volume of this snapshot needs.
    ///
    /// # Errors
    /// `Invalid` when no volume can be made of it now.
    async fn usable_size(&self, snapshot: &objects::VolumeSnapshot) -> Result<u64> {
        let status = snapshot.status.clone().unwrap_or_default();
        let resource = || format!("VolumeSnapshot {}/{}", self.namespace, snapshot.name_any());
        let bound = matches!(self.binding("create volume", snapshot).await?, Binding::Bound(_));
        if status.ready_to_use != Some(true) || snapshot.metadata.deletion_timestamp.is_some() || !bound {
            let error = Error::new(ErrorKind::Invalid, "create volume", resource());
            return Err(error.with_source(SnapshotProblem::NotReady));
        }
        let restore_size = status.restore_size.as_deref().and_then(quantity::bytes).unwrap_or_default();
        let recorded = tags::annotation(&snapshot.metadata, tags::VOLUME_BYTES).and_then(|bytes| bytes.parse().ok());
        Ok(restore_size.max(recorded.unwrap_or_default()))
    }

    async fn wait_until_bound(&self, mut claim: PersistentVolumeClaim) -> Result<RestoredVolume> {
        let name = claim.name_any();
        let ends = Instant::now() + self.options.bind_limit;
        let waits_for_a_pod = self.waits_for_a_pod(&claim).await?;
        loop {
            let is_bound = claim.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Bound");
            if is_bound || waits_for_a_pod {
                let size = capacity_of(&claim).or_else(|| requested(&claim)).as_deref().and_then(quantity::bytes);
                return Ok(RestoredVolume::Claim {
                    namespace: self.namespace.clone(),
                    name,
                    size: size.unwrap_or_default(),
                });
            }
            let resource = || format!("claim {}/{name}", self.namespace);
            if Instant::now() >= ends {
                let seconds = self.options.bind_limit.as_secs();
                let problem = SnapshotProblem::NotBoundInTime { seconds, last: self.last_event_of(&name).await };
                return Err(Error::new(ErrorKind::Timeout, "create volume", resource()).with_source(problem));
            }
            tokio::time::sleep(self.options.poll).await;
            let found = self.claims.get(&name).await?;
            claim = found.ok_or_else(|| Error::new(ErrorKind::NotFound, "create volume", resource()))?;
        }
    }

    /// Whether the claim's class makes volumes only when a pod uses them.
    async fn waits_for_a_pod(&self, claim: &PersistentVolumeClaim) -> Result<bool> {
        let Some(class) = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref()) else {
            return Ok(false);
        };
        let class = self.storage_classes.get(class).await?;
        Ok(class.and_then(|class| class.volume_binding_mode).as_deref() == Some("WaitForFirstConsumer"))
    }

    /// What was said last about a claim, where events can be read.
    async fn last_event_of(&self, claim: &str) -> Option<String> {
        let events = self.events.list("").await.ok()?;
        let about = events.into_iter().filter(|event| {
            event.involved_object.kind.as_deref() == Some("PersistentVolumeClaim")
                && event.involved_object.name.as_deref() == Some(claim)
        });
        about.max_by_key(|event| event.last_timestamp.as_ref().map(|time| time.0)).and_then(|event| event.message)
    }
}

fn name_of(request: &CreateVolumeRequest) -> &str {
    request.claim.as_deref().unwrap_or(&request.identity)
}

/// The size that a claim asks for, as Kubernetes writes it.
fn requested(claim: &PersistentVolumeClaim) -> Option<String> {
    let resources = claim.spec.as_ref()?.resources.as_ref()?;
    resources.requests.as_ref()?.get("storage").map(|size| size.0.clone())
}

fn wanted(request: &CreateVolumeRequest, snapshot: &objects::VolumeSnapshot, size: u64) -> PersistentVolumeClaim {
    let of_the_source = |name| tags::annotation(&snapshot.metadata, name).filter(|value| !value.is_empty());
    let modes = of_the_source(tags::ACCESS_MODES).unwrap_or(READ_WRITE_ONCE);
    let mut metadata = tags::metadata(&request.identity, &request.owner, []);
    metadata.name = Some(name_of(request).to_owned());
    PersistentVolumeClaim {
        metadata,
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(modes.split(',').map(str::to_owned).collect()),
            data_source: Some(TypedLocalObjectReference {
                api_group: Some(GROUP.to_owned()),
                kind: "VolumeSnapshot".to_owned(),
                name: request.snapshot.0.clone(),
            }),
            resources: Some(VolumeResourceRequirements {
                requests: Some([("storage".to_owned(), Quantity(size.to_string()))].into()),
                ..VolumeResourceRequirements::default()
            }),
            storage_class_name: request.class.clone().or_else(|| of_the_source(tags::STORAGE_CLASS).map(str::to_owned)),
            ..PersistentVolumeClaimSpec::default()
        }),
        status: None,
    }
}
