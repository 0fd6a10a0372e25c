//! What a restore would do, in words and numbers.

use serde::Serialize;

use super::etcd::{Content, LeftOut};
use super::look::Look;
use super::point::Point;
use super::preflight::Checked;
use super::stream_content::StreamContent;
use super::volume::Chosen;
use super::{RestoreFrom, RestoreSettings, bucket, pipelines};
use crate::clone::CopyPath;

/// What comes back by no path: it is in no recovery point.
const NEVER: &str = "values of Kubernetes Secrets: see cluster-objects.yaml for those that pipelines need";
/// What the metadata stream does not hold, or pachd's restore does not bring back.
const NOT_BY_METADATA: [&str; 5] = [
    "open commits: each becomes a finished one, and an open head an empty one",
    "job ids, when commits and jobs began and ended, subvenance counters",
    "descriptions of commits and the branches that old commits were made on; triggers that belong to no pipeline",
    "tokens of users, groups, one-time passwords, open transactions",
    "the cluster's own id: the target keeps the one it has",
];

/// What a restore would do.
#[derive(Clone, Debug, Serialize)]
pub struct RestorePlan {
    /// What is restored.
    pub point: String,
    /// By which path.
    pub from: RestoreFrom,
    /// The source, in words.
    pub source: String,
    /// The target, in words.
    pub target: String,
    /// The target's bucket.
    pub bucket: String,
    /// Objects that the bucket gets at most.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Of these, bytes that move through this machine, in and out.
    pub bytes_through_here: u64,
    /// How keys are renamed; empty when they aren't.
    pub key_map: String,
    /// Which snapshot goes under which claim, on the path by the disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk: Option<String>,
    /// What the path brings back, in words.
    pub brings: String,
    /// What it can't bring back.
    pub not_back: Vec<String>,
    /// Pipelines that would be started.
    pub to_start: Vec<String>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

impl RestorePlan {
    pub(super) fn of(
        point: &Point,
        stream: &StreamContent,
        look: &Look,
        checked: &Checked,
        from: RestoreFrom,
        settings: &RestoreSettings,
    ) -> Self {
        let manifest = &point.manifest;
        let (cluster, artifact) = (&manifest.cluster, &manifest.artifacts.bucket);
        let through_here = match bucket::path(point, &look.ground, settings) {
            CopyPath::ServerSide => 0,
            CopyPath::Streamed => artifact.bytes,
        };
        let ran = pipelines::ran(manifest);
        let mut warnings = manifest.warnings.clone();
        if !settings.start_pipelines && !ran.is_empty() {
            warnings.push(format!("{} pipelines that ran at the source stay paused: see --start-pipelines", ran.len()));
        }
        if !checked.missing_secrets.is_empty() {
            let names = checked.missing_secrets.join(", ");
            warnings.push(format!(
                "Secrets that pipelines need are missing in the target, create them before pipelines start: {names}"
            ));
        }
        if from != RestoreFrom::Metadata {
            warnings.push(SHARED.to_owned());
        }
        Self {
            point: point.run.to_string(),
            from,
            source: format!(
                "cluster {} of namespace {}, pachd {}, captured {}",
                cluster.cluster_id, cluster.namespace, cluster.pachd_version, manifest.captured
            ),
            target: format!("namespace {}, pachd {}", look.ground.namespace, look.pachd_version),
            bucket: look.ground.location.describe(),
            objects: artifact.objects,
            bytes: artifact.bytes,
            bytes_through_here: through_here,
            key_map: checked.keys.map.to_string(),
            disk: checked.volume.as_ref().map(Chosen::describe),
            brings: match (&checked.content, from) {
                (Some(content), RestoreFrom::Etcd) => keys_in_words(content),
                (_, RestoreFrom::Volume) => "everything that etcd had on its disk".to_owned(),
                _ => format!("{} ops of the metadata stream", stream.ops),
            },
            not_back: not_back(from),
            to_start: if settings.start_pipelines { ran.into_iter().collect() } else { Vec::new() },
            warnings,
        }
    }

    /// The plan for people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let renamed = if self.key_map.is_empty() { String::new() } else { format!(", keys renamed: {}", self.key_map) };
        let moved = match self.bytes_through_here {
            0 => "the store copies by itself".to_owned(),
            bytes => format!("{bytes} bytes move through this machine"),
        };
        let mut lines = vec![
            format!("point      {} by {}", self.point, self.from.as_str()),
            format!("source     {}", self.source),
            format!("target     {}", self.target),
            format!("bucket     {}: {} objects, {} bytes; {moved}{renamed}", self.bucket, self.objects, self.bytes),
            format!("brings     {}", self.brings),
        ];
        lines.extend(self.disk.iter().map(|disk| format!("disk       {disk}")));
        lines.extend(self.not_back.iter().map(|what| format!("not back   {what}")));
        if !self.to_start.is_empty() {
            lines.push(format!("start      {} pipelines: {}", self.to_start.len(), self.to_start.join(", ")));
        }
        lines.extend(self.warnings.iter().map(|warning| format!("warning    {warning}")));
        lines
    }
}

/// What a copy of everything means.
pub(super) const SHARED: &str = "this copy has the source's cluster id and shares its tokens: whoever has access to one has it \
                                 to both; the old cluster must not go on writing to what loaders now write to the new one";

/// What a path can't bring back.
pub(super) fn not_back(from: RestoreFrom) -> Vec<String> {
    let own: &[&str] = match from {
        RestoreFrom::Volume => &[],
        RestoreFrom::Etcd => &["history of etcd: past revisions of keys, versions of keys"],
        RestoreFrom::Metadata => &NOT_BY_METADATA,
    };
    own.iter().chain([&NEVER]).map(|what| (*what).to_owned()).collect()
}

fn keys_in_words(content: &Content) -> String {
    let LeftOut { processes, ended } = content.left_out;
    let (keys, transactions) = (content.keys().len(), content.groups().count());
    let mut text = format!("{keys} keys of etcd at revision {}, in {transactions} transactions", content.revision);
    if processes > 0 {
        text.push_str(&format!("; {processes} locks and workers of the source's processes stay away"));
    }
    if ended > 0 {
        text.push_str(&format!("; {ended} keys whose lease has ended stay away"));
    }
    text
}
