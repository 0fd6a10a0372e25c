//! Refusing what can't work or would cost somebody's data, before anything changes.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use pachyderm::client::{Client, Unreadable};
use pachyderm::error::Condition;
use pachyderm::etcd::snapshot_file::SnapshotFile;
use pachyderm::proto::enterprise::State as Licence;

use super::etcd::{self, Content, Marker};
use super::keys_between::KeysBetween;
use super::look::Look;
use super::point::Point;
use super::presence::Presence;
use super::record::NAME;
use super::stream_content::StreamContent;
use super::volume::{Chosen, choose};
use super::{RestoreFrom, RestoreSettings, bucket};
use crate::cluster::rights::Rights;
use crate::cluster::{BucketPlace, Cluster, pachd_error, parse_version};
use crate::error::{Error, ErrorKind, Result};
use crate::job::{Opened, Stores};
use crate::manifest::{ClusterRecord, Manifest};
use crate::pause::record_exists;

/// What a target needs to be.
const NEW_DEPLOYMENT: &str =
    "deploy Pachyderm anew, in a namespace and with a bucket of its own, and restore into that";

/// What preflight found out.
pub(super) struct Checked {
    /// How keys are renamed on their way.
    pub(super) keys: KeysBetween,
    /// What goes into the target's etcd, on the path by etcd.
    pub(super) content: Option<Content>,
    /// What goes under the target's etcd, on the path by the disk.
    pub(super) volume: Option<Chosen>,
    /// How far an earlier attempt is.
    pub(super) marker: Option<Marker>,
    /// Secrets that pipelines need and the target lacks.
    pub(super) missing_secrets: Vec<String>,
}

/// Checks everything that can be known before the first change.
pub(super) async fn preflight(
    point: &Point,
    stream: &StreamContent,
    look: &Look,
    from: RestoreFrom,
    settings: &RestoreSettings,
    stores: &dyn Stores,
) -> Result<(Checked, String)> {
    check_namespace(look, from).await?;
    let (content, marker) = match from {
        RestoreFrom::Etcd => {
            let content = read_content(point, look).await?;
            // Reading the target's own etcd tells whose remains they are, if there are any.
            let marker =
                etcd::marker_of(look.etcd()?).await?.filter(|it| it.is_of(point.run.as_str(), &content.digest));
            (Some(content), marker)
        }
        // What is on the disk is compared with it, where there is one.
        RestoreFrom::Volume if point.etcd.is_some() => (Some(read_content(point, look).await?), None),
        RestoreFrom::Volume | RestoreFrom::Metadata => (None, None),
    };
    let goes_on = marker.is_some() || look.left.as_ref().is_some_and(|left| left.disk.is_some());
    check_is_not_the_source(&point.manifest, look, goes_on)?;
    check_versions(&point.manifest, stream, look, from)?;
    let keys = KeysBetween::of(&point.layout, &look.ground.location.layout)?;
    if let Some(cluster) = look.cluster.as_ref().filter(|_| marker.is_none()) {
        check_is_new(cluster, look.left.is_some()).await?;
        if from == RestoreFrom::Metadata {
            check_licence(cluster, stream).await?;
        }
    }
    if let Some(content) = &content {
        check_token(look, content)?;
    }
    if let Some(content) = content.as_ref().filter(|_| from == RestoreFrom::Etcd) {
        check_alarms(look).await?;
        etcd::ensure_empty(look.etcd()?, &look.ground.etcd_prefix, content, point.run.as_str()).await?;
    }
    let volume = match from {
        RestoreFrom::Volume => Some(choose(point, look, settings, stores).await?),
        RestoreFrom::Etcd | RestoreFrom::Metadata => None,
    };
    check_bucket(point, look, &keys, settings, stores).await?;
    let missing_secrets = missing_secrets(look, stream).await?;
    let text = if goes_on { "an earlier attempt is gone on with" } else { "the target is new and empty" };
    Ok((Checked { keys, content, volume, marker, missing_secrets }, text.to_owned()))
}

/// Rights, and that no snapshot is under way or has left the namespace paused.
pub(super) async fn check_namespace(look: &Look, from: RestoreFrom) -> Result<()> {
    let rights = Rights::of_restore(&look.ground.namespace);
    let rights = match from {
        RestoreFrom::Volume => rights.and(&Rights::of_volume_restore(&look.ground.namespace)),
        RestoreFrom::Etcd | RestoreFrom::Metadata => rights,
    };
    rights.check_for(&look.ground.kubernetes, "restore").await?;
    let maps: Api<ConfigMap> = Api::namespaced(look.ground.kubernetes.clone(), &look.ground.namespace);
    record_exists(&maps).await
}

