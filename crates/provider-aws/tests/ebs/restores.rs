//! Volumes made of snapshots.

use std::collections::BTreeMap;

use provider::{ErrorKind, RestoredVolume, VolumeSnapshots};
use provider_aws::{EbsOptions, EbsSnapshots};
use sandbox::ec2::{Ec2Fault, Ec2Options, Ec2Server, NewVolume};

use crate::place::{connect, count, options, ready, restore, sandbox, words};

/// The parameters of the last CreateVolume.
fn sent(server: &Ec2Server) -> BTreeMap<String, String> {
    server.calls().into_iter().rfind(|call| call.action == "CreateVolume").unwrap().parameters
}

fn has(parameters: &BTreeMap<String, String>, name: &str, value: &str) -> bool {
    parameters.get(name).is_some_and(|found| found == value)
}

#[tokio::test]
async fn a_volume_is_as_its_snapshot_remembers() {
    let (server, _) = sandbox(Ec2Options::default()).await;
    let volume = server.add_volume(NewVolume { zone: "us-east-1c".to_owned(), ..NewVolume::default() });
    assert!(server.write(&volume, "before"));
    let snapshot = ready(&connect(&server).await, &volume).await;
    assert!(server.write(&volume, "after"));
    // Another process, which never saw the volume.
    let restored = connect(&server).await.create_volume(&restore(&snapshot)).await.unwrap();
    let RestoredVolume::Volume { driver, handle, size, zone } = restored else { panic!("{restored:?}") };
    assert_eq!((driver.as_str(), size, zone.as_deref()), ("ebs.csi.aws.com", 10 << 30, Some("us-east-1c")));
    assert_eq!(server.read(&handle).unwrap(), "before");
    let sent = sent(&server);
    for (name, value) in [("VolumeType", "gp3"), ("Iops", "3000"), ("Throughput", "125"), ("Size", "10")] {
        assert!(has(&sent, name, value), "{name}: {sent:?}");
    }
    assert!(!sent.contains_key("Encrypted"), "{sent:?}");
    let token = &sent["ClientToken"];
    assert!(token.len() <= 64 && token.is_ascii(), "{token}");
}

#[tokio::test]
async fn options_and_request_choose_zone_type_and_key() {
    let (server, volume) = sandbox(Ec2Options::default()).await;
    let snapshot = ready(&connect(&server).await, &volume).await;
    let key = "arn:aws:kms:us-east-1:123456789012:key/mine";
    let chosen = EbsOptions {
        volume_type: Some("io2".to_owned()),
        iops: Some(5000),
        kms_key: Some(key.to_owned()),
        ..options(&server.endpoint())
    };
    let ebs = EbsSnapshots::connect(chosen).await.unwrap();
    let mut request = restore(&snapshot);
    request.zone = Some("us-east-1b".to_owned());
    request.size = Some((20 << 30) + 1);
    let restored = ebs.create_volume(&request).await.unwrap();
    assert!(matches!(restored, RestoredVolume::Volume { size, .. } if size == 21 << 30), "{restored:?}");
    let sent = sent(&server);
    for (name, value) in [
        ("AvailabilityZone", "us-east-1b"),
        ("VolumeType", "io2"),
        ("Iops", "5000"),
        ("Encrypted", "true"),
        ("KmsKeyId", key),
    ] {
        assert!(has(&sent, name, value), "{name}: {sent:?}");
    }
    // gp3's throughput means nothing to another type.
    assert!(!sent.contains_key("Throughput"), "{sent:?}");
}

#[tokio::test]
async fn a_zone_of_another_region_is_refused() {
    let (server, volume) = sandbox(Ec2Options::default()).await;
    let ebs = connect(&server).await;
    let snapshot = ready(&ebs, &volume).await;
    let mut request = restore(&snapshot);
    request.zone = Some("eu-west-1a".to_owned());
    let error = ebs.create_volume(&request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(words(&error).contains("eu-west-1a is not in region us-east-1"), "{}", words(&error));
    assert_eq!(count(&server, "CreateVolume"), 0);
}

#[tokio::test]
async fn a_lost_answer_makes_one_volume() {
    let (server, volume) = sandbox(Ec2Options::default()).await;
    let ebs = connect(&server).await;
    let snapshot = ready(&ebs, &volume).await;
    server.add_fault(Ec2Fault::lose_reply().on("CreateVolume"));
    let first = ebs.create_volume(&restore(&snapshot)).await.unwrap();
    assert_eq!(connect(&server).await.create_volume(&restore(&snapshot)).await.unwrap(), first);
    assert_eq!(server.volumes().len(), 2);
}

#[tokio::test]
async fn a_key_that_can_not_be_used_is_named_as_the_likely_reason() {
    let (server, volume) = sandbox(Ec2Options::default()).await;
    let snapshot = ready(&connect(&server).await, &volume).await;
    let key = "arn:aws:kms:us-east-1:123456789012:key/mine";
    server.deny_key(key);
    let chosen = EbsOptions { kms_key: Some(key.to_owned()), ..options(&server.endpoint()) };
    let error = EbsSnapshots::connect(chosen).await.unwrap().create_volume(&restore(&snapshot)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(words(&error).contains("kms:CreateGrant"), "{}", words(&error));
}
