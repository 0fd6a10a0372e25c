//! Snapshots of volumes: one identity, one result; a point in time; absent is success.

use std::sync::Arc;
use std::time::Duration;

use futures::future;

use super::property::{Outcome, Verdict, Violation, ensure, refused, skipped};
use super::{Report, VolumeFixture};
use crate::testkit::fault::{Fault, FaultPlan, FaultyVolumes, Operation};
use crate::{
    CreateVolumeRequest, CutRequest, ErrorKind, Notices, Owner, Retry, SnapshotState, VolumeId, VolumeSnapshot,
    VolumeSnapshots,
};

pub(super) async fn run(fixture: &dyn VolumeFixture, report: &mut Report) {
    report.check("inspect.answers", inspect(fixture)).await;
    report.check("cut.answers", answers(fixture)).await;
    report.check("cut.same-identity", same_identity(fixture)).await;
    report.check("cut.side-by-side", side_by_side(fixture)).await;
    report.check("cut.lost-reply", cut_lost_reply(fixture)).await;
    report.check("cut.identity-of-another", identity_of_another(fixture)).await;
    report.check("cut.missing-volume", missing_volume(fixture)).await;
    report.check("status.becomes-ready", becomes_ready(fixture)).await;
    report.check("snapshot.delete", delete(fixture)).await;
    report.check("snapshot.list-by-owner", list_by_owner(fixture)).await;
}

/// An owner that no other property, and no other run against the same service, shares.
pub(super) fn owner(name: &str) -> Owner {
    let cluster = format!("conformance-{name}-{:x}", rand::random::<u32>());
    Owner { cluster, run: "run-1".to_owned() }
}

pub(super) fn request(volume: &VolumeId, owner: &Owner, name: &str) -> CutRequest {
    CutRequest {
        volume: volume.clone(),
        identity: format!("{}-{name}", owner.cluster),
        owner: owner.clone(),
        description: "pachsnap conformance".to_owned(),
        limit: Duration::from_secs(180),
        notices: Notices::to_nobody(),
    }
}

pub(super) fn restore(snapshot: &VolumeSnapshot, name: &str) -> CreateVolumeRequest {
    CreateVolumeRequest {
        snapshot: snapshot.id.clone(),
        identity: format!("{}-{name}", snapshot.owner.cluster),
        claim: None,
        owner: snapshot.owner.clone(),
        size: None,
        zone: None,
        class: None,
    }
}

/// Waits until a snapshot is ready; the number of looks is bounded, the time between them is the fixture's.
pub(super) async fn ready(
    fixture: &dyn VolumeFixture,
    service: &dyn VolumeSnapshots,
    cut: &VolumeSnapshot,
) -> Result<(), Violation> {
    let mut before = 0;
    for _ in 0..10_000 {
        match service.status(&cut.id).await?.state {
            SnapshotState::Ready => return Ok(()),
            SnapshotState::Failed { reason } => return Err(Violation(format!("the snapshot failed: {reason}"))),
            SnapshotState::Pending { percent } => {
                let percent = percent.unwrap_or(before);
                ensure!(percent >= before && percent <= 100, "progress went from {before} to {percent} percent");
                before = percent;
            }
        }
        fixture.pause().await;
    }
    Err(Violation("the snapshot never became ready".to_owned()))
}

async fn ensure_only(service: &dyn VolumeSnapshots, owner: &Owner, cut: &VolumeSnapshot) -> Result<(), Violation> {
    let found = service.list(owner).await?;
    let ids: Vec<_> = found.iter().map(|snapshot| &snapshot.id).collect();
    ensure!(ids == [&cut.id], "exactly {:?} must be there, and there are {ids:?}", cut.id);
    Ok(())
}

async fn inspect(fixture: &dyn VolumeFixture) -> Outcome {
    let (service, volume, owner) = (fixture.connect().await, fixture.volume().await, owner("inspect"));
    let facts = service.inspect(&volume).await?;
    let cut = service.cut(&request(&volume, &owner, "cut")).await?;
    ensure!(facts.size == cut.size, "the volume has {} bytes, its snapshot says {}", facts.size, cut.size);
    let missing = service.inspect(&fixture.missing_volume().await).await;
    refused("looking at a missing volume", missing, ErrorKind::NotFound)?;
    Ok(Verdict::Held)
}

