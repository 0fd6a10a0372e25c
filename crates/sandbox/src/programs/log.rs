//! What programs have logged, for whoever wants to know why something does not happen.

use std::path::Path;

/// The last lines of a log; empty without one.
pub(super) fn end(log: &Path, lines: usize) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// The last lines of every log in a folder, each under its name.
#[cfg(feature = "programs")]
pub(super) fn ends(folder: &Path, lines: usize) -> String {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut logs: Vec<_> =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|it| it == "log")).collect();
    logs.sort();
    let ends = logs.iter().map(|log| {
        let name = log.file_name().unwrap_or_default().to_string_lossy();
        format!("--- {name}\n{}\n", end(log, lines))
    });
    ends.collect()
}
