//! A command's result on stdout: as text, JSON or YAML.

use orchestrator::{Error, ErrorKind};
use serde::Serialize;

use super::output::stdout_text;

/// How a result is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum DocumentFormat {
    /// For people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
}

/// Prints a result. `text` writes it for people.
///
/// # Errors
/// When stdout can't be written to, unless nobody reads it.
pub(crate) fn print_document<T: Serialize>(
    value: &T,
    format: DocumentFormat,
    text: impl FnOnce(&T) -> String,
) -> Result<(), Error> {
    let failed = || Error::new(ErrorKind::Failed, "the result can't be written to stdout");
    let printed = match format {
        DocumentFormat::Table => text(value),
        DocumentFormat::Json => serde_json::to_string_pretty(value).map_err(|cause| failed().because(cause))? + "\n",
        DocumentFormat::Yaml => serde_yaml_ng::to_string(value).map_err(|cause| failed().because(cause))?,
    };
    stdout_text(&printed).map_err(|cause| failed().because(cause))
}
