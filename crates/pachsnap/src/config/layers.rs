//! File, then environment, then flags: the later one wins, and every value remembers where it came from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use orchestrator::job::Loader;

use super::error::ConfigError;
use super::field::{self, FIELDS};
use super::nearest::nearest;
use super::origin::Origin;
use super::value::Value;

/// A flag that sets a value: setting, flag, text.
pub(crate) type FlagValue = (&'static str, &'static str, String);

/// Every setting's value with its origin.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layers {
    /// Settings that have a value.
    pub(crate) values: BTreeMap<&'static str, (Value, Origin)>,
    /// Loaders; only the file has them.
    pub(crate) loaders: Vec<Loader>,
    /// The file, if one was read.
    pub(crate) file: Option<PathBuf>,
}

impl Layers {
    /// Nothing but defaults.
    pub(crate) fn defaults() -> Self {
        let mut layers = Self::default();
        for field in FIELDS {
            if let Some(value) = field.default.and_then(|text| Value::parse(field.kind, text).ok()) {
                layers.values.insert(field.path, (value, Origin::Default));
            }
        }
        layers
    }

    /// Adds a configuration file.
    ///
    /// # Errors
    /// `Syntax`, `Unknown`, `Invalid`, `Loader`.
    pub(crate) fn add_file(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        let origin = Origin::File(path.to_owned());
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| ConfigError::Syntax {
            path: path.to_owned(),
            line: error.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1)),
            message: error.message().to_owned(),
        })?;
        let sections = field::sections();
        for (section, content) in &table {
            if section == "loader" {
                self.loaders = read_loaders(content, &origin)?;
                continue;
            }
            if !sections.contains(&section.as_str()) {
                let known = sections.iter().copied().chain(["loader"]);
                let nearest = nearest(section, known);
                return Err(ConfigError::Unknown { origin, name: format!("[{section}]"), nearest });
            }
            let toml::Value::Table(content) = content else {
                let expected = format!("a section: [{section}]");
                return Err(ConfigError::Invalid { origin, name: section.clone(), expected });
            };
            for (name, value) in content {
                let path = format!("{section}.{name}");
                let Some(field) = field::find(&path) else {
                    let nearest = nearest(&path, FIELDS.iter().map(|field| field.path));
                    return Err(ConfigError::Unknown { origin, name: path, nearest });
                };
                let value = Value::from_toml(field.kind, value).map_err(|expected| ConfigError::Invalid {
                    origin: origin.clone(),
                    name: path,
                    expected,
                })?;
                self.values.insert(field.path, (value, origin.clone()));
            }
        }
        self.file = Some(path.to_owned());
        Ok(())
    }

    /// Adds the variables of the environment that begin with `PACHSNAP_`. `ours` are further variables that exist.
    ///
    /// # Errors
    /// `UnknownVariable`, `Invalid`.
    pub(crate) fn add_environment(
        &mut self,
        variables: impl IntoIterator<Item = (String, String)>,
        ours: &[&str],
    ) -> Result<(), ConfigError> {
        for (name, text) in variables {
            if !name.starts_with("PACHSNAP_") || ours.contains(&name.as_str()) || is_service_link(&name) {
                continue;
            }
            let Some(field) = FIELDS.iter().find(|field| field.variable() == name) else {
                if self.names_a_secret(&name) {
                    continue;
                }
                let variables: Vec<String> = FIELDS.iter().map(field::Field::variable).collect();
                let nearest = nearest(&name, variables.iter().map(String::as_str)).map(str::to_owned);
                return Err(ConfigError::UnknownVariable { name, nearest });
            };
            let origin = Origin::Variable(name.clone());
            let value = Value::parse(field.kind, &text).map_err(|expected| ConfigError::Invalid {
                origin: origin.clone(),
                name: field.path.to_owned(),
                expected,
            })?;
            self.values.insert(field.path, (value, origin));
        }
        Ok(())
    }

    /// Adds flags.
    ///
    /// # Errors
    /// `Invalid`.
    pub(crate) fn add_flags(&mut self, flags: &[FlagValue]) -> Result<(), ConfigError> {
        for (path, flag, text) in flags {
            let Some(field) = field::find(path) else {
                let nearest = nearest(path, FIELDS.iter().map(|field| field.path));
                return Err(ConfigError::Unknown { origin: Origin::Flag(flag), name: (*path).to_owned(), nearest });
            };
            let value = Value::parse(field.kind, text).map_err(|expected| ConfigError::Invalid {
                origin: Origin::Flag(flag),
                name: field.path.to_owned(),
                expected,
            })?;
            self.values.insert(field.path, (value, Origin::Flag(flag)));
        }
        Ok(())
    }

    /// Whether some setting says that this variable holds a secret.
    fn names_a_secret(&self, variable: &str) -> bool {
        self.values
            .iter()
            .any(|(path, (value, _))| path.ends_with("-env") && matches!(value, Value::Text(name) if name == variable))
    }
}

