//! Persistent Disk snapshots keep the contract, on the sandbox's Compute Engine, which has bad days.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod bad_days;
mod cuts;
mod fixture;
mod lost_answers;
mod operations;
mod place;
mod refusals;
mod restores;
mod rights;
mod sandbox_answers;

use provider::testkit::conformance;

use fixture::Fixture;

#[tokio::test(flavor = "multi_thread")]
async fn every_promise_is_kept() {
    let report = conformance::volumes(&Fixture::start().await).await;
    println!("{report}");
    report.assert_complete(&[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_promise_is_kept_of_regional_disks() {
    let report = conformance::volumes(&Fixture::regional().await).await;
    println!("{report}");
    report.assert_complete(&[]);
}
