//! The table of rights is held to the calls that are made: with these rights everything works, without any one of them something
//! does not.

use provider::{ErrorKind, Owner, Result, VolumeId, VolumeSnapshot, VolumeSnapshots};
use provider_aws::{EbsPurpose, EbsSnapshots};
use sandbox::ec2::{Ec2Fault, Ec2Options, Ec2Server};

use crate::place::{Place, connect, cut, options, owner, ready, restore, sandbox};

/// What is done for a purpose, the bad days included.
async fn work(server: &Ec2Server, purpose: EbsPurpose, volume: &str, snapshot: &VolumeSnapshot) -> Result<()> {
    let ebs = EbsSnapshots::connect(options(&server.endpoint())).await?;
    match purpose {
        EbsPurpose::Snapshot => {
            ebs.inspect(&VolumeId(volume.to_owned())).await?;
            let (mut request, _) = cut(volume);
            request.identity = "another".to_owned();
            server.add_fault(Ec2Fault::lose_reply().on("CreateSnapshot"));
            let made = ebs.cut(&request).await?;
            ebs.status(&made.id).await?;
            for left in ebs.list(&owner()).await?.iter().filter(|left| left.identity == request.identity) {
                ebs.delete(&left.id).await?;
            }
        }
        EbsPurpose::Restore => {
            ebs.create_volume(&restore(snapshot)).await?;
        }
        EbsPurpose::Verify => {
            ebs.status(&snapshot.id).await?;
        }
        EbsPurpose::Prune => {
            for left in ebs.list(&Owner { run: String::new(), ..owner() }).await? {
                ebs.delete(&left.id).await?;
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn each_purpose_needs_its_actions_and_no_others() {
    for purpose in EbsPurpose::ALL {
        let actions = purpose.iam_actions();
        let (server, volume) = sandbox(Ec2Options::default()).await;
        let snapshot = ready(&connect(&server).await, &volume).await;
        server.grant_only(actions);
        work(&server, purpose, &volume, &snapshot).await.unwrap();
        for missing in actions {
            let (server, volume) = sandbox(Ec2Options::default()).await;
            let snapshot = ready(&connect(&server).await, &volume).await;
            server.grant_only(actions);
            server.deny(missing);
            let refused = work(&server, purpose, &volume, &snapshot).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Denied, "{purpose:?} without {missing}: {refused}");
        }
    }
}

#[tokio::test]
async fn what_is_missing_is_found_out_by_dry_runs() {
    for purpose in EbsPurpose::ALL {
        let (server, _) = sandbox(Ec2Options::default()).await;
        let ebs = connect(&server).await;
        server.grant_only(purpose.iam_actions());
        assert_eq!(ebs.missing_rights(purpose).await.unwrap(), [""; 0], "{purpose:?}");
        server.grant_only(&[]);
        let asked: Vec<&str> =
            purpose.iam_actions().iter().copied().filter(|action| *action != "ec2:DeleteSnapshot").collect();
        assert_eq!(ebs.missing_rights(purpose).await.unwrap(), asked);
        assert!(server.snapshots().is_empty() && server.volumes().len() == 1, "nothing was made");
    }
    let moto = Place::moto().await;
    let ebs = moto.connect().await;
    assert_eq!(ebs.missing_rights(EbsPurpose::Snapshot).await.unwrap(), [""; 0], "moto gives every right");
}
