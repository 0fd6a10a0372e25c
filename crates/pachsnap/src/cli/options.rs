//! Options that several commands share, and the settings that they stand for.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::config::{FlagValue, parse_span};

/// Makes a struct of options that each set one setting of the configuration.
macro_rules! settings {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $flag:literal => $path:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Args)]
        pub(crate) struct $name {
            $($(#[$field_doc])* #[arg(long = $flag)] $field: Option<String>,)*
        }

        impl $name {
            /// The settings that were given.
            pub(crate) fn flags(&self) -> Vec<FlagValue> {
                let mut flags = Vec::new();
                $(if let Some(value) = &self.$field { flags.push(($path, concat!("--", $flag), value.clone())); })*
                flags
            }

            /// Every setting that an option of this group sets.
            #[cfg(test)]
            pub(crate) fn every_setting() -> Vec<&'static str> {
                vec![$($path),*]
            }
        }
    };
}

settings! {
    /// Where recovery points are.
    StoreOptions {
        /// Where recovery points are kept: s3://bucket/prefix, gs://bucket/prefix or file:///folder
        #[arg(value_name = "URL", help_heading = "Stores")]
        vault: "vault" => "vault.url",
        /// Name of the cluster in the vault; the namespace's name if not given
        #[arg(value_name = "NAME", help_heading = "Stores")]
        cluster_name: "cluster-name" => "cluster.name",
    }
}

settings! {
    /// Where a drill restores, and what it asks for.
    DrillOptions {
        /// An empty bucket that belongs to drills alone: s3://bucket
        #[arg(value_name = "URL", help_heading = "Stores")]
        bucket: "bucket" => "drill.url",
        /// Longest time to recovery with which the drill passes
        #[arg(value_name = "TIME")]
        max_rto: "max-rto" => "drill.max-rto",
        /// Oldest recovery point with which the drill passes
        #[arg(value_name = "TIME")]
        max_rpo: "max-rpo" => "drill.max-rpo",
    }
}

settings! {
    /// How a snapshot runs, apart from its pause.
    SnapshotOptions {
        /// Where each recovery point's clone gets a prefix of its own: s3://bucket/prefix, gs://bucket/prefix or file:///folder
        #[arg(value_name = "URL", help_heading = "Stores")]
        clone: "clone" => "clone.url",
        /// Folder for parts on their way to the vault
        #[arg(value_name = "FOLDER", help_heading = "Stores")]
        staging: "staging" => "snapshot.staging",
        /// Most object copies under way at once
        #[arg(value_name = "N", help_heading = "Stores")]
        copy_parallelism: "copy-parallelism" => "snapshot.copy-parallelism",
        /// Two clones below --clone that take turns, as a,b: only what changed is copied, and the older recovery point ends
        #[arg(value_name = "NAMES", help_heading = "Stores")]
        mirror: "mirror" => "snapshot.mirror",
    }
}

settings! {
    /// How a cluster is paused.
    PauseOptions {
        /// How outside traffic is kept out: selector, ports or none
        #[arg(value_name = "HOW", help_heading = "Pause")]
        fence: "fence" => "snapshot.fence",
        /// Node ports to switch with --fence=ports, as 30650=30649,30651=30648
        #[arg(value_name = "PORTS", help_heading = "Pause")]
        port_map: "port-map" => "snapshot.port-map",
        /// Open user commits, whose content a restore of the metadata loses: refuse or record
        #[arg(value_name = "HOW", help_heading = "Pause")]
        open_commits: "open-commits" => "snapshot.open-commits",
        /// Running jobs: wait for them, or interrupt them
        #[arg(value_name = "HOW", help_heading = "Pause")]
        drain: "drain" => "snapshot.drain",
        /// Longest wait for running jobs
        #[arg(value_name = "TIME", help_heading = "Pause")]
        drain_timeout: "drain-timeout" => "snapshot.drain-timeout",
        /// Longest time without any progress in the pause
        #[arg(value_name = "TIME", help_heading = "Pause")]
        stall: "stall" => "snapshot.stall",
        /// Longest pause; when it passes, capture ends and the cluster resumes
        #[arg(value_name = "TIME", help_heading = "Pause")]
        max_pause: "max-pause" => "snapshot.max-pause",
        /// StopPipeline calls under way at once
        #[arg(value_name = "N", help_heading = "Pause")]
        pipeline_parallelism: "pipeline-parallelism" => "snapshot.pipeline-parallelism",
    }
}

