//! The messages of pachd 1.7 to 1.13, written by hand from the field numbers of 1.13.4.
//!
//! One module for each protobuf package; package names never reach the wire, only field numbers do. Conventions:
//!
//! - Enumerated fields are plain `i32`, so a value newer than the enumeration next to them decodes and re-encodes
//!   unchanged. Turn one into its enumeration with [`known`], which answers `None` for a newer value instead of
//!   pretending that it is the first one.
//! - `google.protobuf.Empty` is `()`, `google.protobuf.BytesValue` is [`bytes::Bytes`]: prost encodes both so.
//! - Descriptions of repos and commits are bytes: pachd keeps what was typed, in whatever encoding, and one that is not
//!   UTF-8 would fail every listing it is in. `string` and `bytes` are the same on the wire.
//! - Fields that are not listed are dropped when decoding. Whoever copies a stream keeps the raw bytes.
//! - `Debug` shows every field. Some hold secrets (environment of pipelines, tokens, licence codes): never log messages
//!   whole.

pub mod admin;
pub mod auth;
pub mod enterprise;
pub mod health;
pub mod method;
mod name;
pub mod op;
pub mod pfs;
pub mod pps;
pub mod transaction;
pub mod version;

/// The enumeration value of an `i32` field, or `None` if it is newer than the enumeration.
///
/// ```
/// use pachyderm::proto::{known, pps::PipelineState};
/// assert_eq!(known(4), Some(PipelineState::Paused));
/// assert_eq!(known::<PipelineState>(99), None);
/// ```
#[must_use]
pub fn known<E: TryFrom<i32>>(value: i32) -> Option<E> {
    E::try_from(value).ok()
}
