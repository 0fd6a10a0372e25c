//! The contract's promises as checks, the same for every provider.
//!
//! A provider's `tests/conformance.rs` is a fixture and one call of [`bucket`] or [`volumes`]. What the implementation
//! says it can't do is skipped, and the [`Report`] says so with the reason; [`Report::assert_complete`] fails a
//! test for every property that failed, and for every skip that the test doesn't name.

mod bucket_copy;
mod bucket_copy_large;
mod bucket_delete;
mod bucket_get;
mod bucket_listing;
mod bucket_put;
mod bucket_put_refused;
mod calls;
mod errors;
mod fixture;
mod keys;
mod property;
mod report;
mod volumes;
mod volumes_create;
mod volumes_import;

pub use fixture::{BucketFixture, BucketPair, VolumeFixture};
pub use report::{Failed, Report, Skipped};

/// Holds a [`Bucket`](crate::Bucket) to every property of the contract.
pub async fn bucket(fixture: &dyn BucketFixture) -> Report {
    let mut report = Report::default();
    bucket_listing::run(fixture, &mut report).await;
    bucket_put::run(fixture, &mut report).await;
    bucket_put_refused::run(fixture, &mut report).await;
    bucket_get::run(fixture, &mut report).await;
    bucket_copy::run(fixture, &mut report).await;
    bucket_copy_large::run(fixture, &mut report).await;
    bucket_delete::run(fixture, &mut report).await;
    errors::run(fixture, &mut report).await;
    report
}

/// Holds a [`VolumeSnapshots`](crate::VolumeSnapshots) to every property of the contract.
pub async fn volumes(fixture: &dyn VolumeFixture) -> Report {
    let mut report = Report::default();
    volumes::run(fixture, &mut report).await;
    volumes_create::run(fixture, &mut report).await;
    volumes_import::run(fixture, &mut report).await;
    errors::run_volumes(fixture, &mut report).await;
    report
}