/// Secrets that pipelines need and the target lacks: no recovery point holds any.
async fn missing_secrets(look: &Look, stream: &StreamContent) -> Result<Vec<String>> {
    let secrets: Api<Secret> = Api::namespaced(look.ground.kubernetes.clone(), &look.ground.namespace);
    let mut missing = Vec::new();
    for name in &stream.secrets {
        if secrets.get_opt(name).await?.is_none() {
            missing.push(name.clone());
        }
    }
    Ok(missing)
}

async fn read_content(point: &Point, look: &Look) -> Result<Content> {
    let Some(path) = point.etcd.clone() else {
        return Err(Error::new(ErrorKind::Configuration, format!("run {} has no snapshot of etcd", point.run))
            .advise("restore it with --from metadata"));
    };
    let opened = tokio::task::spawn_blocking(move || SnapshotFile::open(&path)).await;
    let opened =
        opened.map_err(|cause| Error::new(ErrorKind::Failed, "reading etcd's snapshot ended early").because(cause))?;
    let snapshot =
        opened.map_err(|cause| Error::new(ErrorKind::Damaged, "etcd's snapshot can't be read").because(cause))?;
    let prefix = &look.ground.etcd_prefix;
    let spec_repo = format!("{prefix}/pachyderm_pfs/repos/__spec__");
    if !snapshot.keys.contains_key(spec_repo.as_bytes()) {
        let message = format!("the source's keys do not begin with {prefix:?}, as the target's do");
        return Err(Error::new(ErrorKind::UnsupportedCluster, message)
            .advise("give the target's pachd the ETCD_PREFIX that the source had"));
    }
    Ok(Content::of(snapshot, prefix, point.manifest.captured, Timestamp::now()))
}

fn check_is_not_the_source(manifest: &Manifest, look: &Look, goes_on: bool) -> Result<()> {
    let source = &manifest.cluster;
    let refuse = |what: String| Err(Error::new(ErrorKind::WrongCluster, what).advise(NEW_DEPLOYMENT));
    // After a restore from etcd the target has the source's id.
    if look.cluster_id == source.cluster_id && !goes_on {
        return refuse(format!("the target is the source itself: cluster {}", source.cluster_id));
    }
    if is_the_sources_bucket(look, source) {
        return refuse(format!("the target's bucket {} is the source's", source.bucket));
    }
    Ok(())
}

fn is_the_sources_bucket(look: &Look, source: &ClusterRecord) -> bool {
    // A folder of a node is told apart by its node, which it does not name.
    let is_local = matches!(look.ground.location.place, BucketPlace::Local { .. });
    !is_local && look.ground.location.describe() == source.bucket
}

fn check_versions(manifest: &Manifest, stream: &StreamContent, look: &Look, from: RestoreFrom) -> Result<()> {
    let (target, source) = (parse_version(&look.pachd_version), parse_version(&manifest.cluster.pachd_version));
    let refuse = |advice: &str| {
        let message = format!(
            "the target has pachd {}, the recovery point is of {}",
            look.pachd_version, manifest.cluster.pachd_version
        );
        Err(Error::new(ErrorKind::UnsupportedCluster, message).advise(advice))
    };
    match from {
        RestoreFrom::Etcd | RestoreFrom::Volume if (target.0, target.1) != (source.0, source.1) => refuse(
            "what etcd holds is read by the same minor version only: deploy that one and upgrade it afterwards, or restore \
             with --from metadata",
        ),
        RestoreFrom::Metadata => check_stream(stream, &look.pachd_version),
        RestoreFrom::Etcd | RestoreFrom::Volume => Ok(()),
    }
}

/// Refuses a stream at which pachd's restore is known to stop.
pub(super) fn check_stream(stream: &StreamContent, pachd_version: &str) -> Result<()> {
    let Some(version) = stream.version else {
        return Err(Error::new(ErrorKind::Damaged, "the metadata stream is empty")
            .advise("even an empty cluster has one op: extract it again"));
    };
    if version.minor() > parse_version(pachd_version).1 {
        let message =
            format!("the stream is of {version}, and the target's pachd {pachd_version} reads older ones only");
        return Err(Error::new(ErrorKind::UnsupportedCluster, message).advise("upgrade the target first"));
    }
    if stream.refused_names.is_empty() {
        return Ok(());
    }
    let message = format!("pachd's restore would stop in the middle: {}", stream.refused_names.join(", "));
    Err(Error::new(ErrorKind::UnsupportedCluster, message)
        .advise("restore with --from etcd; or delete that branch at the source and take another recovery point"))
}

