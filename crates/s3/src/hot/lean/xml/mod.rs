//! The store's answers, read in place.

mod copied;
mod document;
mod fault;
mod page;

pub(super) use copied::copied;
pub(super) use document::Malformed;
pub(super) use fault::{FaultDocument, fault};
pub(super) use page::page;

/// Why a document is not the answer that was expected.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// It tells of an error.
    Fault(FaultDocument),
    /// It can't be read.
    Malformed(Malformed),
}

impl From<Malformed> for Unreadable {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}