async fn answers(fixture: &dyn VolumeFixture) -> Outcome {
    let (service, volume, owner) = (fixture.connect().await, fixture.volume().await, owner("answers"));
    let request = request(&volume, &owner, "cut");
    let cut = service.cut(&request).await?;
    ensure!(cut.volume == volume, "the cut of {volume:?} says {:?}", cut.volume);
    ensure!(cut.owner == owner, "the cut for {owner:?} says {:?}", cut.owner);
    ensure!(cut.identity == request.identity, "the cut says identity {}", cut.identity);
    ensure!(cut.size > 0, "the cut says that its volume has no bytes");
    Ok(Verdict::Held)
}

async fn same_identity(fixture: &dyn VolumeFixture) -> Outcome {
    let (volume, owner) = (fixture.volume().await, owner("same"));
    let request = request(&volume, &owner, "cut");
    let first = fixture.connect().await.cut(&request).await?;
    // Another process sends the same, now and when the snapshot is ready.
    let service = fixture.connect().await;
    let second = service.cut(&request).await?;
    ensure!(first == second, "one identity, two results: {first:?} and {second:?}");
    ready(fixture, &*service, &first).await?;
    let third = service.cut(&request).await?;
    ensure!(first == third, "one identity, two results: {first:?} and {third:?}");
    ensure_only(&*service, &owner, &first).await?;
    Ok(Verdict::Held)
}

async fn side_by_side(fixture: &dyn VolumeFixture) -> Outcome {
    let (volume, owner) = (fixture.volume().await, owner("side"));
    if !fixture.connect().await.capabilities().cut_identity {
        return skipped("capability cut_identity is false: only calls one after the other share a result");
    }
    let mut callers = Vec::new();
    for _ in 0..4 {
        let (service, request) = (fixture.connect().await, request(&volume, &owner, "cut"));
        callers.push(tokio::spawn(async move { service.cut(&request).await }));
    }
    let mut cuts = Vec::new();
    for result in future::join_all(callers).await {
        match result.map_err(|error| Violation(format!("a caller ended badly: {error}")))? {
            Ok(cut) => cuts.push(cut),
            Err(error) if error.retry() != Retry::Never => {}
            Err(error) => return Err(error.into()),
        }
    }
    let service = fixture.connect().await;
    let first = service.cut(&request(&volume, &owner, "cut")).await?;
    ensure!(cuts.iter().all(|cut| *cut == first), "one identity, several results: {first:?} and {cuts:?}");
    ensure_only(&*service, &owner, &first).await?;
    Ok(Verdict::Held)
}

/// The service, made to lose the reply of the next call of a kind.
pub(super) async fn losing(fixture: &dyn VolumeFixture, operation: Operation) -> Arc<dyn VolumeSnapshots> {
    let service = fixture.connect().await;
    if fixture.lose_next_reply().await {
        return service;
    }
    Arc::new(FaultyVolumes::new(service, FaultPlan::scripted().at(operation, 1, Fault::LostReply)))
}

async fn cut_lost_reply(fixture: &dyn VolumeFixture) -> Outcome {
    let (volume, owner) = (fixture.volume().await, owner("lost"));
    let request = request(&volume, &owner, "cut");
    let lost = losing(fixture, Operation::Cut).await.cut(&request).await;
    // An implementation may look up by itself what its call left.
    let service = fixture.connect().await;
    let again = service.cut(&request).await?;
    match lost {
        Ok(first) => ensure!(first == again, "one identity, two results: {first:?} and {again:?}"),
        Err(error) => ensure!(error.retry() != Retry::Never, "a lost reply must not look final: {error}"),
    }
    ensure_only(&*service, &owner, &again).await?;
    ready(fixture, &*service, &again).await?;
    Ok(Verdict::Held)
}

