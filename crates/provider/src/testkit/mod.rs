//! For tests: an implementation in memory, faults on purpose, and the conformance suite.
//!
//! [`memory`] holds a store and a snapshot service that keep the contract, [`fault`] breaks any implementation at
//! chosen or drawn calls, and [`conformance`] holds the contract's promises as checks that every provider passes.

pub mod conformance;
pub mod fault;
pub mod memory;
pub mod volume_requests;
