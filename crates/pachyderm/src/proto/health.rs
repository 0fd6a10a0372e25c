//! Package `health`: whether pachd has finished starting.
//!
//! Its one call takes and answers `google.protobuf.Empty`.

/// The request of `health.Health/Health`: nothing.
pub type HealthRequest = ();

/// The answer of `health.Health/Health`: nothing. Until pachd has finished starting the call fails instead.
pub type HealthResponse = ();
