//! `pachsnap extract`

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use futures::TryStreamExt as _;
use orchestrator::cluster::connect_pachd;
use orchestrator::event::Events;
use orchestrator::job::Stores;
use orchestrator::outcome::exit_code;
use orchestrator::snapshot::{ExtractOptions, Extracted, extract_to};
use orchestrator::{Error, ErrorKind};
use pachyderm::client::Client;
use provider::{ContentHeaders, Key, PutMode, PutRequest};
use tokio_util::io::ReaderStream;

use crate::cli::{Ended, Session};
use crate::render::{EventFormat, bytes, stderr_line};
use crate::stores::ObjectUrl;

/// Options of `extract`.
#[derive(Debug, Args)]
pub(crate) struct Extract {
    /// Also the content of every block, as plain `pachctl extract` does; not for a URL
    #[arg(long)]
    with_objects: bool,
    /// File that is created, or a URL (s3://bucket/key, gs://bucket/key or file:///folder/name); `-` or nothing means stdout
    #[arg(short, long, value_name = "FILE|URL")]
    output: Option<String>,
}

/// Where the stream goes.
enum Output {
    Stdout,
    File(PathBuf),
    Store(ObjectUrl),
}

impl Output {
    fn of(output: Option<&str>) -> Result<Self, Error> {
        match output {
            None | Some("-") if io::stdout().is_terminal() => {
                Err(Error::new(ErrorKind::Configuration, "the metadata stream is no text for a terminal")
                    .advise("name a file with -o, or redirect stdout"))
            }
            None | Some("-") => Ok(Self::Stdout),
            Some(text) => Ok(match ObjectUrl::parse(text)? {
                Some(url) => Self::Store(url),
                None => Self::File(PathBuf::from(text)),
            }),
        }
    }
}

impl Extract {
    /// Writes the metadata stream.
    ///
    /// # Errors
    /// Those of the connection and of the stream. A file that could not be completed is removed.
    pub(crate) async fn run(self, session: &Session) -> Result<u8, Ended> {
        let output = Output::of(self.output.as_deref())?;
        if self.with_objects && matches!(output, Output::Store(_)) {
            let error = Error::new(ErrorKind::Configuration, "a URL takes the metadata only");
            return Err(error
                .advise("extract with objects into a file, or clone the bucket: `pachsnap snapshot`")
                .into());
        }
        let config = session.config(&[])?;
        let target = session.target(&config).await?;
        let stores = session.stores(&config);
        let staging = config.staging();
        let options = ExtractOptions { with_objects: self.with_objects };
        let progress = session.progress(EventFormat::Text);
        let events = progress.events();
        let extracted = session
            .reading(async {
                let pachd = connect_pachd(&target).await?;
                match &output {
                    Output::Stdout => Ok(extract_to(&pachd, options, io::stdout(), &events).await?.0),
                    Output::File(path) => to_file(&pachd, options, path, &events).await,
                    Output::Store(url) => to_store(&pachd, options, &staging, stores.as_ref(), url, &events).await,
                }
            })
            .await;
        progress.finish();
        let summary = extracted?.summary;
        stderr_line(&format!("{} ops, {}, SHA-256 {}", summary.ops.total(), bytes(summary.bytes), summary.sha256));
        Ok(exit_code::OK)
    }
}

/// Extracts into a new file, which appears whole or not at all: a temporary file beside it takes its name at the end.
async fn to_file(pachd: &Client, options: ExtractOptions, path: &Path, events: &Events) -> Result<Extracted, Error> {
    let failed = |cause: io::Error| {
        Error::new(ErrorKind::Configuration, format!("{} can't be written", path.display())).because(cause)
    };
    if path.exists() {
        return Err(failed(io::ErrorKind::AlreadyExists.into()).advise("name another file, or move this one away"));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    let file = temporary.reopen().map_err(failed)?;
    let (extracted, file) = extract_to(pachd, options, BufWriter::new(file), events).await?;
    finish_file(file).map_err(failed)?;
    temporary.persist_noclobber(path).map_err(|error| failed(error.error))?;
    Ok(extracted)
}

/// Extracts into a temporary file and puts it into a store, create-only.
async fn to_store(
    pachd: &Client,
    options: ExtractOptions,
    staging: &Path,
    stores: &dyn Stores,
    ObjectUrl { folder, key }: &ObjectUrl,
    events: &Events,
) -> Result<Extracted, Error> {
    let failed = |cause: io::Error| {
        Error::new(ErrorKind::Failed, format!("the staging folder {} can't be used", staging.display())).because(cause)
    };
    let bucket = stores.open_url(folder)?.bucket;
    std::fs::create_dir_all(staging).map_err(failed)?;
    let temporary = tempfile::NamedTempFile::new_in(staging).map_err(failed)?;
    let file = temporary.reopen().map_err(failed)?;
    let (extracted, file) = extract_to(pachd, options, BufWriter::new(file), events).await?;
    finish_file(file).map_err(failed)?;
    let file = tokio::fs::File::open(temporary.path()).await.map_err(failed)?;
    let size = file.metadata().await.map_err(failed)?.len();
    let body = ReaderStream::with_capacity(file, 1 << 20)
        .map_err(|cause| provider::Error::new(provider::ErrorKind::Other, "read", "staged stream").with_source(cause));
    let request = PutRequest {
        key: Key::new(key.as_str()),
        mode: PutMode::CreateOnly,
        body: Box::pin(body),
        size: Some(size),
        sha256: None,
        headers: ContentHeaders::default(),
        metadata: std::collections::BTreeMap::new(),
    };
    bucket.put(request).await?;
    Ok(extracted)
}

fn finish_file(file: BufWriter<File>) -> io::Result<()> {
    let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.flush()?;
    file.sync_all()
}
