//! The kinds that the server stores.

/// One kind of object, with its names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ResourceType {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) singular: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) namespaced: bool,
    /// Has a `/status` that is written apart from the rest.
    pub(crate) status: bool,
    /// Has a `/scale`.
    pub(crate) scale: bool,
    /// Counts changes of its spec in `metadata.generation`.
    pub(crate) generation: bool,
}

impl ResourceType {
    /// `v1` or `apps/v1`.
    pub(crate) fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// Whether it comes from a CustomResourceDefinition: its strategic merge patches are refused.
    pub(crate) fn is_custom(&self) -> bool {
        self.group == SNAPSHOTS
    }

    /// `services` or `deployments.apps`: the name in error messages.
    pub(crate) fn qualified(&self) -> String {
        match self.group {
            "" => self.plural.to_owned(),
            group => format!("{}.{group}", self.plural),
        }
    }
}

const fn namespaced(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    singular: &'static str,
    plural: &'static str,
) -> ResourceType {
    ResourceType {
        group,
        version,
        kind,
        singular,
        plural,
        namespaced: true,
        status: false,
        scale: false,
        generation: false,
    }
}

const fn cluster(mut resource: ResourceType) -> ResourceType {
    resource.namespaced = false;
    resource
}

const fn counted(mut resource: ResourceType) -> ResourceType {
    resource.generation = true;
    resource
}

const fn with_status(mut resource: ResourceType) -> ResourceType {
    resource.status = true;
    resource
}

const fn workload(resource: ResourceType) -> ResourceType {
    counted(with_status(resource))
}

const fn scaled(resource: ResourceType) -> ResourceType {
    let mut resource = workload(resource);
    resource.scale = true;
    resource
}

const RBAC: &str = "rbac.authorization.k8s.io";
/// The group of volume snapshots, which a cluster serves when their CustomResourceDefinitions are installed.
pub(crate) const SNAPSHOTS: &str = "snapshot.storage.k8s.io";

/// Every kind, in the order of discovery.
pub(crate) static RESOURCE_TYPES: &[ResourceType] = &[
    namespaced("", "v1", "ConfigMap", "configmap", "configmaps"),
    namespaced("", "v1", "Endpoints", "endpoints", "endpoints"),
    namespaced("", "v1", "Event", "event", "events"),
    with_status(cluster(namespaced("", "v1", "Namespace", "namespace", "namespaces"))),
    with_status(cluster(namespaced("", "v1", "Node", "node", "nodes"))),
    with_status(namespaced("", "v1", "PersistentVolumeClaim", "persistentvolumeclaim", "persistentvolumeclaims")),
    with_status(cluster(namespaced("", "v1", "PersistentVolume", "persistentvolume", "persistentvolumes"))),
    with_status(namespaced("", "v1", "Pod", "pod", "pods")),
    scaled(namespaced("", "v1", "ReplicationController", "replicationcontroller", "replicationcontrollers")),
    namespaced("", "v1", "Secret", "secret", "secrets"),
    namespaced("", "v1", "ServiceAccount", "serviceaccount", "serviceaccounts"),
    with_status(namespaced("", "v1", "Service", "service", "services")),
    scaled(namespaced("apps", "v1", "Deployment", "deployment", "deployments")),
    scaled(namespaced("apps", "v1", "ReplicaSet", "replicaset", "replicasets")),
    scaled(namespaced("apps", "v1", "StatefulSet", "statefulset", "statefulsets")),
    workload(namespaced("batch", "v1", "CronJob", "cronjob", "cronjobs")),
    workload(namespaced("batch", "v1", "Job", "job", "jobs")),
    namespaced("coordination.k8s.io", "v1", "Lease", "lease", "leases"),
    namespaced("discovery.k8s.io", "v1", "EndpointSlice", "endpointslice", "endpointslices"),
    cluster(namespaced(RBAC, "v1", "ClusterRoleBinding", "clusterrolebinding", "clusterrolebindings")),
    cluster(namespaced(RBAC, "v1", "ClusterRole", "clusterrole", "clusterroles")),
    namespaced(RBAC, "v1", "RoleBinding", "rolebinding", "rolebindings"),
    namespaced(RBAC, "v1", "Role", "role", "roles"),
    counted(cluster(namespaced(
        SNAPSHOTS,
        "v1",
        "VolumeSnapshotClass",
        "volumesnapshotclass",
        "volumesnapshotclasses",
    ))),
    workload(cluster(namespaced(
        SNAPSHOTS,
        "v1",
        "VolumeSnapshotContent",
        "volumesnapshotcontent",
        "volumesnapshotcontents",
    ))),
    workload(namespaced(SNAPSHOTS, "v1", "VolumeSnapshot", "volumesnapshot", "volumesnapshots")),
    cluster(namespaced("storage.k8s.io", "v1", "StorageClass", "storageclass", "storageclasses")),
];

/// The kind that is served under this group, version and plural name.
pub(crate) fn by_path(group: &str, version: &str, plural: &str) -> Option<&'static ResourceType> {
    RESOURCE_TYPES.iter().find(|it| it.group == group && it.version == version && it.plural == plural)
}

/// The kind of an object by its own `apiVersion` and `kind`.
pub(crate) fn by_kind(api_version: &str, kind: &str) -> Option<&'static ResourceType> {
    RESOURCE_TYPES.iter().find(|it| it.kind == kind && it.api_version() == api_version)
}

/// The kind with this plural name.
///
/// # Panics
///
/// When the table has no such kind: only for names written in this crate.
pub(crate) fn named(plural: &'static str) -> &'static ResourceType {
    RESOURCE_TYPES.iter().find(|it| it.plural == plural).expect("the name is in the table above")
}
