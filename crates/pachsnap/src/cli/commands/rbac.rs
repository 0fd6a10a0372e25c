//! `pachsnap rbac`

use std::collections::{BTreeMap, BTreeSet};

use clap::{Args, ValueEnum};
use orchestrator::cluster::rights::{Right, Rights};
use orchestrator::job::{SnapshotSettings, VolumePolicy};
use orchestrator::outcome::exit_code;
use orchestrator::{Error, ErrorKind};
use serde_json::{Value, json};

use crate::cli::{Ended, Session};
use crate::render::stdout_text;

/// Options of `rbac`.
#[derive(Debug, Args)]
pub(crate) struct Rbac {
    /// What the rights are for
    #[arg(long = "for", value_enum, default_value_t)]
    purpose: Purpose,
    /// ServiceAccount that gets the rights; it is not created
    #[arg(long, value_name = "NAME", default_value = "pachsnap")]
    service_account: String,
}

/// What rights are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Purpose {
    /// `discover`, `plan` and `extract`
    Discover,
    /// `snapshot` and `pause`
    #[default]
    Snapshot,
    /// `resume`
    Resume,
    /// `restore`, in the cluster that is filled
    Restore,
    /// `drill`: in every namespace, since its own is made anew
    Drill,
}

impl Rbac {
    /// Prints Role, ClusterRole and their bindings, for the configured namespace and loaders. Asks no cluster.
    ///
    /// # Errors
    /// What is wrong with the configuration; when stdout can't be written to.
    pub(crate) fn run(self, session: &Session) -> Result<u8, Ended> {
        let config = session.config(&[])?;
        let namespace = config.text("cluster.namespace").unwrap_or("default");
        stdout_text(&self.yaml(namespace, &config.pause_settings(namespace))?)
            .map_err(|cause| Error::new(ErrorKind::Failed, "the rights can't be written to stdout").because(cause))?;
        Ok(exit_code::OK)
    }

    fn yaml(&self, namespace: &str, settings: &SnapshotSettings) -> Result<String, Error> {
        let loaders = &settings.loaders;
        let rights = match self.purpose {
            Purpose::Discover => Rights::of_discover(namespace),
            Purpose::Snapshot => {
                let rights = Rights::of_pause(namespace, settings.fence, loaders);
                match settings.volume {
                    VolumePolicy::Skip => rights,
                    VolumePolicy::Auto | VolumePolicy::Require => rights.and(&Rights::of_volume_snapshots(namespace)),
                }
            }
            Purpose::Resume => Rights::of_resume(namespace, loaders),
            Purpose::Restore => Rights::of_restore(namespace).and(&Rights::of_volume_restore(namespace)),
            Purpose::Drill => Rights::of_drill_with_disk(),
        };
        let mut yaml = String::new();
        for (place, rights) in rights.places() {
            for object in self.objects(namespace, place, rights) {
                yaml.push_str("---\n");
                yaml.push_str(&serde_yaml_ng::to_string(&object).map_err(|cause| {
                    Error::new(ErrorKind::Failed, "the rights can't be written as YAML").because(cause)
                })?);
            }
        }
        Ok(yaml)
    }

    /// A role with these rights in one place, without one for the whole cluster, and its binding to the account in `home`.
    fn objects(&self, home: &str, namespace: Option<&str>, rights: &[Right]) -> [Value; 2] {
        const API: &str = "rbac.authorization.k8s.io";
        let prefix = if namespace.is_some() { "" } else { "Cluster" };
        let name = format!(
            "pachsnap-{}",
            self.purpose.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
        );
        let mut metadata = json!({ "name": name });
        if let Some(namespace) = namespace {
            metadata["namespace"] = json!(namespace);
        }
        let role = json!({
            "apiVersion": format!("{API}/v1"),
            "kind": format!("{prefix}Role"),
            "metadata": metadata,
            "rules": rules(rights),
        });
        let binding = json!({
            "apiVersion": format!("{API}/v1"),
            "kind": format!("{prefix}RoleBinding"),
            "metadata": metadata,
            "roleRef": { "apiGroup": API, "kind": format!("{prefix}Role"), "name": name },
            "subjects": [{ "kind": "ServiceAccount", "name": self.service_account, "namespace": home }],
        });
        [role, binding]
    }
}

/// One rule per resource, with all its verbs.
fn rules(rights: &[Right]) -> Vec<Value> {
    let mut verbs: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for right in rights {
        verbs.entry((right.group, right.resource)).or_default().extend(right.verbs);
    }
    verbs
        .into_iter()
        .map(|((group, resource), verbs)| json!({ "apiGroups": [group], "resources": [resource], "verbs": verbs }))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use orchestrator::job::{FenceMode, Loader};

    use super::*;
    use crate::config::{Config, Environment};

    fn settings(fence: FenceMode, loaders: &[Loader]) -> SnapshotSettings {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("empty.toml");
        std::fs::write(&file, "").unwrap();
        let config = Config::load(Some(&file), Environment::default(), &[]).unwrap();
        SnapshotSettings { fence, loaders: loaders.to_vec(), ..config.pause_settings("pach") }
    }

    fn yaml(purpose: Purpose, settings: &SnapshotSettings) -> String {
        Rbac { purpose, service_account: "sa".to_owned() }.yaml("pach", settings).unwrap()
    }

    fn rbac(purpose: Purpose, fence: FenceMode, loaders: &[Loader]) -> String {
        yaml(purpose, &settings(fence, loaders))
    }

    #[test]
    fn snapshots_of_volumes_need_rights_unless_there_are_none() {
        let mut settings = settings(FenceMode::Selector, &[]);
        let with = yaml(Purpose::Snapshot, &settings);
        assert!(with.contains("- volumesnapshots\n") && with.contains("- volumesnapshotcontents\n"), "{with}");
        settings.volume = VolumePolicy::Skip;
        assert!(!yaml(Purpose::Snapshot, &settings).contains("volumesnapshots"));
    }

    #[test]
    fn discover_changes_nothing() {
        let yaml = rbac(Purpose::Discover, FenceMode::Selector, &[]);
        for verb in ["patch", "delete", "update"] {
            assert!(!yaml.contains(verb), "{verb} in {yaml}");
        }
        assert!(yaml.contains("kind: ClusterRole\n") && yaml.contains("kind: RoleBinding\n"), "{yaml}");
    }

    #[test]
    fn each_place_gets_what_is_needed_there_once() {
        let loaders = [
            Loader::CronJob { namespace: Some("etl".to_owned()), name: "nightly".to_owned() },
            Loader::Deployment { namespace: None, name: "ingest".to_owned() },
        ];
        let count = |yaml: &str, what: &str| yaml.matches(&format!("- {what}\n")).count();
        let yaml = rbac(Purpose::Snapshot, FenceMode::Selector, &loaders);
        assert_eq!(count(&yaml, "services"), 1, "{yaml}");
        assert_eq!(count(&yaml, "cronjobs"), 1, "{yaml}");
        assert_eq!(count(&yaml, "deployments"), 1, "{yaml}");
        assert_eq!(count(&yaml, "replicationcontrollers"), 1, "{yaml}");
        assert!(yaml.contains("namespace: etl\n"), "{yaml}");
        let by_ports = rbac(Purpose::Snapshot, FenceMode::Ports, &[]);
        assert_eq!(count(&by_ports, "services"), 2, "node ports are allocated for the whole cluster: {by_ports}");
    }
}
