//! The sandbox answers as Google's reference says: looked at through the SDK alone.

use google_cloud_compute_v1::model::{Disk, Snapshot, operation, snapshot};
use google_cloud_gax::error::Error;
use google_cloud_gax::error::rpc::StatusDetails;
use sandbox::compute::{ComputeOptions, ComputeServer, Phase};

use crate::place::{PROJECT, ZONE, clients, labels, sandbox};

/// Status and reason of a refusal.
fn refused<T: std::fmt::Debug>(answer: Result<T, Error>) -> (u16, String) {
    let error = answer.unwrap_err();
    let details = error.status().unwrap().details.clone();
    let reason = details.into_iter().find_map(|detail| match detail {
        StatusDetails::ErrorInfo(info) => Some(info.reason),
        _ => None,
    });
    (error.http_status_code().unwrap(), reason.unwrap())
}

async fn create(server: &ComputeServer, disk: &str, body: Snapshot, id: &str) -> Result<operation::Status, Error> {
    let (disks, _) = clients(server).await;
    let name = disk.rsplit('/').next().unwrap();
    let call = disks.create_snapshot().set_project(PROJECT).set_zone(ZONE).set_disk(name).set_body(body);
    Ok(call.set_request_id(id).send().await?.status.unwrap())
}

#[tokio::test]
async fn a_snapshot_goes_through_its_states() {
    let (server, disk) = sandbox(ComputeOptions::default()).await;
    let (_, snapshots) = clients(&server).await;
    let get = || snapshots.get().set_project(PROJECT).set_snapshot("s").send();
    let id = "7b0d9d55-54f3-4a0e-8c0c-0d3e1e1a0c01";
    let body = Snapshot::new().set_name("s").set_description("d").set_labels(labels(&[("k", "v")]));
    assert_eq!(create(&server, &disk, body.clone(), id).await.unwrap(), operation::Status::Pending);
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(get().await.unwrap().status.unwrap());
    }
    use snapshot::Status::{Creating, Ready, Uploading};
    assert_eq!(seen, [Creating, Uploading, Uploading, Ready]);
    let found = get().await.unwrap();
    assert_eq!((found.disk_size_gb, found.description.as_deref()), (Some(10), Some("d")));
    assert_eq!(found.labels, labels(&[("k", "v")]));
    assert!(found.creation_timestamp.unwrap().parse::<jiff::Timestamp>().is_ok());
    // The same request again is the same operation; another one with its id is refused; and so is the name.
    create(&server, &disk, body.clone(), id).await.unwrap();
    assert_eq!(server.snapshots().len(), 1);
    let other = Snapshot::new().set_name("t");
    assert_eq!(refused(create(&server, &disk, other, id).await), (400, "invalid".to_owned()));
    let again = create(&server, &disk, body, "7b0d9d55-54f3-4a0e-8c0c-0d3e1e1a0c02").await;
    assert_eq!(refused(again), (409, "alreadyExists".to_owned()));
}

#[tokio::test]
async fn what_can_not_be_is_refused() {
    let (server, disk) = sandbox(ComputeOptions {
        creating: Phase::lasting(std::time::Duration::from_secs(60)),
        ..ComputeOptions::default()
    })
    .await;
    let id = |number: u32| format!("7b0d9d55-54f3-4a0e-8c0c-{number:012}");
    let invalid = || (400, "invalid".to_owned());
    for (number, body) in [
        Snapshot::new().set_name("Big"),
        Snapshot::new().set_name("s").set_labels(labels(&[("k", "V")])),
        Snapshot::new().set_name("s").set_description("d".repeat(3000)),
        Snapshot::new().set_name("s").set_storage_locations(["us", "eu"]),
        Snapshot::new().set_name("s").set_source_disk("another"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(refused(create(&server, &disk, body, &id(number as u32 + 1)).await), invalid(), "{number}");
    }
    let good = Snapshot::new().set_name("s");
    assert_eq!(refused(create(&server, &disk, good.clone(), "no-uuid").await), invalid());
    assert_eq!(refused(create(&server, "x/nothing", good.clone(), &id(9)).await), (404, "notFound".to_owned()));
    create(&server, &disk, good, &id(10)).await.unwrap();
    let (disks, _) = clients(&server).await;
    let early = Disk::new().set_name("d").set_source_snapshot("projects/sandbox/global/snapshots/s");
    let early = disks.insert().set_project(PROJECT).set_zone(ZONE).set_body(early).send().await;
    assert_eq!(refused(early), (400, "resourceNotReady".to_owned()));
    assert_eq!(server.snapshots().len(), 1);
}
