//! CSI snapshots keep the contract: on the real controllers of Kubernetes over a driver whose volumes are folders, and on the
//! sandbox's.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod bad_days;
mod fixture;
mod place;

use provider::testkit::conformance;

use fixture::Fixture;
use place::Place;

#[tokio::test(flavor = "multi_thread")]
async fn every_promise_is_kept_on_real_controllers() {
    keep_every_promise(Place::real("conformance").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_promise_is_kept_on_the_sandbox() {
    keep_every_promise(Place::sandbox("conformance").await).await;
}

async fn keep_every_promise(place: Place) {
    let report = conformance::volumes(&Fixture(place)).await;
    println!("{report}");
    report.assert_complete(&[]);
}
