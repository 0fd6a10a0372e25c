//! The settings that exist: one line each, in the order in which `config show` prints them.

/// What kind of value a setting holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// A path on this machine.
    Path,
    /// A URL of a store, without credentials.
    StoreUrl,
    /// A span of time such as `15m`.
    Duration,
    /// A whole number of at least one.
    Count,
    /// `true` or `false`.
    Boolean,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// Two names, with a comma between them.
    Names,
    /// Node ports, from → to.
    Ports,
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    /// Section and name: `snapshot.max-pause`.
    pub(crate) path: &'static str,
    /// What it holds.
    pub(crate) kind: Kind,
    /// The value when nobody sets it.
    pub(crate) default: Option<&'static str>,
    /// What it is for, in a few words.
    pub(crate) about: &'static str,
}

impl Field {
    /// The environment variable that sets it: `PACHSNAP_SNAPSHOT_MAX_PAUSE`.
    pub(crate) fn variable(&self) -> String {
        format!("PACHSNAP_{}", self.path.replace(['.', '-'], "_").to_ascii_uppercase())
    }
}

const fn field(path: &'static str, kind: Kind, default: Option<&'static str>, about: &'static str) -> Field {
    Field { path, kind, default, about }
}

const CREDENTIALS_OF_DATA: Kind = Kind::Choice(&["cluster", "environment"]);
const STORES: Kind = Kind::Choice(&["aws", "minio", "other"]);
const ABOUT_OWNER: &str = "number of the AWS account that must own the bucket; another one's is not touched";
const ABOUT_PAYER: &str = "we pay for our requests, where the bucket wants its requesters to";
const ABOUT_CONTROL: &str = "new objects are the bucket owner's too, who may be another AWS account";
const ABOUT_CLASS: &str =
    "class of storage of new objects, as STANDARD_IA or NEARLINE; that of what is copied, if not set";
const ABOUT_ENCRYPTION: &str = "AES256, aws:kms, or id, alias or ARN of a KMS key for new objects, on Google the name of a Cloud KMS key; as the bucket says if not set";
const ABOUT_STORE: &str = "which S3 it speaks: aws without an endpoint and other with one, if not set";

