//! `pachsnap restore`

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use futures::TryStreamExt as _;
use orchestrator::job::Stores;
use orchestrator::outcome::exit_code;
use orchestrator::restore::{RestoreFrom, RestoreSettings, RestoreSource, Restored, plan, restore};
use orchestrator::vault::RunState;
use orchestrator::{Error, ErrorKind};
use provider::GetRequest;
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt as _;

use crate::cli::options::StoreOptions;
use crate::cli::run_name::RunName;
use crate::cli::{Ended, Session};
use crate::config::Config;
use crate::render::{DocumentFormat, EventFormat, print_document, stderr_line, stdout_text};
use crate::stores::ObjectUrl;

/// Options of `restore`.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The recovery point: a run's id, or `latest`
    #[arg(required_unless_present = "stream")]
    run: Option<RunName>,
    /// By which path the metadata comes back
    #[arg(long, value_enum, required_unless_present = "stream")]
    from: Option<Way>,
    /// What `pachctl extract` wrote, instead of a recovery point: a file, or a URL (s3://bucket/key, gs://bucket/key, file:///folder/name); the
    /// target's bucket must hold the objects, unless they are in it
    #[arg(long, value_name = "FILE|URL", conflicts_with_all = ["run", "from"])]
    stream: Option<String>,
    /// With --from volume: StorageClass of the new volume; that of the present claim if not given
    #[arg(long, value_name = "NAME", conflicts_with = "stream")]
    volume_class: Option<String>,
    /// Start the pipelines that ran at the source before its pause, upstream first
    #[arg(long)]
    start_pipelines: bool,
    /// Leave pipelines paused whose clock has missed more ticks than this: each becomes a commit
    #[arg(long, value_name = "N", default_value_t = 100)]
    max_missed_ticks: u64,
    /// Copy objects through this machine, though one store holds clone and bucket and could copy by itself
    #[arg(long)]
    through_here: bool,
    /// File for the root token, where the restored cluster has auth; in the state folder if not given
    #[arg(long, value_name = "FILE")]
    root_token_file: Option<PathBuf>,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    /// The snapshot of the disk under etcd, as a new volume: everything, in the same storage system; needs the same minor version
    Volume,
    /// etcd's snapshot, key by key: everything, ids and tokens too; needs the same minor version
    Etcd,
    /// The metadata stream, replayed by pachd: without what it lacks; needs the same version or a newer 1.x
    Metadata,
}

impl Restore {
    /// Restores into the cluster that the configuration points to.
    ///
    /// # Errors
    /// What failed, and in which state the target is left.
    pub(crate) async fn run(self, session: &Session) -> Result<u8, Ended> {
        let config = session.config(&[self.stores.flags()])?;
        let target = session.target(&config).await?;
        let stores = session.stores(&config);
        let (source, _fetched) = session.reading(self.source(session, &config, stores.as_ref())).await?;
        let settings = self.settings(&config)?;
        let progress = session.progress(self.output);
        if self.dry_run {
            let RestoreSource::Point(vault, run, from) = &source else {
                let error = Error::new(ErrorKind::Configuration, "--dry-run needs a recovery point");
                return Err(error.advise("a plain stream has nothing to plan by").into());
            };
            let events = progress.events();
            let plan = session.reading(plan(&target, (vault, run, *from), &settings, stores.as_ref(), &events)).await;
            progress.finish();
            let format = if self.output == EventFormat::Json { DocumentFormat::Json } else { DocumentFormat::Table };
            print_document(&plan?, format, |plan| plan.lines().iter().map(|line| format!("{line}\n")).collect())?;
            return Ok(exit_code::OK);
        }
        let cancel = session.interruption.token().clone();
        let result = restore(&target, &source, &settings, stores, &progress.events(), cancel).await;
        progress.finish();
        let restored = result.map_err(|failure| session.explain(failure))?;
        if self.output == EventFormat::Text
            && let Err(error) = stdout_text(&text(&restored))
        {
            stderr_line(&format!("warning: the result can't be written to stdout: {error}"));
        }
        Ok(exit_code::OK)
    }

