//! What can be wrong with the configuration. A retry never helps; values are never repeated, since they may be secret.

use std::path::PathBuf;

use super::origin::Origin;

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file can't be read.
    #[error("can't read the configuration file {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file isn't TOML.
    #[error("{} is not valid TOML: line {line}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What the parser says, without the text of the line.
        message: String,
    },
    /// A name that no setting has.
    #[error("{origin} sets {name}, which does not exist{}", suggestion(*.nearest))]
    Unknown {
        /// Where.
        origin: Origin,
        /// The name.
        name: String,
        /// What was probably meant.
        nearest: Option<&'static str>,
    },
    /// An environment variable that no setting has.
    #[error("the environment variable {name} sets nothing{}", .nearest.as_deref().map(|near| format!("; did you mean {near}?")).unwrap_or_default())]
    UnknownVariable {
        /// The variable.
        name: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// A value of the wrong kind.
    #[error("{name} (set by {origin}) must be {expected}")]
    Invalid {
        /// Where.
        origin: Origin,
        /// The setting.
        name: String,
        /// What was expected.
        expected: String,
    },
    /// A loader that can't be read.
    #[error("[[loader]] number {number} in {origin} can't be read: {message}")]
    Loader {
        /// Where.
        origin: Origin,
        /// Which one, from 1.
        number: usize,
        /// What is wrong.
        message: String,
    },
    /// Something that this command needs isn't set.
    #[error("{name} is not set")]
    Missing {
        /// The setting.
        name: &'static str,
    },
    /// A secret that a setting points to isn't there.
    #[error("{name} names the environment variable {variable}, which is not set")]
    NoSecret {
        /// The setting.
        name: String,
        /// The variable.
        variable: String,
    },
    /// A file with a secret can't be used.
    #[error("can't read {name} ({})", path.display())]
    SecretFile {
        /// The setting.
        name: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Two settings contradict each other.
    #[error("{0}")]
    Contradiction(String),
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map(|near| format!("; did you mean {near}?")).unwrap_or_default()
}

impl From<ConfigError> for orchestrator::Error {
    fn from(error: ConfigError) -> Self {
        let advice = match &error {
            ConfigError::Missing { name } => {
                let variable = super::field::find(name).map(super::field::Field::variable).unwrap_or_default();
                format!("set it in the configuration file, by {variable}, or by its flag (see --help)")
            }
            ConfigError::NoSecret { variable, .. } => format!("export {variable}, or name another variable"),
            _ => "correct it; `pachsnap config show` prints every setting and where its value came from".to_owned(),
        };
        Self::new(orchestrator::ErrorKind::Configuration, "the configuration can't be used")
            .because(error)
            .advise(advice)
    }
}