async fn identity_of_another(fixture: &dyn VolumeFixture) -> Outcome {
    let (service, volume) = (fixture.connect().await, fixture.volume().await);
    let (ours, theirs) = (owner("ours"), owner("theirs"));
    let first = service.cut(&request(&volume, &theirs, "cut")).await?;
    let taken = CutRequest { owner: ours.clone(), ..request(&volume, &theirs, "cut") };
    match service.cut(&taken).await {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.into()),
        Ok(cut) => ensure!(cut.id != first.id && cut.owner == ours, "somebody else's snapshot was answered: {cut:?}"),
    }
    ensure_only(&*service, &theirs, &first).await?;
    Ok(Verdict::Held)
}

async fn missing_volume(fixture: &dyn VolumeFixture) -> Outcome {
    let (service, owner) = (fixture.connect().await, owner("missing"));
    let cut = service.cut(&request(&fixture.missing_volume().await, &owner, "cut")).await;
    let error = refused("a cut of a missing volume", cut, ErrorKind::NotFound)?;
    ensure!(error.retry() == Retry::Never, "the retry class of not-found is {:?}", error.retry());
    let left = service.list(&owner).await?;
    ensure!(left.is_empty(), "a cut that failed left {left:?}");
    Ok(Verdict::Held)
}

async fn becomes_ready(fixture: &dyn VolumeFixture) -> Outcome {
    let (service, volume, owner) = (fixture.connect().await, fixture.volume().await, owner("ready"));
    let cut = service.cut(&request(&volume, &owner, "cut")).await?;
    if let SnapshotState::Pending { .. } = service.status(&cut.id).await?.state {
        // Whether it is still pending at the next call is the service's business; what it says then is not.
        match service.create_volume(&restore(&cut, "early")).await {
            Err(error) => ensure!(error.kind() == ErrorKind::Invalid, "a volume of a pending snapshot: {error}"),
            Ok(_) => ensure!(
                matches!(service.status(&cut.id).await?.state, SnapshotState::Ready),
                "a volume was made of a snapshot that isn't ready"
            ),
        }
    }
    ready(fixture, &*service, &cut).await?;
    let again = service.status(&cut.id).await?.state;
    ensure!(again == SnapshotState::Ready, "a ready snapshot became {again:?}");
    Ok(Verdict::Held)
}

/// A ready snapshot of a new volume.
pub(super) async fn ready_snapshot(fixture: &dyn VolumeFixture, name: &str) -> Result<VolumeSnapshot, Violation> {
    let (service, volume, owner) = (fixture.connect().await, fixture.volume().await, owner(name));
    let cut = service.cut(&request(&volume, &owner, "cut")).await?;
    ready(fixture, &*service, &cut).await?;
    Ok(cut)
}

async fn delete(fixture: &dyn VolumeFixture) -> Outcome {
    let cut = ready_snapshot(fixture, "delete").await?;
    let service = fixture.connect().await;
    for _ in 0..3 {
        service.delete(&cut.id).await?;
    }
    refused("the status of a deleted snapshot", service.status(&cut.id).await, ErrorKind::NotFound)?;
    let created = service.create_volume(&restore(&cut, "volume")).await;
    refused("a volume of a deleted snapshot", created, ErrorKind::NotFound)?;
    let left = service.list(&cut.owner).await?;
    ensure!(left.is_empty(), "a deleted snapshot is listed: {left:?}");
    Ok(Verdict::Held)
}

async fn list_by_owner(fixture: &dyn VolumeFixture) -> Outcome {
    let (service, volume) = (fixture.connect().await, fixture.volume().await);
    let (ours, theirs) = (owner("list-ours"), owner("list-theirs"));
    let later = Owner { run: "run-2".to_owned(), ..ours.clone() };
    let first = service.cut(&request(&volume, &ours, "cut-1")).await?;
    let second = service.cut(&request(&volume, &later, "cut-2")).await?;
    let other = service.cut(&request(&volume, &theirs, "cut")).await?;
    ensure_only(&*service, &ours, &first).await?;
    ensure_only(&*service, &later, &second).await?;
    ensure_only(&*service, &theirs, &other).await?;
    let mut all = service.list(&Owner { run: String::new(), ..ours }).await?;
    all.sort_by(|a, b| a.identity.cmp(&b.identity));
    ensure!(all == [first, second], "every run of the cluster: {all:?}");
    Ok(Verdict::Held)
}