/// Every setting. Secrets have none: settings name the environment variable or the file that holds them.
pub(crate) const FIELDS: &[Field] = &[
    field("cluster.name", Kind::Text, None, "name of the cluster in the vault; the namespace's name if not set"),
    field("cluster.namespace", Kind::Text, None, "namespace of the deployment; the context's if not set"),
    field("cluster.context", Kind::Text, None, "context of the kubeconfig"),
    field("cluster.kubeconfig", Kind::Path, None, "kubeconfig; $KUBECONFIG, ~/.kube/config or the pod's if not set"),
    field("cluster.pachd-deployment", Kind::Text, None, "name of pachd's Deployment; found by itself if not set"),
    field(
        "cluster.pod-access",
        Kind::Choice(&["auto", "port-forward", "pod-address"]),
        Some("auto"),
        "how pods are reached: through the API server, or at their own addresses, which auto does inside of the cluster",
    ),
    field("cluster.pachd-address", Kind::Text, None, "host:port of pachd, to go there instead of to its pod"),
    field("cluster.etcd-address", Kind::Text, None, "host:port of etcd, to go there instead of to its pod"),
    field("cluster.token-env", Kind::Text, Some("PACHSNAP_TOKEN"), "environment variable with the Pachyderm token"),
    field("cluster.token-file", Kind::Path, None, "file with the Pachyderm token"),
    field("cluster.tls-ca-file", Kind::Path, None, "PEM file with the certificates to believe at a grpcs:// address"),
    field(
        "bucket.credentials",
        CREDENTIALS_OF_DATA,
        None,
        "whose keys read the data bucket: those in the cluster's storage secret, or what is found here; the cluster's for a store at an endpoint, what is found here for Amazon's, if not set",
    ),
    field("bucket.endpoint", Kind::Text, None, "endpoint of the data bucket as seen from here"),
    field("bucket.store", STORES, None, ABOUT_STORE),
    field("bucket.region", Kind::Text, None, "region of the data bucket"),
    field("bucket.path-style", Kind::Boolean, None, "bucket in the path, not in the host name"),
    field("bucket.expected-owner", Kind::Text, None, ABOUT_OWNER),
    field("bucket.requester-pays", Kind::Boolean, None, ABOUT_PAYER),
    field("bucket.owner-full-control", Kind::Boolean, None, ABOUT_CONTROL),
    field("bucket.encrypt-with", Kind::Text, None, ABOUT_ENCRYPTION),
    field("bucket.access-key-id-env", Kind::Text, None, "environment variable with the access key id"),
    field("bucket.secret-access-key-env", Kind::Text, None, "environment variable with the secret key"),
    field("bucket.session-token-env", Kind::Text, None, "environment variable with the session token"),
    field("bucket.path", Kind::Path, None, "LOCAL clusters: where the storage root is mounted on this machine"),
    field("vault.url", Kind::StoreUrl, None, "where recovery points are kept"),
    field("vault.endpoint", Kind::Text, None, "endpoint of an S3-compatible store, or in place of Google's own"),
    field("vault.store", STORES, None, ABOUT_STORE),
    field("vault.region", Kind::Text, None, "region"),
    field("vault.path-style", Kind::Boolean, None, "bucket in the path, not in the host name"),
    field("vault.create-only-put", Kind::Boolean, None, "the store honours If-None-Match, although its kind may not"),
    field("vault.expected-owner", Kind::Text, None, ABOUT_OWNER),
    field("vault.owner-full-control", Kind::Boolean, None, ABOUT_CONTROL),
    field("vault.encrypt-with", Kind::Text, None, ABOUT_ENCRYPTION),
    field("vault.access-key-id-env", Kind::Text, None, "environment variable with the access key id"),
    field("vault.secret-access-key-env", Kind::Text, None, "environment variable with the secret key"),
    field("vault.session-token-env", Kind::Text, None, "environment variable with the session token"),
    field("clone.url", Kind::StoreUrl, None, "where each recovery point's clone gets a prefix of its own"),
    field("clone.endpoint", Kind::Text, None, "endpoint of an S3-compatible store, or in place of Google's own"),
    field("clone.store", STORES, None, ABOUT_STORE),
    field("clone.region", Kind::Text, None, "region"),
    field("clone.path-style", Kind::Boolean, None, "bucket in the path, not in the host name"),
    field("clone.create-only-put", Kind::Boolean, None, "the store honours If-None-Match, although its kind may not"),
    field("clone.expected-owner", Kind::Text, None, ABOUT_OWNER),
    field("clone.owner-full-control", Kind::Boolean, None, ABOUT_CONTROL),
    field("clone.storage-class", Kind::Text, None, ABOUT_CLASS),
    field("clone.encrypt-with", Kind::Text, None, ABOUT_ENCRYPTION),
    field("clone.access-key-id-env", Kind::Text, None, "environment variable with the access key id"),
    field("clone.secret-access-key-env", Kind::Text, None, "environment variable with the secret key"),
    field("clone.session-token-env", Kind::Text, None, "environment variable with the session token"),
    field("drill.url", Kind::StoreUrl, None, "an empty bucket that belongs to drills alone, without a prefix"),
    field("drill.endpoint", Kind::Text, None, "endpoint of an S3-compatible store, or in place of Google's own"),
    field(
        "drill.pachd-endpoint",
        Kind::Text,
        None,
        "the same as the scratch pachd reaches it; drill.endpoint if not set",
    ),
    field("drill.store", STORES, None, ABOUT_STORE),
    field("drill.region", Kind::Text, None, "region"),
    field("drill.path-style", Kind::Boolean, None, "bucket in the path, not in the host name"),
    field("drill.create-only-put", Kind::Boolean, None, "the store honours If-None-Match, although its kind may not"),
    field("drill.expected-owner", Kind::Text, None, ABOUT_OWNER),
    field("drill.owner-full-control", Kind::Boolean, None, ABOUT_CONTROL),
    field("drill.encrypt-with", Kind::Text, None, ABOUT_ENCRYPTION),
    field(
        "drill.access-key-id-env",
        Kind::Text,
        None,
        "environment variable with the access key id, which pachd gets too",
    ),
    field("drill.secret-access-key-env", Kind::Text, None, "environment variable with the secret key"),
    field("drill.session-token-env", Kind::Text, None, "environment variable with the session token"),
    field("drill.max-rto", Kind::Duration, None, "longest time to recovery with which a drill passes"),
    field("drill.max-rpo", Kind::Duration, None, "oldest recovery point with which a drill passes"),
    field(
        "s3.client",
        Kind::Choice(&["lean", "sdk"]),
        Some("lean"),
        "what sends copies and listings: our own client, a fifth of the processor time, or the AWS SDK",
    ),
    field(
        "ebs.region",
        Kind::Text,
        None,
        "region of EBS volumes; if not set, what the AWS SDK finds where snapshot.volume-provider is ebs",
    ),
    field("ebs.endpoint", Kind::Text, None, "URL of the EC2 service; Amazon's own if not set"),
    field("ebs.profile", Kind::Text, None, "profile of the AWS configuration; what the AWS SDK finds if not set"),
    field(
        "ebs.encrypt-with",
        Kind::Text,
        None,
        "id, alias or ARN of the KMS key of restored volumes; as their snapshot is encrypted if not set",
    ),
    field("ebs.volume-type", Kind::Text, None, "type of restored volumes; that of the snapshot's volume if not set"),
    field("ebs.iops", Kind::Count, None, "I/O operations per second of restored volumes; the source's if not set"),
    field("ebs.throughput", Kind::Count, None, "MiB/s of restored volumes; the source's if not set"),
    field(
        "gcs.credentials-file",
        Kind::Path,
        None,
        "JSON file of a service account or of another identity, for gs:// buckets; Application Default Credentials if not set",
    ),
    field("gcs.user-project", Kind::Text, None, "project that pays for requests to gs:// buckets whose requesters pay"),
    field(
        "gcs.writes-per-second",
        Kind::Count,
        None,
        "writes a second that a bucket takes at first, twice as many each 20 minutes; 1000 if not set, as Google publishes",
    ),
    field(
        "pd.project",
        Kind::Text,
        None,
        "project of Persistent Disks; where snapshot.volume-provider is pd, that of the disk's handle if not set",
    ),
    field(
        "pd.zone",
        Kind::Text,
        None,
        "zone of a disk whose volume tells none; of a regional disk both, as us-central1-a__us-central1-b",
    ),
    field("pd.endpoint", Kind::Text, None, "URL of the Compute Engine service; Google's own if not set"),
    field(
        "pd.credentials-file",
        Kind::Path,
        None,
        "JSON file of a service account or of another identity, for disks; Application Default Credentials if not set",
    ),
    field(
        "pd.storage-location",
        Kind::Text,
        None,
        "where snapshots of disks are stored, as us or us-central1; as the project's settings say if not set",
    ),
    field(
        "pd.encrypt-with",
        Kind::Text,
        None,
        "Cloud KMS key of restored disks, as projects/…/cryptoKeys/K; that of the disk that was cut if not set",
    ),
    field("pd.disk-type", Kind::Text, None, "type of restored disks; that of the disk that was cut if not set"),
    field("pd.iops", Kind::Count, None, "provisioned operations per second of restored disks; the source's if not set"),
    field("pd.throughput", Kind::Count, None, "provisioned MiB/s of restored disks; the source's if not set"),
    field(
        "snapshot.fence",
        Kind::Choice(&["selector", "ports", "none"]),
        Some("selector"),
        "how outside traffic is kept out",
    ),
    field("snapshot.port-map", Kind::Ports, None, "node ports to switch; Pachyderm's documented numbers if not set"),
    field(
        "snapshot.open-commits",
        Kind::Choice(&["refuse", "record"]),
        Some("refuse"),
        "open user commits, whose content a restore of the metadata loses",
    ),
    field(
        "snapshot.lifecycle",
        Kind::Choice(&["refuse", "accept"]),
        Some("refuse"),
        "a rule of the bucket of vault or clone that deletes or archives what is put there",
    ),
    field(
        "snapshot.volume",
        Kind::Choice(&["auto", "require", "skip"]),
        Some("auto"),
        "the disk under etcd: snapshot it where a provider can, require it, or leave it to etcd's own snapshot",
    ),
    field(
        "snapshot.volume-provider",
        Kind::Choice(&["auto", "csi", "ebs", "pd"]),
        Some("auto"),
        "who snapshots the disk under etcd: the cluster's VolumeSnapshots (csi), EC2 (ebs) or Compute Engine (pd); auto takes csi for volumes of a CSI driver, and for in-tree ones ebs if ebs.region is set, pd if pd.project is set",
    ),
    field(
        "snapshot.volume-class",
        Kind::Text,
        None,
        "VolumeSnapshotClass of the disk under etcd; the driver's default if not set",
    ),
    field(
        "snapshot.volume-deletion-policy",
        Kind::Choice(&["class", "retain"]),
        Some("class"),
        "what happens to a CSI snapshot when its objects or its namespace are deleted: as its class says, or it is kept",
    ),
    field("snapshot.ready-timeout", Kind::Duration, Some("4h"), "longest wait until the disk's snapshot can be used"),
    field(
        "snapshot.drain",
        Kind::Choice(&["wait", "interrupt"]),
        Some("wait"),
        "running jobs: wait, or stop under them",
    ),
    field("snapshot.drain-timeout", Kind::Duration, Some("30m"), "longest wait for running jobs"),
    field("snapshot.stall", Kind::Duration, Some("120s"), "longest time without any progress in the pause"),
    field("snapshot.max-pause", Kind::Duration, Some("1h"), "longest pause; then capture ends and the cluster resumes"),
    field("snapshot.pipeline-parallelism", Kind::Count, Some("8"), "StopPipeline calls under way at once"),
    field(
        "snapshot.copy-parallelism",
        Kind::Count,
        Some("256"),
        "most object copies under way at once; fewer while the store answers no faster for more",
    ),
    field(
        "snapshot.mirror",
        Kind::Names,
        None,
        "two names below clone.url, as a,b: clones that take turns, the older one updated in place and its recovery point superseded",
    ),
    field(
        "snapshot.staging",
        Kind::Path,
        None,
        "folder for parts on their way to the vault; the cache folder if not set",
    ),
    field(
        "snapshot.compare-gib",
        Kind::Count,
        Some("4"),
        "largest etcd database that the metadata is compared with, in GiB; its live keys are held in memory",
    ),
    field("snapshot.poll", Kind::Duration, Some("2s"), "how often the cluster is asked while something is waited for"),
];

/// The setting of that name.
pub(crate) fn find(path: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.path == path)
}

/// The sections, in order.
pub(crate) fn sections() -> Vec<&'static str> {
    let mut sections: Vec<&str> = Vec::new();
    for field in FIELDS {
        let section = field.path.split('.').next().unwrap_or_default();
        if sections.last() != Some(&section) {
            sections.push(section);
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_and_variable_is_unique() {
        let mut variables: Vec<String> = FIELDS.iter().map(Field::variable).collect();
        variables.sort();
        variables.dedup();
        assert_eq!(variables.len(), FIELDS.len());
    }

    #[test]
    fn no_setting_holds_a_secret() {
        for field in FIELDS {
            let name = field.path;
            if name.contains("token") || name.contains("secret") || name.contains("key") || name.contains("password") {
                assert!(name.ends_with("-env") || name.ends_with("-file"), "{name} would hold a secret");
            }
        }
    }

    #[test]
    fn defaults_fit_their_kind() {
        for field in FIELDS {
            if let Some(default) = field.default {
                assert!(super::super::value::Value::parse(field.kind, default).is_ok(), "{}", field.path);
            }
        }
    }
}
