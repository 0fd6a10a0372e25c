//! The command line: options become one call of the orchestrator, its answer becomes text.

mod commands;
mod ended;
mod options;
mod run_name;
mod session;

use clap::{Parser, Subcommand};

pub(crate) use ended::Ended;
pub(crate) use options::GlobalOptions;
pub(crate) use session::Session;

use crate::render::Situation;

const AFTER_HELP: &str = "\
Configuration: --config FILE, else $PACHSNAP_CONFIG, else ./pachsnap.toml, else ~/.config/pachsnap/config.toml; then \
PACHSNAP_* variables; then flags. `pachsnap config show` prints the result.

Exit codes: 0 done; 10 to 19 nothing was changed (11 configuration, 12 unreachable, 13 denied, 14 another run, 15 vault, \
16 open work, 17 unsuitable cluster, 18 damaged recovery point); 20 no recovery point, cluster runs; 21 recovery point, \
cluster still paused; 22 no recovery point, cluster still paused; 23 a clone is not up to date; 24 a restore is not \
complete; 25 a removal is not finished; 26 a drill did not pass; 130 cancelled, cluster runs.";

/// Consistent recovery points of Pachyderm 1.x clusters on Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "pachsnap", version, after_help = AFTER_HELP, propagate_version = true, max_term_width = 110)]
pub(crate) struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub(crate) global: GlobalOptions,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read the cluster and prove what was read; changes nothing
    Discover(commands::discover::Discover),
    /// Say what a snapshot would do, and refuse what can't work; changes nothing
    Plan(commands::plan::Plan),
    /// Take a recovery point: pause the cluster, capture, resume, write the manifest
    Snapshot(commands::snapshot::Snapshot),
    /// Complete a run that was captured but has no manifest yet
    Finish(commands::finish::Finish),
    /// Pause pipelines (all by default) and keep outside traffic out, until `resume`
    Pause(commands::pause::Pause),
    /// Put back what a run has changed; works from any machine, and may be repeated
    Resume(commands::resume::Resume),
    /// Write the metadata stream, as `pachctl restore` reads it
    Extract(commands::extract::Extract),
    /// Make one bucket equal to another, and keep it so: resumable, and exact at any number of objects
    Clone(commands::clone::Clone),
    /// List the recovery points in the vault
    List(commands::list::List),
    /// Show a recovery point
    Show(commands::show::Show),
    /// Check a recovery point against its manifest
    Verify(commands::verify::Verify),
    /// Remove a run: its files, its clone, its snapshots; says what it would remove until --yes
    Delete(commands::delete::Delete),
    /// Remove what dead runs have left; says what it would remove until --yes
    Prune(commands::prune::Prune),
    /// Bring a cluster back from a recovery point, into a new and empty deployment
    Restore(commands::restore::Restore),
    /// Rehearse a restore: into a scratch cluster made for it, checked, timed and taken away again
    Drill(commands::drill::Drill),
    /// Show or check the configuration
    #[command(subcommand)]
    Config(commands::config::ConfigCommand),
    /// Print the Kubernetes rights that a command needs, as YAML for `kubectl apply`
    Rbac(commands::rbac::Rbac),
    /// Print the rights that the cloud has to give
    #[cfg(any(feature = "aws", feature = "gcp"))]
    #[command(subcommand)]
    Iam(commands::iam::Iam),
    /// Take and check a recovery point of a recorded cluster on this machine; no cloud, no Kubernetes
    #[cfg(feature = "demo")]
    Demo(commands::demo::Demo),
    /// Print a completion script for a shell
    Completions(commands::completions::Completions),
    /// Print a JSON Schema
    #[command(hide = true)]
    Schema(commands::schema::Schema),
}

impl Command {
    /// Carries the command out.
    ///
    /// # Errors
    /// What failed, and in which state the cluster is.
    pub(crate) async fn run(self, session: &Session) -> Result<u8, Ended> {
        match self {
            Self::Discover(command) => command.run(session).await,
            Self::Plan(command) => command.run(session).await,
            Self::Snapshot(command) => command.run(session).await,
            Self::Finish(command) => command.run(session).await,
            Self::Pause(command) => command.run(session).await,
            Self::Resume(command) => command.run(session).await,
            Self::Extract(command) => command.run(session).await,
            Self::Clone(command) => command.run(session).await,
            Self::List(command) => command.run(session).await,
            Self::Show(command) => command.run(session).await,
            Self::Verify(command) => command.run(session).await,
            Self::Delete(command) => command.run(session).await,
            Self::Prune(command) => command.run(session).await,
            Self::Restore(command) => command.run(session).await,
            Self::Drill(command) => command.run(session).await,
            Self::Config(command) => command.run(session).await,
            Self::Rbac(command) => command.run(session),
            #[cfg(any(feature = "aws", feature = "gcp"))]
            Self::Iam(command) => command.run(session),
            #[cfg(feature = "demo")]
            Self::Demo(command) => command.run(session).await,
            Self::Completions(command) => command.run(),
            Self::Schema(command) => command.run(),
        }
    }

    /// What a failure of this command means for the cluster.
    pub(crate) fn situation(&self, global: &GlobalOptions) -> Situation {
        Situation {
            cluster_flags: global.cluster_flags(),
            changes_cluster: matches!(self, Self::Snapshot(_) | Self::Pause(_)),
            restores_cluster: matches!(self, Self::Restore(_)),
            resumes_cluster: matches!(self, Self::Resume(_)),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_that_sets_something_sets_a_known_setting() {
        let snapshot = [options::SnapshotOptions::every_setting(), options::PauseOptions::every_setting()].concat();
        let stores = [options::StoreOptions::every_setting(), options::DrillOptions::every_setting()].concat();
        for path in snapshot.into_iter().chain(stores).chain(GlobalOptions::every_setting()) {
            assert!(crate::config::FIELDS.iter().any(|field| field.path == path), "{path}");
        }
    }
}
