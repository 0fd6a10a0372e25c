//! Volumes made of snapshots: one identity, one volume; large enough; as of the cut.

use super::property::{Outcome, Verdict, ensure, refused, skipped};
use super::volumes::{losing, owner, ready, ready_snapshot, request, restore};
use super::{Report, VolumeFixture};
use crate::testkit::fault::Operation;
use crate::{CreateVolumeRequest, ErrorKind, Owner, RestoredVolume, Retry};

pub(super) async fn run(fixture: &dyn VolumeFixture, report: &mut Report) {
    report.check("create-volume.same-identity", create_same_identity(fixture)).await;
    report.check("create-volume.lost-reply", create_lost_reply(fixture)).await;
    report.check("create-volume.size", create_size(fixture)).await;
    report.check("create-volume.point-in-time", point_in_time(fixture)).await;
}

async fn create_same_identity(fixture: &dyn VolumeFixture) -> Outcome {
    let cut = ready_snapshot(fixture, "create").await?;
    let first = fixture.connect().await.create_volume(&restore(&cut, "volume")).await?;
    let second = fixture.connect().await.create_volume(&restore(&cut, "volume")).await?;
    ensure!(first == second, "one identity, two volumes: {first:?} and {second:?}");
    let other = fixture.connect().await.create_volume(&restore(&cut, "other")).await?;
    ensure!(first != other, "two identities, one volume: {first:?}");
    ensure_made(fixture, &cut.owner, 2).await
}

async fn create_lost_reply(fixture: &dyn VolumeFixture) -> Outcome {
    let cut = ready_snapshot(fixture, "create-lost").await?;
    let request = restore(&cut, "volume");
    let lost = losing(fixture, Operation::CreateVolume).await.create_volume(&request).await;
    let second = fixture.connect().await.create_volume(&request).await?;
    let third = fixture.connect().await.create_volume(&request).await?;
    ensure!(second == third, "one identity, two volumes: {second:?} and {third:?}");
    match lost {
        Ok(first) => ensure!(first == second, "one identity, two volumes: {first:?} and {second:?}"),
        Err(error) => ensure!(error.retry() != Retry::Never, "a lost reply must not look final: {error}"),
    }
    // A twin that no answer ever names shows here only.
    ensure_made(fixture, &cut.owner, 1).await
}

/// So many volumes are there for an owner, by the service's own count.
async fn ensure_made(fixture: &dyn VolumeFixture, owner: &Owner, wanted: usize) -> Outcome {
    let Some(made) = fixture.volumes_made(owner).await else {
        return skipped("the fixture can't count volumes, so a twin that no answer names would not be seen");
    };
    ensure!(made == wanted, "{made} volumes were made where {wanted} were asked for");
    Ok(Verdict::Held)
}

fn size_of(volume: &RestoredVolume) -> u64 {
    match volume {
        RestoredVolume::Volume { size, .. } | RestoredVolume::Claim { size, .. } => *size,
    }
}

async fn create_size(fixture: &dyn VolumeFixture) -> Outcome {
    let cut = ready_snapshot(fixture, "size").await?;
    let service = fixture.connect().await;
    let small = CreateVolumeRequest { size: Some(cut.size / 2), ..restore(&cut, "small") };
    refused("a volume smaller than its snapshot", service.create_volume(&small).await, ErrorKind::Invalid)?;
    let same = service.create_volume(&restore(&cut, "same")).await?;
    ensure!(size_of(&same) >= cut.size, "a volume of {} bytes for {} bytes", size_of(&same), cut.size);
    let large = CreateVolumeRequest { size: Some(cut.size * 2), ..restore(&cut, "large") };
    let large = service.create_volume(&large).await?;
    ensure!(size_of(&large) >= cut.size * 2, "a volume of {} bytes where {} were asked", size_of(&large), cut.size * 2);
    Ok(Verdict::Held)
}

/// What was written before the cut is in the restored volume, what came after is not.
async fn point_in_time(fixture: &dyn VolumeFixture) -> Outcome {
    let (service, volume, owner) = (fixture.connect().await, fixture.volume().await, owner("point"));
    if !fixture.write(&volume, b"before the cut").await {
        return skipped("the fixture can't write to a volume");
    }
    let cut = service.cut(&request(&volume, &owner, "cut")).await?;
    ensure!(fixture.write(&volume, b"after the cut!").await, "the fixture lost its volume");
    ready(fixture, &*service, &cut).await?;
    let restored = service.create_volume(&restore(&cut, "volume")).await?;
    let Some(found) = fixture.read(&restored).await else {
        return skipped("the fixture can't read a restored volume");
    };
    ensure!(found == b"before the cut", "the restored volume holds {:?}", String::from_utf8_lossy(&found));
    Ok(Verdict::Held)
}
