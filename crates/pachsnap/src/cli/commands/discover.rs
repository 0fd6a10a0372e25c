//! `pachsnap discover`

use std::fmt::Write as _;

use clap::Args;
use orchestrator::cluster::{ClusterDescription, discover};
use orchestrator::outcome::exit_code;

use crate::cli::{Ended, Session};
use crate::render::{DocumentFormat, EventFormat, bytes, print_document, table};

/// Options of `discover`.
#[derive(Debug, Args)]
pub(crate) struct Discover {
    /// How to print what was found
    #[arg(short, long, value_enum, default_value_t)]
    output: DocumentFormat,
}

impl Discover {
    /// Discovers the cluster and prints it.
    ///
    /// # Errors
    /// Those of discovery.
    pub(crate) async fn run(self, session: &Session) -> Result<u8, Ended> {
        let config = session.config(&[])?;
        let target = session.target(&config).await?;
        let progress = session.progress(EventFormat::Text);
        let stores = session.stores(&config);
        let events = progress.events();
        let cluster = session.reading(discover(&target, stores.as_ref(), &events)).await;
        progress.finish();
        print_document(&cluster?.describe(), self.output, text)?;
        Ok(exit_code::OK)
    }
}

fn text(found: &ClusterDescription) -> String {
    let cluster = &found.cluster;
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<13}{value}");
    };
    line("namespace", cluster.namespace.clone());
    line("cluster id", cluster.cluster_id.clone());
    line("versions", format!("pachd {}, Kubernetes {}", cluster.pachd_version, cluster.kubernetes_version));
    let reversed = if cluster.reversed_keys { ", keys reversed" } else { "" };
    line("bucket", format!("{} ({}, root {:?}{reversed})", cluster.bucket, cluster.backend, cluster.root));
    match &cluster.etcd {
        Some(etcd) => line("etcd", format!("{}, {} members, {}", etcd.version, etcd.members, bytes(etcd.db_size))),
        None => line("etcd", "does not answer".to_owned()),
    }
    for volume in &cluster.etcd_volumes {
        let capacity = volume.capacity.as_deref().unwrap_or("unknown size");
        line("volume", format!("{} ({}, claim {}, {capacity})", volume.id, volume.source, volume.claim));
    }
    let open = &found.open_work;
    line(
        "open work",
        format!(
            "{} user commits, {} commits of pipelines, {} jobs that never end, {} things that end by themselves",
            open.user_commits.len(),
            open.pipeline_commits.len(),
            open.jobs.len(),
            found.running_work
        ),
    );
    for commit in &open.user_commits {
        line("", format!("open user commit {}@{}", commit.repo, commit.branch.as_deref().unwrap_or(&commit.id)));
    }
    let services = found.services.iter().map(|service| {
        let ports = service.ports.iter().map(|port| match port.node_port {
            Some(node) => format!("{} {}:{node}", port.name, port.port),
            None => format!("{} {}", port.name, port.port),
        });
        vec![service.name.clone(), service.kind.clone(), ports.collect::<Vec<_>>().join(", ")]
    });
    text.push('\n');
    text.push_str(&table(&["SERVICE", "TYPE", "PORTS"], &services.collect::<Vec<_>>()));
    let pipelines = found.pipelines.iter().map(|pipeline| {
        vec![pipeline.name.clone(), pipeline.state.clone(), if pipeline.stopped { "yes" } else { "no" }.to_owned()]
    });
    text.push('\n');
    text.push_str(&table(&["PIPELINE", "STATE", "STOPPED"], &pipelines.collect::<Vec<_>>()));
    for warning in &found.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    text
}
