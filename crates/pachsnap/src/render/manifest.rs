//! A recovery point for people.

use std::fmt::Write as _;

use orchestrator::manifest::{Manifest, QuietProof, StreamWitness};

use super::table::table;
use super::units::{bytes, seconds};

/// The manifest as text. It names no secret, since the manifest has none.
pub(crate) fn render_manifest(manifest: &Manifest) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<15}{value}");
    };
    line(
        "recovery point",
        format!("{} (by {}, format {}.{})", manifest.run, manifest.tool, manifest.format.major, manifest.format.minor),
    );
    let cluster = &manifest.cluster;
    line("cluster", format!("{}: namespace {}, id {}", manifest.cluster_name, cluster.namespace, cluster.cluster_id));
    line(
        "versions",
        format!("pachd {}, Kubernetes {}{}", cluster.pachd_version, cluster.kubernetes_version, etcd_version(manifest)),
    );
    let reversed = if cluster.reversed_keys { ", keys reversed" } else { "" };
    line("bucket", format!("{} ({}, root {:?}{reversed})", cluster.bucket, cluster.backend, cluster.root));
    line("captured", format!("{} (begun {}, committed {})", manifest.captured, manifest.started, manifest.committed));
    line("pause", pause(manifest));
    line("proof", proof(&manifest.consistency.proof));
    text.push('\n');
    text.push_str(&parts(manifest));
    text.push('\n');
    text.push_str(&work(manifest));
    for warning in &manifest.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    text
}

fn etcd_version(manifest: &Manifest) -> String {
    manifest
        .cluster
        .etcd
        .as_ref()
        .map(|etcd| format!(", etcd {} ({} members)", etcd.version, etcd.members))
        .unwrap_or_default()
}

fn pause(manifest: &Manifest) -> String {
    let consistency = &manifest.consistency;
    let length = match consistency.pause_seconds {
        Some(length) => format!("{} from {}", seconds(length), consistency.pause_started),
        None => format!("from {}, not ended when this was written", consistency.pause_started),
    };
    let stopped = manifest.pipelines.iter().filter(|pipeline| pipeline.stopped_by_run).count();
    format!("{length}; fence {}, {stopped} of {} pipelines stopped", consistency.fence, manifest.pipelines.len())
}

fn proof(proof: &QuietProof) -> String {
    match proof {
        QuietProof::EtcdWatch { from_revision, to_revision, harmless_events } => format!(
            "etcd watch from revision {from_revision} to {to_revision}: nothing written ({harmless_events} harmless events)"
        ),
        QuietProof::TwoPolls => "two equal polls of pachd; etcd could not be watched".to_owned(),
    }
}

fn witness(witness: &StreamWitness) -> String {
    match witness {
        StreamWitness::Etcd { .. } => "etcd's snapshot tells the same".to_owned(),
        StreamWitness::Recount => "as many as pachd listed".to_owned(),
        StreamWitness::None { reason } => format!("not compared: {reason}"),
    }
}

fn parts(manifest: &Manifest) -> String {
    let artifacts = &manifest.artifacts;
    let row =
        |part: &str, size: u64, content: String, place: String| vec![part.to_owned(), bytes(size), content, place];
    let mut rows = Vec::new();
    for volume in &artifacts.volumes {
        rows.push(row(
            "volume",
            volume.size,
            format!("{} ({}) cut {}", volume.of.volume, volume.of.source, volume.cut_at),
            volume.snapshot.clone(),
        ));
    }
    if let Some(etcd) = &artifacts.etcd {
        let content = format!("{} keys at revision {}", etcd.keys, etcd.revision);
        rows.push(row("etcd", etcd.file.size, content, etcd.file.name.clone()));
    }
    let bucket = &artifacts.bucket;
    rows.push(row("bucket", bucket.bytes, format!("{} objects", bucket.objects), bucket.url.clone()));
    let metadata = &artifacts.metadata;
    let ops: u64 = metadata.ops.values().sum();
    let version = metadata.op_version.as_deref().unwrap_or("unknown");
    rows.push(row(
        "metadata",
        metadata.file.size,
        format!("{ops} ops of version {version}, {}", witness(&manifest.witness)),
        metadata.file.name.clone(),
    ));
    let objects = &artifacts.cluster_objects;
    rows.push(row("kubernetes", objects.size, "objects without secret values".to_owned(), objects.name.clone()));
    let inventory = bucket.inventory.iter().map(|part| part.size).sum();
    rows.push(row("inventory", inventory, format!("{} parts", bucket.inventory.len()), "inventory/".to_owned()));
    table(&["PART", "SIZE", "CONTENT", "WHERE"], &rows)
}

fn work(manifest: &Manifest) -> String {
    let mut text = String::new();
    let open = &manifest.open_work;
    for commit in &open.user_commits {
        let branch = commit.branch.as_deref().unwrap_or("?");
        let _ = writeln!(
            text,
            "open commit    {}@{branch} {}: a restore of the metadata makes it finished and empty",
            commit.repo, commit.id
        );
    }
    if !open.pipeline_commits.is_empty() || !open.jobs.is_empty() {
        let (commits, jobs) = (open.pipeline_commits.len(), open.jobs.len());
        let _ =
            writeln!(text, "open work      {commits} commits of pipelines, {jobs} jobs that never end or were stopped");
    }
    let checkpoint = &manifest.checkpoint;
    let _ = writeln!(text, "checkpoint     {}: heads of {} input branches", checkpoint.at, checkpoint.heads.len());
    for head in &checkpoint.heads {
        let commit = head.commit.as_deref().unwrap_or("(empty)");
        let _ = writeln!(text, "               {}@{} {commit}", head.repo, head.branch);
    }
    text
}