/// Options of every command.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct GlobalOptions {
    /// Namespace of the deployment; the context's if not given
    #[arg(short, long, global = true)]
    pub(crate) namespace: Option<String>,
    /// Context of the kubeconfig
    #[arg(long, global = true)]
    pub(crate) context: Option<String>,
    /// The kubeconfig
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Name of pachd's Deployment; found by itself if not given
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) pachd_deployment: Option<String>,
    /// Address of pachd, to go there instead of to its pod
    #[arg(long, global = true, value_name = "HOST:PORT")]
    pub(crate) pachd_address: Option<String>,
    /// Address of etcd, to go there instead of to its pod
    #[arg(long, global = true, value_name = "HOST:PORT")]
    pub(crate) etcd_address: Option<String>,
    /// File with the Pachyderm token, where auth is active; else $PACHSNAP_TOKEN
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Configuration file
    #[arg(long, global = true, value_name = "FILE", help_heading = "General")]
    pub(crate) config: Option<PathBuf>,
    /// Stop after this time as after Ctrl-C: whatever was changed is put back; a resume goes on
    #[arg(long, global = true, value_name = "TIME", value_parser = parse_span, help_heading = "General")]
    pub(crate) timeout: Option<Duration>,
    /// Log to stderr; more with -vv and -vvv
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "General")]
    pub(crate) verbose: u8,
}

impl GlobalOptions {
    /// The settings that were given.
    pub(crate) fn flags(&self) -> Vec<FlagValue> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        [
            ("cluster.namespace", "--namespace", self.namespace.clone()),
            ("cluster.context", "--context", self.context.clone()),
            ("cluster.kubeconfig", "--kubeconfig", path(&self.kubeconfig)),
            ("cluster.pachd-deployment", "--pachd-deployment", self.pachd_deployment.clone()),
            ("cluster.pachd-address", "--pachd-address", self.pachd_address.clone()),
            ("cluster.etcd-address", "--etcd-address", self.etcd_address.clone()),
            ("cluster.token-file", "--token-file", path(&self.token_file)),
        ]
        .into_iter()
        .filter_map(|(path, flag, value)| Some((path, flag, value?)))
        .collect()
    }

    /// The flags that lead to the same cluster, each with a space before it.
    pub(crate) fn cluster_flags(&self) -> String {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        [
            ("-n", self.namespace.clone()),
            ("--context", self.context.clone()),
            ("--kubeconfig", path(&self.kubeconfig)),
            ("--pachd-deployment", self.pachd_deployment.clone()),
            ("--pachd-address", self.pachd_address.clone()),
            ("--etcd-address", self.etcd_address.clone()),
            ("--token-file", path(&self.token_file)),
            ("--config", path(&self.config)),
        ]
        .into_iter()
        .filter_map(|(flag, value)| value.map(|value| format!(" {flag} {}", shell_word(&value))))
        .collect()
    }

    /// Every setting that a global option sets.
    #[cfg(test)]
    pub(crate) fn every_setting() -> Vec<&'static str> {
        let all = Self {
            namespace: Some(String::new()),
            context: Some(String::new()),
            kubeconfig: Some(PathBuf::new()),
            pachd_deployment: Some(String::new()),
            pachd_address: Some(String::new()),
            etcd_address: Some(String::new()),
            token_file: Some(PathBuf::new()),
            ..Self::default()
        };
        all.flags().into_iter().map(|(path, ..)| path).collect()
    }
}

/// A word as a shell reads it back.
fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_to_the_same_cluster_can_be_pasted() {
        let options = GlobalOptions {
            namespace: Some("pach".to_owned()),
            kubeconfig: Some(PathBuf::from("/home/o'brien/k8s config")),
            ..GlobalOptions::default()
        };
        assert_eq!(options.cluster_flags(), r" -n pach --kubeconfig '/home/o'\''brien/k8s config'");
    }
}
