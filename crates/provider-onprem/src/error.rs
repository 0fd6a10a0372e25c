//! What the file system says, in the contract's words.

use std::io;
use std::path::PathBuf;

use provider::{Error, ErrorKind};

/// What is wrong with a directory that serves as a bucket, where the file system itself has no error for it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// A link in the bucket: where it leads may be outside.
    #[error("{} is a symbolic link, and links are not followed", .0.display())]
    Link(PathBuf),
    /// A socket, a pipe or a device in the bucket.
    #[error("{} is neither a file nor a directory", .0.display())]
    NotAFile(PathBuf),
    /// A directory where an object has to be.
    #[error("{} is a directory that holds other objects", .0.display())]
    IsADirectory(PathBuf),
    /// An object where a directory has to be.
    #[error("{} is a file, and an object below it can't be stored in a directory", .0.display())]
    NotADirectory(PathBuf),
    /// A name that can't be a key.
    #[error("the name of {} isn't UTF-8", .0.display())]
    NotUtf8(PathBuf),
    /// A key that no path stands for.
    #[error("a directory can't hold this key: empty, `.` and `..` segments, segments above 255 bytes, and the first segment `{reserved}` are refused", reserved = crate::bucket::TEMPORARY)]
    KeyNotHeld,
    /// The body had another size than the request said.
    #[error("{found} bytes came where {wanted} were announced")]
    WrongSize {
        /// Bytes that the request named.
        wanted: u64,
        /// Bytes that came; at least this many if the body went on.
        found: u64,
    },
    /// The body had another SHA-256 than the request said.
    #[error("the content has SHA-256 {found}, and {wanted} was announced")]
    WrongSha256 {
        /// What the request named, in hex.
        wanted: String,
        /// What came, in hex.
        found: String,
    },
    /// The file changed while it was read or copied.
    #[error("the file changed while it was read")]
    ChangedWhileRead,
    /// A listing token that no listing gave.
    #[error("this is no token of a listing")]
    BadToken,
    /// The URL isn't `file:///path`.
    #[error("the URL isn't of the form file:///path")]
    NotAFileUrl,
    /// The thread that worked on the file ended badly.
    #[error("the work on the file ended badly")]
    Thread(#[source] tokio::task::JoinError),
}

/// The kind of an error of the file system.
fn kind_of(error: &io::Error) -> ErrorKind {
    // These have no stable name in the standard library; the numbers are the same on every Linux.
    const TOO_MANY_OPEN_FILES: [i32; 2] = [23, 24];
    if error.raw_os_error().is_some_and(|number| TOO_MANY_OPEN_FILES.contains(&number)) {
        return ErrorKind::Unavailable;
    }
    match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => ErrorKind::Exhausted,
        io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory | io::ErrorKind::InvalidFilename => {
            ErrorKind::Invalid
        }
        io::ErrorKind::CrossesDevices => ErrorKind::Unsupported,
        io::ErrorKind::TimedOut => ErrorKind::Timeout,
        io::ErrorKind::Interrupted
        | io::ErrorKind::ResourceBusy
        | io::ErrorKind::WouldBlock
        | io::ErrorKind::OutOfMemory
        | io::ErrorKind::StaleNetworkFileHandle => ErrorKind::Unavailable,
        io::ErrorKind::UnexpectedEof => ErrorKind::Changed,
        _ => ErrorKind::Other,
    }
}

/// Turns errors into the contract's: one call about one resource.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) operation: &'static str,
    pub(crate) resource: String,
}

impl Context {
    /// An error of the file system.
    pub(crate) fn io(&self, cause: io::Error) -> Error {
        Error::new(kind_of(&cause), self.operation, self.resource.as_str()).with_source(cause)
    }

    /// An error of our own.
    pub(crate) fn own(&self, kind: ErrorKind, cause: FileError) -> Error {
        Error::new(kind, self.operation, self.resource.as_str()).with_source(cause)
    }

    /// An error whose kind says all.
    pub(crate) fn plain(&self, kind: ErrorKind) -> Error {
        Error::new(kind, self.operation, self.resource.as_str())
    }
}

#[cfg(test)]
mod tests {
    use provider::Retry;

    use super::*;

    #[test]
    fn each_error_number_has_its_kind_and_retry_class() {
        let slower = |kind: ErrorKind| kind.default_retry();
        for (number, kind) in [
            (1, ErrorKind::Denied),         // EPERM
            (2, ErrorKind::NotFound),       // ENOENT
            (4, ErrorKind::Unavailable),    // EINTR
            (5, ErrorKind::Other),          // EIO
            (12, ErrorKind::Unavailable),   // ENOMEM
            (13, ErrorKind::Denied),        // EACCES
            (16, ErrorKind::Unavailable),   // EBUSY
            (17, ErrorKind::AlreadyExists), // EEXIST
            (18, ErrorKind::Unsupported),   // EXDEV
            (20, ErrorKind::Invalid),       // ENOTDIR
            (21, ErrorKind::Invalid),       // EISDIR
            (23, ErrorKind::Unavailable),   // ENFILE
            (24, ErrorKind::Unavailable),   // EMFILE
            (27, ErrorKind::Exhausted),     // EFBIG
            (28, ErrorKind::Exhausted),     // ENOSPC
            (30, ErrorKind::Denied),        // EROFS
            (36, ErrorKind::Invalid),       // ENAMETOOLONG
            (110, ErrorKind::Timeout),      // ETIMEDOUT
            (116, ErrorKind::Unavailable),  // ESTALE
            (122, ErrorKind::Exhausted),    // EDQUOT
        ] {
            let context = Context { operation: "put", resource: "file:///a".to_owned() };
            let error = context.io(io::Error::from_raw_os_error(number));
            assert_eq!((error.kind(), error.retry()), (kind, slower(kind)), "error number {number}");
            assert!(std::error::Error::source(&error).is_some_and(|cause| cause.is::<io::Error>()));
        }
        assert_eq!(ErrorKind::Unavailable.default_retry(), Retry::Again);
    }
}
