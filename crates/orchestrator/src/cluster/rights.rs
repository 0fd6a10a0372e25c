//! The Kubernetes rights that a workflow needs, checked before anything changes, undoing included.

use std::collections::BTreeMap;

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::Api;
use kube::api::PostParams;

use crate::error::{Error, ErrorKind, Result};
use crate::job::{FenceMode, Loader};

/// One right: verbs on a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Right {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Resource, with its subresource behind a slash.
    pub resource: &'static str,
    /// Verbs.
    pub verbs: &'static [&'static str],
}

const fn right(group: &'static str, resource: &'static str, verbs: &'static [&'static str]) -> Right {
    Right { group, resource, verbs }
}

/// What every workflow reads outside of namespaces.
const DISCOVER_CLUSTER: &[Right] = &[right("", "namespaces", &["get"]), right("", "persistentvolumes", &["get"])];

/// What every workflow reads in the cluster's namespace.
const DISCOVER: &[Right] = &[
    right("apps", "deployments", &["get", "list"]),
    right("apps", "statefulsets", &["list"]),
    right("", "secrets", &["get"]),
    right("", "pods", &["get", "list"]),
    right("", "pods/portforward", &["get", "create"]),
    right("", "services", &["get", "list"]),
    right("", "persistentvolumeclaims", &["get", "list"]),
    right("", "configmaps", &["get", "list"]),
];

/// What puts a cluster back, and what takes it to rest.
const RESUME: &[Right] = &[
    right("", "services", &["create", "delete", "patch"]),
    right("", "configmaps", &["create", "delete"]),
    right("coordination.k8s.io", "leases", &["create", "delete", "get", "update"]),
];

/// What makes, looks at and deletes snapshots of volumes in the cluster's namespace.
const VOLUME_SNAPSHOTS: &[Right] =
    &[right("snapshot.storage.k8s.io", "volumesnapshots", &["create", "delete", "get", "list"])];

/// The half of these snapshots that belongs to no namespace.
const VOLUME_SNAPSHOTS_CLUSTER: &[Right] = &[
    right("snapshot.storage.k8s.io", "volumesnapshotclasses", &["list"]),
    right("snapshot.storage.k8s.io", "volumesnapshotcontents", &["get", "patch"]),
];

/// What shows that no worker is left.
const PAUSE: &[Right] = &[right("", "replicationcontrollers", &["list"])];

/// What fills a cluster: pachd is stopped and started, and what has begun is written down.
const RESTORE: &[Right] = &[
    right("apps", "deployments", &["patch"]),
    right("", "configmaps", &["create", "delete"]),
    right("coordination.k8s.io", "leases", &["create", "delete", "get", "update"]),
];

/// What puts another disk under etcd, in the cluster's namespace.
const VOLUME_RESTORE: &[Right] = &[
    right("apps", "statefulsets", &["patch"]),
    right("", "configmaps", &["patch"]),
    right("", "persistentvolumeclaims", &["create", "delete"]),
    right("snapshot.storage.k8s.io", "volumesnapshots", &["create", "delete", "get"]),
];

/// The half of it that belongs to no namespace.
const VOLUME_RESTORE_CLUSTER: &[Right] = &[
    right("", "persistentvolumes", &["create", "patch"]),
    right("snapshot.storage.k8s.io", "volumesnapshotcontents", &["create", "delete", "get"]),
    right("storage.k8s.io", "storageclasses", &["get"]),
];

/// What makes a scratch cluster in a namespace that is made for it, and takes it away. Its pachd gets a Role, and nobody can give
/// what he hasn't got.
const DRILL: &[Right] = &[
    right("", "namespaces", &["create", "delete"]),
    right("", "serviceaccounts", &["create"]),
    right("", "secrets", &["create", "delete", "deletecollection", "list", "update", "watch"]),
    right("", "services", &["create", "delete", "update", "watch"]),
    right("", "pods", &["watch"]),
    right("", "pods/log", &["get", "list", "watch"]),
    right("", "endpoints", &["get", "list", "watch"]),
    right("", "replicationcontrollers", &["create", "delete", "get", "list", "update", "watch"]),
    right("apps", "deployments", &["create"]),
    right("rbac.authorization.k8s.io", "roles", &["create"]),
    right("rbac.authorization.k8s.io", "rolebindings", &["create"]),
];

/// Rights by namespace; `None` stands for the whole cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights(BTreeMap<Option<String>, Vec<Right>>);

impl Rights {
    /// What `discover`, `plan` and `extract` need.
    #[must_use]
    pub fn of_discover(namespace: &str) -> Self {
        let mut rights = Self::default();
        rights.add(None, DISCOVER_CLUSTER);
        rights.add(Some(namespace), DISCOVER);
        rights
    }

    /// What `resume` needs.
    #[must_use]
    pub fn of_resume(namespace: &str, loaders: &[Loader]) -> Self {
        let mut rights = Self::of_discover(namespace);
        rights.add(Some(namespace), RESUME);
        for loader in loaders {
            let (place, needed): (&Option<String>, &[Right]) = match loader {
                Loader::Deployment { namespace, .. } => {
                    (namespace, &[right("apps", "deployments", &["get", "patch"]), right("", "pods", &["list"])])
                }
                Loader::StatefulSet { namespace, .. } => {
                    (namespace, &[right("apps", "statefulsets", &["get", "patch"]), right("", "pods", &["list"])])
                }
                Loader::CronJob { namespace, .. } => (namespace, &[right("batch", "cronjobs", &["get", "patch"])]),
                Loader::Hook { .. } => continue,
            };
            rights.add(Some(place.as_deref().unwrap_or(namespace)), needed);
        }
        rights
    }