    /// What is restored, and the temporary file that it is in, if it was fetched.
    async fn source(
        &self,
        session: &Session,
        config: &Config,
        stores: &dyn Stores,
    ) -> Result<(RestoreSource, Option<NamedTempFile>), Error> {
        let (run, from) = match (&self.stream, &self.run, self.from) {
            (Some(stream), ..) => {
                return Ok(match ObjectUrl::parse(stream)? {
                    None => (RestoreSource::Stream(PathBuf::from(stream)), None),
                    Some(url) => {
                        let fetched = fetch(stores, &url, &config.staging()).await?;
                        (RestoreSource::Stream(fetched.path().to_owned()), Some(fetched))
                    }
                });
            }
            (None, Some(run), Some(Way::Volume)) => (run, RestoreFrom::Volume),
            (None, Some(run), Some(Way::Etcd)) => (run, RestoreFrom::Etcd),
            (None, Some(run), Some(Way::Metadata)) => (run, RestoreFrom::Metadata),
            (None, ..) => {
                return Err(Error::new(ErrorKind::Configuration, "name a recovery point and a path (--from)"));
            }
        };
        let vault = session.vault(config).await?;
        let run = run.resolve(&vault, &[RunState::Complete]).await?;
        Ok((RestoreSource::Point(vault, run, from), None))
    }

    fn settings(&self, config: &Config) -> Result<RestoreSettings, Error> {
        let name = self.run.as_ref().map_or("stream".to_owned(), |run| match run {
            RunName::Latest => "latest".to_owned(),
            RunName::Id(run) => run.to_string(),
        });
        let vault = match &self.stream {
            Some(_) => config.text("vault.url").unwrap_or_default().to_owned(),
            None => config.require("vault.url")?.to_owned(),
        };
        let pause = config.pause_settings("");
        let kept = || config.state_folder().join("restores").join(format!("root-token-of-{name}"));
        Ok(RestoreSettings {
            vault,
            state: "restores/".to_owned(),
            volume_class: self.volume_class.clone(),
            start_pipelines: self.start_pipelines,
            max_missed_ticks: self.max_missed_ticks,
            through_here: self.through_here,
            copy_parallelism: pause.copy_parallelism,
            writer: pause.writer,
            staging: config.staging(),
            root_token_file: self.root_token_file.clone().unwrap_or_else(kept),
            poll: pause.poll,
            stall: pause.stall,
        })
    }
}

/// Brings a stream from a store to this machine, where only its user can read it.
async fn fetch(stores: &dyn Stores, url: &ObjectUrl, staging: &Path) -> Result<NamedTempFile, Error> {
    let unusable = |cause: io::Error| {
        Error::new(ErrorKind::Failed, format!("the staging folder {} can't be used", staging.display())).because(cause)
    };
    let bucket = stores.open_url(&url.folder)?.bucket;
    let mut stream = bucket.get(&GetRequest::whole(url.key.as_str())).await?;
    std::fs::create_dir_all(staging).map_err(unusable)?;
    let temporary = NamedTempFile::new_in(staging).map_err(unusable)?;
    let mut file = tokio::fs::File::from_std(temporary.reopen().map_err(unusable)?);
    while let Some(chunk) = stream.body.try_next().await? {
        file.write_all(&chunk).await.map_err(unusable)?;
    }
    file.sync_all().await.map_err(unusable)?;
    Ok(temporary)
}

/// What came back, what did not, and what is to be done next.
fn text(restored: &Restored) -> String {
    let mut text = format!("\nrestored       {} by {}\n", restored.point, restored.from.as_str());
    if let Some(filled) = &restored.filled {
        let _ = writeln!(text, "etcd           {} keys put, in {} transactions", filled.keys, filled.transactions);
    }
    if let Some(replayed) = &restored.replayed {
        let _ = writeln!(text, "stream         {} ops applied", replayed.ops);
        if replayed.expired_tokens > 0 {
            let _ = writeln!(text, "tokens         {} that have expired were left out", replayed.expired_tokens);
        }
    }
    if !restored.pipelines.started.is_empty() {
        let _ = writeln!(text, "started        {}", restored.pipelines.started.join(", "));
    }
    for (name, why) in &restored.pipelines.left_paused {
        let _ = writeln!(text, "paused         {name}: {why}");
    }
    if let Some(checkpoint) = &restored.checkpoint {
        let _ =
            writeln!(text, "loaders        everything up to {} is there; they go on after these heads:", checkpoint.at);
        for head in &checkpoint.heads {
            let commit = head.commit.as_deref().unwrap_or("(empty)");
            let _ = writeln!(text, "               {}@{} {commit}", head.repo, head.branch);
        }
    }
    for what in &restored.not_back {
        let _ = writeln!(text, "not back       {what}");
    }
    for warning in &restored.warnings {
        let _ = writeln!(text, "note           {warning}");
    }
    if let Some(root) = &restored.root_token {
        let _ = writeln!(text, "root token     {} (shown once; also in {})", root.token.secret(), root.file.display());
    }
    text
}
