//! What the pause costs in calls to the cloud: counted between the moment when the cluster stands still and the one when it is put back.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use e2e::{Bench, Running, assert_said};
use sandbox::cluster::{BUCKET, ClusterOptions};
use sandbox::ec2::{Ec2Options, Ec2Server, NewVolume};
use sandbox::s3::Operation;

/// Objects of the recorded cluster.
const RECORDED: usize = 1686;

/// The calls of one pause.
#[derive(Debug)]
struct Calls {
    s3: BTreeMap<Operation, u64>,
    ec2: Vec<String>,
}

/// Waits for a file that a hook makes.
async fn wait_for(file: &Path) {
    while !file.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Takes a recovery point of the recorded cluster with so many objects more.
async fn calls_in_a_pause(more: usize) -> Calls {
    let ec2 = Ec2Server::start(Ec2Options::default()).await.unwrap();
    let volume = ec2.add_volume(NewVolume::default());
    let bench = Bench::with(ClusterOptions::on_ebs(&volume)).await;
    let s3 = &bench.cluster.s3;
    let data = s3.bucket(BUCKET);
    for number in 1..=more as u128 {
        // Spread as the digests are that pachd names blocks by.
        let digest = number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        data.put(&format!("pach/block/{digest:032x}"), "content", None);
    }
    drop(s3.bucket("clones"));
    let [paused, resuming] = ["paused", "resuming"].map(|name| bench.folder().join(name));
    // Each hook stands still for long enough that what was called before it can be counted.
    let hook = |file: &Path| format!("[\"sh\", \"-c\", \"touch {}; sleep 2\"]", file.display());
    bench.write_config(&format!(
        "\n[ebs]\nregion = \"us-east-1\"\nendpoint = \"{}\"\n\n\
         [[loader]]\nkind = \"hook\"\nname = \"count\"\npause = {}\nresume = {}\n",
        ec2.endpoint(),
        hook(&paused),
        hook(&resuming)
    ));
    bench.move_place(
        "clones",
        &format!(
            "url = \"s3://clones/of\"\nendpoint = \"{}\"\nstore = \"aws\"\n\
             access-key-id-env = \"KEY_ID\"\nsecret-access-key-env = \"KEY_SECRET\"",
            s3.endpoint()
        ),
    );
    bench.set_environment(&[
        ("KEY_ID", "sandbox"),
        ("KEY_SECRET", "sandbox-secret-key"),
        ("AWS_ACCESS_KEY_ID", "sandbox"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ]);
    let run: Running = bench.start(&["snapshot"]);
    wait_for(&paused).await;
    let (s3_before, ec2_before) = (s3.requests(), ec2.calls().len());
    wait_for(&resuming).await;
    let (s3_after, ec2_after) = (s3.requests(), ec2.calls());
    assert_said(&run.end().await, 0, &[]);
    let grown = |(operation, count): (Operation, u64)| {
        let by = count - s3_before.get(&operation).copied().unwrap_or_default();
        (by > 0).then_some((operation, by))
    };
    Calls {
        s3: s3_after.into_iter().filter_map(grown).collect(),
        ec2: ec2_after[ec2_before..].iter().map(|call| call.action.clone()).collect(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_calls_in_the_pause_do_not_grow_with_the_objects() {
    const MORE: usize = 5000;
    let (mut few, mut many) = (calls_in_a_pause(0).await, calls_in_a_pause(MORE).await);
    println!("{RECORDED} objects: {few:?}\n{} objects: {many:?}", RECORDED + MORE);
    assert_eq!(few.ec2, ["DescribeSnapshots", "CreateSnapshot"]);
    assert_eq!(few.ec2, many.ec2);
    // What the listing costs is the one thing that grows: by a page for each thousand objects, and one for each range that is cut.
    let pages = [&mut few, &mut many].map(|calls| calls.s3.remove(&Operation::ListObjectsV2).unwrap_or_default());
    assert!(pages[1] <= pages[0] + 2 * MORE as u64 / 1000 + 2, "{pages:?}");
    // The clone's lock is renewed every ten seconds, so one of them may have a beat more.
    let lock = [Operation::PutObject, Operation::GetObject, Operation::HeadObject];
    for calls in [&mut few, &mut many] {
        let beats: u64 = lock.iter().filter_map(|operation| calls.s3.remove(operation)).sum();
        assert!(beats <= 12, "{beats}");
    }
    assert_eq!(few.s3, many.s3);
    let copies = few.s3.get(&Operation::CopyObject).copied().unwrap_or_default();
    assert!(copies < RECORDED as u64 / 10, "the pre-copy has copied what was there: {copies} copies");
}
