//! `pachsnap verify`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use orchestrator::outcome::exit_code;
use orchestrator::vault::RunState;
use orchestrator::verify::{
    Check, Contents, DeepSettings, EtcdPrograms, Verdict, VerifyReport, VerifySettings, verify,
};
use orchestrator::{Error, ErrorKind};

use crate::cli::options::StoreOptions;
use crate::cli::run_name::RunName;
use crate::cli::{Ended, Session};
use crate::config::Environment;
use crate::render::{DocumentFormat, EventFormat, print_document, stderr_line};

/// Options of `verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The recovery point: a run's id, or `latest`
    run: RunName,
    /// Also list the clone anew and compare it with the inventory
    #[arg(long)]
    full: bool,
    /// Also find every file of every commit in the clone, and compare the metadata with etcd's snapshot
    #[arg(long)]
    deep: bool,
    /// With --deep: which objects are read whole and hashed
    #[arg(long, value_enum, default_value_t, requires = "deep")]
    contents: ContentsChoice,
    /// With --deep: write a line for each file of each commit (repo, commit, path, bytes) to this new file
    #[arg(long, value_name = "FILE", requires = "deep")]
    files: Option<PathBuf>,
    /// With --deep: start a throw-away etcd from etcd's snapshot (needs the programs etcd and etcdctl, 3.4 or later)
    #[arg(long, requires = "deep")]
    boot: bool,
    #[command(flatten)]
    stores: StoreOptions,
    /// How to print the result
    #[arg(short, long, value_enum, default_value_t)]
    output: DocumentFormat,
}

/// Objects of a sample.
const SAMPLE: u64 = 1000;

/// Values of `--contents`.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum ContentsChoice {
    /// Only trees
    None,
    /// A thousand, others each time
    #[default]
    Sample,
    /// All: reads the whole bucket
    All,
}

impl ContentsChoice {
    /// What it means.
    pub(super) fn contents(self) -> Contents {
        match self {
            Self::None => Contents::None,
            Self::Sample => Contents::Sample(SAMPLE),
            Self::All => Contents::All,
        }
    }
}

impl Verify {
    /// Checks a recovery point. Needs vault and clone; the cluster only to look for a snapshot of the disk.
    ///
    /// # Errors
    /// Those of the stores. Damage is an answer, with an exit code of its own.
    pub(crate) async fn run(self, session: &Session) -> Result<u8, Ended> {
        let config = session.config(&[self.stores.flags()])?;
        let stores = session.stores(&config);
        let boot = if self.boot { Some(etcd_programs(&session.environment)?) } else { None };
        let settings = self.settings(config.finish_settings().largest_comparison, boot);
        let progress = session.progress(EventFormat::Text);
        let events = progress.events();
        let report = session
            .reading(async {
                let vault = session.vault(&config).await?;
                let run = self.run.resolve(&vault, &[RunState::Complete]).await?;
                let cluster = session.target(&config).await.ok();
                let kubernetes = cluster.as_ref().map(|target| &target.kubernetes);
                verify(&vault, &run, kubernetes, stores.as_ref(), &settings, &events).await
            })
            .await;
        progress.finish();
        let report = report?;
        print_document(&report, self.output, text)?;
        if report.is_good() {
            return Ok(exit_code::OK);
        }
        stderr_line(&format!("error: recovery point {} is damaged; don't rely on it: take a new one", report.run));
        Ok(exit_code::DAMAGED)
    }
}

impl Verify {
    fn settings(&self, largest_comparison: u64, boot: Option<EtcdPrograms>) -> VerifySettings {
        if self.deep {
            let contents = self.contents.contents();
            VerifySettings::Deep(DeepSettings { contents, files: self.files.clone(), largest_comparison, boot })
        } else if self.full {
            VerifySettings::Full
        } else {
            VerifySettings::Quick
        }
    }
}

/// The programs of etcd on the search path.
///
/// # Errors
/// `Configuration` when one is missing.
fn etcd_programs(environment: &Environment) -> Result<EtcdPrograms, Error> {
    let path = environment.get("PATH").unwrap_or_default();
    let find = |names: &[&str]| {
        let folders = std::env::split_paths(path);
        let mut programs = folders.flat_map(|folder| names.iter().map(move |name| folder.join(name)));
        programs.find(|program| program.is_file()).ok_or_else(|| {
            Error::new(ErrorKind::Configuration, format!("--boot needs the program {}", names.join(" or ")))
                .advise("install etcd 3.4 or later (Debian: etcd-server and etcd-client), or leave --boot out")
        })
    };
    Ok(EtcdPrograms { etcd: find(&["etcd"])?, etcdctl: find(&["etcdutl", "etcdctl"])? })
}

/// The report for people: one line per check, then the sum.
pub(crate) fn text(report: &VerifyReport) -> String {
    let mut text = check_lines(&report.checks);
    let failed = report.checks.iter().filter(|check| !check.is_good()).count();
    text.push_str(&format!("{} checks, {failed} failed\n", report.checks.len()));
    text
}

/// A line for each check, and one for each thing that is wrong.
pub(super) fn check_lines(checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.name.chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for check in checks {
        let verdict = match check.verdict {
            Verdict::Ok => "ok  ",
            Verdict::Warning => "warn",
            Verdict::Failed => "FAIL",
        };
        text.push_str(&format!("{verdict} {:<width$}  {}\n", check.name, check.detail));
        for finding in &check.findings {
            text.push_str(&format!("       {finding}\n"));
        }
    }
    text
}
