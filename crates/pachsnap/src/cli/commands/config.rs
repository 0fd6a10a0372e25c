//! `pachsnap config`

use clap::{Args, Subcommand};
use orchestrator::cluster::{BucketPlace, discover, etcd_volumes};
use orchestrator::event::Events;
use orchestrator::job::Stores as _;
use orchestrator::outcome::exit_code;
use orchestrator::{Error, ErrorKind};
use provider::{Key, ListRequest, PutMode, PutRequest};
use serde::Serialize;

use crate::cli::options::{PauseOptions, SnapshotOptions, StoreOptions};
use crate::cli::{Ended, Session};
use crate::config::{Config, StoreSection, show};
use crate::render::{DocumentFormat, print_document, stdout_text};
use crate::stores::{
    is_persistent_disk, missing_data_permissions, missing_disk_permissions, missing_rights, missing_store_permissions,
};

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every setting, and where its value came from; no secrets
    Show(Show),
    /// Read the configuration, open the stores, and say what is wrong
    Check(Check),
}

/// Options of `config show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    stores: StoreOptions,
    #[command(flatten)]
    options: SnapshotOptions,
    #[command(flatten)]
    pause: PauseOptions,
}

/// Options of `config check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    stores: StoreOptions,
    #[command(flatten)]
    options: SnapshotOptions,
    #[command(flatten)]
    pause: PauseOptions,
    /// How to print the result
    #[arg(short, long, value_enum, default_value_t)]
    output: DocumentFormat,
}

/// One thing that was checked.
#[derive(Debug, Serialize)]
struct Checked {
    what: &'static str,
    ok: bool,
    detail: String,
}

impl ConfigCommand {
    /// Shows or checks the configuration.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) async fn run(self, session: &Session) -> Result<u8, Ended> {
        match self {
            Self::Show(Show { stores, options, pause }) => {
                let config = session.config(&[stores.flags(), options.flags(), pause.flags()])?;
                stdout_text(&show(&config)).map_err(|cause| {
                    Error::new(ErrorKind::Failed, "the configuration can't be written to stdout").because(cause)
                })?;
                Ok(exit_code::OK)
            }
            Self::Check(Check { stores, options, pause, output }) => {
                let config = session.config(&[stores.flags(), options.flags(), pause.flags()])?;
                let checks = session.reading(async { Ok(check(session, &config).await) }).await?;
                print_document(&checks, output, |checks| text(checks))?;
                let wrong = checks.iter().filter(|check| !check.ok).count();
                match wrong {
                    0 => Ok(exit_code::OK),
                    _ => {
                        Err(Error::new(ErrorKind::Configuration, format!("{wrong} checks of the configuration failed"))
                            .into())
                    }
                }
            }
        }
    }
}

async fn check(session: &Session, config: &Config) -> Vec<Checked> {
    let checked = |what: &'static str, result: Result<String, Error>| Checked {
        what,
        ok: result.is_ok(),
        detail: result.unwrap_or_else(|error| orchestrator::error::chain(&error)),
    };
    let file = config.layers().file.as_ref().map_or_else(|| "none found".to_owned(), |file| file.display().to_string());
    let mut all = vec![
        checked("configuration file", Ok(file)),
        checked("token", config.token().map_err(Error::from).map(|token| presence(token.is_some()))),
        checked(
            "keys of the data bucket",
            config.store_keys(StoreSection::Bucket).map_err(Error::from).map(|keys| presence(keys.is_some())),
        ),
        checked("kubernetes", kubernetes(session, config).await),
    ];
    // Without Kubernetes nobody can say which bucket the cluster has.
    if all.iter().all(|check| check.ok || check.what != "kubernetes") {
        all.push(checked("data bucket", data(session, config).await));
    }
    all.push(checked("vault", vault(session, config).await));
    all.push(checked("clone", clone(session, config).await));
    all.extend(ec2(config).await.map(|result| checked("rights of EC2", result)));
    all.extend(compute_engine(session, config).await.map(|result| checked("rights of Compute Engine", result)));
    all
}