/// Refuses a cluster in use, and one with auth: its own tokens and those of the restore can't both be.
pub(super) async fn check_is_new(cluster: &Cluster, went_before: bool) -> Result<()> {
    let present = Presence::read(&cluster.pachd, Unreadable::ShowIncomplete).await?;
    if let Some(what) = present.anything() {
        let error = Error::new(ErrorKind::Busy, format!("the target is not empty: it has {what}"));
        return Err(if went_before {
            error.advise(format!(
                "these are the remains of an earlier attempt, which can't be gone on with: wipe them (`pachctl delete all`, \
                 or a new, empty etcd), then run the same command; to give up, also `kubectl delete configmap {NAME}`"
            ))
        } else {
            error.advise(NEW_DEPLOYMENT)
        });
    }
    check_auth_is_off(&cluster.pachd).await
}

async fn check_auth_is_off(pachd: &Client) -> Result<()> {
    match pachd.who_am_i().await {
        Err(error) if error.condition() == Condition::AuthNotActivated => Ok(()),
        Err(error) if error.condition() == Condition::UnknownService => Ok(()),
        Ok(_) => Err(Error::new(ErrorKind::Busy, "auth is active at the target")
            .advise("a restore brings the source's: deactivate it first (`pachctl auth deactivate`)")),
        Err(error) => Err(pachd_error("asking whether auth is active", error)),
    }
}

/// Auth is turned on at the very end of a replay, and only where there is a licence.
pub(super) async fn check_licence(cluster: &Cluster, stream: &StreamContent) -> Result<()> {
    if !stream.activates_auth || stream.brings_licence {
        return Ok(());
    }
    let state = cluster.pachd.get_enterprise_state().await;
    let state = state.map_err(|error| pachd_error("asking for the licence", error))?;
    if state.state == Licence::Active as i32 {
        return Ok(());
    }
    let message = "the stream turns auth on, and neither it nor the target has a licence for that";
    Err(Error::new(ErrorKind::UnsupportedCluster, message).advise(
        "activate one at the target first (`pachctl enterprise activate`): without it the replay would fail at its end",
    ))
}

/// What came back can be looked at with a token of the source only, where it had auth.
fn check_token(look: &Look, content: &Content) -> Result<()> {
    let prefix = &look.ground.etcd_prefix;
    if !content.has_auth(prefix) {
        return Ok(());
    }
    let is_known = look.token.as_ref().is_some_and(|token| content.has_token(prefix, token));
    if is_known {
        return Ok(());
    }
    let what = if look.token.is_some() { "the token that was given is none of them" } else { "none was given" };
    let message = format!("the source had auth, and its tokens come back with it; {what}");
    Err(Error::new(ErrorKind::Denied, message)
        .advise("give an administrator's token of the source by --token-file or PACHSNAP_TOKEN: what came back is looked at with it"))
}

async fn check_alarms(look: &Look) -> Result<()> {
    let alarms = look.etcd()?.alarms().await.map_err(|error| etcd::failed("reading alarms", error))?;
    if alarms.is_empty() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::UnsupportedCluster, format!("the target's etcd has raised an alarm: {alarms:?}"))
        .advise("compact and defragment it, then `etcdctl alarm disarm`"))
}

async fn check_bucket(
    point: &Point,
    look: &Look,
    keys: &KeysBetween,
    settings: &RestoreSettings,
    stores: &dyn Stores,
) -> Result<()> {
    let ground = &look.ground;
    let place = Opened { bucket: Arc::clone(&ground.bucket), facts: None, realm: ground.bucket_realm.clone() };
    crate::clone_use::ensure_unused(stores, &settings.vault, &place).await?;
    let sample = ground.location.layout.block("0123456789abcdef0123456789abcdef");
    if !ground.bucket.capabilities().keys.holds(&sample) {
        let message = format!("the target's bucket does not keep keys such as {sample:?} as they are");
        return Err(Error::new(ErrorKind::UnsupportedCluster, message).advise("choose another store for the target"));
    }
    bucket::ensure_free(point, ground, keys, stores, settings).await
}
