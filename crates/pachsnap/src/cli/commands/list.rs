//! `pachsnap list`

use clap::Args;
use futures::{StreamExt as _, TryStreamExt as _};
use orchestrator::Error;
use orchestrator::manifest::{self, Manifest};
use orchestrator::outcome::exit_code;
use orchestrator::run_id::RunId;
use orchestrator::vault::{RunEntry, RunState, Vault};
use serde::Serialize;

use crate::cli::options::StoreOptions;
use crate::cli::{Ended, Session};
use crate::render::{DocumentFormat, bytes, print_document, seconds, table};

/// Manifests that are read at once.
const AT_ONCE: usize = 8;

/// Options of `list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    stores: StoreOptions,
    /// Also runs that did not become recovery points
    #[arg(short, long)]
    all: bool,
    /// How to print the list
    #[arg(short, long, value_enum, default_value_t)]
    output: DocumentFormat,
}

/// One line of the list.
#[derive(Debug, Serialize)]
struct Row {
    run: RunId,
    state: &'static str,
    captured: Option<jiff::Timestamp>,
    pause_seconds: Option<f64>,
    objects: Option<u64>,
    bytes: Option<u64>,
    pachd_version: Option<String>,
    problem: Option<String>,
}

impl List {
    /// Lists the runs of the cluster in the vault, oldest first.
    ///
    /// # Errors
    /// Those of the vault.
    pub(crate) async fn run(self, session: &Session) -> Result<u8, Ended> {
        let config = session.config(&[self.stores.flags()])?;
        let rows = session
            .reading(async {
                let vault = session.vault(&config).await?;
                let mut runs = vault.list_runs().await?;
                runs.retain(|entry| self.all || entry.state == RunState::Complete);
                let rows = futures::stream::iter(runs).map(|entry| row(&vault, entry)).buffered(AT_ONCE);
                rows.try_collect::<Vec<Row>>().await
            })
            .await?;
        print_document(&rows, self.output, |rows| text(rows))?;
        Ok(exit_code::OK)
    }
}

async fn row(vault: &Vault, entry: RunEntry) -> Result<Row, Error> {
    let state = match entry.state {
        RunState::Complete => "recovery-point",
        RunState::Superseded => "superseded",
        RunState::Captured => "captured",
        RunState::Incomplete => "incomplete",
        RunState::Deleting => "being-removed",
    };
    let manifest = match entry.state {
        RunState::Complete | RunState::Superseded => Some(manifest::read(&vault.read_manifest(&entry.run).await?)),
        _ => None,
    };
    let (manifest, problem) = match manifest {
        Some(Ok(manifest)) => (Some(manifest), None),
        Some(Err(error)) => (None, Some(error.to_string())),
        None => (None, None),
    };
    let of = |value: fn(&Manifest) -> u64| manifest.as_ref().map(value);
    Ok(Row {
        run: entry.run,
        state: if problem.is_some() { "damaged" } else { state },
        captured: manifest.as_ref().map(|manifest| manifest.captured),
        pause_seconds: manifest.as_ref().and_then(|manifest| manifest.consistency.pause_seconds),
        objects: of(|manifest| manifest.artifacts.bucket.objects),
        bytes: of(|manifest| manifest.artifacts.bucket.bytes),
        pachd_version: manifest.as_ref().map(|manifest| manifest.cluster.pachd_version.clone()),
        problem,
    })
}

fn text(rows: &[Row]) -> String {
    if rows.is_empty() {
        return "No recovery points.\n".to_owned();
    }
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let cells = rows.iter().map(|row| {
        vec![
            row.run.to_string(),
            row.problem.clone().map_or_else(|| row.state.to_owned(), |problem| format!("{} ({problem})", row.state)),
            or_dash(row.captured.map(|captured| format!("{captured:.0}"))),
            or_dash(row.pause_seconds.map(seconds)),
            or_dash(row.objects.map(|objects| objects.to_string())),
            or_dash(row.bytes.map(bytes)),
            or_dash(row.pachd_version.clone()),
        ]
    });
    table(&["RUN", "STATE", "CAPTURED", "PAUSE", "OBJECTS", "SIZE", "PACHD"], &cells.collect::<Vec<_>>())
}
