//! What people and scripts see. Events become a terminal's bars, plain lines or JSON lines; results become text, JSON
//! or YAML; failures say what happened, in which state the cluster is, and what to do next.

mod document;
mod drill_page;
mod failure;
mod json_lines;
mod lines;
mod manifest;
mod output;
mod plain;
mod progress;
mod table;
mod terminal;

mod units;

pub(crate) use document::{DocumentFormat, print_document};
pub(crate) use drill_page::drill_page;
pub(crate) use failure::{Situation, render_failure, render_still_paused};
pub(crate) use manifest::render_manifest;
pub(crate) use output::{stderr_line, stdout_text};
pub(crate) use progress::{EventFormat, Progress};
pub(crate) use table::table;
pub(crate) use units::{bytes, seconds};
