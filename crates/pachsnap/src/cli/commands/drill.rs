//! `pachsnap drill`

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use orchestrator::drill::{DrillReport, DrillSettings, cleanup, drill, plan};
use orchestrator::outcome::exit_code;
use orchestrator::restore::{RestoreFrom, RestoreSettings};
use orchestrator::run_id::RunId;
use orchestrator::vault::RunState;
use orchestrator::verify::{DeepSettings, Verdict};
use orchestrator::{Error, ErrorKind};

use super::verify::{ContentsChoice, check_lines};
use crate::cli::options::{DrillOptions, StoreOptions};
use crate::cli::run_name::RunName;
use crate::cli::{Ended, Session};
use crate::config::Config;
use crate::render::{
    DocumentFormat, EventFormat, bytes, drill_page, print_document, seconds, stderr_line, stdout_text,
};

/// Options of `drill`.
#[derive(Debug, Args)]
pub(crate) struct Drill {
    /// The recovery point: a run's id, or `latest`
    #[arg(required_unless_present = "cleanup")]
    run: Option<RunName>,
    /// By which path the metadata comes back
    #[arg(long, value_enum, default_value_t)]
    from: Way,
    #[command(flatten)]
    drill: DrillOptions,
    /// Which objects are read whole and hashed
    #[arg(long, value_enum, default_value_t)]
    contents: ContentsChoice,
    /// Copy objects through this machine, though one store holds clone and bucket and could copy by itself
    #[arg(long)]
    through_here: bool,
    /// Where the report goes, as a page; the same as JSON goes beside it. In the state folder if not given
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Leave the scratch cluster, to look at it; --cleanup takes it away
    #[arg(long)]
    keep: bool,
    /// Take away what this drill has left: it was killed, or told to keep its scratch cluster
    #[arg(long, value_name = "DRILL", conflicts_with_all = ["run", "keep", "dry_run", "report"])]
    cleanup: Option<RunId>,
    /// Only plan; change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    stores: StoreOptions,
    /// How to print events; json writes one object per line to stdout
    #[arg(short, long, value_enum, default_value_t)]
    output: EventFormat,
}

/// By which path the metadata comes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Way {
    /// The snapshot of the disk under etcd, as a new volume
    Volume,
    /// etcd's snapshot, key by key
    #[default]
    Etcd,
    /// The metadata stream, replayed by pachd
    Metadata,
}

impl Drill {
    /// Rehearses a restore, or takes away what a rehearsal has left.
    ///
    /// # Errors
    /// What failed before the first change. What does not pass later is in the report, with an exit code of its own.
    pub(crate) async fn run(self, session: &Session) -> Result<u8, Ended> {
        let config = session.config(&[self.stores.flags(), self.drill.flags()])?;
        let home = session.target(&config).await?;
        let stores = session.stores(&config);
        let settings = self.settings(&config, stores.scratch_bucket()?)?;
        let progress = session.progress(self.output);
        let events = progress.events();
        if let Some(left) = &self.cleanup {
            let cleaned = session.reading(cleanup(&home, left, &settings, stores.as_ref(), &events)).await;
            progress.finish();
            let record = cleaned?;
            stdout_text(&format!("nothing of drill {} is left\n", record.drill)).map_err(unprintable)?;
            return Ok(exit_code::OK);
        }
        let found = session.reading(async {
            let vault = session.vault(&config).await?;
            let run = self.run.as_ref().unwrap_or(&RunName::Latest).resolve(&vault, &[RunState::Complete]).await?;
            Ok((vault, run))
        });
        let (vault, run) = found.await?;
        if self.dry_run {
            let planned = session.reading(plan(&home, (&vault, &run), &settings, stores.as_ref(), &events)).await;
            progress.finish();
            let format = if self.output == EventFormat::Json { DocumentFormat::Json } else { DocumentFormat::Table };
            print_document(&planned?, format, |plan| plan.lines().iter().map(|line| format!("{line}\n")).collect())?;
            return Ok(exit_code::OK);
        }
        let cancel = session.interruption.token().clone();
        let report = drill(&home, (&vault, &run), &settings, stores, &events, cancel).await;
        progress.finish();
        let report = report.map_err(|failure| session.explain(failure))?;
        let page = self
            .report
            .clone()
            .unwrap_or_else(|| config.state_folder().join("drills").join(format!("{}.html", report.drill)));
        let written = write_report(&report, &page);
        if self.output == EventFormat::Text
            && let Err(error) = stdout_text(&text(&report))
        {
            stderr_line(&format!("warning: the result can't be written to stdout: {error}"));
        }
        match written {
            Ok(json) => stderr_line(&format!("report: {} and {}", page.display(), json.display())),
            Err(error) => return Err(error.into()),
        }
        Ok(code(&report))
    }

