//! The two calls that a clone makes for every object and every thousand keys, apart from the rest so that they can be cheap.
//!
//! They are made by the SDK ([`sdk`]) or by a client that does nothing else ([`lean`]); the answers are the same.

pub(crate) mod choice;
pub(crate) mod lean;
pub(crate) mod sdk;

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use provider::{Checksum, Result, StorageClass};

pub(crate) const COPY: &str = "CopyObject";
pub(crate) const LIST: &str = "ListObjectsV2";

/// `CopyObject` and `ListObjectsV2` on one bucket.
///
/// Each is sent once, except that a client may send again what the store refused for the clock or for an expired session.
/// Whatever the client, errors have the kinds and retry classes of [`crate::error`].
#[async_trait]
pub(crate) trait HotCalls: Send + Sync + fmt::Debug {
    /// Copies one object inside the store.
    async fn copy(&self, call: &CopyCall<'_>) -> Result<CopyAnswer>;

    /// Lists one page.
    async fn list(&self, call: &ListCall<'_>) -> Result<ListAnswer>;
}

/// What to copy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CopyCall<'a> {
    /// The key to write, raw.
    pub(crate) to: &'a str,
    /// Value of `x-amz-copy-source`: bucket and key, percent-encoded.
    pub(crate) source: &'a str,
    /// Value of `x-amz-storage-class`.
    pub(crate) class: Option<&'static str>,
    /// Value of `x-amz-copy-source-if-match`, with its quotes.
    pub(crate) if_match: Option<&'a str>,
    /// The source in messages.
    pub(crate) resource: &'a str,
}

/// What a store says of a copy that it made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CopyAnswer {
    /// ETag of the copy, with its quotes if it came so.
    pub(crate) etag: Option<String>,
    /// When the copy was made.
    pub(crate) modified: Option<Timestamp>,
    /// A checksum of the whole content, if the store keeps one.
    pub(crate) checksum: Option<Checksum>,
}

/// Which page to list. Keys are raw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListCall<'a> {
    /// What every key begins with; may be empty.
    pub(crate) prefix: &'a str,
    /// Where the page begins.
    pub(crate) start: ListStart<'a>,
    /// Most keys in the page.
    pub(crate) max_keys: usize,
    /// The prefix in messages.
    pub(crate) resource: &'a str,
}

/// Where a page begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ListStart<'a> {
    /// At the first key of the prefix.
    Beginning,
    /// After this key.
    After(&'a str),
    /// Where the page before ended.
    Token(&'a str),
}

/// One page, as the store tells it: nothing is checked but that it can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ListAnswer {
    /// The objects, in the store's order.
    pub(crate) objects: Vec<Listed>,
    /// How many keys the store says are in the page.
    pub(crate) key_count: Option<usize>,
    /// Whether there is a next page.
    pub(crate) truncated: bool,
    /// Where the next page begins.
    pub(crate) next: Option<String>,
}

/// One object of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    /// The whole key, raw.
    pub(crate) key: Option<String>,
    /// Size in bytes; `None` also when it is negative.
    pub(crate) size: Option<u64>,
    /// ETag, with its quotes if it came so.
    pub(crate) etag: Option<String>,
    /// Last change.
    pub(crate) modified: Option<Timestamp>,
    /// Class of storage; `None` for the usual one.
    pub(crate) class: Option<&'static StorageClass>,
}
