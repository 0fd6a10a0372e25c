//! Refusing what can't work, before anything changes. Every refusal names its cause and the way out.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use pachyderm::stream::is_valid_name;

use super::volume::{self, EtcdVolume};
use super::{credentials, places};
use crate::cluster::rights::Rights;
use crate::cluster::{Cluster, Work, etcd_error, work};
use crate::error::{Error, ErrorKind, Result};
use crate::job::{FenceMode, OpenCommits, SnapshotSettings, Stores};
use crate::pause::{LoaderBefore, read_loaders, record_exists};
use crate::vault::{ClusterIdentity, Vault};

/// Versions whose stream is known to lose data that a user would expect in it.
const FIRST_WHOLE_STREAM: (u32, u32, u32) = (1, 9, 6);
/// From this version on the stream carries when commits were finished.
const FIRST_FINISHED_COMMITS: (u32, u32, u32) = (1, 10, 3);

/// Whether the vault may be tried out by writing to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writes {
    /// A probe object is created, read back and deleted.
    Allowed,
    /// Nothing is written: a dry run.
    Forbidden,
}

/// What preflight found out.
pub(super) struct Checked {
    pub(super) vault: Vault,
    pub(super) loaders: Vec<LoaderBefore>,
    pub(super) volumes: Vec<EtcdVolume>,
    pub(super) warnings: Vec<String>,
}

/// Checks everything that can be known before the first change.
pub(super) async fn preflight(
    cluster: &Cluster,
    settings: &SnapshotSettings,
    stores: &dyn Stores,
    writes: Writes,
) -> Result<(Checked, String)> {
    Rights::of_pause(cluster.namespace(), settings.fence, &settings.loaders).check(&cluster.kubernetes).await?;
    let maps: Api<ConfigMap> = Api::namespaced(cluster.kubernetes.clone(), cluster.namespace());
    record_exists(&maps).await?;
    credentials::check(cluster, settings).await?;
    let mut warnings = cluster.warnings.clone();
    check_versions(cluster, &mut warnings)?;
    warnings.extend(check_work(&cluster.work, settings)?);
    check_branch_names(cluster).await?;
    check_alarms(cluster).await?;
    warnings.extend(places::check(cluster, settings, stores, writes).await?);
    let vault = check_vault(cluster, settings, stores, writes).await?;
    let loaders = read_loaders(&cluster.kubernetes, cluster.namespace(), &settings.loaders).await?;
    let volumes = volume::open(cluster, settings, stores, &mut warnings).await?;
    if volumes.is_empty() && cluster.etcd.is_none() {
        if !cluster.work.lasting.user_commits.is_empty() {
            return Err(Error::new(
                ErrorKind::OpenWork,
                "open commits of users would be in no artifact: neither etcd nor its disk is captured",
            )
            .advise("finish them (`pachctl finish commit REPO@BRANCH`), or make etcd reachable (--etcd-address)"));
        }
        warnings.push(
            "neither etcd nor its disk is captured: this recovery point can be restored from its metadata stream only, \
             which lacks what is open, job ids, triggers and tokens of users; make etcd reachable (--etcd-address)"
                .to_owned(),
        );
    }
    Ok((Checked { vault, loaders, volumes, warnings }, "nothing stands in the way".to_owned()))
}

fn check_versions(cluster: &Cluster, warnings: &mut Vec<String>) -> Result<()> {
    let version = cluster.version();
    if version < FIRST_WHOLE_STREAM && cluster.etcd.is_none() {
        return Err(Error::new(
            ErrorKind::UnsupportedCluster,
            format!(
                "pachd {} writes streams without output commits, and etcd does not answer",
                cluster.record.pachd_version
            ),
        )
        .advise("make etcd reachable (--etcd-address): its snapshot holds everything"));
    }
    if version < FIRST_WHOLE_STREAM {
        warnings.push(format!(
            "pachd {}: the metadata stream holds no output commits and no jobs; rely on the etcd snapshot",
            cluster.record.pachd_version
        ));
    } else if version < FIRST_FINISHED_COMMITS {
        warnings.push(format!(
            "pachd {}: restore the metadata stream with pachd 1.10.3 or newer (commits carry no finished time)",
            cluster.record.pachd_version
        ));
    }
    Ok(())
}

