//! What `delete` and `prune` have in common: what is opened, what is printed, and the removing itself.

use std::sync::Arc;

use orchestrator::Error;
use orchestrator::cluster::etcd_volumes;
use orchestrator::error::ErrorKind;
use orchestrator::event::Events;
use orchestrator::outcome::{Failure, exit_code};
use orchestrator::removal::{CloneFate, Disks, Places, Removal, Removed, Why, remove};
use orchestrator::vault::Vault;
use serde::Serialize;

use crate::cli::{Ended, Session};
use crate::config::Config;
use crate::render::{DocumentFormat, EventFormat, bytes, print_document, stderr_line};
use crate::stores::ConfiguredStores;

/// Everything that is looked at.
pub(in crate::cli) struct Removing {
    vault: Vault,
    vault_url: String,
    clone_url: String,
    stores: Arc<ConfiguredStores>,
    disks: Option<Disks>,
}

/// What the command prints.
#[derive(Debug, Serialize)]
struct Answer {
    /// Whether it was done, or only planned.
    done: bool,
    removals: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    #[serde(flatten)]
    planned: Removal,
    removed: Option<Removed>,
    /// Why it was left, if it was.
    left: Option<String>,
}

impl Removing {
    /// Opens vault and clones, and the cluster if it can be reached.
    pub(in crate::cli) async fn open(session: &Session, config: &Config) -> Result<Self, Error> {
        let stores = session.stores(config);
        let vault = session.vault(config).await?;
        Ok(Self {
            vault,
            vault_url: config.require("vault.url")?.to_owned(),
            clone_url: config.require("clone.url")?.to_owned(),
            disks: disks(session, config).await,
            stores,
        })
    }

    pub(in crate::cli) fn places(&self) -> Places<'_> {
        Places {
            vault: &self.vault,
            vault_url: &self.vault_url,
            clone_url: &self.clone_url,
            stores: self.stores.as_ref(),
            disks: self.disks.as_ref(),
        }
    }

    /// Prints what is planned; with `yes`, does it and prints what was done.
    pub(in crate::cli) async fn carry_out(
        &self,
        session: &Session,
        planned: Vec<Removal>,
        yes: bool,
        output: DocumentFormat,
    ) -> Result<u8, Ended> {
        let mut lines = Vec::new();
        let mut failed = None;
        let progress = session.progress(EventFormat::Text);
        let events = progress.events();
        for removal in planned {
            let line = Line { planned: removal, removed: None, left: None };
            if !yes || failed.is_some() {
                lines.push(line);
                continue;
            }
            match session.reading(self.one(&line.planned, &events)).await {
                Ok(removed) => lines.push(Line { removed: Some(removed), ..line }),
                // Somebody writes to it: it isn't dead. That is no failure of this command.
                Err(Ended(failure)) if failure.error.kind() == ErrorKind::Busy => {
                    lines.push(Line { left: Some(orchestrator::error::chain(&failure.error)), ..line });
                }
                Err(Ended(failure)) => {
                    lines.push(Line { left: Some(orchestrator::error::chain(&failure.error)), ..line });
                    failed = Some(failure.error);
                }
            }
        }
        progress.finish();
        print_document(&Answer { done: yes, removals: lines }, output, text)?;
        match failed {
            Some(error) => Err(Failure::of_removal(error).into()),
            None => Ok(exit_code::OK),
        }
    }

    async fn one(&self, removal: &Removal, events: &Events) -> Result<Removed, Error> {
        remove(&self.places(), removal, &crate::process::writer(), events).await
    }
}

/// The cluster whose volumes have snapshots. One that can't be reached is said, and does not keep the rest from being looked at.
async fn disks(session: &Session, config: &Config) -> Option<Disks> {
    let target = session.target(config).await.ok()?;
    match etcd_volumes(&target).await {
        Ok(volumes) => Some(Disks { kubernetes: target.kubernetes, namespace: target.namespace, volumes }),
        Err(error) => {
            stderr_line(&format!(
                "warning: the cluster isn't reached, so snapshots of its disk aren't looked for: {error}"
            ));
            None
        }
    }
}

fn text(answer: &Answer) -> String {
    if answer.removals.is_empty() {
        return "Nothing is to be removed.\n".to_owned();
    }
    let mut text = String::new();
    for line in &answer.removals {
        text.push_str(&of_run(line));
    }
    if !answer.done {
        text.push_str("Nothing was removed. To remove it, run the same command with --yes.\n");
    }
    text
}

fn of_run(line: &Line) -> String {
    let Removal { run, why, files, file_bytes, clone, uploads, snapshots, notes } = &line.planned;
    let why = match why {
        Why::Asked => "asked for",
        Why::Dead => "never captured",
        Why::Superseded => "superseded",
        Why::Begun => "its removal was begun",
    };
    let outcome = match (&line.removed, &line.left) {
        (Some(removed), _) => {
            format!(": removed, {} objects and {} snapshots among it", removed.objects, removed.snapshots)
        }
        (None, Some(left)) => format!(": left, {left}"),
        (None, None) => String::new(),
    };
    let mut text = format!("{run} ({why}){outcome}\n  vault     {files} files, {}\n", bytes(*file_bytes));
    match clone {
        CloneFate::Removed { url, objects: Some(objects), bytes: size } => {
            text.push_str(&format!("  clone     {url}, {objects} objects, {}\n", bytes(size.unwrap_or_default())));
        }
        CloneFate::Removed { url, objects: None, .. } => text.push_str(&format!("  clone     {url}\n")),
        CloneFate::Kept { url, used_by } if used_by.is_empty() => {
            text.push_str(&format!("  clone     {url} stays: a later run took it over\n"));
        }
        CloneFate::Kept { url, used_by } => {
            text.push_str(&format!("  clone     {url} stays: {} uses it\n", used_by.join(", ")));
        }
        CloneFate::None => text.push_str("  clone     none\n"),
    }
    if *uploads > 0 {
        text.push_str(&format!("  copies    {uploads} large ones that were begun and never finished\n"));
    }
    for snapshot in snapshots {
        text.push_str(&format!("  snapshot  {} of {}\n", snapshot.id, snapshot.of.volume));
    }
    for note in notes {
        text.push_str(&format!("  note      {note}\n"));
    }
    text
}
