//! Faults on purpose: scripted call by call, or drawn from a seeded generator.

mod bucket;
mod plan;
mod volumes;

pub use bucket::FaultyBucket;
pub use plan::{Fault, FaultPlan, Injected, Operation};
pub use volumes::FaultyVolumes;