/// The rights that a snapshot of a volume needs of EC2; `None` where EC2 makes none.
async fn ec2(config: &Config) -> Option<Result<String, Error>> {
    Some(match missing_rights(config).await.transpose()? {
        Ok(missing) if missing.is_empty() => Ok("all that a snapshot needs".to_owned()),
        Ok(missing) => Err(Error::new(
            ErrorKind::Denied,
            format!("{} missing: these rights, or for every volume", missing.join(", ")),
        )
        .advise("`pachsnap iam aws --for snapshot` prints a policy")),
        Err(error) => Err(error),
    })
}

fn presence(present: bool) -> String {
    if present { "set".to_owned() } else { "not set".to_owned() }
}

async fn kubernetes(session: &Session, config: &Config) -> Result<String, Error> {
    let target = session.target(config).await?;
    let version = target.kubernetes.apiserver_version().await?;
    Ok(format!("version {}, namespace {}", version.git_version, target.namespace))
}

/// The cluster's bucket is what pachd says it is, and can be listed and read.
async fn data(session: &Session, config: &Config) -> Result<String, Error> {
    let target = session.target(config).await?;
    let cluster = discover(&target, session.stores(config).as_ref(), &Events::nowhere()).await?;
    if let BucketPlace::Google { bucket, credentials } = &cluster.location.place {
        let missing = missing_data_permissions(config, bucket, credentials.as_ref()).await?;
        ensure_none(&missing, &format!("gs://{bucket}"), "data-bucket")?;
    }
    let page = cluster.bucket.list(&ListRequest { max_keys: 1, ..ListRequest::default() }).await?;
    if let Some(first) = page.objects.first() {
        cluster.bucket.head(&first.key).await?;
    }
    Ok(format!("{} can be listed and read", cluster.bucket.location()))
}

/// The permissions that a snapshot of the disks under etcd needs of Compute Engine; `None` where it makes none.
async fn compute_engine(session: &Session, config: &Config) -> Option<Result<String, Error>> {
    if !config.compute_engine_snapshots_volumes(true) || config.text("snapshot.volume") == Some("skip") {
        return None;
    }
    let looked = async {
        let volumes = etcd_volumes(&session.target(config).await?).await?;
        let disks: Vec<_> = volumes.into_iter().filter(is_persistent_disk).collect();
        let missing = missing_disk_permissions(config, &disks).await?;
        ensure_none(&missing, &format!("{} disks", disks.len()), "disks")?;
        Ok(format!("all that a snapshot needs of {} disks themselves", disks.len()))
    };
    Some(looked.await)
}

/// Refuses while permissions are missing.
fn ensure_none(missing: &[&str], of: &str, place: &str) -> Result<(), Error> {
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Denied, format!("{of}: {} missing", missing.join(", ")))
        .advise(format!("`pachsnap iam gcp --for snapshot --place {place}` prints a role")))
}

async fn vault(session: &Session, config: &Config) -> Result<String, Error> {
    let url = config.require("vault.url")?;
    ensure_none(&missing_store_permissions(config, StoreSection::Vault, url).await?, url, "stores")?;
    let vault = session.vault(config).await?;
    vault.check_usable().await?;
    Ok(format!("{} can be written, create-only, as {}", vault.location(), vault.cluster()))
}

async fn clone(session: &Session, config: &Config) -> Result<String, Error> {
    let url = config.require("clone.url")?;
    ensure_none(&missing_store_permissions(config, StoreSection::Clone, url).await?, url, "stores")?;
    let bucket = session.stores(config).open_url(config.require("clone.url")?)?.bucket;
    bucket.list(&ListRequest { max_keys: 1, ..ListRequest::default() }).await?;
    let now = jiff::Timestamp::now().as_nanosecond();
    let probe = Key::new(format!("probe-{}-{now}", std::process::id()));
    bucket.put(PutRequest::bytes(probe.clone(), PutMode::Overwrite, probe.as_str().as_bytes().to_vec())).await?;
    let read = bucket.head(&probe).await;
    for outcome in bucket.delete(&[probe]).await? {
        outcome.result?;
    }
    match read? {
        Some(_) => Ok(format!("{} can be listed, written, read and emptied", bucket.location())),
        None => {
            Err(Error::new(ErrorKind::Vault, format!("{} does not show what was written to it", bucket.location())))
        }
    }
}

fn text(checks: &[Checked]) -> String {
    checks
        .iter()
        .map(|check| format!("{} {:<24} {}\n", if check.ok { "ok  " } else { "FAIL" }, check.what, check.detail))
        .collect()
}
