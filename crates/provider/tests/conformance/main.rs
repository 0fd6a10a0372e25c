//! The implementation in memory keeps the contract, also through faults and as a poorer store; and the suite notices
//! implementations that don't.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod broken_bucket;
mod broken_volumes;
mod memory;
mod retrying;

use std::sync::Arc;
use std::time::Duration;

use broken_bucket::{BrokenBuckets, Defect};
use broken_volumes::BrokenVolumes;
use memory::{MemoryBuckets, MemorySnapshots};
use provider::testkit::conformance::{self, Report};
use provider::testkit::fault::{Fault, FaultPlan, Operation};
use provider::testkit::memory::MemoryStore;
use provider::{BucketCapabilities, KeyRules, ListingStart};

const SMALL: BucketCapabilities =
    BucketCapabilities { page_keys: 5, single_copy_bytes: 200_000, delete_keys: 2, ..MemoryStore::CAPABLE };

const ALL_FAULTS: [Fault; 4] =
    [Fault::Throttled, Fault::Unavailable, Fault::LostReply, Fault::Slow(Duration::from_millis(1))];

fn printed(report: Report) -> Report {
    println!("{report}");
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_with_small_limits_keeps_every_promise() {
    printed(conformance::bucket(&MemoryBuckets::new(SMALL)).await).assert_complete(&[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_with_usual_limits_keeps_every_promise() {
    let large_copies = [
        "copy-large.at-the-limit",
        "copy-large.resumes-from-token",
        "copy-large.token-sent-again",
        "copy-large.headers-and-metadata",
        "copy-large.changed-source",
        "copy-large.abandoned",
        "copy-large.cancelled",
    ];
    printed(conformance::bucket(&MemoryBuckets::new(MemoryStore::CAPABLE)).await).assert_complete(&large_copies);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poor_store_says_what_it_lacks() {
    let capabilities = BucketCapabilities {
        listing_start: ListingStart::AtPrefix,
        create_only_put: false,
        conditional_copy: false,
        metadata: false,
        keys: KeyRules {
            empty_segments: false,
            dot_segments: false,
            trailing_slash: false,
            nested_under_object: false,
            max_bytes: 512,
            max_segment_bytes: 100,
        },
        ..SMALL
    };
    printed(conformance::bucket(&MemoryBuckets::new(capabilities)).await).assert_complete(&[
        "listing.after-any-key",
        "put.headers-and-metadata",
        "put.create-only",
        "put.create-only-race",
        "put.create-only-lost-reply",
        "copy.headers-and-metadata",
        "copy.changed-source",
        "copy-large.headers-and-metadata",
        "copy-large.changed-source",
    ]);
}

/// A caller that repeats its calls sees the contract kept although one call in five meets a fault. Writes are streams
/// that only their maker can repeat, so they are only late.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_behind_faults_keeps_every_promise_for_who_repeats() {
    let repeated = [
        Operation::List,
        Operation::CopyFrom,
        Operation::AbandonCopy,
        Operation::Get,
        Operation::Head,
        Operation::Delete,
    ];
    for seed in 0..3 {
        let plan = FaultPlan::seeded(seed).drawn(&repeated, 200, &ALL_FAULTS).drawn(
            &[Operation::Put],
            200,
            &[Fault::Slow(Duration::from_millis(1))],
        );
        let fixture = MemoryBuckets::behind(SMALL, plan.clone());
        printed(conformance::bucket(&fixture).await).assert_complete(&[]);
        assert!(plan.injected().len() > 100, "faults were too rare to show anything: {}", plan.injected().len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_keep_every_promise() {
    for pending_calls in [0, 3] {
        printed(conformance::volumes(&MemorySnapshots::new(pending_calls)).await).assert_complete(&[]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_behind_faults_keep_every_promise_for_who_repeats() {
    let all = [
        Operation::Cut,
        Operation::Status,
        Operation::CreateVolume,
        Operation::DeleteSnapshot,
        Operation::ListSnapshots,
    ];
    for seed in 0..3 {
        let plan = FaultPlan::seeded(seed).drawn(&all, 300, &ALL_FAULTS);
        printed(conformance::volumes(&MemorySnapshots::behind(2, plan.clone())).await).assert_complete(&[]);
        assert!(plan.injected().len() > 20, "faults were too rare to show anything: {}", plan.injected().len());
    }
}

/// A suite that can't fail shows nothing: each defect is found, by the property that is about it.
#[tokio::test(flavor = "multi_thread")]
async fn every_defect_of_a_bucket_is_found() {
    for (defect, property) in [
        (Defect::UnsortedPages, "listing.sorted-and-complete"),
        (Defect::SortsByUtf16, "listing.sorted-and-complete"),
        (Defect::LosesKeysBetweenPages, "listing.sorted-and-complete"),
        (Defect::ListsThroughExclusive, "listing.through"),
        (Defect::TreatsPrefixAsFolder, "listing.prefix"),
        (Defect::CreateOnlyLooksFirst, "put.create-only-race"),
        (Defect::CreateOnlyOverwrites, "put.create-only"),
        (Defect::KeepsPartOfFailedPut, "put.failing-body"),
        (Defect::KeepsPartOfCancelledPut, "put.cancelled"),
        (Defect::IgnoresSha256, "put.wrong-sha256"),
        (Defect::IgnoresSize, "put.wrong-size"),
        (Defect::DecodesKeys, "keys.exact"),
        (Defect::IgnoresRange, "get.ranges"),
        (Defect::AnswersEmptyBeyondEnd, "get.range-beyond-end"),
        (Defect::IgnoresVersionOfGet, "get.if-version"),
        (Defect::IgnoresVersionOfCopy, "copy.changed-source"),
        (Defect::IgnoresVersionOfCopy, "copy-large.changed-source"),
        (Defect::ShowsLargeCopyEarly, "copy-large.resumes-from-token"),
        (Defect::LosesMetadataInCopy, "copy.headers-and-metadata"),
        (Defect::DeleteOfAbsentFails, "delete.absent-is-success"),
        (Defect::DeletesByPrefix, "delete.only-what-is-named"),
        (Defect::SaysOther, "errors.missing-bucket"),
        (Defect::SaysAgain, "errors.wrong-credentials"),
        (Defect::TellsWrongChecksum, "put.checksum-told-is-right"),
        (Defect::AbandonsNothing, "copy-large.abandoned"),
        (Defect::ShowsCopyInPieces, "copy.cancelled"),
        (Defect::ShowsCopyInPieces, "copy-large.cancelled"),
        (Defect::AnswersWrongSize, "put.answers-size-and-version"),
        (Defect::AnswersOneOutcome, "delete.one-outcome-per-key"),
        (Defect::LosesLastByte, "get.whole"),
    ] {
        let report = conformance::bucket(&BrokenBuckets::new(SMALL, defect)).await;
        let failed: Vec<_> = report.failed.iter().map(|failed| failed.property).collect();
        assert!(failed.contains(&property), "{defect:?} must fail {property}, and failed {failed:?}\n{report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_defect_of_a_snapshot_service_is_found() {
    for (fixture, property) in [
        (BrokenVolumes::new_snapshot_per_call(), "cut.same-identity"),
        (BrokenVolumes::new_snapshot_per_call(), "cut.lost-reply"),
        (BrokenVolumes::new_volume_per_call(), "create-volume.lost-reply"),
        (BrokenVolumes::remembers_only_answers(), "create-volume.lost-reply"),
        (BrokenVolumes::cut_late(), "create-volume.point-in-time"),
        (BrokenVolumes::lists_everything(), "snapshot.list-by-owner"),
        (BrokenVolumes::delete_of_absent_fails(), "snapshot.delete"),
    ] {
        let report = conformance::volumes(&fixture).await;
        let failed: Vec<_> = report.failed.iter().map(|failed| failed.property).collect();
        assert!(failed.contains(&property), "{fixture:?} must fail {property}, and failed {failed:?}\n{report}");
    }
}

#[tokio::test]
async fn a_report_fails_for_skips_that_nobody_named_and_for_names_that_nothing_skips() {
    let capabilities = BucketCapabilities { metadata: false, ..SMALL };
    let report = Arc::new(conformance::bucket(&MemoryBuckets::new(capabilities)).await);
    let skips = ["put.headers-and-metadata", "copy.headers-and-metadata", "copy-large.headers-and-metadata"];
    report.assert_complete(&skips);
    for allowed in [skips[..2].to_vec(), [&skips[..], &["put.overwrite"]].concat()] {
        let report = Arc::clone(&report);
        let outcome = tokio::spawn(async move { report.assert_complete(&allowed) }).await;
        assert!(outcome.unwrap_err().is_panic());
    }
}
