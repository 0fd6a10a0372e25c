//! `pachsnap completions`

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use orchestrator::outcome::exit_code;
use orchestrator::{Error, ErrorKind};

use crate::cli::{Cli, Ended};
use crate::render::stdout_text;

/// Options of `completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Prints the script.
    ///
    /// # Errors
    /// When stdout can't be written to.
    pub(crate) fn run(self) -> Result<u8, Ended> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "pachsnap", &mut script);
        stdout_text(&String::from_utf8_lossy(&script))
            .map_err(|cause| Error::new(ErrorKind::Failed, "the script can't be written to stdout").because(cause))?;
        Ok(exit_code::OK)
    }
}