/// Checks again what may have changed while the clone was filled. Answers with the loaders as they are now, and with what is
/// new to know.
pub(super) async fn check_again(
    cluster: &Cluster,
    settings: &SnapshotSettings,
) -> Result<(Vec<LoaderBefore>, Vec<String>)> {
    credentials::check(cluster, settings).await?;
    let warnings = check_work(&cluster.work, settings)?;
    check_branch_names(cluster).await?;
    check_alarms(cluster).await?;
    let loaders = read_loaders(&cluster.kubernetes, cluster.namespace(), &settings.loaders).await?;
    Ok((loaders, warnings.into_iter().collect()))
}

/// Refuses open work that would be lost. Asked before anything changes, and again of the cluster at rest. Answers with what
/// the accepted work means.
pub(super) fn check_work(work: &Work, settings: &SnapshotSettings) -> Result<Option<String>> {
    if !work.transactions.is_empty() {
        return Err(Error::new(ErrorKind::OpenWork, format!("open transactions: {}", work.transactions.join(", ")))
            .advise("finish or delete them (`pachctl list transaction`)"));
    }
    let open = &work.lasting.user_commits;
    if open.is_empty() {
        return Ok(None);
    }
    let names: Vec<String> = open
        .iter()
        .map(|commit| format!("{}@{}", commit.repo, commit.branch.as_deref().unwrap_or(&commit.id)))
        .collect();
    if settings.open_commits == OpenCommits::Refuse {
        return Err(Error::new(ErrorKind::OpenWork, format!("open commits of users: {}", names.join(", "))).advise(
            "finish them (`pachctl finish commit REPO@BRANCH`), or accept with --open-commits=record: their files are then \
             only in the etcd snapshot and the bucket; a restore of the metadata stream makes them finished and empty",
        ));
    }
    Ok(Some(format!(
        "open commits accepted: {}; a restore from etcd brings them back open with their files, a restore of the metadata \
         stream makes them finished and empty",
        names.join(", ")
    )))
}

async fn check_branch_names(cluster: &Cluster) -> Result<()> {
    let bad: Vec<String> = work::branches(&cluster.pachd)
        .await?
        .iter()
        .filter_map(|info| info.branch.as_ref())
        .filter(|branch| !is_valid_name(&branch.name))
        .map(ToString::to_string)
        .collect();
    if bad.is_empty() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::UnsupportedCluster, format!("branches that pachd's restore refuses: {}", bad.join(", ")))
        .advise("they were made as provenance and hold nothing of their own: delete them (`pachctl delete branch`)"))
}

async fn check_alarms(cluster: &Cluster) -> Result<()> {
    let Some(etcd) = &cluster.etcd else { return Ok(()) };
    let alarms = etcd.alarms().await.map_err(|error| etcd_error("reading alarms", error))?;
    if alarms.is_empty() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::UnsupportedCluster, format!("etcd has raised an alarm: {alarms:?}"))
        .advise("with NOSPACE every write fails, stopping pipelines included: compact and defragment etcd, then `etcdctl alarm disarm`"))
}

async fn check_vault(
    cluster: &Cluster,
    settings: &SnapshotSettings,
    stores: &dyn Stores,
    writes: Writes,
) -> Result<Vault> {
    let opened = stores.open_url(&settings.vault)?;
    let vault = Vault::new(opened.bucket, opened.facts, &settings.cluster_name)?;
    if writes == Writes::Allowed {
        vault.check_usable().await.map_err(|error| {
            Error::from(error).advise("the vault must be private, writable and able to create objects only once: see [vault] in the configuration")
        })?;
    }
    let ours = ClusterIdentity::new(
        &cluster.record.namespace_uid,
        &cluster.record.cluster_id,
        cluster.record.deployment_id.clone().unwrap_or_default(),
    );
    vault.check_cluster(&ours).await.map_err(|error| {
        Error::from(error)
            .advise("choose another name in [cluster], or another vault: one name holds the runs of one cluster")
    })?;
    Ok(vault)
}

/// What a fence keeps out, in words.
pub(super) fn fence_in_words(mode: &FenceMode) -> &'static str {
    match mode {
        FenceMode::Selector => "Services lose their endpoints by one extra selector label; port numbers stay allocated",
        FenceMode::Ports => "node ports are switched by port name; in-cluster traffic is not kept out",
        FenceMode::None => "nothing is fenced: the traffic is kept out by somebody else",
    }
}
