//! `pachsnap schema`: the JSON Schemas that `docs/schema/` publishes.

use clap::{Args, ValueEnum};
use orchestrator::event::Event;
use orchestrator::outcome::exit_code;

use crate::cli::Ended;
use crate::render::{DocumentFormat, print_document};

/// Options of `schema`.
#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Of what
    of: Subject,
}

/// What has a schema.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Subject {
    /// `manifest.json`
    Manifest,
    /// One line of `--output json`
    Events,
}

impl Schema {
    /// Prints the schema.
    ///
    /// # Errors
    /// When stdout can't be written to.
    pub(crate) fn run(self) -> Result<u8, Ended> {
        let schema = match self.of {
            Subject::Manifest => orchestrator::manifest::json_schema(),
            Subject::Events => schemars::schema_for!(Event).to_value(),
        };
        print_document(&schema, DocumentFormat::Json, |_| String::new())?;
        Ok(exit_code::OK)
    }
}
