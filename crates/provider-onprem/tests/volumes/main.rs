//! CSI snapshots keep the contract: on the real controllers of Kubernetes over a driver whose volumes are folders.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod bad_days;
mod fixture;
mod place;

use provider::testkit::conformance;

use fixture::Fixture;
use place::Place;

#[tokio::test(flavor = "multi_thread")]
async fn csi_snapshots_keep_every_promise_on_real_controllers() {
    let fixture = Fixture(Place::real("conformance").await);
    let report = conformance::volumes(&fixture).await;
    println!("{report}");
    report.assert_complete(&[]);
}
