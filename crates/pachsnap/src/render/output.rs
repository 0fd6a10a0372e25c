//! Writing to stdout and stderr. A reader that went away, as in `pachsnap list | head`, ends nothing.

use std::io::{self, Write};

/// Writes text to stdout.
///
/// # Errors
/// When the text could not be written for another reason than that nobody reads it.
pub(crate) fn stdout_text(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Writes one line to stderr; there is nobody to tell if that fails.
pub(crate) fn stderr_line(line: &str) {
    let _ = io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}
