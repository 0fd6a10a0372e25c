//! Files and the check of the file system.

use super::Commit;

/// Names a file.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct File {
    /// Its commit.
    #[prost(message, optional, tag = "1")]
    pub commit: Option<Commit>,
    /// Its path, from `/`.
    #[prost(string, tag = "2")]
    pub path: String,
}

/// Asks for the bytes of a file, as a stream of `google.protobuf.BytesValue`.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GetFileRequest {
    /// The file.
    #[prost(message, optional, tag = "1")]
    pub file: Option<File>,
    /// Where to begin.
    #[prost(int64, tag = "2")]
    pub offset_bytes: i64,
    /// At most so many; 0 is all.
    #[prost(int64, tag = "3")]
    pub size_bytes: i64,
}

/// Asks for a check of repos, branches and commits; objects are not looked at.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct FsckRequest {
    /// Repair what can be repaired.
    #[prost(bool, tag = "1")]
    pub fix: bool,
}

/// One finding of a check.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct FsckResponse {
    /// What was repaired.
    #[prost(string, tag = "1")]
    pub fix: String,
    /// What is wrong.
    #[prost(string, tag = "2")]
    pub error: String,
}