    fn settings(&self, config: &Config, bucket: orchestrator::drill::ScratchBucket) -> Result<DrillSettings, Error> {
        let pause = config.pause_settings("");
        let staging = config.staging();
        Ok(DrillSettings {
            from: match self.from {
                Way::Volume => RestoreFrom::Volume,
                Way::Etcd => RestoreFrom::Etcd,
                Way::Metadata => RestoreFrom::Metadata,
            },
            restore: RestoreSettings {
                vault: config.require("vault.url")?.to_owned(),
                state: String::new(),
                volume_class: None,
                start_pipelines: false,
                max_missed_ticks: 0,
                through_here: self.through_here,
                copy_parallelism: pause.copy_parallelism,
                writer: pause.writer,
                root_token_file: PathBuf::new(),
                staging,
                poll: pause.poll,
                stall: pause.stall,
            },
            bucket,
            deep: DeepSettings {
                contents: self.contents.contents(),
                files: None,
                largest_comparison: config.finish_settings().largest_comparison,
                boot: None,
            },
            max_recovery_time: config.span_if_set("drill.max-rto"),
            max_data_loss: config.span_if_set("drill.max-rpo"),
            keep: self.keep,
        })
    }
}

fn code(report: &DrillReport) -> u8 {
    if report.passed {
        exit_code::OK
    } else if report.cancelled && !report.left {
        exit_code::CANCELLED
    } else {
        exit_code::DRILL_NOT_PASSED
    }
}

/// Writes the page, and the same as JSON beside it, whose path is answered.
fn write_report(report: &DrillReport, page: &Path) -> Result<PathBuf, Error> {
    let failed = |path: &Path| {
        Error::new(ErrorKind::Failed, format!("the report can't be written to {}", path.display()))
            .advise("the drill itself has ended as its lines above say")
    };
    let json = page.with_extension("json");
    let text = serde_json::to_string_pretty(report).map_err(|cause| failed(&json).because(cause))? + "\n";
    if let Some(folder) = page.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|cause| failed(page).because(cause))?;
    }
    std::fs::write(page, drill_page(report)).map_err(|cause| failed(page).because(cause))?;
    std::fs::write(&json, text).map_err(|cause| failed(&json).because(cause))?;
    Ok(json)
}

fn unprintable(cause: std::io::Error) -> Error {
    Error::new(ErrorKind::Failed, "the result can't be written to stdout").because(cause)
}

/// The report in a few lines.
fn text(report: &DrillReport) -> String {
    let verdict = if report.passed { "passed" } else { "NOT PASSED" };
    let mut text = format!(
        "\ndrill          {} {verdict}: {} by {}, {} objects, {}\n",
        report.drill,
        report.point,
        report.from,
        report.objects,
        bytes(report.bytes)
    );
    let measured = |value: Option<f64>| value.map_or_else(|| "not reached".to_owned(), seconds);
    text.push_str(&format!("recovery time  {} (RTO)\n", measured(report.recovery_time.seconds)));
    text.push_str(&format!("data loss      {} (RPO)\n", measured(report.data_loss.seconds)));
    text.push_str(&check_lines(&report.checks));
    let failed = report.checks.iter().filter(|check| check.verdict == Verdict::Failed).count();
    text.push_str(&format!("{} checks, {failed} failed\n", report.checks.len()));
    text
}
