//! The sandbox answers as moto does: the same calls, the same kinds.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use provider::{CreateVolumeRequest, Owner, RestoredVolume, SnapshotId, VolumeId, VolumeSnapshots};

use crate::place::{MISSING_VOLUME, Place, ZONE, cut, outcome, owner, restore};

/// How a call ended: an error's kind, or what the caller saw.
fn told<T>(result: provider::Result<T>, seen: impl FnOnce(T) -> String) -> String {
    match result {
        Ok(answer) => seen(answer),
        Err(error) => error.kind().to_string(),
    }
}

fn done<T>(_: T) -> String {
    "done".to_owned()
}

/// The same calls of the provider, each with its end.
async fn through_the_provider(place: &Place) -> Vec<(&'static str, String)> {
    let (ebs, volume) = (place.connect().await, place.volume().await);
    let (request, _) = cut(&volume);
    let missing = SnapshotId("snap-0ffffffffffffffff".to_owned());
    let mut ends = vec![
        ("inspect", told(ebs.inspect(&VolumeId(volume.clone())).await, |facts| facts.size.to_string())),
        ("inspect a missing volume", told(ebs.inspect(&VolumeId(MISSING_VOLUME.to_owned())).await, done)),
        ("cut a missing volume", told(ebs.cut(&cut(MISSING_VOLUME).0).await, done)),
        ("status of a missing one", told(ebs.status(&missing).await, done)),
        ("delete a missing one", told(ebs.delete(&missing).await, done)),
    ];
    let snapshot = ebs.cut(&request).await.unwrap();
    ends.push(("size", snapshot.size.to_string()));
    // What gp3 has by itself moto leaves out.
    let details: Vec<_> = snapshot.details.iter().filter(|(name, _)| *name != "throughput").collect();
    ends.push(("details", format!("{details:?}")));
    ends.push(("cut again", (place.connect().await.cut(&request).await.unwrap() == snapshot).to_string()));
    ends.push(("becomes", format!("{:?}", outcome(&ebs, &snapshot).await)));
    ends.push(("list", told(ebs.list(&owner()).await, |listed| (listed == [snapshot.clone()]).to_string())));
    let other = Owner { cluster: "other".to_owned(), ..owner() };
    ends.push(("list another's", told(ebs.list(&other).await, |listed| listed.len().to_string())));
    let small = CreateVolumeRequest { size: Some(1 << 30), ..restore(&snapshot) };
    ends.push(("a smaller volume", told(ebs.create_volume(&small).await, done)));
    let restored = |restored| match restored {
        RestoredVolume::Volume { driver, size, zone, .. } => format!("{driver} {size} {zone:?}"),
        RestoredVolume::Claim { .. } => "a claim".to_owned(),
    };
    ends.push(("a volume", told(ebs.create_volume(&restore(&snapshot)).await, restored)));
    ends.push(("a volume again", told(ebs.create_volume(&restore(&snapshot)).await, restored)));
    ends.push(("delete", told(ebs.delete(&snapshot.id).await, done)));
    ends.push(("delete again", told(ebs.delete(&snapshot.id).await, done)));
    ends.push(("status of a deleted one", told(ebs.status(&snapshot.id).await, done)));
    ends.push(("a volume of a deleted one", told(ebs.create_volume(&restore(&snapshot)).await, done)));
    ends
}

/// The code that EC2 answered, or `done`.
fn code<T, E: ProvideErrorMetadata, R>(result: Result<T, SdkError<E, R>>) -> String {
    match result {
        Ok(_) => "done".to_owned(),
        Err(error) => error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or("no answer").to_owned(),
    }
}

/// The same calls of the SDK, each with EC2's code.
async fn through_the_sdk(place: &Place) -> Vec<(&'static str, String)> {
    let (client, volume): (Client, _) = (place.client(), place.volume().await);
    let tag = Tag::builder().key("k").value("a & <b>").build();
    let tags = TagSpecification::builder().resource_type(ResourceType::Snapshot).tags(tag.clone()).build();
    let made =
        client.create_snapshot().volume_id(&volume).description("d").tag_specifications(tags).send().await.unwrap();
    let id = made.snapshot_id.clone().unwrap();
    let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
    let find = |filter: Filter| {
        let call = client.describe_snapshots().owner_ids("self").filters(filter);
        async move { call.send().await.unwrap().snapshots.unwrap_or_default().len().to_string() }
    };
    let of = client.describe_snapshots().snapshot_ids(&id).send().await.unwrap().snapshots.unwrap().remove(0);
    let dry = || client.create_snapshot().volume_id(&volume).dry_run(true).send();
    let unknown = "snap-0ffffffffffffffff";
    vec![
        ("answer", format!("{:?} {:?} {:?}", made.volume_size, made.description, made.encrypted)),
        ("tags of the answer", format!("{:?}", made.tags)),
        ("described", format!("{:?} {:?} {:?}", of.volume_size, of.description, of.tags)),
        ("the same moment", (of.start_time == made.start_time).to_string()),
        ("by tag", find(filter("tag:k", "a & <b>")).await),
        ("by wildcard", find(filter("tag:k", "a*")).await),
        ("by volume", find(filter("volume-id", &volume)).await),
        ("dry run", code(dry().await)),
        ("tags", code(client.create_tags().resources(&id).tags(tag.clone()).send().await)),
        ("a missing snapshot", code(client.describe_snapshots().snapshot_ids(unknown).send().await)),
        ("delete a missing one", code(client.delete_snapshot().snapshot_id(unknown).send().await)),
        ("cut a missing volume", code(client.create_snapshot().volume_id(MISSING_VOLUME).send().await)),
        ("a missing volume", code(client.describe_volumes().volume_ids(MISSING_VOLUME).send().await)),
        ("a volume of nothing", code(client.create_volume().availability_zone(ZONE).send().await)),
        (
            "a volume of a missing one",
            code(client.create_volume().availability_zone(ZONE).snapshot_id(unknown).send().await),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_answers_as_moto_does() {
    let (sandbox, moto) = (Place::sandbox().await, Place::moto().await);
    assert_eq!(through_the_provider(&sandbox).await, through_the_provider(&moto).await);
    assert_eq!(through_the_sdk(&sandbox).await, through_the_sdk(&moto).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_whether_a_right_is_there() {
    let place = Place::sandbox().await;
    let volume = place.volume().await;
    let dry = || place.client().create_snapshot().volume_id(&volume).dry_run(true).send();
    assert_eq!(code(dry().await), "DryRunOperation");
    place.server().unwrap().deny("ec2:CreateSnapshot");
    assert_eq!(code(dry().await), "UnauthorizedOperation");
    assert!(place.server().unwrap().snapshots().is_empty());
}