    /// What `snapshot` and `pause` need: also everything that puts the cluster back.
    #[must_use]
    pub fn of_pause(namespace: &str, fence: FenceMode, loaders: &[Loader]) -> Self {
        let mut rights = Self::of_resume(namespace, loaders);
        rights.add(Some(namespace), PAUSE);
        if fence == FenceMode::Ports {
            // Node ports are allocated for the whole cluster.
            rights.add(None, &[right("", "services", &["list"])]);
        }
        rights
    }

    /// What snapshots of CSI volumes need.
    #[must_use]
    pub fn of_volume_snapshots(namespace: &str) -> Self {
        let mut rights = Self::default();
        rights.add(None, VOLUME_SNAPSHOTS_CLUSTER);
        rights.add(Some(namespace), VOLUME_SNAPSHOTS);
        rights
    }

    /// What `restore` needs in the cluster that it fills.
    #[must_use]
    pub fn of_restore(namespace: &str) -> Self {
        let mut rights = Self::of_discover(namespace);
        rights.add(Some(namespace), RESTORE);
        rights
    }

    /// What `restore` needs beside, to put a disk under etcd.
    #[must_use]
    pub fn of_volume_restore(namespace: &str) -> Self {
        let mut rights = Self::default();
        rights.add(None, VOLUME_RESTORE_CLUSTER);
        rights.add(Some(namespace), VOLUME_RESTORE);
        rights
    }

    /// What `drill` needs: its namespace is not there yet, so everywhere.
    #[must_use]
    pub fn of_drill() -> Self {
        let mut rights = Self::default();
        for needed in [DISCOVER_CLUSTER, DISCOVER, RESTORE, DRILL] {
            rights.add(None, needed);
        }
        rights
    }

    /// The same for a drill that puts a disk under etcd.
    #[must_use]
    pub fn of_drill_with_disk() -> Self {
        let mut rights = Self::of_drill();
        for needed in [VOLUME_RESTORE, VOLUME_RESTORE_CLUSTER, &[right("", "persistentvolumes", &["list"])]] {
            rights.add(None, needed);
        }
        rights
    }

    /// These rights and others.
    #[must_use]
    pub fn and(mut self, others: &Self) -> Self {
        for (place, rights) in others.places() {
            self.add(place, rights);
        }
        self
    }

    fn add(&mut self, namespace: Option<&str>, rights: &[Right]) {
        self.0.entry(namespace.map(str::to_owned)).or_default().extend_from_slice(rights);
    }

    /// The rights of each place.
    pub fn places(&self) -> impl Iterator<Item = (Option<&str>, &[Right])> {
        self.0.iter().map(|(place, rights)| (place.as_deref(), rights.as_slice()))
    }

    /// Asks the API server whether we hold every one of these rights.
    ///
    /// # Errors
    /// `Denied`, naming each missing verb and resource.
    pub async fn check(&self, kubernetes: &kube::Client) -> Result<()> {
        self.check_for(kubernetes, "snapshot").await
    }

    /// As [`Rights::check`], for what `pachsnap rbac` calls `purpose`.
    ///
    /// # Errors
    /// `Denied`, naming each missing verb and resource.
    pub async fn check_for(&self, kubernetes: &kube::Client, purpose: &str) -> Result<()> {
        let reviews: Api<SelfSubjectAccessReview> = Api::all(kubernetes.clone());
        let mut missing = Vec::new();
        for (place, rights) in self.places() {
            let mut lacking = Vec::new();
            for right in rights {
                for verb in right.verbs {
                    let answer = reviews.create(&PostParams::default(), &review(place, right, verb)).await?;
                    let what = format!("{verb} {}", qualified(right));
                    if !answer.status.is_some_and(|status| status.allowed) && !lacking.contains(&what) {
                        lacking.push(what);
                    }
                }
            }
            if !lacking.is_empty() {
                let place = place.map_or_else(|| "the whole cluster".to_owned(), |name| format!("namespace {name:?}"));
                missing.push(format!("in {place}: {}", lacking.join(", ")));
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Denied, format!("missing rights {}", missing.join("; ")))
            .advise(format!("`pachsnap rbac --for {purpose}` prints the Role that is needed")))
    }
}

fn review(place: Option<&str>, right: &Right, verb: &str) -> SelfSubjectAccessReview {
    let (resource, subresource) = match right.resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
        None => (right.resource, None),
    };
    SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: Some(right.group.to_owned()),
                namespace: place.map(str::to_owned),
                resource: Some(resource.to_owned()),
                subresource,
                verb: Some(verb.to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    }
}

/// A resource with its group, as kubectl writes it.
fn qualified(right: &Right) -> String {
    if right.group.is_empty() { right.resource.to_owned() } else { format!("{}.{}", right.resource, right.group) }
}
