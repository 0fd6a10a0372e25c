//! The calls that the server knows, and what a request asks for.

use std::fmt;

macro_rules! operations {
    ($($(#[$about:meta])* $name:ident),+ $(,)?) => {
        /// A call, by the name that `google.storage.v2` uses. Those over JSON have the name of the call that does the same.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Operation {
            $(
                #[doc = concat!("`", stringify!($name), "`.")]
                $(#[$about])*
                $name,
            )+
        }

        impl Operation {
            /// Every call, in the order of their values.
            pub(super) const ALL: &[Self] = &[$(Self::$name),+];

            /// The name of the call.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }
        }
    };
}

operations!(
    CreateBucket,
    DeleteBucket,
    DeleteObject,
    GetBucket,
    /// An object's metadata.
    GetObject,
    ListBuckets,
    ListObjects,
    /// What a metadata server is asked; tokens apart.
    Metadata,
    /// How far a resumable upload is: `PUT` with `Content-Range: bytes */…`.
    QueryWriteStatus,
    /// An object's bytes: `GET …?alt=media`.
    ReadObject,
    RewriteObject,
    /// Begins a resumable upload: `POST …?uploadType=resumable`.
    StartResumableWrite,
    TestIamPermissions,
    /// A token, of the metadata server or of the OAuth endpoint.
    Token,
    UpdateBucket,
    /// A chunk of a resumable upload.
    WriteChunk,
    /// A whole object: `POST …?uploadType=multipart`.
    WriteObject,
    Other,
);

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a request asks for, as far as faults, latency and counters care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call<'a> {
    pub(super) operation: Operation,
    /// The raw key; empty for calls about a bucket. A rewrite has that of its destination.
    pub(super) key: &'a str,
}
