//! Stores and snapshots in memory: for tests of whatever uses the contract.

mod bucket;
mod store;
mod volumes;

pub use bucket::MemoryBucket;
pub use store::MemoryStore;
pub use volumes::MemoryVolumes;
