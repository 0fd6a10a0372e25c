//! EBS snapshots keep the contract: on the sandbox's EC2, which has bad days, and on moto, which others wrote.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod bad_days;
mod fixture;
mod lost_answers;
mod place;
mod refusals;
mod restores;
mod rights;
mod same_answers;

use provider::testkit::conformance;

use fixture::Fixture;
use place::Place;

#[tokio::test(flavor = "multi_thread")]
async fn every_promise_is_kept_on_the_sandbox() {
    let report = conformance::volumes(&Fixture(Place::sandbox().await)).await;
    println!("{report}");
    report.assert_complete(&[
        // CreateSnapshot takes no client token: only calls one after the other share a result.
        "cut.side-by-side",
    ]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_promise_is_kept_on_moto() {
    let report = conformance::volumes(&Fixture(Place::moto().await)).await;
    println!("{report}");
    report.assert_complete(&[
        // CreateSnapshot takes no client token: only calls one after the other share a result.
        "cut.side-by-side",
        // moto's volumes hold nothing.
        "create-volume.point-in-time",
        // moto takes every key pair.
        "errors.wrong-credentials",
    ]);
}
