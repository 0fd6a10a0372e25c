//! The path by the metadata stream: pachd replays it over the filled bucket.

use std::path::Path;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use pachyderm::client::{Client, Token};

use super::cluster_compare::{self, Fidelity};
use super::metadata::{self, Replayed};
use super::outcome::RootToken;
use super::record::{NAME, RestoreRecord};
use super::stage::{Stage, Stages};
use super::stream_content::StreamContent;
use super::{Prepared, RestoreFrom, RestoreSettings, Restored, plan, record, start_pipelines};
use crate::cluster::connect_pachd;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Events, Step};
use crate::job::Target;
use crate::manifest::Checkpoint;

/// Restores what the recovery point's metadata stream holds. The target's bucket is filled.
pub(super) async fn restore(
    target: &Target,
    prepared: &Prepared,
    stages: &Stages,
    settings: &RestoreSettings,
    events: &Events,
) -> Result<Restored> {
    let Prepared { point, stream, look, .. } = prepared;
    let record = RestoreRecord::of(look, point.run.as_str(), RestoreFrom::Metadata);
    let checkpoint = Some(&point.manifest.checkpoint);
    let replayed = replay(target, &record, (&point.stream, stream), checkpoint, stages, settings, events).await?;
    let Replay { replayed, pachd, root_token } = replayed;
    let pipelines = start_pipelines(&pachd, prepared, settings, events).await?;
    Ok(Restored {
        point: point.run.to_string(),
        from: RestoreFrom::Metadata,
        filled: None,
        replayed: Some(replayed),
        pipelines,
        checkpoint: Some(point.manifest.checkpoint.clone()),
        root_token,
        not_back: plan::not_back(RestoreFrom::Metadata),
        warnings: Vec::new(),
    })
}

/// A stream that was replayed and compared.
pub(super) struct Replay {
    pub(super) replayed: Replayed,
    /// Connected with the root token, where auth is on now.
    pub(super) pachd: Client,
    pub(super) root_token: Option<RootToken>,
}

/// Replays a stream into an empty cluster and compares what came back.
pub(super) async fn replay(
    target: &Target,
    record: &RestoreRecord,
    (file, stream): (&Path, &StreamContent),
    checkpoint: Option<&Checkpoint>,
    stages: &Stages,
    settings: &RestoreSettings,
    events: &Events,
) -> Result<Replay> {
    let maps: Api<ConfigMap> = Api::namespaced(target.kubernetes.clone(), &target.namespace);
    // Nothing but this gives access afterwards, so it is kept before the call.
    let token = Token::new(uuid::Uuid::new_v4().simple().to_string());
    let root_token = if stream.activates_auth { Some(keep(token.clone(), settings).await?) } else { None };
    let pachd = connect_pachd(target).await?;
    events.change("create", format!("ConfigMap {NAME}"), record::write(&maps, record, settings)).await?;
    stages.enter(Stage::Replaying);
    let replayed = events.step(Step::Replay, metadata::replay(&pachd, file, stream, &token, events)).await;
    let replayed = replayed.map_err(|error| match &root_token {
        Some(kept) => error.advise(format!("if auth is active now, the root token is in {}", kept.file.display())),
        None => error,
    })?;
    stages.enter(Stage::Replayed);
    let pachd = match &root_token {
        Some(kept) => {
            let as_root = Target { token: Some(kept.token.secret().to_owned()), ..target.clone() };
            connect_pachd(&as_root).await?
        }
        None => pachd,
    };
    let compare = cluster_compare::compare(&pachd, stream, checkpoint, Fidelity::WithNewOutputs);
    events.step(Step::CheckTarget, compare).await?;
    events.change("delete", format!("ConfigMap {NAME}"), record::delete(&maps, settings)).await?;
    stages.enter(Stage::Restored);
    Ok(Replay { replayed, pachd, root_token })
}

/// Writes the root token into its file, which only its owner can read.
async fn keep(token: Token, settings: &RestoreSettings) -> Result<RootToken> {
    let file = settings.root_token_file.clone();
    let failed = |cause: std::io::Error| {
        Error::new(ErrorKind::Failed, format!("the root token can't be kept in {}", file.display()))
            .because(cause)
            .advise("name another file with --root-token-file: nothing else will give access to the restored cluster")
    };
    if let Some(folder) = file.parent() {
        tokio::fs::create_dir_all(folder).await.map_err(failed)?;
    }
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut opened = options.open(&file).await.map_err(failed)?;
    tokio::io::AsyncWriteExt::write_all(&mut opened, format!("{}\n", token.secret()).as_bytes())
        .await
        .map_err(failed)?;
    opened.sync_all().await.map_err(failed)?;
    Ok(RootToken { token, file })
}
