//! Snapshots that were taken elsewhere: one identity, one import; usable; and never deleted with what stands for them.

use std::time::Duration;

use super::property::{Outcome, Verdict, ensure};
use super::volumes::{ready, ready_snapshot, restore};
use super::{Report, VolumeFixture};
use crate::{CreateVolumeRequest, ImportRequest, Notices, Owner, VolumeSnapshot};

pub(super) async fn run(fixture: &dyn VolumeFixture, report: &mut Report) {
    report.check("import.same-identity", same_identity(fixture)).await;
    report.check("import.usable", usable(fixture)).await;
    report.check("import.forget-keeps-the-snapshot", forget_keeps(fixture)).await;
}

fn import(snapshot: &VolumeSnapshot) -> ImportRequest {
    let Owner { cluster, .. } = &snapshot.owner;
    ImportRequest {
        snapshot: snapshot.id.clone(),
        details: snapshot.details.clone(),
        size: snapshot.size,
        identity: format!("{cluster}-import"),
        owner: Owner { cluster: cluster.clone(), run: "restore-of-run-1".to_owned() },
        limit: Duration::from_secs(180),
        notices: Notices::to_nobody(),
    }
}

async fn same_identity(fixture: &dyn VolumeFixture) -> Outcome {
    let cut = ready_snapshot(fixture, "import").await?;
    let first = fixture.connect().await.import(&import(&cut)).await?;
    let second = fixture.connect().await.import(&import(&cut)).await?;
    ensure!(first == second, "one identity, two imports: {first:?} and {second:?}");
    fixture.connect().await.forget(&first).await?;
    Ok(Verdict::Held)
}

async fn usable(fixture: &dyn VolumeFixture) -> Outcome {
    let cut = ready_snapshot(fixture, "import-usable").await?;
    let service = fixture.connect().await;
    let imported = service.import(&import(&cut)).await?;
    let request = CreateVolumeRequest { snapshot: imported.clone(), ..restore(&cut, "imported") };
    let restored = service.create_volume(&request).await?;
    let again = fixture.connect().await.create_volume(&request).await?;
    ensure!(restored == again, "one identity, two volumes: {restored:?} and {again:?}");
    service.forget(&imported).await?;
    Ok(Verdict::Held)
}

async fn forget_keeps(fixture: &dyn VolumeFixture) -> Outcome {
    let cut = ready_snapshot(fixture, "import-forget").await?;
    let service = fixture.connect().await;
    let imported = service.import(&import(&cut)).await?;
    for _ in 0..2 {
        service.forget(&imported).await?;
    }
    ready(fixture, &*service, &cut).await?;
    let restored = service.create_volume(&restore(&cut, "afterwards")).await?;
    // Its data is still there, too: it can be imported again.
    let again = service.import(&import(&cut)).await?;
    ensure!(again == imported, "one identity, two imports: {imported:?} and {again:?}, beside {restored:?}");
    service.forget(&again).await?;
    Ok(Verdict::Held)
}