/// Whether Kubernetes made the variable for a Service that is called like this tool.
fn is_service_link(name: &str) -> bool {
    name.starts_with("PACHSNAP_SERVICE_") || name == "PACHSNAP_PORT" || name.starts_with("PACHSNAP_PORT_")
}

fn read_loaders(content: &toml::Value, origin: &Origin) -> Result<Vec<Loader>, ConfigError> {
    let toml::Value::Array(entries) = content else {
        let expected = "a list: [[loader]]".to_owned();
        return Err(ConfigError::Invalid { origin: origin.clone(), name: "loader".to_owned(), expected });
    };
    entries
        .iter()
        .enumerate()
        .map(|(index, entry)| {
            let problem = |message: String| ConfigError::Loader { origin: origin.clone(), number: index + 1, message };
            let loader: Loader =
                entry.clone().try_into().map_err(|error: toml::de::Error| problem(error.message().to_owned()))?;
            if let Loader::Hook { pause, resume, .. } = &loader
                && (pause.is_empty() || resume.is_empty())
            {
                return Err(problem("`pause` and `resume` each need a program".to_owned()));
            }
            Ok(loader)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;

    fn file(text: &str) -> Result<Layers, ConfigError> {
        let mut layers = Layers::defaults();
        layers.add_file(Path::new("pachsnap.toml"), text)?;
        Ok(layers)
    }

    #[test]
    fn the_later_layer_wins_and_is_named() {
        let mut layers = file("[snapshot]\nmax-pause = \"10m\"\nstall = \"30s\"\nfence = \"none\"").unwrap();
        let variables = [("PACHSNAP_SNAPSHOT_STALL", "40s"), ("PACHSNAP_SNAPSHOT_FENCE", "ports"), ("OTHER", "x")];
        layers.add_environment(variables.map(|(k, v)| (k.to_owned(), v.to_owned())), &[]).unwrap();
        layers.add_flags(&[("snapshot.fence", "--fence", "selector".to_owned())]).unwrap();
        let origin = |path| layers.values[path].1.to_string();
        assert_eq!(origin("snapshot.max-pause"), "file pachsnap.toml");
        assert_eq!(origin("snapshot.stall"), "environment variable PACHSNAP_SNAPSHOT_STALL");
        assert_eq!(origin("snapshot.fence"), "flag --fence");
        assert_eq!(origin("snapshot.drain"), "default");
        assert_eq!(layers.values["snapshot.fence"].0, Value::Text("selector".into()));
    }

    #[test]
    fn unknown_names_come_with_the_nearest_known_one() {
        let message = file("[vault]\nulr = \"s3://x\"").unwrap_err().to_string();
        assert!(message.contains("vault.ulr") && message.contains("vault.url"), "{message}");
        let message = file("[snapshto]\n").unwrap_err().to_string();
        assert!(message.contains("did you mean snapshot?"), "{message}");
        let message = file("[vault]\nsecret-access-key = \"hunter2\"").unwrap_err().to_string();
        assert!(message.contains("vault.secret-access-key-env") && !message.contains("hunter2"), "{message}");
        let mut layers = Layers::defaults();
        let wrong = [("PACHSNAP_VAULT_ULR".to_owned(), "hunter2".to_owned())];
        let message = layers.add_environment(wrong, &[]).unwrap_err().to_string();
        assert!(message.contains("PACHSNAP_VAULT_URL?") && !message.contains("hunter2"), "{message}");
    }

    #[test]
    fn variables_that_hold_secrets_or_come_from_kubernetes_are_left_alone() {
        let mut layers = file("[vault]\nsecret-access-key-env = \"PACHSNAP_MY_KEY\"").unwrap();
        let variables = ["PACHSNAP_MY_KEY", "PACHSNAP_TOKEN", "PACHSNAP_SERVICE_HOST", "PACHSNAP_PORT_80_TCP"];
        layers.add_environment(variables.map(|name| (name.to_owned(), "x".to_owned())), &[]).unwrap();
    }

    #[test]
    fn syntax_errors_have_a_line_and_no_text() {
        let error = file("[vault]\nurl = \"s3://x\"\nregion = hunter2\n").unwrap_err();
        assert!(matches!(error, ConfigError::Syntax { line: 3, .. }), "{error:?}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn loaders() {
        let text = "[[loader]]\nkind = \"cron-job\"\nname = \"nightly\"\n[[loader]]\nkind = \"hook\"\nname = \"queue\"\npause = [\"true\"]\nresume = [\"true\"]";
        assert_eq!(file(text).unwrap().loaders.len(), 2);
        let message = file("[[loader]]\nkind = \"cron-job\"\nnam = \"x\"").unwrap_err().to_string();
        assert!(message.contains("number 1"), "{message}");
        let empty = "[[loader]]\nkind = \"hook\"\nname = \"q\"\npause = []\nresume = [\"x\"]";
        assert!(file(empty).unwrap_err().to_string().contains("need a program"));
    }
}
